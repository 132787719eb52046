"""Drives a run: takes its lease, hands its changes to the crew, and says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bulkrunner.domain.approvals import REJECTED, standing
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Ledger, unknown_of
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import CatalogueWriter, Clock, Progress, WriteGate
from bulkrunner.domain.run import USUAL, LeaseTimes, Owner, Run, RunState
from bulkrunner.domain.standing import Claim
from bulkrunner.errors import (
    AccessLost,
    BulkRunnerError,
    GateClosed,
    LeaseLost,
    LedgerUnavailable,
    LoginDown,
)
from bulkrunner.sentences import Sentence, says
from bulkrunner.services.running.context import Journal, RunContext, ServerClock
from bulkrunner.services.running.control import (
    PATIENCE,
    Access,
    Control,
    Ending,
    OutcomeCounter,
    RightsLost,
)
from bulkrunner.services.running.dispatch import TICK, Dispatcher, KeyedPool
from bulkrunner.services.running.history import Creations
from bulkrunner.services.running.lease import LeaseKeeper
from bulkrunner.services.running.orders import Listener, WaitingNow
from bulkrunner.services.running.throttle import Hours, Terms, Throttle
from bulkrunner.services.running.watch import Watch
from bulkrunner.services.running.worker import Worker

# Who pauses a run that waits for a person after its first changes.
HELD = Sentence("held_after_first")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an executor works with.

    ``gate`` decides when the next write may be sent; ``recheck`` tests the plan's gates, each hour.
    ``alive``: whether another owner's process lives. ``hurry`` interrupts whoever waits long.
    ``patience``: seconds to wait for a login that is down. ``lease``: how long each may be silent.
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
        progress = parts.progress
        if not isinstance(progress, WaitingNow):
            progress = WaitingNow(progress, parts.clock)
        self._progress = progress
        self._counter: OutcomeCounter | None = None

    @property
    def counts(self) -> dict[str, int] | None:
        """Outcomes as counted so far, without asking the ledger; None before the first count."""
        return None if self._counter is None else self._counter.counts

    def request_stop(self, why: Sentence | None = None) -> None:
        """Ask to stop after what is in flight; safe in a signal handler."""
        self._control.ask(why)

    def start(self, plan: Plan, run_id: str, *, claim: Claim | None = None) -> Run:
        """Store a new run, held by this process; UsageError while another one is running."""
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
        self._parts.ledger.runs.start(run, lease=self._lease.first(run_id), claim=claim)
        return run

    def run(self, run_id: str, *, limit: int | None = None, hold: bool = False) -> Run:
        """Carry out what the run has not carried out yet, at most ``limit`` changes of it.

        ``hold``: pause once the first changes, one of every pattern, are verified.
        RunHeld: another process drives it. Interrupted (6), AccessLost (7): it can be resumed.
        GateClosed (4): a gate closed meanwhile.
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
        """Drop what was ordered of a dead process; a no to the plan is no order, and stands."""
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
        counter = self._counter = OutcomeCounter(
            parts.ledger.runs.outcomes(run.id), self._progress, control
        )
        journal = Journal(parts.ledger, run.id, plan.id, control)
        terms = Terms(parts.ledger, parts.clock, run, parts.environment, control)
        context = self._context(plan, journal, terms)
        listener = Listener(
            run.id,
            parts.ledger,
            parts.clock,
            self._progress,
            control,
            set_rate=parts.set_rate,
        )
        watch = Watch(parts.ledger, plan, run.id, control, parts.clock, recheck=self._recheck)
        worker = Worker(context, counter)
        pool = KeyedPool(worker.carry_out, threads=parts.environment.concurrency, clock=parts.clock)
        dispatcher = Dispatcher(
            parts.ledger,
            run,
            pool,
            counter,
            control,
            goes_on=lambda: self._goes_on(listener, terms, watch),
            verify=watch.require,
            recognise=watch.recognise,
            excludes=terms.excludes,
        )
        self._progress.begin(
            Sentence("progress_running", job=plan.job, environment=plan.environment), counter.total
        )
        counter.show()
        try:
            pool.start()
            watch.start()
            hold = (lambda: listener.hold_once(HELD)) if run.hold else None
            listener.listen()
            dispatcher.everything(limit, first_prove=_is_production(plan) or run.hold, hold=hold)
            if counter.pending == 0:
                self._await(watch, lambda: self._goes_on(listener, terms, watch))
        except GateClosed as error:
            control.fail(error, RunState.STOPPED)
        except BulkRunnerError as error:
            control.fail(error)
        except KeyboardInterrupt:
            control.ask()
        finally:
            pool.close()
            if control.ending is not None and parts.hurry is not None:
                parts.hurry()
            while pool.in_hand > control.parked:
                pool.wait(lambda: pool.in_hand <= control.parked, 0.1)
            watch.close()
            self._progress.end()
            with suppress(LedgerUnavailable):
                listener.end()
        if pool.failure is not None:
            if not isinstance(pool.failure, Exception):
                raise pool.failure
            control.fail(pool.failure)
        journal.flush()
        return self._ending(counter, limit, seen=watch.is_done)

    def _await(self, watch: Watch, goes_on: Callable[[], bool]) -> None:
        """Wait until everything that the run rests on was seen, or something new ends the run."""
        ending, told = self._control.ending, False
        # Where its first change ended badly, and was the last one too, the run is over all the same.
        if ending is not None and (ending.error or ending.state is not RunState.STOPPED):
            return
        while (goes_on() or self._control.ending is ending) and not watch.wait(TICK):
            if not told:
                self._progress.waiting(Sentence("walking_the_rest"), None)
                told = True
        if told:
            self._progress.waiting("", None)

    def _ending(self, counter: OutcomeCounter, limit: int | None, *, seen: bool) -> Ending:
        ending = self._control.ending
        if counter.pending == 0 and seen and (ending is None or ending.error is None):
            return Ending(state=RunState.COMPLETED, reason="")
        if ending is not None:
            return ending
        if limit is None:
            return Ending(state=RunState.INTERRUPTED, reason=Sentence("changes_left"))
        return Ending(state=RunState.STOPPED, reason=Sentence("limit_reached", limit=limit))

    def _context(self, plan: Plan, journal: Journal, terms: Terms) -> RunContext:
        parts = self._parts
        manifest = plan.manifest
        sigel = plan.active_sigel
        return RunContext(
            catalogue=parts.catalogue,
            clock=parts.clock,
            iris=parts.iris,
            active_sigel=sigel,
            sigels=frozenset(manifest.get("sigels", ())),
            gate=parts.gate,
            throttle=Throttle(
                self._control, self._progress, Hours(parts.environment, parts.clock), terms
            ),
            journal=journal,
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

    def _goes_on(self, listener: Listener, terms: Terms, watch: Watch) -> bool:
        """Listen for orders and answers, and have the gates tested again each hour."""
        if listener.listen():
            terms.heed(watch.ask)
        watch.look_at_the_clock()
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
