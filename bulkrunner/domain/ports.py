"""What services ask of the world outside. Adapters implement these; services know nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from threading import Condition
from typing import Any, Protocol

from bulkrunner.domain.approvals import Approval, Signer
from bulkrunner.domain.catalogue import Activity, DumpPage, FindPage, Held, ReadAnswer, WriteAnswer
from bulkrunner.domain.gates import Evidence, Twin
from bulkrunner.domain.plan import Action, Finding, Made, Plan, PlannedChange
from bulkrunner.domain.records import Document
from bulkrunner.domain.restoration import Restoration
from bulkrunner.domain.rights import Rights
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
from bulkrunner.domain.steps import InputLine
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class ClientUse:
    """One plan or run that a client was used for."""

    use: str
    first_used_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, kw_only=True)
class Client:
    """An API client of an environment, and when it was used.

    Attributes:
        last_use: plan or run; empty where it was never used here.
        retired_at: since when it is used no more; None while it is.
        uses: the latest first.
    """

    environment: str
    client: str
    first_used_at: datetime
    last_used_at: datetime
    last_use: str
    retired_at: datetime | None = None
    retired_by: str = ""
    uses: tuple[ClientUse, ...] = ()


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now(self) -> datetime:
        """Return the wall clock in UTC, aware."""

    def monotonic(self) -> float:
        """Return seconds on a clock that also runs while the machine is suspended."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait_for(
        self, condition: Condition, is_true: Callable[[], bool], seconds: float | None
    ) -> bool:
        """Wait until something is true or the time is over; returns whether it is true.

        Args:
            condition: held by the caller, and notified whenever it may have become true.
            is_true: looks at what the condition guards, and does nothing else.
            seconds: at most so long; None: for ever.
        """


class CatalogueReader(Protocol):
    """Reads of one environment. Has no method that could write; planning is given only this."""

    def read(self, record: str, *, if_none_match: str | None = None) -> ReadAnswer:
        """Read the newest version.

        Args:
            record: short id, or a legacy IRI (answered with ``Moved`` where known).
            if_none_match: plain ETag; ``NotModified`` when the record still has it.

        Raises:
            CatalogueUnreachable: no usable answer after every retry.
        """

    def read_version(self, record: str, version: int) -> ReadAnswer:
        """Read an older version; negative numbers count from the newest (-1)."""

    def holdings_of(self, bib_iri: str, sigel: str) -> tuple[str, ...]:
        """Return short ids of the library's live holdings on the bib, straight from the database.

        Args:
            bib_iri: the bib's main thing IRI in this environment.
            sigel: of the library.
        """

    def links_to(self, iri: str) -> tuple[str, ...]:
        """Return short ids of records that link directly to the record's thing (any relation)."""

    def bibs_named(self, names: Sequence[str], identifiers: Sequence[str]) -> tuple[str, ...]:
        """Return short ids of records that have one of these names or identifiers, at most 50.

        The index that is searched lags behind; that nothing is found proves nothing.

        Args:
            names: IRIs that a record may have as ``sameAs``.
            identifiers: values such as an ISBN, as stored.
        """

    def find(self, query: Sequence[tuple[str, str]], *, limit: int, offset: int = 0) -> FindPage:
        """Return one page of a search in the index, in the order of ids.

        Args:
            query: names and values of ``/find``; the same name twice means either.
            limit: items on the page, at most 4,000; 0 counts only.
            offset: from which item.
        """

    def dump_page(self, sigel: str, *, offset: int) -> DumpPage:
        """Return a page (100) of the dump of a library's holdings, a list up to five days old."""

    def feed_page(self, *, until: int) -> tuple[Activity, ...]:
        """Return up to 100 changes before a time (ms since 1970), newest first, without any lag."""

    def holdings_on(self, bib_iri: str) -> tuple[Held, ...]:
        """Return every library's live holdings on the bib, straight from the database."""

    def server_time(self) -> datetime | None:
        """Return the time that the catalogue's last answer bore, None where it bore none."""

    def library_exists(self, sigel: str) -> bool:
        """Tell whether the library's record resolves in this environment."""

    def library_name(self, sigel: str) -> str | None:
        """Return the name in the library's record, empty where it has none; None: no record."""

    def rights(self) -> Rights:
        """Ask the login what the client may do, now.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """

    def rights_are_due(self) -> bool:
        """Tell whether the token is another one than when ``rights`` was asked last.

        Gets or renews the token where that is due.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """

    @property
    def requests(self) -> int:
        """HTTP requests sent so far through this object, login included."""


