"""Compaction: documents of old plans are dropped, their digests and everything else stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Integer, Subquery, and_, insert, literal, select, union, update

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import append_main
from bulkrunner.adapters.ledger.schema import (
    compactions,
    documents,
    dropped,
    planned_changes,
    results,
    runs,
)
from bulkrunner.adapters.ledger.stored import listed_digest


class Compactions(Part):
    """Part of the store: see ``domain.ports.PlanLedger``."""

    def compacted(self) -> frozenset[str]:
        """Return the plans whose documents were dropped."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(compactions.c.plan)))

    def compact(self, plans: Sequence[str]) -> int:
        """Drop the documents that only these plans, their runs and compacted ones have.

        Returns:
            How many were dropped.
        """
        with self._database.write() as connection:
            mine, others = _documents_of(_one_of(plans)), _documents_of(_another_than(plans))
            wanted = select(mine.c.digest).where(
                mine.c.digest.not_in(select(others.c.digest)),
                mine.c.digest.not_in(select(dropped.c.digest)),
            )
            count, digest = listed_digest(connection, wanted.order_by(mine.c.digest))
            data = {"plans": sorted(plans), "count": count, "documents": digest}
            event = append_main(connection, "compacted", data, at=self._clock.now())
            connection.execute(
                insert(dropped).from_select(
                    ["digest", "event"], wanted.add_columns(literal(event, Integer))
                )
            )
            rows = [{"plan": plan, "event": event} for plan in sorted(plans)]
            connection.execute(insert(compactions), rows)
            gone = select(dropped.c.digest).where(dropped.c.event == event)
            connection.execute(
                update(documents).where(documents.c.digest.in_(gone)).values(content=b"")
            )
        return count

    def tidy(self) -> None:
        """Give back the room that dropped documents took."""
        self._database.tidy()

    def size(self) -> int | None:
        """Return the bytes of the ledger's file, None where it is none."""
        return self._database.size()


_Test = Callable[[Any], Any]
"""From a column with a plan's id to the condition that the plan is meant."""


def _one_of(plans: Sequence[str]) -> _Test:
    return lambda column: column.in_(plans)


def _another_than(plans: Sequence[str]) -> _Test:
    """Return the test for plans that are neither these nor compacted already."""
    earlier = select(compactions.c.plan)
    return lambda column: and_(column.not_in(plans), column.not_in(earlier))


def _documents_of(meant: _Test) -> Subquery:
    """Select the documents of changes of the plans meant, and what their runs kept."""
    c = planned_changes.c
    parts = [
        select(column.label("digest")).where(column.is_not(None), meant(c.plan))
        for column in (c.before, c.after, c.predicted)
    ]
    kept = (
        select(results.c.stored.label("digest"))
        .join(runs, runs.c.id == results.c.run)
        .where(results.c.stored.is_not(None), meant(runs.c.plan))
    )
    return union(*parts, kept).subquery()
