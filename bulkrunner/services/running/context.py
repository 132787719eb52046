"""What every change of a run shares: what it writes into the ledger, and its progress."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Ledger, Unknown
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import CatalogueWriter, Clock, WriteGate
from bulkrunner.domain.run import Attempt, EndedAs, Result
from bulkrunner.errors import BulkRunnerError, LedgerUnavailable
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Access, Control
from bulkrunner.services.running.history import Creations
from bulkrunner.services.running.lease import LeaseKeeper
from bulkrunner.services.running.throttle import LeftOut, Throttle


class Journal:
    """One run's entries; the first that fails ends the run."""

    def __init__(self, ledger: Ledger, run: str, plan: str, control: Control) -> None:
        self._ledger = ledger
        self._run = run
        self._plan = plan
        self._control = control
        self._under_way: set[Future[None]] = set()
        self._unsaved: dict[int, Result] = {}
        self._changed = threading.Condition()

    def intend(self, attempt: Attempt) -> None:
        """Store an intent; returns once it is on disk. LedgerUnavailable: nothing may be sent."""
        error = self._ledger.runs.intend(self._run, attempt).exception()
        if error is not None:
            raise _as_ours(error)

    def answered(self, attempt: Attempt) -> None:
        self._watch(self._ledger.runs.answered(self._run, attempt))

    def conclude(self, change: int, result: Result) -> None:
        with self._changed:
            self._unsaved[change] = result
        stored = self._ledger.runs.conclude(self._run, change, result)
        self._watch(stored)
        stored.add_done_callback(lambda _: self._unsaved.pop(change, None))

    def ended_as(self, changes: Sequence[int]) -> dict[int, EndedAs]:
        # Looked at before the ledger: what leaves here meanwhile is on disk by then.
        unsaved = {number: self._unsaved.get(number) for number in changes}
        known = {
            number: EndedAs(outcome=result.outcome, record=result.record)
            for number, result in unsaved.items()
            if result is not None
        }
        left = [number for number in changes if number not in known]
        return {**known, **(self._ledger.runs.ended_as(self._run, left) if left else {})}

    def result_of(self, change: int) -> Result:
        """Return a change's result, ``pending`` where it has none."""
        return self._unsaved.get(change) or self._ledger.runs.result_of(self._run, change)

    def changes(self, numbers: Sequence[int]) -> list[PlannedChange]:
        return self._ledger.lookups.changes_numbered(self._plan, numbers)

    def claimed(self, records: Sequence[str], *, change: int) -> frozenset[str]:
        """Return which of these records were made by another change than this one."""
        return self._ledger.runs.claimed(records, run=self._run, change=change)

    def flush(self) -> None:
        """Wait until everything handed in is on disk, or has failed."""
        with self._changed:
            waiting = list(self._under_way)
        for stored in waiting:
            stored.exception()
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)

    def _watch(self, stored: Future[None]) -> None:
        with self._changed:
            self._under_way.add(stored)
        stored.add_done_callback(self._stored)

    def _stored(self, stored: Future[None]) -> None:
        error = stored.exception()
        if error is not None:
            self._control.fail(_as_ours(error))
        with self._changed:
            self._under_way.discard(stored)
            self._changed.notify_all()


def _as_ours(error: BaseException) -> BulkRunnerError:
    if isinstance(error, BulkRunnerError):
        return error
    # Most likely a second process has written the same attempt: the ledger's key is the last fence.
    return LedgerUnavailable(
        Sentence("ledger_entry_refused", error=f"{type(error).__name__}: {error}")
    )


@dataclass(kw_only=True)
class ServerClock:
    """How far the server's clock is ahead of ours, from the answers to writes."""

    ahead: timedelta | None = None

    def learn(self, server: datetime | None, ours: datetime | None) -> None:
        """Take in one answer's ``Date`` and when it came."""
        if server is not None and ours is not None:
            self.ahead = server - ours

    def at(self, ours: datetime) -> datetime | None:
        """Return a moment of ours by the server's clock, a little early; None if unknown."""
        return None if self.ahead is None else ours + self.ahead - timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """The parts that carry out changes.

    ``confirm_fully``: read the content back, to compare it with what was predicted.
    ``unknown``: since when things may have been sent that the ledger does not know; None: none.
    """

    catalogue: CatalogueWriter
    clock: Clock
    iris: IriMap
    active_sigel: str
    sigels: frozenset[str]
    gate: WriteGate
    journal: Journal
    lease: LeaseKeeper
    access: Access
    control: Control
    throttle: Throttle
    server_clock: ServerClock
    creations: Creations
    confirm_fully: bool
    unknown: Unknown | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to write, and hold it.

        Stopped: the run ended. AccessLost, Interrupted: a new token has fewer rights, or none.
        """
        with ExitStack() as stack:
            with self.control.parking():
                self.throttle.wait()
                stack.enter_context(self.gate())
            self.control.check()
            self.access.require_with_this_token()
            yield

    def leaves_out(self, work: Work) -> bool:
        """Return True if the approval leaves a change out; what was sent already is settled."""
        return not work.attempts and self.throttle.terms.excludes(work.change.number)

    def may_send(self, work: Work) -> bool:
        """Return, after the look, if writing is still allowed; Stopped or LeftOut if not."""
        self.control.check()
        if self.leaves_out(work):
            raise LeftOut
        return self.throttle.lets_send()


@dataclass(kw_only=True)
class Work:
    """One change with every send of it so far.

    ``refers``: the ids of records that this run created were put into the planned change.
    """

    change: PlannedChange
    attempts: list[Attempt] = field(default_factory=list)
    confirm_fully: bool = True
    refers: bool = False
