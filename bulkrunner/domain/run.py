"""Runs, attempts and outcomes: states, the moves between them, who drives a run, and what is queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bulkrunner.domain.records import Document
from bulkrunner.sentences import Sentence, stored_text


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    COMPLETED = "completed"


ALLOWED: dict[RunState, frozenset[RunState]] = {
    RunState.RUNNING: frozenset({RunState.INTERRUPTED, RunState.STOPPED, RunState.COMPLETED}),
    RunState.INTERRUPTED: frozenset({RunState.RUNNING, RunState.STOPPED, RunState.COMPLETED}),
    RunState.STOPPED: frozenset({RunState.RUNNING, RunState.STOPPED, RunState.COMPLETED}),
    RunState.COMPLETED: frozenset(),
}


class IllegalTransition(Exception):
    """A move between states that the table does not allow."""


def transition(old: RunState, new: RunState) -> RunState:
    """Return the new state; IllegalTransition where the table ``ALLOWED`` has no such move."""
    if new not in ALLOWED[old]:
        raise IllegalTransition(f"a run cannot go from {old} to {new}")
    return new


class Outcome(StrEnum):
    """How one planned change ended; ``pending`` until then."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PENDING = "pending"

    @property
    def is_well(self) -> bool:
        """Return True if the record is as planned."""
        return self in (Outcome.APPLIED, Outcome.UNCHANGED)

    @property
    def is_error(self) -> bool:
        """Return True if it counts against a run's error budget; a conflict is nobody's error."""
        return self in (Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN)


PROBLEMS = (Outcome.CONFLICT, Outcome.UNKNOWN, Outcome.FAILED, Outcome.REFUSED)
"""What somebody must look at, most urgent first."""


PUT_AWAY = "put_away_by"  # says that a stopped run is taken up by ``resume`` only where it is named

MAX_SENDS = 3  # sends of one change, counted in the ledger over every interruption


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One send. Without ``answer`` nobody knows how it ended."""

    change: int
    number: int  # from 1
    intent_at: datetime
    method: str
    etag: str | None = None  # sent in If-Match, None for POST and DELETE
    # What came back, in a word of ``AnswerKind``; None: no answer was recorded.
    answer: str | None = None
    status: int | None = None
    answered_at: datetime | None = None
    words: str = ""
    error_id: str = ""
    server_date: datetime | None = None
    known_ids: tuple[str, ...] = ()  # for a create, ids of holdings found just before the POST


@dataclass(frozen=True, kw_only=True)
class EndedAs:
    """How a change ended, in short; ``record`` is the one that was written."""

    outcome: Outcome
    record: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of one planned change, as stored."""

    outcome: Outcome
    code: str = ""
    message: str = ""
    record: str | None = None  # short id of the record written; for a create the new one
    # etag, stored_modified: of the version that is ours, where known.
    etag: str | None = None
    stored_modified: str | None = None
    # Plain JSON data, e.g. ``changed_since`` or ``deleted_over_edit`` {by, when}.
    detail: Mapping[str, Any] = field(default_factory=dict)
    # The document read back, kept only where it is not what was predicted.
    stored: Document | None = None
    decided_at: datetime | None = None

    @property
    def is_as_planned(self) -> bool:
        """Return True if it shows that changes of its pattern do what was planned."""
        return self.outcome is Outcome.APPLIED and not self.detail.get("not_as_predicted")


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """An entry of a run's chain that is not about a single change."""

    at: datetime
    # ``started``, ``moved``, ``paused``, ``pause_lifted``, ``rate_set``, ``waiting``, ``went_on``,
    # ``lease_taken`` …
    kind: str
    data: Mapping[str, Any]  # plain JSON data, e.g. ``to`` and ``reason`` of a move.


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who drives a run: enough to tell a live process from a dead one."""

    host: str  # host name and machine id
    boot: str  # the kernel's boot id
    pid: int
    started: str  # the process's start time in clock ticks since boot, as text

    def describe(self) -> str:
        """Return host and process for messages."""
        return f"process {self.pid} on {self.host.partition('/')[0]}"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to drive a run until a time; ``token`` fences off an earlier owner."""

    run: str
    owner: Owner
    token: int
    expires_at: datetime
    # Since when the owner has it; None where an older version did not say.
    taken_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One application of one plan; keeps its id over interruptions."""

    id: str
    plan: str
    job: str
    environment: str
    state: RunState
    started_at: datetime
    active_at: datetime
    finished_at: datetime | None = None
    stop_reason: str = ""
    requests: int = 0
    paused: bool = False
    rate: float | None = None  # writes per second that somebody ordered; None: as configured
    hold: bool = False  # it pauses once after its first changes are verified
    ordered_by: str = ""  # who paused it, or gave the last order


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What people have asked of a running run from elsewhere."""

    stop: str | None = None  # reason of a stop that is not yet obeyed
    paused: bool = False
    by: str = ""  # who gave the last order
    rate: float | None = None  # writes per second instead of the configured; None: as configured


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Why a run does nothing just now, and until when; None where nobody can say."""

    reason: str
    until: datetime | None = None


def empty_outcomes() -> dict[str, int]:
    """Return the contract's outcomes, all 0."""
    return {outcome.value: 0 for outcome in Outcome}


