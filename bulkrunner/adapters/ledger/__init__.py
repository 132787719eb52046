"""The ledger on a database: ``domain.ports.Ledger`` by SQLAlchemy."""

from bulkrunner.adapters.ledger.database import shown_url
from bulkrunner.adapters.ledger.opening import LedgerStore, open_ledger, upgrade

__all__ = ["LedgerStore", "open_ledger", "shown_url", "upgrade"]
