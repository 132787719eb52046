"""The ledger looked through: rows that do not fit the chain, strangers, and damage of the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    Table,
    and_,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError

from bulkrunner.adapters.ledger.batches import change_faults, line_faults
from bulkrunner.adapters.ledger.chain import (
    ORIGIN,
    append_main,
    event_hash,
    position_of,
    read_head,
    row_digest,
)
from bulkrunner.adapters.ledger.codecs import ANSWER
from bulkrunner.adapters.ledger.columns import Instant, digest_text
from bulkrunner.adapters.ledger.document_store import compaction_faults, document_faults
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, attempts, chains, clients, events, runs
from bulkrunner.adapters.ledger.witness import (
    ALL,
    SUBJECTS,
    Facts,
    Subject,
    chain_name,
)
from bulkrunner.adapters.ledger.writer import Part
from bulkrunner.errors import BulkRunnerError
from bulkrunner.sentences import Sentence


def unstored(connection: Connection, subject: Subject) -> Iterator[Sentence]:
    """Name the row that no event stored: the event that it names is another's, or is none."""
    table, kinds = subject.table, [kind for kind, one in SUBJECTS.items() if one is subject]
    mark, seen = table.c[subject.mark], set[tuple[str, int]]()
    for row in connection.execute(select(table).where(mark.is_not(None)).order_by(*_key(table))):
        values = dict(row._mapping)
        chain = values["run"] if "run" in values else values["id"] if table is runs else MAIN_CHAIN
        told = connection.scalar(
            select(events.c.data).where(
                events.c.chain == chain,
                events.c.position == values[subject.mark],
                events.c.kind.in_(kinds),
            )
        )
        data = None if told is None else {"chain": chain, "position": row.event} | json.loads(told)
        again = (chain, values[subject.mark]) in seen
        seen.add((chain, values[subject.mark]))
        if data is None or again or _keys(values, subject) != _told_keys(data, subject):
            yield Sentence("row_of_no_event", table=table.name, row=_row_name(table, values))
    yield Sentence("rows_of_no_event", table=table.name)


def _keys(values: dict[str, Any], subject: Subject) -> list[Any]:
    return [values[key] for key in subject.keys]


def _told_keys(data: dict[str, Any], subject: Subject) -> list[Any]:
    return [data[name] for name in subject.keys.values()]


def untold(connection: Connection) -> Iterator[Sentence]:
    """Name the row that has values though the event that would tell of them is missing."""
    empty = [attempts.c[name] == "" for name in ("words", "error_id")]
    empty += [attempts.c[name].is_(None) for name in ANSWER[2:] if attempts.c[name].nullable]
    of_client = (clients.c.retired_at, clients.c.retired_by)
    answered = attempts.c.answer_event.is_(None) & ~and_(*empty)
    retired = clients.c.event.is_(None) & or_(*(column.is_not(None) for column in of_client))
    if row := _first_named(connection, attempts, answered):
        yield Sentence("row_answer_untold", table=attempts.name, row=row)
    if row := _first_named(connection, clients, retired):
        yield Sentence("row_retired_untold", table=clients.name, row=row)


def _first_named(connection: Connection, table: Table, wanted: ColumnElement[bool]) -> str:
    row = connection.execute(select(table).where(wanted).order_by(*_key(table))).first()
    return "" if row is None else _row_name(table, dict(row._mapping))


def _key(table: Table) -> list[ColumnElement[Any]]:
    return list(table.primary_key.columns)


def _row_name(table: Table, values: dict[str, Any]) -> str:
    """Return how a row is named: by what its table's other rows differ in."""
    names: tuple[str, ...] = ("environment", "client", "use", "id", "plan", "seq")
    if "change" in values:
        names = ("run", "change", "number") if table is attempts else ("run", "change")
    return ", ".join(f"{name} {values[name]}" for name in names if name in values)


_PAGE = 1000


