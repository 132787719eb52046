"""What the ledger keeps of runs: changes that wait or ended, leases, orders, what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.run import (
    Attempt,
    EndedAs,
    Lease,
    Orders,
    Outcome,
    Owner,
    Result,
    Run,
    RunEvent,
    RunState,
    Wait,
)
from bulkrunner.domain.standing import Claim, StandingEnd


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """A change of a run with all that was already done for it."""

    change: PlannedChange
    attempts: tuple[Attempt, ...] = ()
    read: int = 0  # digest of its rows, as they were read


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A change of a run with its result (``pending`` where it has none) and its attempts."""

    change: PlannedChange
    result: Result
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LaterWrite:
    """What a later run did to a record: the version that it left, or that it deleted it."""

    run: str
    job: str
    etag: str | None
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class Created:
    """The change of a run that created a record, with its wish digest."""

    run: str
    number: int
    wish: str


class RunLedger(Protocol):
    """Runs, attempts and outcomes."""

    def answered(self, run: str, attempt: Attempt) -> Future[None]:
        """Store what an attempt's request was answered."""

    def claimed(self, records: Sequence[str], *, run: str, change: int) -> frozenset[str]:
        """Return which of these records were made by another change than this one."""

    def conclude(self, run: str, change: int, result: Result) -> Future[None]:
        """Store a change's outcome; done once it is on disk."""

    def count_codes(self, run: str, outcome: Outcome) -> dict[str, int]:
        """Count the changes that ended so, by code."""

    def created(self, runs: Sequence[str], records: Collection[str]) -> Mapping[str, Created]:
        """Return, of these records, those that the runs have created."""

    def decisions(self, run: str) -> Iterator[tuple[datetime, Outcome]]:
        """Stream when each outcome of the run was decided, in the order of time."""

    def ended(
        self,
        run: str,
        *,
        outcomes: Sequence[Outcome] | None = None,
        after: int = 0,
        documents: bool = True,
        sigel: str | None = None,
    ) -> Iterator[Ended]:
        """Stream changes of the run with their results and attempts, in plan order."""

    def ended_as(self, run: str, changes: Sequence[int]) -> Mapping[int, EndedAs]:
        """Return how these changes ended, as far as they have."""
        # What the plan leaves alone has ended by that: ``unchanged``, or ``refused``.

    def ended_backwards(
        self, run: str, *, outcomes: Sequence[Outcome] | None = None
    ) -> Iterator[Ended]:
        """Stream changes of the run with their results and attempts, the last one first."""

    def intend(self, run: str, attempt: Attempt) -> Future[None]:
        """Store an attempt's intent; done once it is on disk. Grouped with others by one writer."""

    def move(
        self, run: str, new: RunState, *, at: datetime, reason: str = "", requests: int = 0
    ) -> Run:
        """Change a run's state, by the transition table, and add to its count of requests."""

    def outcomes(self, run: str) -> dict[str, int]:
        """Count outcomes, ``pending`` included."""

    def count_sigels(self, run: str) -> dict[str, dict[str, int]]:
        """Count outcomes by sigel, ``pending`` and ``excluded`` too; ``""``: no sigel is known."""

    def next_pending(self, run: str, *, after: int) -> int | None:
        """Return the number of the first change after one that has no outcome; None: there is none."""

    def open_sends(self, run: str) -> Sequence[int]:
        """Return the numbers of changes that were sent, perhaps, and have no outcome, in order."""

    def pending(
        self, run: str, *, after: int = 0, until: int | None = None, limit: int = 200
    ) -> list[WorkItem]:
        """Return changes to be carried out without an outcome yet, in plan order."""
        # ``until``: the last number that is wanted; None: any.

    def unproven(
        self,
        run: str,
        *,
        tries: int,
        until: int | None = None,
        leaves_out: Callable[[int], bool] = lambda _: False,
    ) -> dict[str, list[int]]:
        """Return of each pattern that no change of the run has proven the first pending."""
        # ``until``: the last number that is looked at; ``leaves_out``: numbers that do not count.

    def request_stop(self, run: str, *, reason: str) -> None:
        """Ask whoever drives the run to stop."""

    def result_of(self, run: str, change: int) -> Result:
        """Return a change's result, ``pending`` where it has none."""

    def get(self, prefix: str) -> Run:
        """Return the run with this id or unique prefix; UsageError: none, or several."""

    def all(self, *, plan: str | None = None, job: str | None = None) -> list[Run]:
        """Return runs, newest first."""

    def sent_since(self, run: str, moment: datetime) -> int:
        """Count the requests of the run that may have written since then."""

    def start(self, run: Run, *, lease: Lease, claim: Claim | None = None) -> None:
        """Store a run and its lease; UsageError: another of the job and environment is running."""
        # ``claim``: on a standing approval. GateClosed: its bounds leave no room for the run.

    def stop_requested(self, run: str) -> str | None:
        """Return the reason of a stop that was asked for and not yet obeyed."""

    def void_stop(self, run: str, *, reason: str) -> None:
        """Forget a stop that nobody is left to obey; nothing where another was asked for since."""

    def written_later(self, run: str, records: Sequence[str]) -> Mapping[str, Sequence[LaterWrite]]:
        """Return by record what later runs in the same environment applied, oldest first."""


