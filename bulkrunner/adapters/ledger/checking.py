"""Looks for rows that do not fit the chain of events, and for damage of the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, Table, and_, func, select
from sqlalchemy.exc import DBAPIError

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import ORIGIN, event_hash, row_digest
from bulkrunner.adapters.ledger.columns import digest_text
from bulkrunner.adapters.ledger.rows import (
    ANSWER,
    APPROVAL,
    CLIENT_RETIRED,
    CLIENT_USE,
    INTENT,
    PLAN,
    RESULT,
    RUN,
    as_told,
)
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    approvals,
    attempts,
    chains,
    client_uses,
    clients,
    events,
    plans,
    results,
    runs,
)
from bulkrunner.adapters.ledger.stored import (
    compaction_faults,
    content_faults,
    document_faults,
    plan_faults,
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
        # What was added with an event can be judged only where the events can be believed.
        chain = self.verify_chain()
        sound = () if chain else (compaction_faults, content_faults)
        stored = [self._first(look) for look in (*sound, document_faults)]
        return [fault for fault in (chain, *stored, damages) if fault is not None]

    def verify_plan(self, plan: str) -> str | None:
        """Compare one plan's changes and documents with its events; None where all fits."""
        return self._first(lambda connection: plan_faults(connection, plan))

    def _first(self, look: Callable[[Connection], Iterator[str]]) -> str | None:
        try:
            with self._database.read(steady=True) as connection:
                return next(look(connection), None)
        except BulkRunnerError as error:
            return f"the ledger cannot be read: {error}"
        except (KeyError, ValueError, TypeError) as error:
            return f"an event of the ledger cannot be understood ({error!r})"


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

_CLIENT_USE = _Subject(
    table=client_uses,
    columns=CLIENT_USE,
    keys={name: name for name in ("environment", "client", "use")},
)
_CLIENT = _Subject(
    table=clients,
    columns=CLIENT_RETIRED,
    keys={name: name for name in ("environment", "client")},
)

_Told: TypeAlias = tuple[Row[Any], dict[str, Any]]

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
    "client_used": _CLIENT_USE,
    "client_retired": _CLIENT,
}


_SUBJECTS_ALL = tuple({id(subject): subject for subject in _SUBJECTS.values()}.values())


def _chain_faults(connection: Connection) -> Iterator[str]:
    return _Walk(connection).faults()


class _Walk:
    """Follows every chain, and compares what its events stored with what is there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._matched = dict.fromkeys(map(id, _SUBJECTS.values()), 0)

    def faults(self) -> Iterator[str]:
        """Yield what does not fit; the first is the one that counts."""
        heads = {row.chain: row for row in self._connection.execute(select(chains))}
        begun = self._connection.scalars(select(events.c.chain).distinct())
        for name in sorted({MAIN_CHAIN, *begun, *heads}):
            yield from self._chain(name, heads.get(name))
        yield from self._strangers()

    def _chain(self, chain: str, head: Row[Any] | None) -> Iterator[str]:
        """Follow one chain from its origin to its head."""
        position, previous = 0, ORIGIN
        while True:
            page, fault = _page(self._connection, chain, position)
            for row in page:
                position += 1
                if row.position != position:
                    yield f"event {position} of {_name(chain)} is missing"
                    return
                if _hash_of(previous, row) != row.hash:
                    yield f"event {position} of {_name(chain)} does not fit the one before it"
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
            yield f"{_name(chain)} does not end where the ledger says (event {ends[0]})"

    def _misfits(self, page: Sequence[Row[Any]]) -> Iterator[str]:
        """Compare rows with the events that wrote them."""
        by_subject: dict[int, list[_Told]] = {}
        for row in page:
            data = {"chain": row.chain, "position": row.position} | json.loads(row.data)
            subject = _SUBJECTS.get(row.kind)
            if subject is not None:
                by_subject.setdefault(id(subject), []).append((row, data))
            if row.kind.startswith("run_") and "head" in data:
                yield from self._wrong_entry(row, data)
        for told in by_subject.values():
            yield from self._compare(_SUBJECTS[told[0][0].kind], told)

    def _compare(self, subject: _Subject, told: list[_Told]) -> Iterator[str]:
        """Compare the rows that these events wrote; one that a later event wrote is left to it."""
        rows = _rows_of(self._connection, subject, told)
        for event, data in told:
            key = tuple(data[name] for name in subject.keys.values())
            mark, digest = rows.get(key, (None, ""))
            what = f"what event {event.position} of {_name(event.chain)} stored"
            what += f" ({event.kind}, change {data['change']})" if "change" in data else ""
            if mark is None or mark < event.position:
                yield f"{what} is gone"
                return
            if mark == event.position:
                self._matched[id(subject)] += 1
                if digest != data["row"]:
                    yield f"{what} was changed afterwards"
                    return

    def _wrong_entry(self, row: Row[Any], data: dict[str, Any]) -> Iterator[str]:
        found = self._connection.scalar(
            select(events.c.hash).where(
                events.c.chain == data["run"], events.c.position == data["position"]
            )
        )
        if found is None or digest_text(found) != data["head"]:
            yield (
                f"event {data['position']} of {_name(data['run'])} is not the one that event "
                f"{row.position} of the ledger's chain entered"
            )

    def _strangers(self) -> Iterator[str]:
        """Find rows that no event stored."""
        for subject in _SUBJECTS_ALL:
            mark = subject.table.c[subject.mark]
            count = select(func.count()).select_from(subject.table).where(mark.is_not(None))
            stored = (self._connection.scalar(count) or 0) - self._matched[id(subject)]
            if stored:
                yield f"{stored} rows of {subject.table.name} were stored by no event"
        empty = [attempts.c[name] == "" for name in ("words", "error_id")]
        empty += [attempts.c[name].is_(None) for name in ANSWER[2:] if attempts.c[name].nullable]
        unanswered = select(func.count()).where(attempts.c.answer_event.is_(None), ~and_(*empty))
        if count := self._connection.scalar(unanswered):
            yield f"{count} rows of attempts have an answer that no event stored"


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
        return _readable(connection, query, after)


def _readable(
    connection: Connection, query: Select[Any], after: int
) -> tuple[Sequence[Row[Any]], str | None]:
    rows: list[Row[Any]] = []
    while len(rows) < _PAGE:
        try:
            row = connection.execute(query.offset(len(rows)).limit(1)).first()
        except DBAPIError as error:
            place = after + len(rows) + 1
            return rows, f"event {place} of a chain cannot be read ({error.orig})"
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
    connection: Connection, subject: _Subject, told: list[_Told]
) -> dict[tuple[Any, ...], tuple[int | None, str]]:
    """Return by key which event wrote each row last, and the row's digest."""
    table, width = subject.table, len(subject.columns)
    first, name = next(iter(subject.keys.items()))
    names = (*subject.columns, subject.mark, *subject.keys)
    query = select(*(table.c[name] for name in names)).where(
        table.c[first].in_({data[name] for _, data in told})
    )
    if "run" in table.c:
        query = query.where(table.c.run == told[0][0].chain)
    return {
        tuple(row[width + 1 :]): (
            row[width],
            row_digest(as_told(dict(zip(subject.columns, row[:width], strict=True)))),
        )
        for row in connection.execute(query).all()
    }


def _name(chain: str) -> str:
    return "the ledger's chain" if chain == MAIN_CHAIN else f"the chain of run {chain}"
