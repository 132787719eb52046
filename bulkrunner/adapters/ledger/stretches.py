"""Stretches of a chain: its events, proven one after the other, and the rows that they wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, String, select, type_coerce
from sqlalchemy.exc import DBAPIError

from bulkrunner.adapters.ledger.chain import event_hash, row_digest
from bulkrunner.adapters.ledger.columns import Instant
from bulkrunner.adapters.ledger.database import is_lost
from bulkrunner.adapters.ledger.tables import events
from bulkrunner.adapters.ledger.witness import SUBJECTS, Subject, chain_name
from bulkrunner.sentences import Sentence

Told: TypeAlias = tuple[Row[Any], dict[str, Any]]

PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Seal:
    """The head of a run at one of its events; ``blocks``: told of since the seal before it."""

    position: int
    head: bytes
    event: int
    blocks: frozenset[int]


def misfit(previous: bytes, row: Row[Any], position: int) -> Sentence | None:
    """Return why an event is not the next one after that of a hash; None where it is."""
    if row.position != position:
        return Sentence("event_missing", position=position, chain=chain_name(row.chain))
    if _hash_of(previous, row) != row.hash:
        return Sentence("event_misfit", position=position, chain=chain_name(row.chain))
    return None


def stretch_of(connection: Connection, run: str, before: Seal, seal: Seal) -> list[Told] | Sentence:
    """Return a run's events after one seal up to the next, or what does not fit of them."""
    position, previous = before.position, before.head
    told: list[Told] = []
    while position < seal.position:
        most = min(PAGE, seal.position - position)
        page, fault = page_of(connection, run, position, most=most)
        for row in page:
            position += 1
            if (wrong := misfit(previous, row, position)) is not None:
                return wrong
            previous = row.hash
            told.append((row, data_of(row)))
        if fault is not None:
            return fault
        if not page:
            return Sentence("event_missing", position=position + 1, chain=chain_name(run))
    if previous != seal.head:
        return Sentence(
            "chain_entered_other", position=position, chain=chain_name(run), event=seal.event
        )
    return told


def page_of(
    connection: Connection, chain: str, after: int, *, most: int = PAGE
) -> tuple[Sequence[Row[Any]], Sentence | None]:
    """Read the next events; where one cannot be read, those before it."""
    query = (
        select(events)
        .where(events.c.chain == chain, events.c.position > after)
        .order_by(events.c.position)
    )
    try:
        return connection.execute(query.limit(most)).all(), None
    except DBAPIError as error:
        if is_lost(error):
            raise
        return _readable(connection, query, after)


def _readable(
    connection: Connection, query: Select[Any], after: int
) -> tuple[Sequence[Row[Any]], Sentence | None]:
    rows: list[Row[Any]] = []
    while len(rows) < PAGE:
        try:
            row = connection.execute(query.offset(len(rows)).limit(1)).first()
        except DBAPIError as error:
            if is_lost(error):
                raise
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


def rows_of(
    connection: Connection, subject: Subject, told: list[Told]
) -> dict[tuple[Any, ...], tuple[int | None, str]]:
    """Return by key which event wrote each row last, and the row's digest."""
    table, width = subject.table, len(subject.columns)
    first, name = next(iter(subject.keys.items()))
    names = (*subject.columns, subject.mark, *subject.keys)
    query = select(*(as_stored(table.c[name]) for name in names)).where(
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


def as_stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Take a time as the text that it is stored as: that is what its event's digest covers."""
    if isinstance(column.type, Instant):
        return type_coerce(column, String()).label(column.name)
    return column


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


def by_subject(told: list[Told]) -> Iterator[tuple[Subject, list[Told]]]:
    found: dict[int, list[Told]] = {}
    for event, data in told:
        if (subject := SUBJECTS.get(event.kind)) is not None:
            found.setdefault(id(subject), []).append((event, data))
    for part in found.values():
        yield SUBJECTS[part[0][0].kind], part


def key_of(subject: Subject, data: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(data[name] for name in subject.keys.values())


_Rows: TypeAlias = Mapping[tuple[Any, ...], tuple[int | None, str]]


def misfits(subject: Subject, told: list[Told], rows: _Rows) -> Iterator[Sentence]:
    """Yield what is not as these events stored it; what a later event wrote is left to that."""
    for event, data in told:
        mark, digest = rows.get(key_of(subject, data), (None, ""))
        if mark is None or mark < event.position:
            yield _stored_gone(event, data)
        elif mark == event.position and digest != data["row"]:
            yield _stored_changed(event, data)


def data_of(row: Row[Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(row.data)
    return {"chain": row.chain, "position": row.position} | told
