"""Approvals, the head, and events of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import ORIGIN, append_main, read_head, row_digest
from bulkrunner.adapters.ledger.columns import digest_bytes
from bulkrunner.adapters.ledger.rows import APPROVAL, approval_of, approval_row, pick
from bulkrunner.adapters.ledger.schema import MAIN_CHAIN, approvals, events, plans
from bulkrunner.domain.gates import Approval
from bulkrunner.errors import AnswerRefused


class Approvals(Part):
    """Part of the store: see ``domain.ports.ApprovalLedger``."""

    def add_approval(self, approval: Approval, *, known: int | None = None) -> None:
        """Store a yes or a no."""
        row = approval_row(approval)
        kind = "approved" if approval.approved else "rejected"
        count = select(func.count()).where(approvals.c.plan == approval.plan)
        with self._database.write() as connection:
            if known is not None and connection.scalar(count) != known:
                raise AnswerRefused(
                    f"another answer to plan {approval.plan} was recorded meanwhile",
                    hint=f"look at it (bulkrunner status {approval.plan}) and give this command "
                    "again",
                    code="answered_meanwhile",
                )
            data = {"plan": approval.plan, "row": row_digest(pick(row, APPROVAL))}
            event = append_main(connection, kind, data, at=self._clock.now())
            connection.execute(insert(approvals).values(**row, event=event))

    def approvals(self, plan: str) -> list[Approval]:
        """Return answers to a plan, oldest first."""
        query = select(approvals).where(approvals.c.plan == plan).order_by(approvals.c.seq)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [approval_of(row, given=self._given(row.head)) for row in rows]

    def _given(self, head: str | None) -> int:
        try:
            found = self.position_of(head) if head else None
        except ValueError:
            found = None
        return -1 if found is None else found

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
        if (wanted := digest_bytes(head)) == ORIGIN:
            return 0
        query = select(events.c.position).where(
            events.c.chain == MAIN_CHAIN, events.c.hash == wanted
        )
        with self._database.read() as connection:
            return connection.scalar(query)

    def completed_at(self, plan: str) -> int:
        """Return by which event of the ledger's own chain a plan became what it is."""
        query = select(plans.c.event).where(plans.c.id == plan)
        with self._database.read() as connection:
            return int(connection.scalar(query) or 0)

    def newest_time(self) -> datetime | None:
        """Return when the newest event of the ledger's own chain was; None without one."""
        query = (
            select(events.c.at)
            .where(events.c.chain == MAIN_CHAIN)
            .order_by(events.c.position.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            found = connection.scalar(query)
        return None if found is None else datetime.fromisoformat(found)

    def append_event(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
        """Append an event of its own, outside any state change."""
        with self._database.write() as connection:
            append_main(connection, kind, data, at=at)
