"""Lines of a plan's inputs that give no change, so that every line is accounted for."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "input_lines",
        sa.Column("plan", sa.String(200), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("source_file", sa.Text(), server_default="", nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("source_column", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("given", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("plan", "place", name=op.f("pk_input_lines")),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], name=op.f("fk_input_lines_plan_plans")),
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
