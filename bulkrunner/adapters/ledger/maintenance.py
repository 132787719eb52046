"""The ledger exported, copied and compacted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    Subquery,
    Table,
    and_,
    insert,
    literal,
    select,
    union,
    update,
)

from bulkrunner.adapters.ledger.chain import (
    ORIGIN,
    Appender,
    append_main,
    enter_head,
    plain_row,
    read_head,
)
from bulkrunner.adapters.ledger.columns import digest_text
from bulkrunner.adapters.ledger.document_store import fetch, listed_digest
from bulkrunner.adapters.ledger.tables import (
    MAIN_CHAIN,
    approvals,
    attempts,
    compactions,
    documents,
    dropped,
    events,
    planned_changes,
    plans,
    results,
    runs,
    standing_claims,
)
from bulkrunner.adapters.ledger.writer import PAGE, Part
from bulkrunner.domain.records import Document
from bulkrunner.errors import LedgerUnavailable
from bulkrunner.sentences import Sentence

# A row: column → value, times as text, as its event's digest has them.
Exported = dict[str, Any]


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
        return self._one(select(plans).where(plans.c.id == self._plan))

    def run(self) -> Exported:
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

    def standing(self) -> Iterator[Exported]:
        """Yield what the run claimed of standing approvals, and the answers that these rest on."""
        c = standing_claims.c
        query = select(standing_claims).where(c.claimed_by == self._run).order_by(c.number)
        for row in self._connection.execute(query):
            yield {"claim": plain_row(dict(row._mapping))}
        answers = select(approvals).where(approvals.c.plan.in_(self._rests_on()))
        for row in self._connection.execute(answers.order_by(approvals.c.seq)):
            yield {"answer": plain_row(dict(row._mapping))}

    def _rests_on(self) -> list[str]:
        """Return the other plans whose answers the run rests on."""
        c = standing_claims.c
        query = select(c.approved).where(c.claimed_by == self._run, c.approved != self._plan)
        return list(self._connection.scalars(query.distinct()))

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
        """Return which event the bundle begins with: the plan's, or that of one it rests on."""
        return min(self._begun(plan) for plan in (self._plan, *self._rests_on()))

    def _begun(self, plan: str) -> int:
        wanted = f'"plan":{json.dumps(plan)}'
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

    def enter(self, plan: str, run: str | None, *, report: str) -> None:
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


PRIVATE = 0o600

UNFINISHED = ".unfinished"

# Bytes of a ledger that is not copied before each run.
LARGE = 256 * 1024 * 1024

_STAMP = "%Y%m%dT%H%M%S"


class Backups(Part):
    """Part of the store."""

    def back_up(self, label: str, *, keep: int) -> str | None:
        """Copy the ledger's file and remove older copies; None where there is nothing to copy.

        Of a large file one copy a day is enough: it takes minutes, and as much room again.

        Args:
            label: part of the copy's name, e.g. a plan's id.
            keep: copies that stay, this one included; 0: nothing is copied.

        Raises:
            LedgerUnavailable: the copy cannot be written.
        """
        if keep <= 0 or not self._database.is_sqlite:
            return None
        place = Path(self._database.url.database or "")
        now = self._clock.now()
        stamp = now.astimezone(UTC).strftime(_STAMP)
        if place.stat().st_size > LARGE and _copied_since(place, now - timedelta(days=1)):
            return None
        path = place.with_name(f"{place.stem}-backup-{stamp}-{label}{place.suffix}")
        with self._database.write() as connection:
            head = read_head(connection, MAIN_CHAIN).text
            data = {"file": path.name, "head": head}
            append_main(connection, "backed_up", data, at=now)
        self._copy(path)
        _remove_older(place, keep)
        return str(path)

    def _copy(self, path: Path) -> None:
        unfinished = path.with_name(path.name + UNFINISHED)
        try:
            handle = os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_RDWR, PRIVATE)
            os.close(handle)
            self._database.copy_to(str(unfinished))
            _to_disk(unfinished, os.O_RDWR)
            unfinished.replace(path)
            if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
                _to_disk(path.parent, os.O_RDONLY)
        except OSError as error:
            raise LedgerUnavailable(
                Sentence(
                    "ledger_not_copied", path=str(path), strerror=str(error.strerror or error)
                ),
                hint=Sentence("ledger_not_copied_hint"),
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)


def _to_disk(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copies(place: Path) -> list[Path]:
    """Return the copies of a ledger's file, oldest first."""
    beginning = f"{place.stem}-backup-"
    return sorted(
        found
        for found in place.parent.iterdir()
        if found.name.startswith(beginning) and found.suffix == place.suffix
    )


def _copied_since(place: Path, then: datetime) -> bool:
    stamp = then.astimezone(UTC).strftime(_STAMP)
    return any(copy.name > f"{place.stem}-backup-{stamp}" for copy in _copies(place))


def _remove_older(place: Path, keep: int) -> None:
    for old in _copies(place)[:-keep]:
        old.unlink(missing_ok=True)


class Compactions(Part):
    """Part of the store."""

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


# From a column with a plan's id to the condition that the plan is meant.
_Test = Callable[[Any], Any]


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
