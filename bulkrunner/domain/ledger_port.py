"""The ledger as the services use it: its parts, and what they hand out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.domain.approvals import Approval
    from bulkrunner.domain.plan import Action, AppliedChange, Finding, Plan, PlannedChange
    from bulkrunner.domain.rules import Counterpart, Evidence
    from bulkrunner.domain.run_ledger import (
        AdvanceLedger,
        LeaseLedger,
        OrderLedger,
        RunLedger,
        StandingLedger,
        WorkItem,
    )
    from bulkrunner.domain.steps import InputLine


@dataclass(frozen=True, kw_only=True)
class ClientUse:
    """One plan or run that a client was used for."""

    use: str
    first_used_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, kw_only=True)
class Client:
    """An API client of an environment, and when it was used."""

    environment: str
    client: str
    first_used_at: datetime
    last_used_at: datetime
    last_use: str  # plan or run; empty where it was never used here
    retired_at: datetime | None = None  # since when it is used no more; None while it is
    retired_by: str = ""
    uses: tuple[ClientUse, ...] = ()  # the latest first


class PlanLedger(Protocol):
    """Plans and what they hold."""

    def library_names(self, plan: str) -> dict[str, str]:
        """Return the names of libraries by sigel, as the environment's records say."""

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

    def begin(self, plan: Plan) -> None:
        """Store the head of a plan that is being made (state ``planning``)."""

    def change_digests(self, plan: str) -> Iterator[str]:
        """Stream each stored change's digest, computed anew from what is stored."""

    def changes(
        self,
        plan: str,
        *,
        actions: Sequence[Action] | None = None,
        numbers: Sequence[int] | None = None,
        after: int = 0,
        documents: bool = True,
        sigel: str | None = None,
    ) -> Iterator[PlannedChange]:
        """Stream changes in plan order, of one sigel where it is given.

        Without documents before/after/predicted are None.
        """

    def count_actions(self, plan: str) -> dict[str, int]:
        """Count stored changes by action."""

    def count_findings(self, plan: str) -> dict[str, int]:
        """Count what ``findings`` would list without a limit, by code; refusals come first."""

    def count_reasons(self, plan: str, action: Action) -> dict[str, int]:
        """Count the changes of an action by code."""

    def count_reads(self, plan: str) -> dict[str, int]:
        """Count the records that were read, by ``read_by`` of their changes."""

    def count_refusals(self, plan: str) -> dict[str, int]:
        """Count refused changes by code; what two steps say alike of one line of input is one."""

    def count_sigels(self, plan: str) -> dict[str, dict[str, int]]:
        """Count changes by sigel, then by action; ``""`` where the sigel is not known."""

    def tally(self, plan: str) -> dict[str, dict[str, Any]]:
        """Count anew what a complete plan keeps as ``tallies``."""

    def findings(self, plan: str, *, limit: int | None = 100) -> list[Finding]:
        """Return refusals first, then what was not found, then notes."""

    def finish(
        self, plan: str, *, plan_digest: str, counts: Mapping[str, int], requests: int, at: datetime
    ) -> Plan:
        """Mark a plan as complete; immutable from now on."""

    def interrupt(self, plan: str, *, requests: int) -> None:
        """Mark a plan as interrupted and add to its count of requests."""

    def made(self, plans: Sequence[str], operations: Sequence[str]) -> Mapping[str, AppliedChange]:
        """Return by wish digest (``PlannedChange.wish_digest``) what runs of the plans applied last."""

    def numbers_of(self, plan: str, names: Sequence[str]) -> frozenset[int]:
        """Return the numbers of changes to be carried out that short ids, or ``<plan>.<number>``, mean."""

    def get(self, prefix: str) -> Plan:
        """Return the plan with this id or unique prefix; UsageError: none, or several."""

    def all(self, *, job: str | None = None, environment: str | None = None) -> list[Plan]:
        """Return plans, newest first."""

    def reopen(self, plan: str) -> Plan:
        """Mark an interrupted plan as being made again; also one whose process died."""

    def completed_at(self, plan: str) -> int:
        """Return by which event of the chain a plan became what it is."""


class LookupLedger(Protocol):
    """Changes of a plan that is being made, by what they concern."""

    def actions_of(self, plan: str, numbers: Sequence[int]) -> list[Action]:
        """Return the actions of the changes of these numbers, in plan order."""

    def changes_numbered(self, plan: str, numbers: Sequence[int]) -> list[PlannedChange]:
        """Return the changes of these numbers, in plan order."""

    def changes_of(self, plan: str, keys: Sequence[str]) -> Mapping[str, PlannedChange]:
        """Return for each target key or place that a stored change of the plan has: that change."""

    def failed(self, plan: str, numbers: Sequence[int]) -> frozenset[int]:
        """Return those of the numbers whose changes are refused or not found."""

    def last_number(self, plan: str) -> int:
        """Return the number of the plan's last change; 0 where it has none."""

    def numbers_at(self, plan: str, places: Sequence[str], /) -> Mapping[str, tuple[int, ...]]:
        """Return for each place that changes of the plan have: their numbers."""

    def waiting(self, plan: str, *, after: int, limit: int) -> Mapping[int, tuple[int, ...]]:
        """Return the next changes to be carried out that wait for others: number → those."""


