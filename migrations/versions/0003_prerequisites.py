"""Changes that wait for others of their plan."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("planned_changes", sa.Column("prerequisites", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
