"""Changes into which the content of other records went."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("planned_changes", sa.Column("origins", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
