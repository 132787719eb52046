"""Jobs queued for several machines, and what a worker does with one: the next step of its road."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bulkrunner.bootstrap.core import Core
from bulkrunner.domain.approvals import the_no, weigh
from bulkrunner.domain.plan import WRITING, Plan, PlanState
from bulkrunner.domain.run import PUT_AWAY, Errand, Presence, Run, RunState, Step
from bulkrunner.domain.schedule import is_open, next_opening
from bulkrunner.errors import (
    AccessLost,
    BulkRunnerError,
    ConfigError,
    Interrupted,
    LeaseLost,
    UsageError,
)
from bulkrunner.sentences import Sentence, as_sentence, joined, says, stored_text, text_of
from bulkrunner.services.running.lease import RunHeld

if TYPE_CHECKING:
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.adapters.queue import Queue, Working
    from bulkrunner.bootstrap import Program

log = logging.getLogger(__name__)

# A wait that is to take so many seconds is slept out without a worker.
SLEEPS_FROM = 60.0

# Seconds until somebody looks again: for KB's answer or a run in the test environment; whether a run
# that another process drives is free; after a fault that time mends, doubled each time up to the last.
LOOK_AGAIN = 60.0
HELD = 20.0
AFTER_FAULT = 15.0
LONGEST = 1800.0

# Seconds until an errand that this worker cannot do is there for the others.
LEFT = 5.0

# Gates that others open: by an answer, by a run elsewhere.
WAITED_FOR = frozenset({"approval", "staging"})

# Faults of the program in a row after which an errand is given up.
GIVEN_UP = 5


class Left(Exception):
    """An errand that another worker may be able to do."""

    def __init__(self, said: Sentence) -> None:
        super().__init__(said)
        self.said = said


class Session(Protocol):
    """A session that makes a plan or drives a run."""

    def request_stop(self, why: Sentence | None = None) -> None:
        """Stop after what is under way."""


class Cluster:
    """Queues jobs, tells what is queued, and makes this process a worker."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def queue(self) -> Queue:
        """Return the queue beside the ledger. ConfigError: the ledger is a file."""
        from bulkrunner.adapters.queue import Queue

        return Queue(self._core.settings.ledger_url)

    def listed(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return what is queued, and the workers; nothing where the ledger is a file."""
        if self._core.settings.ledger_url.startswith("sqlite"):
            return [], []
        return self.queue().listed()

    def submit(
        self, loaded: LoadedJob, environment: str, at: datetime | None, given: Mapping[str, str]
    ) -> float:
        """Queue the rest of a job's road; returns in how many seconds it is taken."""
        job = loaded.job
        self._core.settings.environment(environment)
        queue = self.queue()
        clock, ledger = self._core.clock, self._core.ledger
        by = self._core.account()
        errand = Errand(
            job=job.id,
            environment=environment,
            folder=loaded.folder,
            digest=job.manifest_digest,
            parameters=dict(given),
            by=by,
        )
        seconds = 0.0 if at is None else max(0.0, (at - clock.now()).total_seconds())
        said = {"job": job.id, "environment": environment, "manifest_digest": job.manifest_digest}
        ledger.chain.append("submitted", {**said, "by": by}, at=clock.now())
        queue.prepare()
        queue.put(errand, seconds, instead=True)
        return seconds

    def worker(
        self,
        program: Callable[[], Program],
        name: str | None,
        concurrency: int,
        tell: Callable[[Sentence], None],
    ) -> DrivingWorker:
        """Return what makes a worker of the process; each errand has a ``program`` to itself."""
        from bulkrunner.adapters.machine import this_process

        owner = this_process()
        name = name or owner.host.partition("/")[0]
        queue = self.queue()
        _ = self._core.ledger  # made, and of this version, before anything is taken
        queue.prepare()
        errands = Errands(program, name, tell)
        presence = Presence(name=name, owner=owner, concurrency=concurrency)
        return DrivingWorker(errands, queue.work(errands.carry, presence), name)


class DrivingWorker:
    """A worker at work, until it is told to stop."""

    def __init__(self, errands: Errands, working: Working, name: str) -> None:
        self._errands = errands
        self._working = working
        self.name = name

    def run(self) -> None:
        """Take errands until stopped."""
        self._working.run()

    def stop(self) -> None:
        """Take nothing more, and let the runs under way stop, for others to go on with."""
        self._working.stop()
        self._errands.stop()


class Errands:
    """Does errands, several at a time; each has the program to itself."""

    def __init__(
        self, program: Callable[[], Program], name: str, tell: Callable[[Sentence], None]
    ) -> None:
        self._program = program
        self._name = name
        self._tell = tell
        self._sessions: list[Session] = []
        self._stopping = False

    def stop(self) -> None:
        """Stop what is under way; takes no lock."""
        self._stopping = True
        for session in list(self._sessions):
            session.request_stop()

    @property
    def is_stopping(self) -> bool:
        """Whether the worker was told to stop."""
        return self._stopping

    def carry(self, errand: Errand) -> Step:
        """Do what is next, and return when somebody is to look at it again."""
        try:
            with self._program() as program:
                step = _Road(program, errand, self).go()
        except BaseException as error:  # noqa: BLE001 (whatever it was, the errand is not lost)
            step = self._failed(errand, error)
        self._tell(_told(errand, step))
        return step

    def _failed(self, errand: Errand, error: BaseException) -> Step:
        match error:
            case Left() | AccessLost() | ConfigError():
                left = {**errand.left_by, self._name: stored_text(error.said)}
                return Step(
                    errand=errand.told(error.said, left_by=left),
                    seconds=LOOK_AGAIN if self._name in errand.left_by else LEFT,
                )
            case RunHeld() | LeaseLost():
                return Step(errand=errand.told(error.said), seconds=HELD)
            case Interrupted():
                return self._later(errand, error.said)
            case BulkRunnerError():
                return Step(errand=errand.told(error.said), seconds=None)
        log.error("%s", errand.key, exc_info=error)
        said = Sentence("errand_bug", error=type(error).__name__)
        if errand.failures >= GIVEN_UP:
            return Step(errand=errand.told(said), seconds=None)
        return self._later(errand, said)

    def _later(self, errand: Errand, said: Sentence) -> Step:
        if self._stopping:
            return Step(errand=errand.told(said), seconds=0)
        seconds = min(AFTER_FAULT * 2**errand.failures, LONGEST)
        later = errand.told(said, failures=errand.failures + 1)
        return Step(errand=later, seconds=seconds)

    @contextmanager
    def under_way(self, session: Session) -> Iterator[None]:
        """Let a session be stopped with the worker."""
        self._sessions.append(session)
        try:
            if self._stopping:
                session.request_stop()
            yield
        finally:
            self._sessions.remove(session)


class _Road:
    """One look at one errand."""

    def __init__(self, program: Program, errand: Errand, errands: Errands) -> None:
        self._program = program
        self._ledger = program.ledger
        self._errand = errand
        self._errands = errands

    def go(self) -> Step:
        plan = self._plan(self._loaded())
        if faults := self._program.plans.plan_faults(plan):
            return self._over(Sentence("plan_cannot_run", plan=plan.id, why=joined(faults)))
        if not any(plan.counts.get(action.value) for action in WRITING):
            return self._over(Sentence("errand_nothing_to_write", plan=plan.id))
        runs = self._ledger.runs.all(plan=plan.id)
        run = runs[0] if runs else None
        if run is None or run.state is not RunState.COMPLETED:
            held = self._held(plan, run)
            if held is not None:
                return held
            run, until = self._drive(plan, run)
            if until is not None and run.state is not RunState.COMPLETED:
                return self._again(as_sentence(run.stop_reason), self._until(until))
        if run.state is RunState.COMPLETED:
            return self._verified(run)
        said = Sentence("errand_run_ended", run=run.id, why=as_sentence(run.stop_reason))
        if run.state is RunState.INTERRUPTED:
            return self._again(said, 0 if self._errands.is_stopping else AFTER_FAULT)
        return self._over(said)

    def _loaded(self) -> LoadedJob:
        errand = self._errand
        try:
            loaded = self._program.load_job(Path(errand.folder), errand.parameters)
        except UsageError as error:
            raise Left(error.said) from error
        if loaded.job.manifest_digest != errand.digest:
            raise Left(
                Sentence(
                    "errand_other_digest",
                    folder=errand.folder,
                    found=loaded.job.manifest_digest,
                    digest=errand.digest,
                )
            )
        return loaded

    def _plan(self, loaded: LoadedJob) -> Plan:
        """Return the newest plan where it is of this very manifest; else make one."""
        errand = self._errand
        plans = self._ledger.plans.all(job=errand.job, environment=errand.environment)
        newest = plans[0] if plans and plans[0].manifest_digest == errand.digest else None
        if newest is not None and newest.state is PlanState.COMPLETE:
            return newest
        rate = loaded.job.agreement.rate
        with (
            self._program.plans.planning(
                errand.environment, _WorkerProgress(errand.key), agreed_rate=rate
            ) as session,
            self._errands.under_way(session),
        ):
            return session.resume(newest, loaded) if newest else session.make(loaded)

    def _held(self, plan: Plan, run: Run | None) -> Step | None:
        """Return what keeps the run from going on now, without asking a login."""
        if run is not None and says(run.stop_reason, PUT_AWAY):
            return self._over(as_sentence(run.stop_reason))
        if run is not None and run.state is RunState.STOPPED and not self._errand.fresh:
            return self._over(Sentence("errand_run_ended", run=run.id, why=run.stop_reason))
        gates = self._program.gating.gates(plan, rights=None, run=run)
        closed = [gate for gate in gates if not gate.open and gate.name != "rights"]
        if closed:
            told = [Sentence("gate_told", gate=gate.said, reason=gate.reason) for gate in closed]
            names = {gate.name for gate in closed}
            no = the_no(weigh(self._ledger.approvals.of_plan(plan.id)))
            if names <= WAITED_FOR and no is None:
                return self._again(joined(told), LOOK_AGAIN)
            return self._over(joined(told))
        within = self._program.within(plan)
        now = self._program.clock.now()
        if not within.windows or is_open(within.windows, within.timezone, now):
            return None
        opening = next_opening(within.windows, within.timezone, now)
        said = Sentence("hours_closed", hours=", ".join(within.windows))
        return self._again(said, self._until(opening))

    def _drive(self, plan: Plan, run: Run | None) -> tuple[Run, datetime | None]:
        """Drive the run; with it until when it sleeps, where it has to wait for long."""
        progress = _WorkerProgress(self._errand.key)
        with (
            self._program.runs.running(plan, run, progress) as session,
            self._errands.under_way(session),
        ):
            session.open_gates()
            progress.sleep = lambda until: session.request_stop(
                Sentence("run_sleeps", until=until.isoformat())
            )
            progress.now = self._program.clock.now
            return session.execute(limit=None), progress.until

    def _verified(self, run: Run) -> Step:
        with self._program.runs.verifying(run, _WorkerProgress(self._errand.key)) as verifying:
            found = verifying.verify()
        if found.differences:
            count = len({difference["record"] for difference in found.differences})
            return self._over(Sentence("errand_differs", run=run.id, count=count))
        return self._over(Sentence("errand_done", run=run.id, count=found.checked))

    def _until(self, moment: datetime | None) -> float:
        """Return the seconds until a moment, a long while where nobody knows it."""
        if moment is None:
            return LONGEST
        return max(0.0, (moment - self._program.clock.now()).total_seconds())

    def _again(self, said: Sentence, seconds: float) -> Step:
        errand = replace(self._errand, fresh=False, failures=0, left_by={})
        return Step(errand=errand.told(said), seconds=seconds)

    def _over(self, said: Sentence) -> Step:
        return Step(errand=self._errand.told(said), seconds=None)


class _WorkerProgress:
    """Progress of a worker: events into the log; a long wait ends the run until it is over."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.until: datetime | None = None
        self.sleep: Callable[[datetime], None] | None = None
        self.now: Callable[[], datetime] | None = None

    def begin(self, what: str, total: int | None) -> None:
        log.info("%s: %s (%s)", self._key, what, total)

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """What is done stands in the ledger."""

    def waiting(self, reason: str, seconds: float | None) -> None:
        if not reason:
            return
        log.info("%s: %s (%s s)", self._key, reason, seconds)
        if self.sleep is None or self.now is None or seconds is None or seconds < SLEEPS_FROM:
            return
        if self.until is None:
            self.until = self.now() + timedelta(seconds=seconds)
            self.sleep(self.until)

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        log.warning("%s: %s", self._key, message, extra={"action": action, **extra})

    def end(self) -> None:
        """There is no line to finish."""


def _told(errand: Errand, step: Step) -> Sentence:
    said = as_sentence(text_of(step.errand.said))
    named = {"job": errand.job, "environment": errand.environment, "said": said}
    if step.seconds is None:
        return Sentence("errand_ended", **named)
    return Sentence("errand_waits", **named, seconds=round(step.seconds))