def outcome_count(outcome: str, count: int) -> Sentence:
    """Return how many changes ended so, as part of a sentence."""
    match Outcome(outcome):
        case Outcome.APPLIED:
            return Sentence("outcomes_applied", count=count)
        case Outcome.UNCHANGED:
            return Sentence("outcomes_unchanged", count=count)
        case Outcome.CONFLICT:
            return Sentence("outcomes_conflict", count=count)
        case Outcome.REFUSED:
            return Sentence("outcomes_refused", count=count)
        case Outcome.FAILED:
            return Sentence("outcomes_failed", count=count)
        case Outcome.UNKNOWN:
            return Sentence("outcomes_unknown", count=count)
        case Outcome.PENDING:
            return Sentence("outcomes_pending", count=count)


def outcome_word(outcome: str) -> Sentence:
    """Return the outcome as a part of a sentence."""
    match Outcome(outcome):
        case Outcome.APPLIED:
            return Sentence("outcome_applied")
        case Outcome.UNCHANGED:
            return Sentence("outcome_unchanged")
        case Outcome.CONFLICT:
            return Sentence("outcome_conflict")
        case Outcome.REFUSED:
            return Sentence("outcome_refused")
        case Outcome.FAILED:
            return Sentence("outcome_failed")
        case Outcome.UNKNOWN:
            return Sentence("outcome_unknown")
        case Outcome.PENDING:
            return Sentence("outcome_pending")


LIFE = 60.0
GRACE = 300.0


@dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """How long a lease counts, in seconds."""

    life: float = LIFE  # without being renewed
    renew_every: float = 15.0
    grace: float = GRACE  # a request may be under way after its sender's lease ran out


USUAL = LeaseTimes()


class Driver(StrEnum):
    """What is known of whoever holds a run's lease."""

    NOBODY = "nobody"  # or it is dead, or silent for so long that the run may be taken up
    HERE = "here"  # it lives on this machine, and renews its lease
    ELSEWHERE = "elsewhere"  # it is on another machine, and its lease counts
    SILENT = "silent"  # it lives on this machine, but renews no lease: it is stopped, or hangs
    DOUBTFUL = "doubtful"  # it is on another machine, its lease has run out: it may still send


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """Who drives a run, and from when on anybody may take it up."""

    driver: Driver
    lease: Lease | None = None
    free_at: datetime | None = None

    @property
    def is_free(self) -> bool:
        """Return True if the run may be taken up."""
        return self.driver is Driver.NOBODY

    @property
    def works(self) -> bool:
        """Return True if a process works on the run, or waits by itself."""
        return self.driver in (Driver.HERE, Driver.ELSEWHERE)

    def held(self) -> tuple[Sentence, Sentence]:
        """Return why the run cannot be taken up, and what can be done; it is not free."""
        lease, free_at = self.lease, self.free_at
        if lease is None or free_at is None:
            raise ValueError("a run that nobody holds is not held")
        run, who, free = lease.run, _process(lease), _moment(free_at)
        match self.driver:
            case Driver.HERE:
                return Sentence("held_here", run=run, who=who), Sentence("held_here_todo", run=run)
            case Driver.SILENT:
                silent, pid = _moment(lease.expires_at), lease.owner.pid
                return (
                    Sentence("held_silently", run=run, who=who, silent=silent),
                    Sentence("held_silently_todo", pid=pid, free=free),
                )
            case _:
                return (
                    Sentence("held_elsewhere", run=run, who=who),
                    Sentence("held_elsewhere_todo", run=run, free=free),
                )


def ownership(
    lease: Lease | None, *, alive: bool | None, now: datetime, times: LeaseTimes = USUAL
) -> Ownership:
    """Return who drives a run by its lease."""
    # ``alive`` is None where that cannot be told from here.
    if lease is None:
        return Ownership(driver=Driver.NOBODY)
    free_at = lease.expires_at + timedelta(seconds=times.grace)
    if alive is False or now >= free_at:
        driver = Driver.NOBODY
    elif now < lease.expires_at:
        driver = Driver.HERE if alive else Driver.ELSEWHERE
    else:
        driver = Driver.SILENT if alive else Driver.DOUBTFUL
    return Ownership(driver=driver, lease=lease, free_at=free_at)


def _process(lease: Lease) -> Sentence:
    pid, host = lease.owner.pid, lease.owner.host.partition("/")[0]
    if lease.taken_at is None:
        return Sentence("process", pid=pid, host=host)
    return Sentence("process_since", pid=pid, host=host, since=_moment(lease.taken_at))


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A job that is to go the rest of its road in an environment; nothing in it is secret.

    ``digest`` is the manifest's, as it was submitted: a worker whose folder has another leaves it.
    ``fresh``: somebody just asked for it, so a run that was stopped goes on. ``left_by``: worker →
    why it cannot do it. ``said``: why it waits, or how it ended.
    """

    job: str
    environment: str
    folder: str
    digest: str
    by: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = True
    failures: int = 0
    left_by: Mapping[str, str] = field(default_factory=dict)
    said: str = ""

    @property
    def key(self) -> str:
        """Job and environment: of each there is one errand at most."""
        return f"{self.job}@{self.environment}"

    def told(self, said: str, **changed: Any) -> Errand:
        """Return it with what is said of it."""
        return replace(self, said=stored_text(said), **changed)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What became of an errand: it is looked at again in some seconds, or (None) has ended."""

    errand: Errand
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Presence:
    """A worker, as others see it."""

    name: str
    owner: Owner
    concurrency: int