class SelectionLedger(Protocol):
    """What the steps of a plan selected."""

    def keep(
        self,
        plan: str,
        step: int,
        refs: Iterable[str],
        *,
        note: Callable[[], Mapping[str, Any]] = dict,
    ) -> int:
        """Store the short ids of a selection, consumed outside any transaction, and, at its end, facts about it."""

    def left_out(self, plan: str) -> Iterator[InputLine]:
        """Stream the lines of a plan's inputs that give no change, in their order."""

    def selected(self, plan: str, step: int, *, after: int = 0) -> Iterator[str]:
        """Stream the records of a stored selection."""

    def get(self, plan: str, step: int) -> Mapping[str, Any] | None:
        """Return ``{count, note}`` of a selection that was stored whole; None where it was not."""

    def all(self, plan: str) -> list[Mapping[str, Any]]:
        """Return ``{step, count, note}`` of every selection that was stored whole, in order."""


class ApprovalLedger(Protocol):
    """Answers to plans."""

    def add(self, approval: Approval, *, known: int | None = None) -> None:
        """Store a yes or a no.

        Args:
            approval: the answer.
            known: answers to the plan that it was weighed with; None: it needs no weighing.

        Raises:
            AnswerRefused: there are others by now.
        """

    def of_plan(self, plan: str) -> list[Approval]:
        """Return answers to a plan, oldest first."""

    def of_job(self, job: str) -> list[Approval]:
        """Return answers to every plan of a job, oldest first."""


class EvidenceLedger(Protocol):
    """What test runs say of a plan."""

    def of_plan(
        self, plan: Plan, *, not_before: datetime, counts: Callable[[Mapping[str, str]], bool]
    ) -> Evidence:
        """Return what test runs of the job of a plan for production say of its changes."""
        # Outcomes before ``not_before`` do not count; ``counts`` tells from a test plan's addresses
        # whether its environment does.

    def keep(self, plan: str, evidence: Evidence) -> None:
        """Keep what ``of_plan`` found, so that it need not be counted again while it holds."""

    def restorings(
        self, job: str, *, not_before: datetime, counts: Callable[[Mapping[str, str]], bool]
    ) -> Mapping[str, str]:
        """Return the patterns that undos of a job applied in test runs, each with such a run."""
        # ``not_before`` and ``counts`` as in ``of_plan``.

    def counterparts(
        self,
        plan: Plan,
        *,
        action: Action,
        counts: Callable[[Mapping[str, str]], bool],
        numbers: Sequence[int] | None = None,
    ) -> Iterator[Counterpart]:
        """Stream for the plan's changes of an action what test runs did, in plan order."""
        # Of several test runs an applied one is taken before any other, the newest first.
        # ``counts`` as in ``of_plan``.


# Changes of a plan that are verified together before any of them is sent.
BLOCK = 1000


def block_of(change: int) -> int:
    """Return the block that a change is of, from 0."""
    return (change - 1) // BLOCK


def bounds_of(block: int) -> tuple[int, int]:
    """Return the first and the last number that a block has room for."""
    return block * BLOCK + 1, (block + 1) * BLOCK


class Seals(Protocol):
    """What the ledger's own chain vouches for: from it any part of the ledger can be verified."""

    @property
    def fault(self) -> Sentence | None:
        """What does not fit of the own chain and of all but the rows about single changes."""

    def size(self, plans: Collection[str]) -> int:
        """Return how many rows and events ``rest`` would look at, roughly."""

    def block(self, plan: str, run: str, change: int) -> Sentence | None:
        """Return what does not fit of the block of a change, of which nothing was handed out yet."""

    def recognise(self, item: WorkItem) -> Sentence | None:
        """Return what of a change was edited between its block's verification and its reading."""

    def rest(self, plan: str | None, others: Sequence[str] = ()) -> Iterator[Sentence | None]:
        """Look at every run, at a plan with its documents, and at others without theirs."""
        # Yields after each piece what does not fit of it; each sees one state of the ledger.


class ChainLedger(Protocol):
    """The chain of events."""

    def append(self, kind: str, data: Mapping[str, Any], *, at: datetime) -> None:
        """Append an event of its own, outside any state change."""

    def head(self) -> str:
        """Return the chain's newest hash."""

    def newest_time(self) -> datetime | None:
        """Return the latest time of any event of the chain; None without one."""

    def position_of(self, head: str) -> int | None:
        """Return which event the chain had, or has, as its newest at this head; None: none."""

    def verify(self) -> Sentence | None:
        """Walk the chain of events; None where it is whole, else what does not fit."""

    def seals(self) -> Seals:
        """Walk the ledger's own chain, with all but the rows about single changes."""

    def verify_plan(self, plan: str, *, documents: bool = True) -> Sentence | None:
        """Compare what is stored of one plan, perhaps with documents, with its events."""
        # None where all fits.


