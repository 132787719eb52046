"""Strangers: rows that no event stored, and values that no event told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, literal, or_, select

from bulkrunner.adapters.ledger.codecs import ANSWER
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, attempts, clients, events, runs
from bulkrunner.adapters.ledger.witness import SUBJECTS, Subject
from bulkrunner.sentences import Sentence


def unstored(
    connection: Connection, subject: Subject, *of_rows: ColumnElement[bool]
) -> Iterator[Sentence]:
    """Name the row, perhaps of some, that no event stored: the event is another's, or is none."""
    table, kinds = subject.table, [kind for kind, one in SUBJECTS.items() if one is subject]
    mark, seen = table.c[subject.mark], set[tuple[str, int]]()
    chain: ColumnElement[str] = literal(MAIN_CHAIN)
    if table is runs or "run" in table.c:
        chain = table.c.id if table is runs else table.c.run
    its_event = and_(events.c.chain == chain, events.c.position == mark, events.c.kind.in_(kinds))
    rows = select(table, chain.label("of_chain"), events.c.data.label("told"))
    rows = rows.outerjoin_from(table, events, its_event).where(mark.is_not(None), *of_rows)
    for row in connection.execute(rows.order_by(*_key(table))):
        values = dict(row._mapping)
        place = (row.of_chain, values[subject.mark])
        data = {"chain": row.of_chain, "position": values[subject.mark]}
        data |= json.loads(row.told or "{}")
        again = place in seen
        seen.add(place)
        if row.told is None or again or _keys(values, subject) != _told_keys(data, subject):
            yield Sentence("row_of_no_event", table=table.name, row=row_name(table, values))


def _keys(values: dict[str, Any], subject: Subject) -> list[Any]:
    return [values[key] for key in subject.keys]


def _told_keys(data: dict[str, Any], subject: Subject) -> list[Any]:
    return [data[name] for name in subject.keys.values()]


def untold(connection: Connection) -> Iterator[Sentence]:
    """Name the row that has values though the event that would tell of them is missing."""
    yield from answers_untold(connection)
    of_client = (clients.c.retired_at, clients.c.retired_by)
    retired = clients.c.event.is_(None) & or_(*(column.is_not(None) for column in of_client))
    if row := _first_named(connection, clients, retired):
        yield Sentence("row_retired_untold", table=clients.name, row=row)


def answers_untold(connection: Connection, *of_rows: ColumnElement[bool]) -> Iterator[Sentence]:
    """Name the attempt, perhaps of some, that has an answer though no event tells of it."""
    empty = [attempts.c[name] == "" for name in ("words", "error_id")]
    empty += [attempts.c[name].is_(None) for name in ANSWER[2:] if attempts.c[name].nullable]
    answered = and_(attempts.c.answer_event.is_(None), ~and_(*empty), *of_rows)
    if row := _first_named(connection, attempts, answered):
        yield Sentence("row_answer_untold", table=attempts.name, row=row)


def _first_named(connection: Connection, table: Table, wanted: ColumnElement[bool]) -> str:
    row = connection.execute(select(table).where(wanted).order_by(*_key(table))).first()
    return "" if row is None else row_name(table, dict(row._mapping))


def _key(table: Table) -> list[ColumnElement[Any]]:
    return list(table.primary_key.columns)


def row_name(table: Table, values: dict[str, Any]) -> str:
    """Return how a row is named: by what its table's other rows differ in."""
    names: tuple[str, ...] = ("environment", "client", "use", "id", "plan", "seq")
    if "change" in values:
        names = ("run", "change", "number") if table is attempts else ("run", "change")
    return ", ".join(f"{name} {values[name]}" for name in names if name in values)
