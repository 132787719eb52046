"""Drives a run: takes its lease, hands its changes to the crew, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bulkrunner.domain.approvals import REJECTED, standing
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Ledger, unknown_of
from bulkrunner.domain.ownership import USUAL, LeaseTimes
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import CatalogueWriter, Clock, Progress, WriteGate
from bulkrunner.domain.run import Owner, Run, RunState
from bulkrunner.errors import (
    AccessLost,
    BulkRunnerError,
    GateClosed,
    LeaseLost,
    LedgerUnavailable,
    LoginDown,
)
from bulkrunner.sentences import Sentence, says
from bulkrunner.services.running.access import PATIENCE, Access, RightsLost
from bulkrunner.services.running.context import Frame, ServerClock
from bulkrunner.services.running.control import Control, Ending
from bulkrunner.services.running.dispatch import Crew, Feed
from bulkrunner.services.running.error_budget import Tally
from bulkrunner.services.running.history import Creations
from bulkrunner.services.running.journal import Records
from bulkrunner.services.running.lease import LeaseKeeper
from bulkrunner.services.running.orders import Listener, WaitingNow
from bulkrunner.services.running.throttle import Hours, Pauses, Terms
from bulkrunner.services.running.worker import Worker

HELD = Sentence("held_after_first")
"""Who pauses a run that waits for a person after its first changes."""

RECHECK_EVERY = 3600.0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an executor works with.

    Attributes:
        environment: as configured; its concurrency is the number of threads.
        gate: decides when the next write may be sent.
        owner: this process. alive: tells whether another owner's process lives, None if unknown.
        recheck: tests the gates again, each hour; raises where one has closed.
        set_rate: changes the writes per second that ``gate`` allows.
        progress: remembers what is waited for, where it is a ``WaitingNow``.
        hurry: interrupts whoever waits long, so that a run that ends need not sit it out.
        patience: seconds to wait for a login that is down.
        lease: how long this process may be silent, and how long others wait for it.
    """

    catalogue: CatalogueWriter
    ledger: Ledger
    clock: Clock
    progress: Progress
    environment: Environment
    iris: IriMap
    gate: WriteGate
    owner: Owner
    alive: Callable[[Owner], bool | None]
    recheck: Callable[[], None] | None = None
    set_rate: Callable[[float], None] | None = None
    hurry: Callable[[], None] | None = None
    patience: float = PATIENCE
    lease: LeaseTimes = USUAL


