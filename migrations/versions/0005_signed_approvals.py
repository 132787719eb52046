"""Signatures under approvals, and the conditions that they set."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = {
        "conditions": sa.Text(),
        "head": sa.Text(),
        "language": sa.String(length=8),
        "signature": sa.Text(),
        "signer": sa.Text(),
        "signing_key": sa.Text(),
    }
    for name, kind in columns.items():
        op.add_column("approvals", sa.Column(name, kind))


def downgrade() -> None:
    raise NotImplementedError("a ledger only grows")
