"""Since when somebody drives a run."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leases", sa.Column("taken_at", sa.String(length=32)))


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
