"""Orders to a running run, what it waits for, and one pace for all processes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("rate", sa.Float()))
    op.add_column(
        "runs", sa.Column("hold", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("runs", sa.Column("ordered_by", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "paces",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.Column("rest_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("place", "kind", name="pk_paces"),
    )
    op.create_table(
        "waits",
        sa.Column("run", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("until", sa.String(length=32)),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_waits_run_runs"),
        sa.PrimaryKeyConstraint("run", name="pk_waits"),
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
