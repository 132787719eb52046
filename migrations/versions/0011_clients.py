"""What each API client was used for, and which are used no more."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("retired_at", sa.String(length=32)))
    op.add_column("clients", sa.Column("retired_by", sa.Text()))
    op.add_column("clients", sa.Column("event", sa.Integer()))
    op.create_table(
        "client_uses",
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("use", sa.String(length=200), nullable=False),
        sa.Column("first_used_at", sa.String(length=32), nullable=False),
        sa.Column("last_used_at", sa.String(length=32), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "client", "use", name="pk_client_uses"),
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
