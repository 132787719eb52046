"""Names rows that no event stored, once it is known that there are any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from bulkrunner.adapters.ledger.rows import ANSWER
from bulkrunner.adapters.ledger.schema import MAIN_CHAIN, attempts, clients, events, runs
from bulkrunner.adapters.ledger.subjects import SUBJECTS, Subject


def unstored(connection: Connection, subject: Subject) -> Iterator[str]:
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
            yield f"{_row_name(table, values)} was stored by no event"
    yield f"there are rows of {table.name} that no event stored"


def _keys(values: dict[str, Any], subject: Subject) -> list[Any]:
    return [values[key] for key in subject.keys]


def _told_keys(data: dict[str, Any], subject: Subject) -> list[Any]:
    return [data[name] for name in subject.keys.values()]


def untold(connection: Connection) -> Iterator[str]:
    """Name the row that has values though the event that would tell of them is missing."""
    empty = [attempts.c[name] == "" for name in ("words", "error_id")]
    empty += [attempts.c[name].is_(None) for name in ANSWER[2:] if attempts.c[name].nullable]
    of_client = (clients.c.retired_at, clients.c.retired_by)
    for table, untold, what in (
        (attempts, attempts.c.answer_event.is_(None) & ~and_(*empty), "has an answer"),
        (
            clients,
            clients.c.event.is_(None) & or_(*(column.is_not(None) for column in of_client)),
            "is retired",
        ),
    ):
        row = connection.execute(select(table).where(untold).order_by(*_key(table))).first()
        if row is not None:
            yield f"{_row_name(table, dict(row._mapping))} {what} that no event tells of"


def _key(table: Table) -> list[ColumnElement[Any]]:
    return list(table.primary_key.columns)


def _row_name(table: Table, values: dict[str, Any]) -> str:
    """Return how a row is named: by what its table's other rows differ in."""
    names: tuple[str, ...] = ("environment", "client", "use", "id", "plan", "seq")
    if "change" in values:
        names = ("run", "change", "number") if table is attempts else ("run", "change")
    shown = ", ".join(f"{name} {values[name]}" for name in names if name in values)
    return f"a row of {table.name} ({shown})"