class Chain(Part):
    """Part of the store."""

    def verify(self) -> Sentence | None:
        """Walk the chain of events; None where it is whole, else what does not fit."""
        return self._first(_chain_faults)

    def check(self) -> list[Sentence]:
        """Look at everything: the file, the chain, every change and document that is stored."""
        damages = self._first(lambda c: iter(self._database.damages(c)))
        # What was added with an event can be judged only where the events can be believed.
        chain = self.verify()
        sound = () if chain else (change_faults, line_faults)
        stored = [self._first(look) for look in (*sound, document_faults)]
        return [fault for fault in (chain, *stored, damages) if fault is not None]

    def verify_plan(self, plan: str, *, documents: bool = True) -> Sentence | None:
        """Compare what is stored of one plan with its events; None where all fits."""

        def look(connection: Connection) -> Iterator[Sentence]:
            yield from change_faults(connection, plan, documents=documents)
            yield from line_faults(connection, plan)

        return self._first(look)

    def _first(self, look: Callable[[Connection], Iterator[Sentence]]) -> Sentence | None:
        try:
            with self._database.read(steady=True) as connection:
                return next(look(connection), None)
        except BulkRunnerError as error:
            return Sentence("ledger_unreadable", why=error.said)
        except (KeyError, ValueError, TypeError) as error:
            return Sentence("event_not_understood", why=repr(error))

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

    def append(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
        """Append an event of its own, outside any state change."""
        with self._database.write() as connection:
            append_main(connection, kind, data, at=at)


_Told: TypeAlias = tuple[Row[Any], dict[str, Any]]


def _chain_faults(connection: Connection) -> Iterator[Sentence]:
    return _Walk(connection).faults()


class _Walk:
    """Follows every chain, and compares what its events stored with what is there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._matched = dict.fromkeys(map(id, SUBJECTS.values()), 0)
        self._facts = Facts()
        self._entered: dict[str, int] = {}

    def faults(self) -> Iterator[Sentence]:
        """Yield what does not fit; the first is the one that counts."""
        heads = {row.chain: row for row in self._connection.execute(select(chains))}
        begun = self._connection.scalars(select(events.c.chain).distinct())
        for name in sorted({MAIN_CHAIN, *begun, *heads}):
            yield from self._chain(name, heads.get(name))
        yield from self._strangers()
        yield from self._facts.faults(self._connection)
        yield from compaction_faults(self._connection)
        for name, head in heads.items():
            if head.entered != self._entered.get(name, 0):
                yield Sentence("chain_entry_wrong", chain=chain_name(name), position=head.entered)

    def _chain(self, chain: str, head: Row[Any] | None) -> Iterator[Sentence]:
        """Follow one chain from its origin to its head."""
        position, previous = 0, ORIGIN
        while True:
            page, fault = _page(self._connection, chain, position)
            for row in page:
                position += 1
                if row.position != position:
                    yield Sentence("event_missing", position=position, chain=chain_name(chain))
                    return
                if _hash_of(previous, row) != row.hash:
                    yield Sentence("event_misfit", position=position, chain=chain_name(chain))
                    return
                previous = row.hash
            if fault:
                yield fault
                return
            yield from self._misfits(page)
            if len(page) < _PAGE:
                break
        ends = (0, ORIGIN) if head is None else (head.position, head.head)
        if ends != (position, previous):
            yield Sentence("chain_end_wrong", chain=chain_name(chain), position=ends[0])

    def _misfits(self, page: Sequence[Row[Any]]) -> Iterator[Sentence]:
        """Compare rows with the events that wrote them."""
        by_subject: dict[int, list[_Told]] = {}
        for row in page:
            data = {"chain": row.chain, "position": row.position} | json.loads(row.data)
            subject = SUBJECTS.get(row.kind)
            if subject is not None:
                by_subject.setdefault(id(subject), []).append((row, data))
            self._facts.take(row, data)
            if row.kind.startswith("run_") and "head" in data:
                self._entered[data["run"]] = data["position"]
                yield from self._wrong_entry(row, data)
        for told in by_subject.values():
            yield from self._compare(SUBJECTS[told[0][0].kind], told)

    def _compare(self, subject: Subject, told: list[_Told]) -> Iterator[Sentence]:
        """Compare the rows that these events wrote; one that a later event wrote is left to it."""
        rows = _rows_of(self._connection, subject, told)
        for event, data in told:
            key = tuple(data[name] for name in subject.keys.values())
            mark, digest = rows.get(key, (None, ""))
            if mark is None or mark < event.position:
                yield _stored_gone(event, data)
                return
            if mark == event.position:
                self._matched[id(subject)] += 1
                if digest != data["row"]:
                    yield _stored_changed(event, data)
                    return

    def _wrong_entry(self, row: Row[Any], data: dict[str, Any]) -> Iterator[Sentence]:
        found = self._connection.scalar(
            select(events.c.hash).where(
                events.c.chain == data["run"], events.c.position == data["position"]
            )
        )
        if found is None or digest_text(found) != data["head"]:
            yield Sentence(
                "chain_entered_other",
                position=data["position"],
                chain=chain_name(data["run"]),
                event=row.position,
            )

    def _strangers(self) -> Iterator[Sentence]:
        """Find rows that no event stored."""
        for subject in ALL:
            mark = subject.table.c[subject.mark]
            count = select(func.count()).select_from(subject.table).where(mark.is_not(None))
            if (self._connection.scalar(count) or 0) != self._matched[id(subject)]:
                yield from unstored(self._connection, subject)
        yield from untold(self._connection)


def _page(
    connection: Connection, chain: str, after: int
) -> tuple[Sequence[Row[Any]], Sentence | None]:
    """Read the next events; where one cannot be read, those before it."""
    query = (
        select(events)
        .where(events.c.chain == chain, events.c.position > after)
        .order_by(events.c.position)
    )
    try:
        return connection.execute(query.limit(_PAGE)).all(), None
    except DBAPIError:
        return _readable(connection, query, after)


def _readable(
    connection: Connection, query: Select[Any], after: int
) -> tuple[Sequence[Row[Any]], Sentence | None]:
    rows: list[Row[Any]] = []
    while len(rows) < _PAGE:
        try:
            row = connection.execute(query.offset(len(rows)).limit(1)).first()
        except DBAPIError as error:
            place = after + len(rows) + 1
            return rows, Sentence("event_unreadable", position=place, why=str(error.orig))
        if row is None:
            break
        rows.append(row)
    return rows, None


def _hash_of(previous: bytes, row: Row[Any]) -> bytes | None:
    if not all(isinstance(part, str) for part in (row.chain, row.at, row.kind, row.data)):
        return None
    return event_hash(
        previous, chain=row.chain, position=row.position, at=row.at, kind=row.kind, data=row.data
    )


def _rows_of(
    connection: Connection, subject: Subject, told: list[_Told]
) -> dict[tuple[Any, ...], tuple[int | None, str]]:
    """Return by key which event wrote each row last, and the row's digest."""
    table, width = subject.table, len(subject.columns)
    first, name = next(iter(subject.keys.items()))
    names = (*subject.columns, subject.mark, *subject.keys)
    query = select(*(_as_stored(table.c[name]) for name in names)).where(
        table.c[first].in_({data[name] for _, data in told})
    )
    if "run" in table.c:
        query = query.where(table.c.run == told[0][0].chain)
    return {
        tuple(row[width + 1 :]): (
            row[width],
            row_digest(dict(zip(subject.columns, row[:width], strict=True))),
        )
        for row in connection.execute(query).all()
    }


def _as_stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Take a time as the text that it is stored as: that is what its event's digest covers."""
    return type_coerce(column, String()) if isinstance(column.type, Instant) else column


def _stored_gone(event: Row[Any], data: dict[str, Any]) -> Sentence:
    chain, change = chain_name(event.chain), data.get("change")
    if change is None:
        return Sentence("stored_gone", position=event.position, chain=chain)
    return Sentence(
        "stored_gone_of_change",
        position=event.position,
        chain=chain,
        kind=event.kind,
        change=change,
    )


def _stored_changed(event: Row[Any], data: dict[str, Any]) -> Sentence:
    chain, change = chain_name(event.chain), data.get("change")
    if change is None:
        return Sentence("stored_changed", position=event.position, chain=chain)
    return Sentence(
        "stored_changed_of_change",
        position=event.position,
        chain=chain,
        kind=event.kind,
        change=change,
    )
