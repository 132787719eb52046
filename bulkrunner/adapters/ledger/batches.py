"""Rows that one event stores together: what it tells of them, and whether they agree with it."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, Table, func, select

from bulkrunner.adapters.ledger.chain import row_digest
from bulkrunner.adapters.ledger.codecs import CHANGE, pick
from bulkrunner.adapters.ledger.document_store import documents_damaged
from bulkrunner.adapters.ledger.tables import (
    MAIN_CHAIN,
    events,
    input_lines,
    planned_changes,
    selected,
    selections,
)
from bulkrunner.sentences import Sentence

# Digits of a row's digest that an event keeps of each row, to name the one that differs.
_SHORT = 16

# Events that are read at a time.
_EVENTS = 100

_Key: TypeAlias = tuple[Any, ...]

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Batched:
    """A table whose rows are stored in batches, what numbers them, and the columns that count.

    ``gaps``: numbers may be left out, so that the event names each beside its row's digest.
    """

    table: Table
    key: str
    columns: tuple[str, ...]
    gaps: bool = True

    def told(self, rows: Rows) -> dict[str, Any]:
        """Return what an event says of the rows that are stored with it."""
        each = self._digests(rows)
        return {
            "first": rows[0][self.key],
            "last": rows[-1][self.key],
            "rows": self._whole(rows),
            "each": [[number, digest] for number, digest in each.items()]
            if self.gaps
            else list(each.values()),
        }

    def differing(self, data: Mapping[str, Any], rows: Rows) -> Iterator[tuple[int, bool]]:
        """Yield the rows that are not as an event told, each with whether it is there at all."""
        there = self._digests(rows)
        for number, digest in self.numbered(data):
            if there.get(number) != digest:
                yield number, number in there

    def agrees(self, data: Mapping[str, Any], rows: Rows) -> bool:
        """Return True if the rows are as an event told of them."""
        return self._whole(rows) == str(data["rows"])

    def numbered(self, data: Mapping[str, Any]) -> list[tuple[int, str]]:
        """Return number and digest of each row that an event told of."""
        if self.gaps:
            return [(number, digest) for number, digest in data["each"]]
        return list(zip(range(data["first"], data["last"] + 1), data["each"], strict=False))

    def _whole(self, rows: Rows) -> str:
        return row_digest({str(row[self.key]): pick(row, self.columns) for row in rows})

    def _digests(self, rows: Rows) -> dict[int, str]:
        return {row[self.key]: row_digest(pick(row, self.columns))[:_SHORT] for row in rows}


def _all(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.c)


CHANGES = Batched(table=planned_changes, key="number", columns=CHANGE, gaps=False)
SELECTED = Batched(table=selected, key="position", columns=_all(selected))
LEFT_OUT = Batched(table=input_lines, key="place", columns=_all(input_lines))


def change_faults(
    connection: Connection, plan: str | None = None, *, documents: bool = False
) -> Iterator[Sentence]:
    """Yield what does not fit of one plan's changes, or of all; the first is the one that counts."""
    batches = _change_batches(connection, plan)
    for data in batches:
        yield from batch_faults(connection, data, documents=documents)
    yield from strange_changes(connection, batches, plan)


def batch_faults(
    connection: Connection, data: Mapping[str, Any], *, documents: bool
) -> Iterator[Sentence]:
    """Yield what does not fit of a batch of changes, and perhaps of their documents."""
    c = planned_changes.c
    query = select(planned_changes).where(
        c.plan == data["plan"], c.number.between(data["first"], data["last"])
    )
    page = connection.execute(query.order_by(c.number)).all()
    yield from _change_misfits(connection, data, [dict(row._mapping) for row in page])
    if documents:
        yield from documents_damaged(connection, page)


