"""Steps: several entries for one change, and selections that an environment answered."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (
        ("step", sa.Integer()),
        ("parts", sa.Text()),
        ("made", sa.Text()),
        ("place", sa.Text()),
        ("batch", sa.Integer()),
        ("wish", sa.LargeBinary(32)),
    ):
        op.add_column("planned_changes", sa.Column(name, kind))
    op.create_index(
        "ix_planned_changes_place",
        "planned_changes",
        ["plan", "place"],
        sqlite_where=sa.text("place is not null"),
        postgresql_where=sa.text("place is not null"),
    )
    op.create_index(
        "ix_planned_changes_wish",
        "planned_changes",
        ["wish", "plan"],
        sqlite_where=sa.text("wish is not null"),
        postgresql_where=sa.text("wish is not null"),
    )
    op.create_index("ix_planned_changes_batch", "planned_changes", ["plan", "batch"])
    op.create_table(
        "selections",
        sa.Column("plan", sa.String(200), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("plan", "step", name=op.f("pk_selections")),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name=op.f("fk_selections_plan_plans")),
    )
    op.create_table(
        "selected",
        sa.Column("plan", sa.String(200), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plan", "step", "position", name=op.f("pk_selected")),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name=op.f("fk_selected_plan_plans")),
    )
    _allow_changes_while_planning()


def _allow_changes_while_planning() -> None:
    """Let a change of a plan be replaced until the plan is complete."""
    name, message = "planned_changes_update", "changes of a complete plan are never changed"
    when = "(SELECT state FROM plans WHERE id = OLD.plan) = 'complete'"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {name}")
        op.execute(
            f"CREATE TRIGGER {name} BEFORE UPDATE ON planned_changes WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT ({when}) THEN RETURN NEW; END IF; RAISE EXCEPTION '{message}'; END $$"
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