class LeaseLedger(Protocol):
    """Who drives which run."""

    def drop(self, lease: Lease) -> None:
        """Give the lease back; does nothing where it is no longer this token's."""

    def of(self, run: str) -> Lease | None:
        """Return who holds the run."""

    def renew(self, lease: Lease, *, expires_at: datetime) -> bool:
        """Extend the lease; False where it is no longer this token's."""

    def take(
        self, run: str, owner: Owner, *, expires_at: datetime, replaces: int | None
    ) -> Lease | None:
        """Take the lease, with a higher token, if its token is ``replaces`` (None: nobody's)."""
        # None where somebody was quicker.


class AdvanceLedger(Protocol):
    """Which process takes a job forward."""

    def take(
        self, job: str, owner: Owner, *, expires_at: datetime, replaces: Owner | None = None
    ) -> tuple[Owner, datetime] | None:
        """Let a process take a job forward; else return which one does, and until when that counts."""
        # ``replaces``: whom it may replace.

    def drop(self, job: str) -> None:
        """Let another process take the job forward."""


class StandingLedger(Protocol):
    """Runs that rest on an answer to an earlier plan."""

    def patterns(
        self, plan: str, *, without: Collection[int] = ()
    ) -> frozenset[tuple[str, str, str]]:
        """Return action, kind and pattern of what a plan does; changes of some numbers left out."""

    def claim(self, claim: Claim) -> None:
        """Store what a run that goes on claims. GateClosed: the bounds leave no room for it."""

    def claims(self, rule: str = "") -> list[Claim]:
        """Return the claims under a rule, or all, oldest first."""

    def claim_of(self, run: str) -> Claim | None:
        """Return what a run claimed last; None where it claimed nothing."""

    def used(
        self, rule: str, addresses: Mapping[str, str], since: datetime, *, but: str = ""
    ) -> Mapping[str, int]:
        """Count what runs under a rule, but for one, may have sent since, or may still send."""

    def of_run(self, run: str, since: datetime) -> Mapping[str, int]:
        """Count what a run may have sent since, and what it has left to send, by action."""

    def end(self, plan: str, *, by: str, reason: str) -> None:
        """Note that the standing approvals of a plan have ended."""

    def ends(self, plan: str) -> list[StandingEnd]:
        """Return who ended the standing approvals of a plan, oldest first."""


class OrderLedger(Protocol):
    """Orders to a running run from elsewhere, and what it says it waits for."""

    def hold(self, run: str, *, hold: bool) -> bool:
        """Let a running run pause once its first changes are verified, or no more."""

    def latest_outcomes(self, run: str, *, limit: int) -> Sequence[datetime]:
        """Return when the last changes in plan order were decided, oldest first."""

    def log_wait(self, run: str, wait: Wait | None) -> None:
        """Enter a long wait in the run's chain; None: that it went on."""

    def note_wait(self, run: str, wait: Wait | None) -> None:
        """Remember what the run waits for; None: for nothing."""

    def of(self, run: str) -> Orders:
        """Return what was asked of the run from elsewhere."""

    def pause(self, run: str, *, paused: bool, by: str) -> bool:
        """Pause a running run, or lift its pause; False where it is not running."""

    def set_rate(self, run: str, *, rate: float, by: str) -> bool:
        """Give a running run another rate; False where it is not running."""

    def events(self, run: str, *, limit: int) -> Sequence[RunEvent]:
        """Return what happened to the run as a whole, oldest first, at most ``limit``."""

    def wait_of(self, run: str) -> Wait | None:
        """Return what the run last said it waits for."""