class CatalogueWriter(CatalogueReader, Protocol):
    """Reads and writes of one environment. One call sends one request, never more."""

    def put(self, record: str, document: Document, *, etag: str, active_sigel: str) -> WriteAnswer:
        """Replace a record."""

    def post(self, document: Document, *, active_sigel: str) -> WriteAnswer:
        """Create a record; ``document`` carries the TEMPID."""

    def delete(self, record: str, *, active_sigel: str) -> WriteAnswer:
        """Delete a record."""

    def before_each_write(self, look: Callable[[], None]) -> None:
        """Call ``look`` just before the first byte of each write; where it raises, none is sent."""

    def renew_token(self) -> None:
        """Get a new token now, dropping the old one.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """


class Progress(Protocol):
    """Where services say how far they are."""

    def begin(self, what: str, total: int | None) -> None:
        """Start a phase; total is None where nobody knows."""

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """Tell how many are done in all, and what became of them."""

    def waiting(self, reason: str, seconds: float | None) -> None:
        """Tell why nothing happens just now, and for how long; empty reason: goes on."""

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        """Tell one event; ``action`` is its stable name."""

    def end(self) -> None:
        """Finish the phase."""


class NullProgress:
    """Says nothing."""

    def begin(self, what: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """Do nothing."""

    def waiting(self, reason: str, seconds: float | None) -> None:
        """Do nothing."""

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """A change of a run with all that was already done for it."""

    change: PlannedChange
    attempts: tuple[Attempt, ...] = ()


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


class PlanLedger(Protocol):
    """Plans and their changes."""

    def begin_plan(self, plan: Plan) -> None:
        """Store the head of a plan that is being made (state ``planning``)."""

    def add_changes(
        self,
        plan: str,
        changes: Sequence[PlannedChange],
        *,
        cursor: int,
        since: int | None = None,
        replaced: Sequence[PlannedChange] = (),
        left_out: Sequence[tuple[int, InputLine]] = (),
    ) -> None:
        """Store changes and the cursor in one transaction.

        Args:
            plan: being made.
            changes: new ones.
            cursor: entries of the manifest planned by now.
            since: the cursor that the changes go on from; None: any.
            replaced: that take the places of stored changes with their numbers.
            left_out: lines of inputs that give no change, each with its place in the stream.

        Raises:
            UsageError: ``planned_elsewhere`` where another process has moved the cursor.
        """

    def selections(self, plan: str) -> list[Mapping[str, Any]]:
        """Return ``{step, count, note}`` of every selection that was stored whole, in order."""

    def left_out(self, plan: str) -> Iterator[InputLine]:
        """Stream the lines of a plan's inputs that give no change, in their order."""

    def changes_of(self, plan: str, keys: Sequence[str]) -> Mapping[str, PlannedChange]:
        """Return for each target key or place that a stored change of the plan has: that change."""

    def numbers_at(self, plan: str, places: Sequence[str], /) -> Mapping[str, tuple[int, ...]]:
        """Return for each place that changes of the plan have: their numbers."""

    def changes_numbered(self, plan: str, numbers: Sequence[int]) -> list[PlannedChange]:
        """Return the changes of these numbers, in plan order."""

    def waiting(self, plan: str, *, after: int, limit: int) -> Mapping[int, tuple[int, ...]]:
        """Return the next changes to be carried out that wait for others: number → those."""

    def failed(self, plan: str, numbers: Sequence[int]) -> frozenset[int]:
        """Return those of the numbers whose changes are refused or not found."""

    def last_number(self, plan: str) -> int:
        """Return the number of the plan's last change; 0 where it has none."""

    def selection(self, plan: str, step: int) -> Mapping[str, Any] | None:
        """Return ``{count, note}`` of a selection that was stored whole; None where it was not."""

    def keep_selection(
        self,
        plan: str,
        step: int,
        refs: Iterable[str],
        *,
        note: Callable[[], Mapping[str, Any]] = dict,
    ) -> int:
        """Store the records of a selection, which are consumed outside any transaction.

        Args:
            plan: being made.
            step: number of the step.
            refs: short ids.
            note: facts about the selection, asked for at its end.
        """

    def selected(self, plan: str, step: int, *, after: int = 0) -> Iterator[str]:
        """Stream the records of a stored selection."""

    def taken_targets(self, plan: str, keys: Sequence[str]) -> Mapping[str, int]:
        """Return for each target key that a stored change of the plan has: that change's number."""

    def actions_of(self, plan: str, numbers: Sequence[int]) -> list[Action]:
        """Return the actions of the changes of these numbers, in plan order."""

    def interrupt_plan(self, plan: str, *, requests: int) -> None:
        """Mark a plan as interrupted and add to its count of requests."""

    def reopen_plan(self, plan: str) -> Plan:
        """Mark an interrupted plan as being made again; also one whose process died."""

    def finish_plan(
        self, plan: str, *, plan_digest: str, counts: Mapping[str, int], requests: int, at: datetime
    ) -> Plan:
        """Mark a plan as complete; immutable from now on."""

    def plan(self, prefix: str) -> Plan:
        """Return the plan with this id or unique prefix.

        Raises:
            UsageError: none, or several.
        """

    def plans(self, *, job: str | None = None, environment: str | None = None) -> list[Plan]:
        """Return plans, newest first."""

    def changes(
        self,
        plan: str,
        *,
        actions: Sequence[Action] | None = None,
        numbers: Sequence[int] | None = None,
        after: int = 0,
        documents: bool = True,
    ) -> Iterator[PlannedChange]:
        """Stream changes in plan order; without documents before/after/predicted are None.

        Args:
            plan: its id.
            actions: only changes of these.
            numbers: only these changes.
            after: only changes with greater numbers.
            documents: whether to read the documents too.
        """

    def change_digests(self, plan: str) -> Iterator[str]:
        """Stream each stored change's digest, computed anew from what is stored."""

    def count_actions(self, plan: str) -> dict[str, int]:
        """Count stored changes by action."""

    def count_findings(self, plan: str) -> dict[str, int]:
        """Count what ``findings`` would list without a limit, by code; refusals come first."""

    def findings(self, plan: str, *, limit: int | None = 100) -> list[Finding]:
        """Return refusals first, then what was not found, then notes."""

    def numbers_of(self, plan: str, names: Sequence[str]) -> frozenset[int]:
        """Return the numbers of the changes to be carried out that these names mean.

        Args:
            plan: whose changes they are.
            names: short ids of records, or ``<plan>.<number>``.
        """

    def count_refusals(self, plan: str) -> dict[str, int]:
        """Count refused changes by code; what two steps say alike of one line of input is one."""

    def count_reasons(self, plan: str, action: Action) -> dict[str, int]:
        """Count the changes of an action by code."""

    def count_sigels(self, plan: str) -> dict[str, dict[str, int]]:
        """Count changes by sigel, then by action; ``""`` where the sigel is not known."""

    def library_names(self, plan: str) -> dict[str, str]:
        """Return the names of libraries by sigel, as the environment's records say."""

    def made(self, plans: Sequence[str], operations: Sequence[str]) -> Mapping[str, Made]:
        """Return by wish digest (``PlannedChange.wish_digest``) what runs of the plans applied last."""


class RunLedger(Protocol):
    """Runs, attempts and outcomes."""

    def start_run(self, run: Run, *, lease: Lease) -> None:
        """Store a new run and its lease, unless one of the job and environment is running.

        Raises:
            UsageError: another run of the job and environment is running.
        """

    def run(self, prefix: str) -> Run:
        """Return the run with this id or unique prefix.

        Raises:
            UsageError: none, or several.
        """

    def runs(self, *, plan: str | None = None, job: str | None = None) -> list[Run]:
        """Return runs, newest first."""

    def move_run(
        self, run: str, new: RunState, *, at: datetime, reason: str = "", requests: int = 0
    ) -> Run:
        """Change a run's state, by the transition table, and add to its count of requests."""

    def lease(self, run: str) -> Lease | None:
        """Return who holds the run."""

    def take_lease(
        self, run: str, owner: Owner, *, expires_at: datetime, replaces: int | None
    ) -> Lease | None:
        """Take the lease if its token is still ``replaces`` (None: nobody holds it).

        Returns:
            The lease with a new, higher token, or None where somebody was quicker.
        """

    def renew_lease(self, lease: Lease, *, expires_at: datetime) -> bool:
        """Extend the lease; False where it is no longer this token's."""

    def drop_lease(self, lease: Lease) -> None:
        """Give the lease back; does nothing where it is no longer this token's."""

    def pending(self, run: str, *, after: int = 0, limit: int = 200) -> list[WorkItem]:
        """Return changes to be carried out without an outcome yet, in plan order."""

    def intend(self, run: str, attempt: Attempt) -> Future[None]:
        """Store an attempt's intent; done once it is on disk. Grouped with others by one writer."""

    def answered(self, run: str, attempt: Attempt) -> Future[None]:
        """Store what an attempt's request was answered."""

    def conclude(self, run: str, change: int, result: Result) -> Future[None]:
        """Store a change's outcome; done once it is on disk."""

    def ended_as(self, run: str, changes: Sequence[int]) -> Mapping[int, EndedAs]:
        """Return how these changes ended, as far as they have.

        What the plan leaves alone has ended by that: ``unchanged``, or ``refused``.
        """

    def written_later(self, run: str, records: Sequence[str]) -> Mapping[str, Sequence[LaterWrite]]:
        """Return by record what later runs in the same environment applied, oldest first."""

    def created(self, runs: Sequence[str], records: Collection[str]) -> Mapping[str, Created]:
        """Return, of these records, those that the runs have created."""

    def result_of(self, run: str, change: int) -> Result:
        """Return a change's result, ``pending`` where it has none."""

    def claimed(self, records: Sequence[str], *, run: str, change: int) -> frozenset[str]:
        """Return which of these records were made by another change than this one."""

    def outcomes(self, run: str) -> dict[str, int]:
        """Count outcomes, ``pending`` included."""

    def count_codes(self, run: str, outcome: Outcome) -> dict[str, int]:
        """Count the changes that ended so, by code."""

    def sent_since(self, run: str, moment: datetime) -> int:
        """Count the requests of the run that may have written since then."""

    def ended(
        self,
        run: str,
        *,
        outcomes: Sequence[Outcome] | None = None,
        after: int = 0,
        documents: bool = True,
    ) -> Iterator[Ended]:
        """Stream changes of the run with their results and attempts, in plan order."""

    def ended_backwards(
        self, run: str, *, outcomes: Sequence[Outcome] | None = None
    ) -> Iterator[Ended]:
        """Stream changes of the run with their results and attempts, the last one first."""

    def request_stop(self, run: str, *, reason: str) -> None:
        """Ask whoever drives the run to stop."""

    def void_stop(self, run: str, *, reason: str) -> None:
        """Forget a stop that nobody is left to obey; nothing where another was asked for since."""

    def stop_requested(self, run: str) -> str | None:
        """Return the reason of a stop that was asked for and not yet obeyed."""

    def orders(self, run: str) -> Orders:
        """Return what was asked of the run from elsewhere."""

    def pause_run(self, run: str, *, paused: bool, by: str) -> bool:
        """Pause a running run, or lift its pause; False where it is not running."""

    def rate_run(self, run: str, *, rate: float, by: str) -> bool:
        """Give a running run another rate; False where it is not running."""

    def hold_run(self, run: str, *, hold: bool) -> bool:
        """Let a running run pause once its first changes are verified, or no more."""

    def note_wait(self, run: str, wait: Wait | None) -> None:
        """Remember what the run waits for; None: for nothing."""

    def wait_of(self, run: str) -> Wait | None:
        """Return what the run last said it waits for."""

    def log_wait(self, run: str, wait: Wait | None) -> None:
        """Enter a long wait in the run's chain; None: that it went on."""

    def run_events(self, run: str, *, limit: int) -> Sequence[RunEvent]:
        """Return what happened to the run as a whole, oldest first, at most ``limit``."""

    def decisions(self, run: str) -> Iterator[tuple[datetime, Outcome]]:
        """Stream when each outcome of the run was decided, in the order of time."""

    def latest_outcomes(self, run: str, *, limit: int) -> Sequence[datetime]:
        """Return when the last changes in plan order were decided, oldest first."""


class ApprovalLedger(Protocol):
    """Approvals, and the evidence that gates weigh."""

    def add_approval(self, approval: Approval, *, known: int | None = None) -> None:
        """Store a yes or a no.

        Args:
            approval: the answer.
            known: answers to the plan that it was weighed with; None: it needs no weighing.

        Raises:
            AnswerRefused: there are others by now.
        """

    def approvals(self, plan: str) -> list[Approval]:
        """Return answers to a plan, oldest first."""

    def evidence(
        self, plan: Plan, *, not_before: datetime, counts: Callable[[Mapping[str, str]], bool]
    ) -> Evidence:
        """Return what test runs of the plan's job say of its changes.

        Args:
            plan: a plan for production.
            not_before: older outcomes do not count.
            counts: tells from a test plan's addresses whether its environment counts.
        """

    def twins(
        self,
        plan: Plan,
        *,
        action: Action,
        counts: Callable[[Mapping[str, str]], bool],
        numbers: Sequence[int] | None = None,
    ) -> Iterator[Twin]:
        """Stream for the plan's changes of an action what test runs did, in plan order.

        Of several test runs an applied one is taken before any other, the newest first.

        Args:
            plan: for production.
            action: of the changes.
            counts: tells from a test plan's addresses whether its environment counts.
            numbers: only these changes.
        """

    def restorings(
        self, job: str, *, not_before: datetime, counts: Callable[[Mapping[str, str]], bool]
    ) -> Mapping[str, str]:
        """Return the patterns that undo jobs of a job applied in test runs, each with such a run.

        Args:
            job: that was undone.
            not_before: older outcomes do not count.
            counts: tells from a test plan's addresses whether its environment counts.
        """

    def verify_chain(self) -> Sentence | None:
        """Walk the chain of events; None where it is whole, else what does not fit."""

    def verify_plan(self, plan: str, *, documents: bool = True) -> Sentence | None:
        """Compare what is stored of one plan with its events; None where all fits.

        Args:
            plan: its id.
            documents: whether to read those of its changes too.
        """

    def head(self) -> str:
        """Return the chain's newest hash."""

    def position_of(self, head: str) -> int | None:
        """Return which event the chain had, or has, as its newest at this head; None: none."""

    def completed_at(self, plan: str) -> int:
        """Return by which event of the chain a plan became what it is."""

    def newest_time(self) -> datetime | None:
        """Return when the chain's newest event was; None without one."""

    def append_event(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
        """Append an event of its own, outside any state change."""


class KeptLedger(Protocol):
    """The ledger as something that is kept: copied, and made smaller."""

    def back_up(self, label: str, *, keep: int) -> str | None:
        """Copy the ledger's file and remove older copies; None where there is no file to copy.

        Args:
            label: part of the copy's name, e.g. a plan's id.
            keep: copies that stay, this one included; 0: nothing is copied.

        Raises:
            LedgerUnavailable: the copy cannot be written.
        """

    def copied(self) -> Sentence | None:
        """Return what says that this is a copy, or an older state; None where nothing does."""

    def restorations(self) -> list[Restoration]:
        """Return who said that this ledger is to be used though it was a copy, oldest first."""

    def restore(self, *, by: str, reason: str, recorded_by: str) -> Restoration:
        """Enter that this ledger is to be used; from now on it is the one.

        Args:
            by: who says so.
            reason: why.
            recorded_by: account@host that typed it in.
        """

    def compacted(self) -> frozenset[str]:
        """Return the plans whose documents were dropped."""

    def compact(self, plans: Sequence[str]) -> int:
        """Drop the documents that only these plans and their runs have; returns how many."""

    def tidy(self) -> None:
        """Give back the room that dropped documents took."""

    def size(self) -> int | None:
        """Return the bytes of the ledger's file, None where it is none."""


class ClientLedger(Protocol):
    """API clients and what they were used for."""

    def note_client(self, environment: str, client: str, *, use: str, at: datetime) -> None:
        """Note that an API client was used; ``use`` says for what, e.g. a plan's or run's id."""

    def retire_client(self, environment: str, client: str, *, by: str, at: datetime) -> Client:
        """Note that an API client is used no more."""

    def clients(self) -> list[Client]:
        """Return the API clients that were used, the latest first, each with what it did."""


class Ledger(PlanLedger, RunLedger, ApprovalLedger, KeptLedger, ClientLedger, Protocol):
    """The whole ledger."""

    def close(self) -> None:
        """Write what is waiting and close the database."""


class Signatures(Protocol):
    """Knows whose signature stands under a text."""

    def verify(self, text: str, signature: str, *, signers: Sequence[str], at: datetime) -> Signer:
        """Return whose signature it is.

        Args:
            text: that must have been signed, character by character.
            signature: armoured.
            signers: lines of an allowed-signers file.
            at: when the key must have been valid.

        Raises:
            SignatureRefused: it is not good, with the reason.
        """


class WriteGate(Protocol):
    """Politeness: decides when the next write may be sent."""

    def __call__(self) -> AbstractContextManager[None]:
        """Wait until a write may be sent; hold a place among the concurrent requests."""
