"""Runs, attempts and outcomes: states, and the moves between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkrunner.domain.records import Document
from bulkrunner.sentences import Sentence


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
