"""Compares what plans store, change by change and document by document, with its events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from bulkrunner.adapters.ledger.chain import row_digest
from bulkrunner.adapters.ledger.codecs import CHANGE, pick
from bulkrunner.adapters.ledger.document_store import damaged, first_damaged
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    compactions,
    documents,
    dropped,
    events,
    planned_changes,
    results,
)
from bulkrunner.adapters.ledger.writer import PAGE
from bulkrunner.domain.canonical import digest_of_bytes
from bulkrunner.sentences import Sentence

# Columns of a change that name documents.
_DOCUMENTS = ("before", "after", "predicted")

# Digits of a row's digest that an event keeps of each change, to name the one that differs.
_SHORT = 16


# Plan, first and last change, position of the event, its data.
_Told = tuple[str, int, int, int, dict[str, Any]]


def told_of(plan: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what an event says of the changes that are stored with it."""
    return {
        "plan": plan,
        "first": rows[0]["number"],
        "last": rows[-1]["number"],
        "rows": changes_digest(rows),
        "each": [row_digest(pick(row, CHANGE))[:_SHORT] for row in rows],
    }


def changes_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest by which an event knows the changes that were added with it."""
    return row_digest({str(row["number"]): pick(row, CHANGE) for row in rows})


def content_faults(connection: Connection) -> Iterator[Sentence]:
    """Yield what does not fit of every plan's changes; the first is the one that counts."""
    stored = 0
    batches = _told(connection, None)
    for told in batches:
        rows = _rows(connection, told)
        stored += len(rows)
        yield from _misfit(told, rows)
    if connection.scalar(select(func.count()).select_from(planned_changes)) != stored:
        yield from _strangers(connection, batches)


def document_faults(connection: Connection) -> Iterator[Sentence]:
    """Yield what is wrong with documents: missing, changed, or emptied though not dropped."""
    c = planned_changes.c
    for name in _DOCUMENTS:
        query = (
            select(c.plan, c.number, c[name].label("digest"))
            .outerjoin(documents, documents.c.digest == c[name])
            .where(c[name].is_not(None), documents.c.digest.is_(None))
            .order_by(c.plan, c.number)
        )
        if (row := connection.execute(query.limit(1)).first()) is not None:
            what = _of_change(name, row.plan, row.number)
            yield Sentence("document_gone", digest=row.digest, what=what)
    kept = (
        select(results.c.run, results.c.change, results.c.stored)
        .outerjoin(documents, documents.c.digest == results.c.stored)
        .where(results.c.stored.is_not(None), documents.c.digest.is_(None))
        .order_by(results.c.run, results.c.change)
    )
    if (row := connection.execute(kept.limit(1)).first()) is not None:
        what = Sentence("document_kept_of_change", number=row.change, run=row.run)
        yield Sentence("document_gone", digest=row.stored, what=what)
    found = first_damaged(connection)
    if found is not None:
        yield _damaged(connection, found)


def compaction_faults(connection: Connection) -> Iterator[Sentence]:
    """Yield what does not fit of the documents that were dropped."""
    query = (
        select(events.c.position, events.c.data)
        .where(events.c.chain == MAIN_CHAIN, events.c.kind == "compacted")
        .order_by(events.c.position)
    )
    plans, digests = 0, 0
    for position, text in connection.execute(query).all():
        data = json.loads(text)
        names = connection.scalars(
            select(compactions.c.plan).where(compactions.c.event == position)
        ).all()
        count, digest = dropped_digest(connection, position)
        plans, digests = plans + len(names), digests + count
        if sorted(names) != data["plans"] or (count, digest) != (data["count"], data["documents"]):
            yield Sentence("compacted_changed", position=position)
    for table, told in ((compactions, plans), (dropped, digests)):
        if connection.scalar(select(func.count()).select_from(table)) != told:
            yield Sentence("rows_of_no_event", table=table.name)


def dropped_digest(connection: Connection, event: int) -> tuple[int, str]:
    """Return how many documents an event dropped, and the digest of all of theirs."""
    query = select(dropped.c.digest).where(dropped.c.event == event).order_by(dropped.c.digest)
    return listed_digest(connection, query)


