"""Compares selections, and lines of inputs that are left out, with the events that tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from bulkrunner.adapters.ledger.chain import row_digest
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    events,
    input_lines,
    selected,
    selections,
)

_SHORT = 16
"""Digits of a row's digest that an event keeps of each row, to name the one that differs."""

_KINDS = ("plan_begun", "selection_begun", "selected", "selection_kept", "lines_left_out")

Rows = Sequence[Mapping[str, Any]]


def told_of_refs(plan: str, step: int, rows: Rows) -> dict[str, Any]:
    """Return what an event says of the records of a selection that are stored with it."""
    return {"plan": plan, "step": step, **_told("position", rows)}


def told_of_lines(plan: str, rows: Rows) -> dict[str, Any]:
    """Return what an event says of the lines that are stored with it."""
    return {"plan": plan, **_told("place", rows)}


def _told(key: str, rows: Rows) -> dict[str, Any]:
    return {
        "first": rows[0][key],
        "last": rows[-1][key],
        "rows": row_digest({str(row[key]): dict(row) for row in rows}),
        "each": [[row[key], row_digest(row)[:_SHORT]] for row in rows],
    }


@dataclass(kw_only=True)
class _OfPlan:
    """What events say of a plan.

    Attributes:
        pages: by step: the events that stored its records; kept: the one that ended it.
    """

    pages: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    kept: dict[int, dict[str, Any]] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def take(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "plan_begun":
                pass
            case "selection_begun":
                self.pages[data["step"]] = []
            case "selected":
                self.pages[data["step"]].append(data)
            case "selection_kept":
                self.kept[data["step"]] = data
            case _:
                self.lines.append(data)


def line_faults(connection: Connection, plan: str | None = None) -> Iterator[str]:
    """Yield what does not fit, of one plan or of all."""
    found: dict[str, _OfPlan] = {}
    for event in connection.execute(_events(plan)):
        data = json.loads(event.data) | {"event": event.position}
        found.setdefault(data["plan"], _OfPlan()).take(event.kind, data)
    for name, told in found.items():
        yield from _PlanCheck(connection, name, told).faults()
    if plan is None:
        for table in (selections, selected, input_lines):
            strangers = select(table.c.plan).where(table.c.plan.not_in(found)).limit(1)
            if (stranger := connection.scalar(strangers)) is not None:
                yield f"there are rows of {table.name} of plan {stranger} that no event stored"


def _events(plan: str | None) -> Select[Any]:
    query = (
        select(events.c.position, events.c.kind, events.c.data)
        .where(events.c.chain == MAIN_CHAIN, events.c.kind.in_(_KINDS))
        .order_by(events.c.position)
    )
    if plan is None:
        return query
    named = f'"plan":{json.dumps(plan)}'
    return query.where(events.c.data.contains(named, autoescape=True))


class _PlanCheck:
    """Compares the rows of one plan."""

    def __init__(self, connection: Connection, plan: str, told: _OfPlan) -> None:
        self._connection = connection
        self._plan = plan
        self._told = told

    def faults(self) -> Iterator[str]:
        for step, pages in self._told.pages.items():
            yield from self._pages(selected, "position", pages, step=step)
        yield from self._kept()
        yield from self._pages(input_lines, "place", self._told.lines)
        yield from self._strangers()

    def _pages(
        self, table: Table, key: str, pages: Sequence[Mapping[str, Any]], **of: int
    ) -> Iterator[str]:
        for data in pages:
            query = self._of_plan(select(table), table, **of).where(
                table.c[key].between(data["first"], data["last"])
            )
            rows = [dict(row._mapping) for row in self._connection.execute(query)]
            there = {row[key]: row for row in rows}
            if _told_rows(key, rows) == data["rows"]:
                continue
            for number, digest in data["each"]:
                name = f"{_WHAT[table]} {number}" + (f" of step {of['step']}" if of else "")
                if number not in there:
                    yield f"{name} of plan {self._plan} is gone"
                elif row_digest(there[number])[:_SHORT] != digest:
                    yield f"{name} of plan {self._plan} {_changed(data)}"
            yield f"{table.name} of plan {self._plan} are not as event {data['event']} stored them"

    def _kept(self) -> Iterator[str]:
        query = self._of_plan(select(selections), selections)
        there = {
            row.step: row_digest(dict(row._mapping)) for row in self._connection.execute(query)
        }
        for step, data in self._told.kept.items():
            name = f"the selection of step {step} of plan {self._plan}"
            if step not in there:
                yield f"{name} is gone"
            elif there[step] != data["row"]:
                yield f"{name} {_changed(data)}"

    def _strangers(self) -> Iterator[str]:
        """Find rows that no event stored."""
        told: dict[Table, set[tuple[int, ...]]] = {
            selections: {(step,) for step in self._told.kept},
            selected: {
                (step, number)
                for step, pages in self._told.pages.items()
                for page in pages
                for number, _ in page["each"]
            },
            input_lines: {(number,) for page in self._told.lines for number, _ in page["each"]},
        }
        for table, keys in told.items():
            columns = [column for column in table.primary_key if column.name != "plan"]
            query = self._of_plan(select(*columns), table)
            for row in self._connection.execute(query):
                if tuple(row) not in keys:
                    where = ", ".join(f"{c.name} {v}" for c, v in zip(columns, row, strict=True))
                    yield (
                        f"a row of {table.name} ({where}) of plan {self._plan} was stored by no "
                        "event"
                    )

    def _of_plan(self, query: Select[Any], table: Table, *, step: int | None = None) -> Select[Any]:
        query = query.where(table.c.plan == self._plan)
        if step is not None:
            query = query.where(table.c.step == step)
        return query.order_by(*table.primary_key)


_WHAT = {selected: "record", input_lines: "line"}


def _told_rows(key: str, rows: Rows) -> str | None:
    return _told(key, rows)["rows"] if rows else None


def _changed(data: Mapping[str, Any]) -> str:
    return f"is not as event {data['event']} of the ledger's chain stored it"
