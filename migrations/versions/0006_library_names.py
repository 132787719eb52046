"""The name of each change's library."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("planned_changes", sa.Column("library", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
