"""The ledger as services see it, put together from its parts."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from bulkrunner.adapters.ledger.approvals import Approvals
from bulkrunner.adapters.ledger.backups import Backups
from bulkrunner.adapters.ledger.checking import Checks
from bulkrunner.adapters.ledger.clients import Clients
from bulkrunner.adapters.ledger.compacting import Compactions
from bulkrunner.adapters.ledger.evidence import Evidences
from bulkrunner.adapters.ledger.exporting import Exports
from bulkrunner.adapters.ledger.leases import Leases
from bulkrunner.adapters.ledger.lookups import Lookups
from bulkrunner.adapters.ledger.orders import LiveOrders
from bulkrunner.adapters.ledger.paces import Paces
from bulkrunner.adapters.ledger.places import Places
from bulkrunner.adapters.ledger.plans import Plans
from bulkrunner.adapters.ledger.provenance import Provenance
from bulkrunner.adapters.ledger.reading import Reading
from bulkrunner.adapters.ledger.runs import Runs
from bulkrunner.adapters.ledger.selections import Selections


class LedgerStore(
    Plans,
    Lookups,
    Selections,
    Runs,
    Leases,
    LiveOrders,
    Paces,
    Places,
    Approvals,
    Evidences,
    Reading,
    Checks,
    Compactions,
    Backups,
    Provenance,
    Exports,
    Clients,
):
    """Implements ``domain.ports.Ledger`` on a database; made by ``open_ledger``."""

    def close(self) -> None:
        """Write what is waiting and close the database."""
        self._writer.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
