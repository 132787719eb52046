"""Documents of old runs may be dropped; their digests stay."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANGED = (
    "OLD.digest <> NEW.digest OR (length(OLD.content) > 0 AND length(NEW.content) > 0) "
    "OR (length(NEW.content) = 0 AND NOT EXISTS "
    "(SELECT 1 FROM dropped WHERE dropped.digest = OLD.digest))"
)
"""Another change of a document than dropping it, or putting a dropped one back."""


def upgrade() -> None:
    op.create_table(
        "compactions",
        sa.Column("plan", sa.String(length=200), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name="fk_compactions_plan_plans"),
        sa.PrimaryKeyConstraint("plan", name="pk_compactions"),
    )
    op.create_table(
        "dropped",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["documents.digest"], name="fk_dropped_digest_documents"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_dropped"),
    )
    op.create_index("ix_dropped_event", "dropped", ["event"])
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute("DROP TRIGGER documents_update" + ("" if sqlite else " ON documents"))
    if not sqlite:
        op.execute("DROP FUNCTION documents_update()")
    _forbid("documents", "UPDATE", "documents are never changed", when=CHANGED)
    for table in ("compactions", "dropped"):
        for verb in ("UPDATE", "DELETE"):
            _forbid(table, verb, f"{table} are never changed")


def _forbid(table: str, verb: str, message: str, *, when: str = "") -> None:
    name = f"{table}_{verb.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        condition = f"WHEN {when} " if when else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {condition}"
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    test = f"IF NOT ({when}) THEN RETURN NEW; END IF;" if when else ""
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {test} "
        f"RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
