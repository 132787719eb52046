"""The ledger on a database: ``domain.ports.Ledger`` by SQLAlchemy."""

from bulkrunner.adapters.ledger.database import shown_url
from bulkrunner.adapters.ledger.opening import open_ledger, upgrade
from bulkrunner.adapters.ledger.store import LedgerStore

__all__ = ["LedgerStore", "open_ledger", "shown_url", "upgrade"]