class Executor:
    """Runs one run of one plan, or resumes it: both are the same loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._control = Control(parts.clock)
        self._lease = LeaseKeeper(
            parts.ledger, parts.clock, parts.owner, alive=parts.alive, times=parts.lease
        )
        parts.catalogue.before_each_write(self._lease.require)
        self._rechecked_at = parts.clock.monotonic()
        progress = parts.progress
        if not isinstance(progress, WaitingNow):
            progress = WaitingNow(progress, parts.clock)
        self._progress = progress
        self._tally: Tally | None = None

    @property
    def counts(self) -> dict[str, int] | None:
        """Outcomes as counted so far, without asking the ledger; None before the first count."""
        return None if self._tally is None else self._tally.counts

    def request_stop(self) -> None:
        """Ask to stop after what is in flight; safe in a signal handler."""
        self._control.ask()

    def start(self, plan: Plan, run_id: str) -> Run:
        """Store a new run of a plan, held by this process.

        Raises:
            UsageError: another run of the job and environment is running.
        """
        now = self._parts.clock.now()
        run = Run(
            id=run_id,
            plan=plan.id,
            job=plan.job,
            environment=plan.environment,
            state=RunState.RUNNING,
            started_at=now,
            active_at=now,
        )
        self._parts.ledger.runs.start(run, lease=self._lease.first(run_id))
        return run

    def run(self, run_id: str, *, limit: int | None = None, hold: bool = False) -> Run:
        """Carry out what the run has not carried out yet.

        Args:
            run_id: of a run that ``start`` stored, or that was interrupted or stopped.
            limit: at most so many changes, the next ones in plan order.
            hold: pause once the first changes, one of every pattern, are verified. A run that was
                to do so and did not come as far does so all the same.

        Raises:
            RunHeld: another process drives the run.
            Interrupted: it can be resumed (6). AccessLost: likewise, once access is back (7).
            GateClosed: a gate closed meanwhile (4).
        """
        ledger = self._parts.ledger
        run = ledger.runs.get(run_id)
        if run.state is RunState.COMPLETED:
            return run
        requests = self._parts.catalogue.requests
        taken_over = self._lease.take(run.id)
        try:
            run = ledger.runs.get(run.id)  # whoever held it until now may have moved it
            if run.state is RunState.COMPLETED:
                return run
            if run.state is not RunState.RUNNING:
                run = ledger.runs.move(run.id, RunState.RUNNING, at=self._parts.clock.now())
            elif taken_over:
                self._void_orders(run)
            if hold and ledger.orders.hold(run.id, hold=True):
                run = ledger.runs.get(run.id)
            self._lease.start(self._control.fail)
            ending = self._drive(run, limit)
            return self._leave(run, ending, self._parts.catalogue.requests - requests)
        finally:
            self._lease.stop()
            with suppress(LedgerUnavailable):
                self._lease.give_back()

    def _void_orders(self, run: Run) -> None:
        """Drop what was ordered of a process that died: whoever takes it up wants it to go on.

        A no to the plan is no order to a process; it stands until there is another yes.
        """
        ledger = self._parts.ledger
        if run.paused:
            ledger.orders.pause(run.id, paused=False, by=self._parts.owner.describe())
        asked = ledger.runs.stop_requested(run.id)
        if asked is None:
            return
        if not says(asked, REJECTED) or standing(ledger.approvals.of_plan(run.plan)):
            ledger.runs.void_stop(run.id, reason=asked)

    def _leave(self, run: Run, ending: Ending, requests: int) -> Run:
        """Store how the run ended, unless somebody else drives it, and raise what ended it."""
        try:
            # Whatever ended the run, the lease may have been lost as well, and not yet noticed.
            self._lease.renew()
            run = self._parts.ledger.runs.move(
                run.id,
                ending.state,
                at=self._parts.clock.now(),
                reason=ending.reason,
                requests=requests,
            )
        except LeaseLost as lost:
            raise lost from ending.error
        except LedgerUnavailable:
            if ending.error is None:
                raise
        if ending.error is not None:
            raise ending.error
        return run

    def _drive(self, run: Run, limit: int | None) -> Ending:
        parts, control = self._parts, self._control
        plan = parts.ledger.plans.get(run.plan)
        tally = self._tally = Tally(parts.ledger.runs.outcomes(run.id), self._progress, control)
        records = Records(parts.ledger, run.id, plan.id, control)
        terms = Terms(parts.ledger, parts.clock, run, parts.environment, control, self._progress)
        frame = self._frame(plan, records, terms)
        listener = Listener(
            run.id,
            parts.ledger,
            parts.clock,
            self._progress,
            control,
            set_rate=parts.set_rate,
        )
        worker = Worker(frame, tally)
        crew = Crew(worker.carry_out, threads=parts.environment.concurrency, clock=parts.clock)
        feed = Feed(
            parts.ledger,
            run,
            crew,
            tally,
            control,
            goes_on=lambda: self._goes_on(listener, terms),
            excludes=terms.excludes,
        )
        self._progress.begin(
            Sentence("progress_running", job=plan.job, environment=plan.environment), tally.total
        )
        tally.show()
        try:
            crew.start()
            hold = (lambda: listener.hold_once(HELD)) if run.hold else None
            listener.listen()
            feed.everything(limit, first_prove=_is_production(plan) or run.hold, hold=hold)
        except BulkRunnerError as error:
            control.fail(error)
        except KeyboardInterrupt:
            control.ask()
        finally:
            crew.close()
            if control.ending is not None and parts.hurry is not None:
                parts.hurry()
            while crew.in_hand > control.parked:
                crew.wait(lambda: crew.in_hand <= control.parked, 0.1)
            self._progress.end()
            with suppress(LedgerUnavailable):
                listener.end()
        if crew.failure is not None:
            if not isinstance(crew.failure, Exception):
                raise crew.failure
            control.fail(crew.failure)
        records.flush()
        return self._ending(tally, limit)

    def _ending(self, tally: Tally, limit: int | None) -> Ending:
        ending = self._control.ending
        if tally.pending == 0 and (ending is None or ending.error is None):
            return Ending(state=RunState.COMPLETED, reason="")
        if ending is not None:
            return ending
        if limit is None:
            return Ending(state=RunState.INTERRUPTED, reason=Sentence("changes_left"))
        return Ending(state=RunState.STOPPED, reason=Sentence("limit_reached", limit=limit))

    def _frame(self, plan: Plan, records: Records, terms: Terms) -> Frame:
        parts = self._parts
        manifest = plan.manifest
        sigel = plan.active_sigel
        return Frame(
            catalogue=parts.catalogue,
            clock=parts.clock,
            iris=parts.iris,
            active_sigel=sigel,
            sigels=frozenset(manifest.get("sigels", ())),
            gate=parts.gate,
            hours=Hours(parts.environment, parts.clock, self._progress),
            pauses=Pauses(parts.clock),
            terms=terms,
            records=records,
            lease=self._lease,
            access=Access(
                parts.catalogue,
                self._control,
                self._progress,
                plan,
                active_sigel=sigel,
                patience=parts.patience,
            ),
            control=self._control,
            server_clock=ServerClock(),
            creations=Creations(parts.catalogue, parts.clock, parts.iris),
            confirm_fully=not _is_production(plan),
            unknown=unknown_of(
                parts.ledger.provenance.restorations(), plan.finished_at or plan.created_at
            ),
        )

    def _goes_on(self, listener: Listener, terms: Terms) -> bool:
        """Listen for orders and answers, and test the gates again each hour."""
        now = self._parts.clock.monotonic()
        if listener.listen():
            terms.heed(self._recheck)
        if now - self._rechecked_at >= RECHECK_EVERY:
            self._rechecked_at = now
            self._recheck()
        return self._control.ending is None

    def _recheck(self) -> None:
        if self._parts.recheck is None:
            return
        try:
            self._parts.recheck()
        except LoginDown:
            return  # a send will notice, and wait for it
        except (GateClosed, AccessLost) as error:
            self._control.fail(_as_lost_rights(error), RunState.STOPPED)


def _as_lost_rights(error: GateClosed | AccessLost) -> GateClosed | AccessLost:
    """Rights that shrank during a run end it alike, whatever it was that noticed."""
    for gate in error.gates if isinstance(error, GateClosed) else ():
        if gate.name == "rights" and not gate.open:
            return RightsLost(
                Sentence("rights_less_than_begun", why=gate.reason),
                hint=Sentence("rights_less_hint"),
            )
    return error


def _is_production(plan: Plan) -> bool:
    return plan.addresses.get("kind") == Kind.PRODUCTION
