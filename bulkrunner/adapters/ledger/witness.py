"""The one rule that a row agrees with its event: what events say of columns, subjects and lines.

An event's ``also`` holds such columns of the row that it is about, as they were afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Select, Table, select

from bulkrunner.adapters.ledger.chain import plain_row, row_digest
from bulkrunner.adapters.ledger.codecs import (
    ANSWER,
    APPROVAL,
    CLIENT_RETIRED,
    CLIENT_USE,
    INTENT,
    PLAN,
    RESULT,
    RUN,
)
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    approvals,
    attempts,
    client_uses,
    clients,
    events,
    input_lines,
    jobs,
    plans,
    results,
    runs,
    selected,
    selections,
)
from bulkrunner.sentences import Sentence

# Key of an event's data.
ALSO = "also"

# Key of the columns of ``clients`` in an event about one of its uses.
TOTALS = "totals"

PLAN_ALSO = ("cursor", "requests")

RUN_ALSO = ("active_at", "requests", "stop_request", "paused", "rate", "hold", "ordered_by")

_Facts = Mapping[str, Any]

_Key = tuple[str, ...]

_KEYS: dict[Table, tuple[str, ...]] = {
    plans: ("id",),
    runs: ("id",),
    clients: ("environment", "client"),
    client_uses: ("environment", "client", "use"),
}

_WORK = frozenset({"intent", "answer", "outcome"})


class Event(Protocol):
    """A row of events, from a ledger or a bundle."""

    @property
    def chain(self) -> str:
        """The ledger's own, or a run's id."""

    @property
    def position(self) -> int:
        """In the chain, from 1."""

    @property
    def at(self) -> str:
        """When, as stored."""

    @property
    def kind(self) -> str:
        """What happened."""


class Facts:
    """Collects what events say, oldest first, and compares it with the rows."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, _Key], dict[str, tuple[Any, int]]] = {}
        self._work: dict[str, Event] = {}
        self._orders: dict[str, list[str]] = {"plans": [], "runs": [], "approvals": []}

    def take(self, event: Event, data: Mapping[str, Any]) -> None:
        """Remember what an event says."""
        if event.chain == MAIN_CHAIN:
            self._of_the_ledger(event, data)
        else:
            self._of_a_run(event, data)

    def _of_the_ledger(self, event: Event, data: Mapping[str, Any]) -> None:
        kind = event.kind
        if kind == "plan_begun":
            self._orders["plans"].append(data["plan"])
        elif kind == "run_started":
            self._orders["runs"].append(data["run"])
        elif kind in ("approved", "rejected"):
            self._orders["approvals"].append(str(event.position))
        if TOTALS in data:
            self._note(clients, data, event, data[TOTALS])
        if ALSO in data:
            key = {"id": data["plan"]} if "plan" in data else data
            self._note(plans if "plan" in data else client_uses, key, event, data[ALSO])

    def _of_a_run(self, event: Event, data: Mapping[str, Any]) -> None:
        kind = event.kind
        if kind in _WORK:
            self._work[event.chain] = event
            return
        if kind == "moved":
            self._work.pop(event.chain, None)
        facts = _order(kind, data) | data.get(ALSO, {})
        self._note(runs, {"id": event.chain}, event, facts)

    def _note(self, table: Table, key: Mapping[str, Any], event: Event, facts: _Facts) -> None:
        if not facts:
            return
        names = tuple(str(key[name]) for name in _KEYS[table])
        told = self._told.setdefault((table.name, names), {})
        told.update({name: (value, event.position) for name, value in facts.items()})

    def misfits(self, table: Table, row: Mapping[str, Any]) -> Iterator[Sentence]:
        """Yield what one row, as plain data, has otherwise than the last event about it said."""
        names = tuple(str(row[name]) for name in _KEYS[table])
        if table is runs and (event := self._work.pop(names[0], None)) is not None:
            self._note(runs, {"id": names[0]}, event, {"active_at": event.at})
        for column, (wanted, position) in self._told.pop((table.name, names), {}).items():
            if row[column] != wanted:
                yield Sentence(
                    "fact_not_as_told",
                    column=column,
                    what=_named(table, " ".join(names)),
                    position=position,
                    chain=chain_name(names[0] if table is runs else MAIN_CHAIN),
                )

    def faults(self, connection: Connection) -> Iterator[Sentence]:
        """Yield what rows have otherwise than the last event about it said."""
        for table in _KEYS:
            for row in connection.execute(select(table)):
                yield from self.misfits(table, plain_row(row._mapping))
        gone = [*self._told, *((runs.name, (run,)) for run in self._work)]
        for name, key in gone:
            yield Sentence("facts_gone", row=" ".join(key), table=name)
        yield from self._misplaced(connection)
        yield from _wrong_jobs(connection)

    def _misplaced(self, connection: Connection) -> Iterator[Sentence]:
        """Find rows that are not in the order of their events: what is newest depends on it."""
        for table, key in ((plans, plans.c.id), (runs, runs.c.id), (approvals, approvals.c.event)):
            found = connection.scalars(select(key).order_by(table.c.seq)).all()
            for there, wanted in zip(found, self._orders[table.name], strict=False):
                if str(there) != wanted:
                    what = _named(table, wanted)
                    yield Sentence("row_misplaced", what=what, other=str(there))
                    break


