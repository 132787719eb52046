"""What events say of columns that no row's digest covers, and the order of plans, runs and answers.

An event's ``also`` holds such columns of the row that it is about, as they were afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, Table, select

from bulkrunner.adapters.ledger.chain import plain_row
from bulkrunner.adapters.ledger.schema import (
    MAIN_CHAIN,
    approvals,
    client_uses,
    clients,
    jobs,
    plans,
    runs,
)

ALSO = "also"
"""Key of an event's data."""

TOTALS = "totals"
"""Key of the columns of ``clients`` in an event about one of its uses."""

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

    def misfits(self, table: Table, row: Mapping[str, Any]) -> Iterator[str]:
        """Yield what one row, as plain data, has otherwise than the last event about it said."""
        names = tuple(str(row[name]) for name in _KEYS[table])
        if table is runs and (event := self._work.pop(names[0], None)) is not None:
            self._note(runs, {"id": names[0]}, event, {"active_at": event.at})
        for column, (wanted, position) in self._told.pop((table.name, names), {}).items():
            if row[column] != wanted:
                chain = f"of the chain of run {names[0]}" if table is runs else _LEDGERS
                yield (
                    f"{column} of {_WHAT[table]} {' '.join(names)} is not as event {position} "
                    f"{chain} told it"
                )

    def faults(self, connection: Connection) -> Iterator[str]:
        """Yield what rows have otherwise than the last event about it said."""
        for table in _KEYS:
            for row in connection.execute(select(table)):
                yield from self.misfits(table, plain_row(row._mapping))
        gone = [*self._told, *((runs.name, (run,)) for run in self._work)]
        for name, key in gone:
            yield f"what events told of {' '.join(key)} is gone from {name}"
        yield from self._misplaced(connection)
        yield from _wrong_jobs(connection)

    def _misplaced(self, connection: Connection) -> Iterator[str]:
        """Find rows that are not in the order of their events: what is newest depends on it."""
        for table, key in ((plans, plans.c.id), (runs, runs.c.id), (approvals, approvals.c.event)):
            found = connection.scalars(select(key).order_by(table.c.seq)).all()
            for there, wanted in zip(found, self._orders[table.name], strict=False):
                if str(there) != wanted:
                    yield f"{_WHAT[table]} {wanted} is not in its place: {there} comes before it"
                    break


_LEDGERS = "of the ledger's chain"

_WHAT = {
    plans: "plan",
    runs: "run",
    clients: "client",
    client_uses: "client",
    approvals: "the answer of event",
}


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


def _wrong_jobs(connection: Connection) -> Iterator[str]:
    """Find jobs that are not as their first plan made them."""
    first: dict[str, Any] = {}
    query = select(plans.c.job, plans.c.manifest, plans.c.created_at).order_by(plans.c.seq)
    for plan in connection.execute(query):
        first.setdefault(plan.job, plan)
    for job in connection.execute(select(jobs).order_by(jobs.c.id)):
        made = first.pop(job.id, None)
        if made is None:
            yield f"job {job.id} was stored by no plan"
        elif (job.title, job.first_planned_at) != (
            str(made.manifest.get("title", "")),
            made.created_at,
        ):
            yield f"job {job.id} is not as its first plan made it"
    for name in first:
        yield f"job {name} is gone"