def listed_digest(connection: Connection, query: Select[Any]) -> tuple[int, str]:
    """Return how many digests a query gives, and one over all of them."""
    found = connection.scalars(query).all()
    return len(found), digest_of_bytes("\n".join(found).encode())


def plan_faults(connection: Connection, plan: str, *, documents: bool) -> Iterator[Sentence]:
    """Yield what does not fit of one plan's changes, and of their documents."""
    stored = 0
    batches = _told(connection, plan)
    for told in batches:
        rows = _rows(connection, told)
        stored += len(rows)
        yield from _misfit(told, rows)
        if documents:
            yield from _plan_documents(connection, rows)
    query = select(func.count()).where(planned_changes.c.plan == plan)
    if connection.scalar(query) != stored:
        yield from _strangers(connection, batches, plan)


def _strangers(
    connection: Connection, batches: Sequence[_Told], plan: str | None = None
) -> Iterator[Sentence]:
    """Name the first change that no event stored."""
    c = planned_changes.c
    query = select(c.plan, c.number).order_by(c.plan, c.number)
    told = {(of, number) for of, first, last, *_ in batches for number in range(first, last + 1)}
    for row in connection.execute(query if plan is None else query.where(c.plan == plan)):
        if (row.plan, row.number) not in told:
            yield Sentence("change_of_no_event", number=row.number, plan=row.plan)


def _plan_documents(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Sentence]:
    for start in range(0, len(rows), PAGE):
        digests: dict[str, Sentence] = {}
        for row in rows[start : start + PAGE]:
            for name in _DOCUMENTS:
                if (digest := getattr(row, name)) is not None:
                    digests.setdefault(digest, _of_change(name, row.plan, row.number))
        for digest in damaged(connection, list(digests)):
            yield Sentence("document_changed", digest=digest, what=digests[digest])


def _damaged(connection: Connection, digest: str) -> Sentence:
    c = planned_changes.c
    for name in _DOCUMENTS:
        query = select(c.plan, c.number).where(c[name] == digest).order_by(c.plan, c.number)
        if (row := connection.execute(query.limit(1)).first()) is not None:
            what = _of_change(name, row.plan, row.number)
            return Sentence("document_changed", digest=digest, what=what)
    return Sentence("document_changed_alone", digest=digest)


def _of_change(name: str, plan: str, number: int) -> Sentence:
    return Sentence("document_of_change", name=name, number=number, plan=plan)


def _told(connection: Connection, plan: str | None) -> list[_Told]:
    """Return the batches of changes with the event that stored each last."""
    query = (
        select(events.c.position, events.c.data)
        .where(
            events.c.chain == MAIN_CHAIN, events.c.kind.in_(("changes_added", "changes_replaced"))
        )
        .order_by(events.c.position)
    )
    if plan is not None:
        query = query.where(events.c.data.contains(json.dumps(plan), autoescape=True))
    found: dict[tuple[str, int], _Told] = {}
    for position, text in connection.execute(query).all():
        data = json.loads(text)
        if plan is None or data["plan"] == plan:
            key = data["plan"], data["first"]
            found[key] = (data["plan"], data["first"], data["last"], position, data)
    return list(found.values())


def _rows(connection: Connection, told: _Told) -> Sequence[Row[Any]]:
    plan, first, last, _, _ = told
    query = select(planned_changes).where(
        planned_changes.c.plan == plan, planned_changes.c.number.between(first, last)
    )
    return connection.execute(query.order_by(planned_changes.c.number)).all()


def _misfit(told: _Told, page: Sequence[Row[Any]]) -> Iterator[Sentence]:
    plan, first, last, position, data = told
    rows = [dict(row._mapping) for row in page]
    if changes_digest(rows) == data["rows"]:
        for row in rows:
            if row["batch"] != first:
                yield Sentence("change_misplaced", number=row["number"], plan=plan)
        return
    there = {row["number"]: row_digest(pick(row, CHANGE))[:_SHORT] for row in rows}
    for number, digest in zip(range(first, last + 1), data.get("each", ()), strict=False):
        if number not in there:
            yield Sentence("change_gone", number=number, plan=plan)
        elif there[number] != digest:
            yield Sentence("change_not_as_stored", number=number, plan=plan, event=position)
    yield Sentence("changes_not_as_stored", first=first, last=last, plan=plan, event=position)