def chain_name(chain: str) -> Sentence:
    """Return how a chain is called in a sentence."""
    if chain == MAIN_CHAIN:
        return Sentence("chain_of_ledger")
    return Sentence("chain_of_run", run=chain)


def _named(table: Table, name: str) -> Sentence:
    if table is plans:
        return Sentence("named_plan", name=name)
    if table is runs:
        return Sentence("named_run", name=name)
    if table is approvals:
        return Sentence("named_answer", name=name)
    return Sentence("named_client", name=name)


def _order(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event has set, where its kind says so."""
    match kind:
        case "paused" | "pause_lifted":
            return {"paused": kind == "paused", "ordered_by": data["by"]}
        case "rate_set":
            return {"rate": data["rate"], "ordered_by": data["by"]}
        case "hold_set":
            return {"hold": data["hold"]}
        case "moved":
            return {"paused": False, "stop_request": None}
        case _:
            return {}


def _wrong_jobs(connection: Connection) -> Iterator[Sentence]:
    """Find jobs that are not as their first plan made them."""
    first: dict[str, Any] = {}
    query = select(plans.c.job, plans.c.manifest, plans.c.created_at).order_by(plans.c.seq)
    for plan in connection.execute(query):
        first.setdefault(plan.job, plan)
    for job in connection.execute(select(jobs).order_by(jobs.c.id)):
        made = first.pop(job.id, None)
        if made is None:
            yield Sentence("job_of_no_plan", job=job.id)
        elif (job.title, job.first_planned_at) != (
            str(made.manifest.get("title", "")),
            made.created_at,
        ):
            yield Sentence("job_changed", job=job.id)
    for name in first:
        yield Sentence("job_gone", job=name)


@dataclass(frozen=True, kw_only=True)
class Subject:
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

_INTENT = Subject(table=attempts, columns=INTENT, keys=_ATTEMPT_KEYS)

_ANSWER = Subject(table=attempts, columns=ANSWER, keys=_ATTEMPT_KEYS, mark="answer_event")

_RESULT = Subject(table=results, columns=RESULT, keys={"change": "change"})

_RUN = Subject(table=runs, columns=RUN, keys={"id": "chain"})

_PLAN = Subject(table=plans, columns=PLAN, keys={"id": "plan"})

_APPROVAL = Subject(table=approvals, columns=APPROVAL, keys={"event": "position"})

_CLIENT_USE = Subject(
    table=client_uses,
    columns=CLIENT_USE,
    keys={name: name for name in ("environment", "client", "use")},
)

_CLIENT = Subject(
    table=clients,
    columns=CLIENT_RETIRED,
    keys={name: name for name in ("environment", "client")},
)

SUBJECTS = {
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


ALL = tuple({id(subject): subject for subject in SUBJECTS.values()}.values())


# Digits of a row's digest that an event keeps of each row, to name the one that differs.
_SHORT = 16

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


def line_faults(connection: Connection, plan: str | None = None) -> Iterator[Sentence]:
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
                yield Sentence("rows_of_plan_of_no_event", table=table.name, plan=stranger)


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

    def faults(self) -> Iterator[Sentence]:
        for step, pages in self._told.pages.items():
            yield from self._pages(selected, "position", pages, step=step)
        yield from self._kept()
        yield from self._pages(input_lines, "place", self._told.lines)
        yield from self._strangers()

    def _pages(
        self, table: Table, key: str, pages: Sequence[Mapping[str, Any]], **of: int
    ) -> Iterator[Sentence]:
        for data in pages:
            query = self._of_plan(select(table), table, **of).where(
                table.c[key].between(data["first"], data["last"])
            )
            rows = [dict(row._mapping) for row in self._connection.execute(query)]
            there = {row[key]: row for row in rows}
            if _told_rows(key, rows) == data["rows"]:
                continue
            for number, digest in data["each"]:
                name = self._line_name(table, number, **of)
                if number not in there:
                    yield Sentence("thing_gone", what=name)
                elif row_digest(there[number])[:_SHORT] != digest:
                    yield Sentence("thing_not_as_stored", what=name, event=data["event"])
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
            name = Sentence("named_selection", step=step, plan=self._plan)
            if step not in there:
                yield Sentence("thing_gone", what=name)
            elif there[step] != data["row"]:
                yield Sentence("thing_not_as_stored", what=name, event=data["event"])

    def _strangers(self) -> Iterator[Sentence]:
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
                    yield Sentence(
                        "row_of_plan_of_no_event", table=table.name, row=where, plan=self._plan
                    )

    def _of_plan(self, query: Select[Any], table: Table, *, step: int | None = None) -> Select[Any]:
        query = query.where(table.c.plan == self._plan)
        if step is not None:
            query = query.where(table.c.step == step)
        return query.order_by(*table.primary_key)


def _told_rows(key: str, rows: Rows) -> str | None:
    return _told(key, rows)["rows"] if rows else None