def _change_batches(connection: Connection, plan: str | None) -> Sequence[dict[str, Any]]:
    """Return what the event that stored each batch of changes last says of it."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for data in _events(connection, ("changes_added", "changes_replaced"), plan):
        found[data["plan"], data["first"]] = _light(data)
    return list(found.values())


def _light(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept in memory of an event: not what it says of each of its rows."""
    return {name: data[name] for name in ("plan", "first", "last", "rows", "event")}


def _whole(connection: Connection, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that an event says of its rows."""
    stored = select(events.c.data).where(
        events.c.chain == MAIN_CHAIN, events.c.position == data["event"]
    )
    return {"each": (), **data, **json.loads(connection.scalar(stored) or "{}")}


def _change_misfits(
    connection: Connection, data: Mapping[str, Any], rows: Rows
) -> Iterator[Sentence]:
    plan = data["plan"]
    if CHANGES.agrees(data, rows):
        for row in rows:
            if row["batch"] != data["first"]:
                yield Sentence("change_misplaced", number=row["number"], plan=plan)
        return
    for number, there in CHANGES.differing(_whole(connection, data), rows):
        yield _fault(Sentence("named_change", number=number, plan=plan), data, there=there)
    told = {name: data[name] for name in ("first", "last", "event")}
    yield Sentence("changes_not_as_stored", plan=plan, **told)


def _fault(what: Sentence, data: Mapping[str, Any], *, there: bool) -> Sentence:
    if there:
        return Sentence("thing_not_as_stored", what=what, event=data["event"])
    return Sentence("thing_gone", what=what)


def strange_changes(
    connection: Connection, batches: Sequence[Mapping[str, Any]], plan: str | None
) -> Iterator[Sentence]:
    """Name the changes, of one plan or of all, that no event stored."""
    c = planned_changes.c
    count = select(func.count()).select_from(planned_changes)
    stored = sum(data["last"] - data["first"] + 1 for data in batches)
    if connection.scalar(count if plan is None else count.where(c.plan == plan)) == stored:
        return
    query = select(c.plan, c.number).order_by(c.plan, c.number)
    told = sorted(((data["plan"], data["first"]), (data["plan"], data["last"])) for data in batches)
    for row in connection.execute(query if plan is None else query.where(c.plan == plan)):
        if not _is_within(told, tuple(row)):
            yield Sentence("change_of_no_event", number=row.number, plan=row.plan)


def _is_within(stretches: Sequence[tuple[_Key, _Key]], key: _Key) -> bool:
    """Return True if a key is in one of the stretches, which are sorted: first and last of each."""
    at = bisect_right(stretches, key, key=itemgetter(0)) - 1
    return at >= 0 and stretches[at][1] >= key


def _events(
    connection: Connection, kinds: Sequence[str], plan: str | None
) -> Iterator[dict[str, Any]]:
    """Yield what events of one plan or of all say, with their ``kind`` and position (``event``)."""
    query = (
        select(events.c.position, events.c.kind, events.c.data)
        .where(events.c.chain == MAIN_CHAIN, events.c.kind.in_(kinds))
        .order_by(events.c.position)
    )
    if plan is not None:
        named = f'"plan":{json.dumps(plan)}'
        query = query.where(events.c.data.contains(named, autoescape=True))
    for row in connection.execute(query.execution_options(yield_per=_EVENTS)):
        data = json.loads(row.data) | {"kind": row.kind, "event": row.position}
        if plan is None or data["plan"] == plan:
            yield data


_LINE_KINDS = ("plan_begun", "selection_begun", "selected", "selection_kept", "lines_left_out")


@dataclass(kw_only=True)
class _OfPlan:
    """What events say of a plan's input.

    ``pages``, by step: the events that stored its records; ``kept``: the one that ended it.
    """

    pages: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    kept: dict[int, dict[str, Any]] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def take(self, data: dict[str, Any]) -> None:
        match data["kind"]:
            case "plan_begun":
                pass
            case "selection_begun":
                self.pages[data["step"]] = []
            case "selected":
                self.pages[data["step"]].append(_light(data))
            case "selection_kept":
                self.kept[data["step"]] = data
            case _:
                self.lines.append(_light(data))


def line_faults(connection: Connection, plan: str | None = None) -> Iterator[Sentence]:
    """Yield what does not fit of selections and of lines left out, of one plan or of all."""
    found: dict[str, _OfPlan] = {}
    for data in _events(connection, _LINE_KINDS, plan):
        found.setdefault(data["plan"], _OfPlan()).take(data)
    for name, told in found.items():
        yield from _PlanCheck(connection, name, told).faults()
    if plan is None:
        for table in (selections, selected, input_lines):
            strangers = select(table.c.plan).where(table.c.plan.not_in(found)).limit(1)
            if (stranger := connection.scalar(strangers)) is not None:
                yield Sentence("rows_of_plan_of_no_event", table=table.name, plan=stranger)


class _PlanCheck:
    """Compares the rows of one plan."""

    def __init__(self, connection: Connection, plan: str, told: _OfPlan) -> None:
        self._connection = connection
        self._plan = plan
        self._told = told

    def faults(self) -> Iterator[Sentence]:
        for step, pages in self._told.pages.items():
            yield from self._pages(SELECTED, pages, step=step)
        yield from self._kept()
        yield from self._pages(LEFT_OUT, self._told.lines)
        yield from self._strangers()

    def _pages(
        self, kind: Batched, pages: Sequence[Mapping[str, Any]], **of: int
    ) -> Iterator[Sentence]:
        table = kind.table
        for data in pages:
            query = self._of_plan(select(table), table, **of).where(
                table.c[kind.key].between(data["first"], data["last"])
            )
            rows = [dict(row._mapping) for row in self._connection.execute(query)]
            if kind.agrees(data, rows):
                continue
            for number, there in kind.differing(_whole(self._connection, data), rows):
                yield _fault(self._line_name(table, number, **of), data, there=there)
            yield Sentence(
                "rows_not_as_stored", table=table.name, plan=self._plan, event=data["event"]
            )

    def _line_name(self, table: Table, number: int, step: int | None = None) -> Sentence:
        if table is input_lines:
            return Sentence("named_line", number=number, plan=self._plan)
        return Sentence("named_record_of_step", number=number, step=step, plan=self._plan)

    def _kept(self) -> Iterator[Sentence]:
        query = self._of_plan(select(selections), selections)
        there = {
            row.step: row_digest(dict(row._mapping)) for row in self._connection.execute(query)
        }
        for step, data in self._told.kept.items():
            if there.get(step) != data["row"]:
                name = Sentence("named_selection", step=step, plan=self._plan)
                yield _fault(name, data, there=step in there)

    def _strangers(self) -> Iterator[Sentence]:
        """Find rows that no event stored; those among a page's own make that page another."""
        told: dict[Table, list[tuple[_Key, _Key]]] = {
            selections: [((step,), (step,)) for step in self._told.kept],
            selected: [
                ((step, page["first"]), (step, page["last"]))
                for step, pages in self._told.pages.items()
                for page in pages
            ],
            input_lines: [((page["first"],), (page["last"],)) for page in self._told.lines],
        }
        for table, stretches in told.items():
            stretches.sort()
            columns = [column for column in table.primary_key if column.name != "plan"]
            query = self._of_plan(select(*columns), table)
            for row in self._connection.execute(query):
                if not _is_within(stretches, tuple(row)):
                    where = ", ".join(f"{c.name} {v}" for c, v in zip(columns, row, strict=True))
                    yield Sentence(
                        "row_of_plan_of_no_event", table=table.name, row=where, plan=self._plan
                    )

    def _of_plan(self, query: Select[Any], table: Table, *, step: int | None = None) -> Select[Any]:
        query = query.where(table.c.plan == self._plan)
        if step is not None:
            query = query.where(table.c.step == step)
        return query.order_by(*table.primary_key)
