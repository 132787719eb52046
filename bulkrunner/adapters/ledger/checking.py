"""Looks for rows that do not fit the chain of events, and for damage of the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select
from sqlalchemy.exc import DBAPIError

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import ORIGIN, event_hash, row_digest
from bulkrunner.adapters.ledger.columns import digest_text
from bulkrunner.adapters.ledger.documents import first_damaged
from bulkrunner.adapters.ledger.plans import changes_digest
from bulkrunner.adapters.ledger.rows import ANSWER, APPROVAL, CHANGE, INTENT, PLAN, RESULT, RUN
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    approvals,
    attempts,
    chains,
    events,
    planned_changes,
    plans,
    results,
    runs,
)
from bulkrunner.errors import BulkRunnerError

_PAGE = 1000


class Checks(Part):
    """Part of the store: the chain of ``domain.ports.ApprovalLedger``, and ``ledger check``."""

    def verify_chain(self) -> str | None:
        """Walk the chain of events; None where it is whole, else what does not fit."""
        return self._first(_chain_faults)

    def check(self) -> list[str]:
        """Look at everything: the file, the chain, every change and document that is stored."""
        damages = self._first(lambda c: iter(self._database.damages(c)))
        looks = (_chain_faults, _change_faults, _document_faults)
        found = [damages, *(self._first(look) for look in looks)]
        return [fault for fault in found if fault is not None]

    def _first(self, look: Callable[[Connection], Iterator[str]]) -> str | None:
        try:
            with self._database.read() as connection:
                return next(look(connection), None)
        except BulkRunnerError as error:
            return f"the ledger cannot be read: {error}"


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """The rows that events of a kind write.

    Attributes:
        columns: that the event's digest covers. keys: columns that tell the rows of one chain
            apart, each with the name of its value in the event. mark: column with the position of
            the event that wrote the row last.
    """

    table: Table
    columns: tuple[str, ...]
    keys: dict[str, str]
    mark: str = "event"


_ATTEMPT_KEYS = {"change": "change", "number": "attempt"}
_INTENT = _Subject(table=attempts, columns=INTENT, keys=_ATTEMPT_KEYS)
_ANSWER = _Subject(table=attempts, columns=ANSWER, keys=_ATTEMPT_KEYS, mark="answer_event")
_RESULT = _Subject(table=results, columns=RESULT, keys={"change": "change"})
_RUN = _Subject(table=runs, columns=RUN, keys={"id": "chain"})
_PLAN = _Subject(table=plans, columns=PLAN, keys={"id": "plan"})
_APPROVAL = _Subject(table=approvals, columns=APPROVAL, keys={"event": "position"})

_SUBJECTS = {
    "intent": _INTENT,
    "answer": _ANSWER,
    "outcome": _RESULT,
    "started": _RUN,
    "moved": _RUN,
    "plan_begun": _PLAN,
    "plan_interrupted": _PLAN,
    "plan_reopened": _PLAN,
    "plan_finished": _PLAN,
    "approved": _APPROVAL,
    "rejected": _APPROVAL,
}


def _chain_faults(connection: Connection) -> Iterator[str]:
    heads = {row.chain: row for row in connection.execute(select(chains))}
    names = {MAIN_CHAIN, *connection.scalars(select(events.c.chain).distinct()), *heads}
    for name in sorted(names):
        yield from _walk(connection, name, heads.get(name))
    yield from _strangers(connection)
    yield from _unentered(connection)


def _walk(connection: Connection, chain: str, head: Row[Any] | None) -> Iterator[str]:
    """Follow one chain from its origin to its head."""
    position, previous = 0, ORIGIN
    while True:
        page, fault = _page(connection, chain, position)
        for row in page:
            position += 1
            expected = _hash_of(previous, row)
            if row.position != position:
                yield f"event {position} of {_name(chain)} is missing"
                return
            if expected != row.hash:
                yield f"event {position} of {_name(chain)} does not fit the one before it"
                return
            previous = row.hash
        if fault:
            yield fault
            return
        yield from _misfits(connection, chain, page)
        if len(page) < _PAGE:
            break
    ends = (0, ORIGIN) if head is None else (head.position, head.head)
    if ends != (position, previous):
        yield f"{_name(chain)} does not end where the ledger says (event {ends[0]})"


def _page(connection: Connection, chain: str, after: int) -> tuple[Sequence[Row[Any]], str | None]:
    """Read the next events; where one cannot be read, those before it."""
    query = (
        select(events)
        .where(events.c.chain == chain, events.c.position > after)
        .order_by(events.c.position)
    )
    try:
        return connection.execute(query.limit(_PAGE)).all(), None
    except DBAPIError:
        rows: list[Row[Any]] = []
        while len(rows) < _PAGE:
            try:
                row = connection.execute(query.offset(len(rows)).limit(1)).first()
            except DBAPIError as error:
                place = after + len(rows) + 1
                return rows, f"event {place} of {_name(chain)} cannot be read ({error.orig})"
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


def _misfits(connection: Connection, chain: str, page: Sequence[Row[Any]]) -> Iterator[str]:
    """Compare rows with the events that wrote them."""
    by_subject: dict[int, tuple[_Subject, list[tuple[Row[Any], dict[str, Any]]]]] = {}
    for row in page:
        data = {"chain": chain, "position": row.position} | json.loads(row.data)
        subject = _SUBJECTS.get(row.kind)
        if subject is not None:
            by_subject.setdefault(id(subject), (subject, []))[1].append((row, data))
        if row.kind.startswith("run_") and "head" in data:
            yield from _wrong_entry(connection, row, data)
    for subject, told in by_subject.values():
        yield from _compare(connection, subject, told)


def _compare(
    connection: Connection, subject: _Subject, told: list[tuple[Row[Any], dict[str, Any]]]
) -> Iterator[str]:
    """Compare the rows that these events wrote; one that a later event wrote is left to it."""
    rows = _rows_of(connection, subject, told)
    for event, data in told:
        row = rows.get(tuple(data[name] for name in subject.keys.values()))
        place = f"event {event.position} of {_name(event.chain)}"
        mark = None if row is None else getattr(row, subject.mark)
        if mark is None or mark < event.position:
            yield f"what {place} stored ({event.kind}{_shown(data)}) is gone"
            return
        if mark == event.position and _digest(subject, row) != data["row"]:
            yield f"what {place} stored ({event.kind}{_shown(data)}) was changed afterwards"
            return


def _rows_of(
    connection: Connection, subject: _Subject, told: list[tuple[Row[Any], dict[str, Any]]]
) -> dict[tuple[Any, ...], Row[Any]]:
    columns = [subject.table.c[name] for name in subject.keys]
    first = next(iter(subject.keys.values()))
    query = select(subject.table).where(columns[0].in_({data[first] for _, data in told}))
    if "run" in subject.table.c:
        query = query.where(subject.table.c.run == told[0][0].chain)
    return {
        tuple(getattr(row, name) for name in subject.keys): row for row in connection.execute(query)
    }


def _digest(subject: _Subject, row: Any) -> str:
    return row_digest({name: getattr(row, name) for name in subject.columns})


def _wrong_entry(connection: Connection, row: Row[Any], data: dict[str, Any]) -> Iterator[str]:
    found = connection.scalar(
        select(events.c.hash).where(
            events.c.chain == data["run"], events.c.position == data["position"]
        )
    )
    if found is None or digest_text(found) != data["head"]:
        yield (
            f"event {data['position']} of {_name(data['run'])} is not the one that event "
            f"{row.position} of the ledger's chain entered"
        )


def _strangers(connection: Connection) -> Iterator[str]:
    """Find rows that name an event which is not there or is not of their kind."""
    for subject in (_INTENT, _ANSWER, _RESULT, _RUN, _PLAN, _APPROVAL):
        kinds = [kind for kind, other in _SUBJECTS.items() if other is subject]
        table, mark = subject.table, subject.table.c[subject.mark]
        chain: Any = table.c.run if "run" in table.c else MAIN_CHAIN
        if subject is _RUN:
            chain = table.c.id
        wrote = (
            select(events.c.position)
            .where(events.c.chain == chain, events.c.position == mark, events.c.kind.in_(kinds))
            .correlate(table)
            .exists()
        )
        rows = select(func.count(), func.min(mark)).where(mark.is_not(None), ~wrote)
        count, first = connection.execute(rows.select_from(table)).one()
        if count:
            yield f"{count} rows of {table.name} were stored by no event (the first names {first})"
    unanswered = select(func.count()).where(
        attempts.c.answer_event.is_(None), attempts.c.answer.is_not(None)
    )
    if count := connection.scalar(unanswered):
        yield f"{count} rows of attempts have an answer that no event stored"


def _unentered(connection: Connection) -> Iterator[str]:
    """Find runs whose chain is not there at all."""
    known = select(chains.c.chain).where(chains.c.chain == runs.c.id).correlate(runs).exists()
    for run in connection.scalars(select(runs.c.id).where(~known).limit(1)):
        yield f"the chain of run {run} is missing"


def _change_faults(connection: Connection) -> Iterator[str]:
    """Compare every change with the event that added it."""
    query = (
        select(events.c.position, events.c.data)
        .where(events.c.chain == MAIN_CHAIN, events.c.kind == "changes_added")
        .order_by(events.c.position)
    )
    stored = 0
    for position, text in connection.execute(query).all():
        data = json.loads(text)
        page = connection.execute(
            select(planned_changes)
            .where(
                planned_changes.c.plan == data["plan"],
                planned_changes.c.number.between(data["first"], data["last"]),
            )
            .order_by(planned_changes.c.number)
        ).all()
        stored += len(page)
        rows = [{name: getattr(row, name) for name in CHANGE} for row in page]
        if changes_digest(rows) != data["rows"]:
            yield (
                f"changes {data['first']} to {data['last']} of plan {data['plan']} are not as "
                f"event {position} of the ledger's chain stored them"
            )
            return
    if connection.scalar(select(func.count()).select_from(planned_changes)) != stored:
        yield "there are changes that no event stored"


def _document_faults(connection: Connection) -> Iterator[str]:
    damaged = first_damaged(connection)
    if damaged is not None:
        yield f"document {damaged} is not as it was stored"


def _name(chain: str) -> str:
    return "the ledger's chain" if chain == MAIN_CHAIN else f"the chain of run {chain}"


def _shown(data: dict[str, Any]) -> str:
    return f", change {data['change']}" if "change" in data else ""
