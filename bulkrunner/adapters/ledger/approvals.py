"""Approvals, the head, and events of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import ORIGIN, append_main, read_head, row_digest
from bulkrunner.adapters.ledger.columns import digest_bytes
from bulkrunner.adapters.ledger.rows import APPROVAL, approval_of, approval_row, pick
from bulkrunner.adapters.ledger.schema import MAIN_CHAIN, approvals, events
from bulkrunner.domain.gates import Approval


class Approvals(Part):
    """Part of the store: see ``domain.ports.ApprovalLedger``."""

    def add_approval(self, approval: Approval) -> None:
        """Store a yes or a no."""
        row = approval_row(approval)
        kind = "approved" if approval.approved else "rejected"
        with self._database.write() as connection:
            data = {"plan": approval.plan, "row": row_digest(pick(row, APPROVAL))}
            event = append_main(connection, kind, data, at=self._clock.now())
            connection.execute(insert(approvals).values(**row, event=event))

    def approvals(self, plan: str) -> list[Approval]:
        """Return answers to a plan, oldest first."""
        query = select(approvals).where(approvals.c.plan == plan).order_by(approvals.c.seq)
        with self._database.read() as connection:
            return [approval_of(row) for row in connection.execute(query)]

    def head(self) -> str:
        """Return the chain's newest hash."""
        with self._database.read() as connection:
            return read_head(connection, MAIN_CHAIN).text

    def has_head(self, head: str) -> bool:
        """Tell whether the chain has, or once had, this head."""
        return self.position_of(head) is not None

    def length(self) -> int:
        """Return how many events the ledger's own chain has."""
        with self._database.read() as connection:
            return read_head(connection, MAIN_CHAIN).position

    def position_of(self, head: str) -> int | None:
        """Return which event of the ledger's own chain has this hash, 0: the chain's beginning."""
        if (wanted := digest_bytes(head)) == ORIGIN:
            return 0
        query = select(events.c.position).where(
            events.c.chain == MAIN_CHAIN, events.c.hash == wanted
        )
        with self._database.read() as connection:
            return connection.scalar(query)

    def append_event(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
        """Append an event of its own, outside any state change."""
        with self._database.write() as connection:
            append_main(connection, kind, data, at=at)
