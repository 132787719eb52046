"""Rows of one plan and run as plain data, all of one moment, for a bundle that leaves the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select

from bulkrunner.adapters.ledger.base import PAGE, Part
from bulkrunner.adapters.ledger.chain import (
    ORIGIN,
    Appender,
    append_main,
    enter_head,
    plain_row,
    read_head,
)
from bulkrunner.adapters.ledger.columns import digest_text
from bulkrunner.adapters.ledger.documents import fetch
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    approvals,
    attempts,
    events,
    planned_changes,
    plans,
    results,
    runs,
)
from bulkrunner.domain.records import Document

Exported = dict[str, Any]
"""A row: column → value, times as text, as its event's digest has them."""


class Snapshot:
    """What the ledger holds of a plan at one moment."""

    def __init__(self, connection: Connection, plan: str, run: str | None) -> None:
        self._connection = connection
        self._plan = plan
        self._run = run

    def head(self) -> str:
        """Return the ledger's head."""
        return read_head(self._connection, MAIN_CHAIN).text

    def plan(self) -> Exported:
        """Return the plan."""
        return self._one(select(plans).where(plans.c.id == self._plan))

    def run(self) -> Exported:
        """Return the run."""
        return self._one(select(runs).where(runs.c.id == self._run))

    def changes(self) -> Iterator[tuple[Exported, dict[str, Document]]]:
        """Yield the changes in plan order, each with its documents by digest."""
        c = planned_changes.c
        query = select(planned_changes).where(c.plan == self._plan)
        names = ("before", "after", "predicted")
        for page in self._pages(query.order_by(c.number), planned_changes, "number"):
            yield from self._with_documents(page, names)

    def approvals(self) -> Iterator[Exported]:
        """Yield the answers, oldest first."""
        query = select(approvals).where(approvals.c.plan == self._plan).order_by(approvals.c.seq)
        for row in self._connection.execute(query):
            yield plain_row(dict(row._mapping))

    def attempts(self) -> Iterator[Exported]:
        """Yield the run's attempts, change by change."""
        c = attempts.c
        query = select(attempts).where(c.run == self._run).order_by(c.change, c.number)
        with self._connection.execute(query) as found:
            for row in found:
                yield plain_row(dict(row._mapping))

    def results(self) -> Iterator[tuple[Exported, dict[str, Document]]]:
        """Yield the run's outcomes, each with the document that was kept of it."""
        query = select(results).where(results.c.run == self._run).order_by(results.c.change)
        for page in self._pages(query, results, "change"):
            yield from self._with_documents(page, ("stored",))

    def events(self) -> Iterator[Exported]:
        """Yield the ledger's chain from the plan's beginning to the head, then the run's."""
        first = self._first()
        for chain, after in ((MAIN_CHAIN, first - 1), (self._run, 0)):
            if chain is None:
                continue
            query = select(events).where(events.c.chain == chain).order_by(events.c.position)
            for page in self._pages(query, events, "position", after=after):
                for row in page:
                    yield {**dict(row._mapping), "hash": digest_text(row.hash)}

    def before(self) -> Exported:
        """Return position and hash of the event before the first one of ``events``."""
        position = self._first() - 1
        query = select(events.c.hash).where(
            events.c.chain == MAIN_CHAIN, events.c.position == position
        )
        found = self._connection.scalar(query)
        return {"position": position, "hash": digest_text(found or ORIGIN)}

    def _first(self) -> int:
        wanted = f'"plan":{json.dumps(self._plan)}'
        query = select(events.c.position).where(
            events.c.chain == MAIN_CHAIN,
            events.c.kind == "plan_begun",
            events.c.data.contains(wanted, autoescape=True),
        )
        return int(self._connection.execute(query.order_by(events.c.position)).scalars().one())

    def _one(self, query: Select[Any]) -> Exported:
        return plain_row(self._connection.execute(query).one()._mapping)

    def _pages(
        self, query: Select[Any], table: Table, key: str, *, after: int = 0
    ) -> Iterator[Sequence[Row[Any]]]:
        while True:
            page = self._connection.execute(query.where(table.c[key] > after).limit(PAGE)).all()
            if page:
                yield page
            if len(page) < PAGE:
                return
            after = getattr(page[-1], key)

    def _with_documents(
        self, page: Sequence[Row[Any]], names: Sequence[str]
    ) -> Iterator[tuple[Exported, dict[str, Document]]]:
        found = fetch(self._connection, [getattr(row, name) for row in page for name in names])
        for row in page:
            digests = [getattr(row, name) for name in names]
            yield (
                plain_row(dict(row._mapping)),
                {digest: found[digest] for digest in digests if digest is not None},
            )


class Exports(Part):
    """Part of the store: what leaves it."""

    def enter_exported(self, plan: str, run: str | None, *, report: str) -> None:
        """Tell the ledger's chain that a bundle is made; its head then stands for the whole run.

        Args:
            plan: its id.
            run: its id, None for a plan alone.
            report: digest of the report in the bundle.
        """
        told = {"plan": plan, "report": report}
        now = self._clock.now()
        with self._database.write() as connection:
            if run is None:
                append_main(connection, "exported", told, at=now)
            else:
                chain = Appender(connection, run)
                enter_head(chain, "run_exported", told, at=now)

    @contextmanager
    def snapshot(self, plan: str, run: str | None) -> Iterator[Snapshot]:
        """Give everything that is known of a plan, and of a run of it, as it is at one moment."""
        with self._database.read(steady=True) as connection:
            yield Snapshot(connection, plan, run)