class BackupLedger(Protocol):
    """Copies of the ledger."""

    def back_up(self, label: str, *, keep: int) -> str | None:
        """Copy the ledger's file, and keep so many."""
        # None: no file, or ``keep`` is 0. LedgerUnavailable: the copy cannot be written.
        # ``label``: part of the copy's name, e.g. a plan's id.


# The command by which a person says that a ledger is to be used though it is a copy.
RESTORE = "bulkrunner ledger restore --by NAME --reason TEXT"

CLOCKS = timedelta(hours=1)  # how much the clocks of machines and of the catalogue may differ


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """Somebody said that a ledger is to be used."""

    at: datetime  # when it was said
    by: str  # who said so
    reason: str
    recorded_by: str  # account@host that typed it in
    known_until: datetime  # time of the newest event before; what was sent later it may not know
    was: str = ""  # what spoke against it; empty where nothing did
    event: int = -1  # of the ledger's chain

    def describe(self) -> Sentence:
        """Return it as part of a gate's reason."""
        return Sentence("ledger_restored", at=self.at, by=self.by, reason=self.reason)


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What a restored ledger may not know."""

    since: datetime  # when something may have been sent that is not in it
    # When a person said that the ledger is to be used; what it lacks was sent before.
    until: datetime
    plan_is_older: bool  # whether the plan was made before the ledger was restored


def unknown_of(restorations: Sequence[Restoration], plan_made: datetime) -> Unknown | None:
    """Return what may have happened that the ledger does not know; None where it is the one."""
    if not restorations:
        return None
    return Unknown(
        since=min(restoration.known_until for restoration in restorations) - CLOCKS,
        until=max(restoration.at for restoration in restorations),
        plan_is_older=any(restoration.at >= plan_made for restoration in restorations),
    )


class ProvenanceLedger(Protocol):
    """Whether the ledger is the one, or a copy of it."""

    def copied(self) -> Sentence | None:
        """Return what says that this is a copy, or an older state; None where nothing does."""

    def restorations(self) -> list[Restoration]:
        """Return who said that this ledger is to be used though it was a copy, oldest first."""

    def restore(self, *, by: str, reason: str, recorded_by: str) -> Restoration:
        """Enter who says that this ledger is to be used, and why; from now on it is the one."""
        # ``recorded_by``: account@host that typed it in.


class CompactionLedger(Protocol):
    """The ledger made smaller."""

    def compact(self, plans: Sequence[str]) -> int:
        """Drop the documents that only these plans and their runs have; returns how many."""

    def compacted(self) -> frozenset[str]:
        """Return the plans whose documents were dropped."""

    def size(self) -> int | None:
        """Return the bytes of the ledger's file, None where it is none."""

    def tidy(self) -> None:
        """Give back the room that dropped documents took."""


class ClientLedger(Protocol):
    """API clients and what they were used for."""

    def all(self) -> list[Client]:
        """Return the API clients that were used, the latest first, each with what it did."""

    def note(self, environment: str, client: str, *, use: str, at: datetime) -> None:
        """Note that an API client was used; ``use`` says for what, e.g. a plan's or run's id."""

    def retire(self, environment: str, client: str, *, by: str, at: datetime) -> Client:
        """Note that an API client is used no more."""


class Ledger(Protocol):
    """The whole ledger."""

    @property
    def plans(self) -> PlanLedger:
        """Plans and what they hold."""

    @property
    def lookups(self) -> LookupLedger:
        """Changes of a plan that is being made, by what they concern."""

    @property
    def selections(self) -> SelectionLedger:
        """What the steps of a plan selected."""

    @property
    def runs(self) -> RunLedger:
        """Runs, attempts and outcomes."""

    @property
    def leases(self) -> LeaseLedger:
        """Who drives which run."""

    @property
    def advances(self) -> AdvanceLedger:
        """Which process takes a job forward."""

    @property
    def orders(self) -> OrderLedger:
        """Orders to a running run from elsewhere, and what it says it waits for."""

    @property
    def approvals(self) -> ApprovalLedger:
        """Answers to plans."""

    @property
    def standing(self) -> StandingLedger:
        """Runs that rest on an answer to an earlier plan."""

    @property
    def evidence(self) -> EvidenceLedger:
        """What test runs say of a plan."""

    @property
    def chain(self) -> ChainLedger:
        """The chain of events."""

    @property
    def backups(self) -> BackupLedger:
        """Copies of the ledger."""

    @property
    def provenance(self) -> ProvenanceLedger:
        """Whether the ledger is the one, or a copy of it."""

    @property
    def compactions(self) -> CompactionLedger:
        """The ledger made smaller."""

    @property
    def clients(self) -> ClientLedger:
        """API clients and what they were used for."""

    def close(self) -> None:
        """Write what is waiting and close the database."""
