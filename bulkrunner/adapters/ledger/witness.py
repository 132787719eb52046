"""The one rule that a row agrees with its event: what events say of columns and of whole rows.

An event's ``also`` holds such columns of the row that it is about, as they were afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Table, select

from bulkrunner.adapters.ledger.chain import STATE, WORK, plain_row
from bulkrunner.adapters.ledger.codecs import (
    ANSWER,
    APPROVAL,
    CLIENT_RETIRED,
    CLIENT_USE,
    INTENT,
    PLAN,
    RESULT,
    RUN,
    STANDING_CLAIM,
    STANDING_END,
)
from bulkrunner.adapters.ledger.tables import (
    MAIN_CHAIN,
    approvals,
    attempts,
    client_uses,
    clients,
    jobs,
    plans,
    results,
    runs,
    standing_claims,
    standing_ends,
)
from bulkrunner.sentences import Sentence

# Key of an event's data.
ALSO = "also"

# Key of the columns of ``clients`` in an event about one of its uses.
TOTALS = "totals"

PLAN_ALSO = ("cursor", "requests")

_Facts = Mapping[str, Any]

_Key = tuple[str, ...]

_KEYS: dict[Table, tuple[str, ...]] = {
    plans: ("id",),
    runs: ("id",),
    clients: ("environment", "client"),
    client_uses: ("environment", "client", "use"),
}


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
        if STATE in data:
            self._note(runs, {"id": data["run"]}, data["position"], data[STATE])
        if TOTALS in data:
            self._note(clients, data, event.position, data[TOTALS])
        if ALSO in data:
            key = {"id": data["plan"]} if "plan" in data else data
            self._note(plans if "plan" in data else client_uses, key, event.position, data[ALSO])

    def _of_a_run(self, event: Event, data: Mapping[str, Any]) -> None:
        kind = event.kind
        if kind in WORK:
            self._work[event.chain] = event
            return
        if kind == "moved":
            self._work.pop(event.chain, None)
        facts = _order(kind, data) | data.get(ALSO, {})
        self._note(runs, {"id": event.chain}, event.position, facts)

    def _note(self, table: Table, key: Mapping[str, Any], position: int, facts: _Facts) -> None:
        if not facts:
            return
        names = tuple(str(key[name]) for name in _KEYS[table])
        told = self._told.setdefault((table.name, names), {})
        told.update({name: (value, position) for name, value in facts.items()})

    def misfits(self, table: Table, row: Mapping[str, Any]) -> Iterator[Sentence]:
        """Yield what one row, as plain data, has otherwise than the last event about it said."""
        names = tuple(str(row[name]) for name in _KEYS[table])
        if table is runs and (event := self._work.pop(names[0], None)) is not None:
            self._note(runs, {"id": names[0]}, event.position, {"active_at": event.at})
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

_STANDING_CLAIM = Subject(
    table=standing_claims,
    columns=STANDING_CLAIM,
    keys={"claimed_by": "run", "number": "number"},
)

_STANDING_END = Subject(table=standing_ends, columns=STANDING_END, keys={"event": "position"})

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
    "standing_claimed": _STANDING_CLAIM,
    "standing_ended": _STANDING_END,
}


ALL = tuple({id(subject): subject for subject in SUBJECTS.values()}.values())
