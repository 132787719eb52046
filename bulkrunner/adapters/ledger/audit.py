"""The ledger looked through: rows that do not fit the chain, strangers, and damage of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from bulkrunner.adapters.ledger.batches import change_faults, line_faults
from bulkrunner.adapters.ledger.chain import append_main, position_of, read_head
from bulkrunner.adapters.ledger.document_store import document_faults
from bulkrunner.adapters.ledger.seals import Seals, first_fault
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, events
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.sentences import Sentence


class Chain(Part):
    """Part of the store."""

    def verify(self) -> Sentence | None:
        """Walk the chain of events; None where it is whole, else what does not fit."""
        seals = Seals(self._database)

        def look(connection: Connection) -> Iterator[Sentence]:
            yield from seals.outset(connection)
            for piece in seals.pieces(None):
                yield from piece(connection)

        return first_fault(self._database, look)

    def seals(self) -> Seals:
        """Walk the ledger's own chain; what it vouches for can then be verified apart."""
        seals = Seals(self._database)
        seals.fault = first_fault(self._database, seals.outset)
        return seals

    def check(self) -> list[Sentence]:
        """Look at everything: the file, the chain, every change and document that is stored."""
        damages = first_fault(self._database, lambda c: iter(self._database.damages(c)))
        # What was added with an event can be judged only where the events can be believed.
        chain = self.verify()
        sound = () if chain else (change_faults, line_faults)
        stored = [first_fault(self._database, look) for look in (*sound, document_faults)]
        return [fault for fault in (chain, *stored, damages) if fault is not None]

    def verify_plan(self, plan: str, *, documents: bool = True) -> Sentence | None:
        """Compare what is stored of one plan with its events; None where all fits."""

        def look(connection: Connection) -> Iterator[Sentence]:
            yield from change_faults(connection, plan, documents=documents)
            yield from line_faults(connection, plan)

        return first_fault(self._database, look)

    def head(self) -> str:
        """Return the chain's newest hash."""
        with self._database.read() as connection:
            return read_head(connection, MAIN_CHAIN).text

    def length(self) -> int:
        """Return how many events the ledger's own chain has."""
        with self._database.read() as connection:
            return read_head(connection, MAIN_CHAIN).position

    def position_of(self, head: str) -> int | None:
        """Return which event of the ledger's own chain has this hash, 0: the chain's beginning."""
        with self._database.read() as connection:
            return position_of(connection, head)

    def newest_time(self) -> datetime | None:
        """Return the latest time of any event of the ledger's own chain; None without one."""
        query = select(func.max(events.c.at)).where(events.c.chain == MAIN_CHAIN)
        with self._database.read() as connection:
            found = connection.scalar(query)
        return None if found is None else datetime.fromisoformat(found)

    def append(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
        """Append an event of its own, outside any state change."""
        with self._database.write() as connection:
            append_main(connection, kind, data, at=at)
