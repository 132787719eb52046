"""Wiring of ``run``, ``resume`` and ``verify``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkrunner.bootstrap.core import Core, new_id
from bulkrunner.bootstrap.gates import Gating
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.gates import GateResult
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import Progress
from bulkrunner.domain.run import Run, RunState
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.libris.client import Catalogue
    from bulkrunner.services.running.executor import Executor
    from bulkrunner.services.verify import Verifier


class RunningSession:
    """Evaluates the gates of a plan, then carries it out: a new run, or the one it has."""

    def __init__(
        self,
        core: Core,
        gating: Gating,
        runs: Runs,
        plan: Plan,
        run: Run | None,
        catalogue: Catalogue,
        executor: Executor,
        client_id: str,
        progress: Progress,
    ) -> None:
        self._core = core
        self._gating = gating
        self._runs = runs
        self._plan = plan
        self._run = run
        self._catalogue = catalogue
        self._executor = executor
        self._client_id = client_id
        self._progress = progress
        self.run_id: str | None = run.id if run else None

    @property
    def requests(self) -> int:
        """HTTP requests sent."""
        return self._catalogue.requests

    @property
    def counts(self) -> dict[str, int] | None:
        """Outcomes as counted so far; None before anything was begun."""
        return self._executor.counts

    def request_stop(self) -> None:
        """Stop after what is in flight."""
        self._executor.request_stop()
        self._catalogue.hurry()

    def open_gates(self) -> list[GateResult]:
        """Return every gate.

        Raises:
            GateClosed: names every closed one.
        """
        from bulkrunner.services.unknown_writes import UnknownWrites

        looking = UnknownWrites(
            self._core.ledger,
            self._core.clock,
            self._catalogue,
            self._core.iris(self._core.settings.environment(self._plan.environment)),
        )
        return self._gating.require_gates(
            self._plan,
            self._catalogue,
            self._run,
            unknown_writes=lambda: looking.sign(self._plan, self._run),
        )

    def execute(self, *, limit: int | None, hold: bool = False) -> Run:
        """Carry out what is left to do; ``hold``: pause after the first changes."""
        self._runs.end_left(self._plan, self.run_id, self._progress)
        if self.run_id is None:
            self._runs.back_up(self._plan, self._progress)
            self.run_id = self._executor.start(self._plan, new_id("r")).id
        self._core.note_client(
            self._core.settings.environment(self._plan.environment),
            self._client_id,
            use=self.run_id,
        )
        return self._executor.run(self.run_id, limit=limit, hold=hold)


class Runs:
    """Carries plans out, and reads again what was written."""

    def __init__(self, core: Core, gating: Gating) -> None:
        self._core = core
        self._gating = gating

    @contextmanager
    def running(self, plan: Plan, run: Run | None, progress: Progress) -> Iterator[RunningSession]:
        """Give what evaluates the gates of a plan and then carries it out."""
        from bulkrunner.adapters.libris.client import Catalogue

        within = self._core.within(plan)
        from bulkrunner.services.running.orders import WaitingNow

        credentials = self._core.usable_credentials(within)
        waiting = WaitingNow(progress, self._core.clock)
        with Catalogue.open(
            within,
            credentials,
            clock=self._core.clock,
            tell=waiting.waiting,
            note=lambda message: waiting.note(message, action="pace"),
            book=self._core.ledger.rate_limits,
            network=self._core.settings.network,
        ) as catalogue:
            executor = self._executor(plan, within, catalogue, waiting)
            yield RunningSession(
                self._core,
                self._gating,
                self,
                plan,
                run,
                catalogue,
                executor,
                credentials.client_id,
                progress,
            )

    def end_left(self, plan: Plan, run: str | None, progress: Progress) -> None:
        """End the other run of the job that a dead process left running, so that this one can go on."""
        from bulkrunner.services.drivers import LEFT

        for other in self._core.ledger.runs.all(job=plan.job):
            left = other.environment == plan.environment and self._core.drivers().is_left(other)
            if left and other.id != run:
                self._core.drivers().end(other, RunState.INTERRUPTED, reason=LEFT)
                progress.note(Sentence("left_run", run=other.id), action="left_run")

    def back_up(self, plan: Plan, progress: Progress) -> None:
        """Copy the ledger before a production run: it holds what an undo needs."""
        if plan.addresses.get("kind") != "production":
            return
        path = self._core.ledger.backups.back_up(plan.id, keep=self._core.settings.backups)
        if path is not None:
            progress.note(Sentence("ledger_backed_up", path=str(path)), action="backed_up")

    def _executor(
        self,
        plan: Plan,
        environment: Environment,
        catalogue: Catalogue,
        progress: Progress,
    ) -> Executor:
        from bulkrunner.adapters.process import is_alive, this_process
        from bulkrunner.services.running.executor import Executor, Parts

        def recheck() -> None:
            # Whatever the ledger saw of it last: a run that asks is not idle.
            running = self._core.ledger.runs.all(plan=plan.id)[0]
            self._gating.require_gates(
                plan, catalogue, replace(running, active_at=self._core.clock.now())
            )

        return Executor(
            Parts(
                catalogue=catalogue,
                ledger=self._core.ledger,
                clock=self._core.clock,
                progress=progress,
                environment=environment,
                iris=self._core.iris(environment),
                gate=catalogue.write_gate,
                owner=this_process(),
                alive=is_alive,
                recheck=recheck,
                set_rate=catalogue.set_rate,
                hurry=catalogue.hurry,
            )
        )

    @contextmanager
    def verifying(self, run: Run, progress: Progress) -> Iterator[Verifier]:
        """Give what reads a run's records again; it holds nothing that can write."""
        from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
        from bulkrunner.services.compact import refuse_compacted
        from bulkrunner.services.verify import Verifier

        refuse_compacted(self._core.ledger, run.plan, Sentence("dropped_no_comparison", run=run.id))

        plan = self._core.ledger.plans.get(run.plan)
        environment = self._core.within(plan)
        credentials = self._core.usable_credentials(environment)
        with ReadOnlyCatalogue.open(
            environment,
            credentials,
            clock=self._core.clock,
            tell=progress.waiting,
            book=self._core.ledger.rate_limits,
            network=self._core.settings.network,
        ) as reader:
            yield Verifier(
                reader=reader,
                ledger=self._core.ledger,
                run=run,
                environment=environment,
                progress=progress,
                active_sigel=plan.active_sigel,
                iris=self._core.iris(environment),
            )
