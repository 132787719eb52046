"""Wiring of ``plan``, ``run``, ``resume`` and ``verify``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkrunner import __version__
from bulkrunner.bootstrap.core import Core, new_id
from bulkrunner.bootstrap.oversight import GateWiring
from bulkrunner.domain.canonical import digest_of_bytes
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.plan import Finding, Plan, empty_counts
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Progress
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import Run, RunState
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.functions import Runners
    from bulkrunner.adapters.libris.client import Catalogue, ReadOnlyCatalogue
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.services.planning.planner import Planner, PlanRequest
    from bulkrunner.services.running.executor import Executor
    from bulkrunner.services.verify import Verifier


class PlanningSession:
    """Makes or resumes one plan."""

    def __init__(
        self,
        core: Core,
        plans: Plans,
        planner: Planner,
        reader: ReadOnlyCatalogue,
        environment: Environment,
        client_id: str,
    ) -> None:
        self._core = core
        self._plans = plans
        self._planner = planner
        self._reader = reader
        self._environment = environment
        self._client_id = client_id
        self.plan_id: str | None = None

    @property
    def requests(self) -> int:
        """HTTP requests sent."""
        return self._reader.requests

    @property
    def begun(self) -> bool:
        """Whether the plan is in the ledger, so that it can be resumed."""
        return self._planner.begun

    def request_stop(self, why: Sentence | None = None) -> None:  # noqa: ARG002 (a plan keeps none)
        """Stop after the batch in hand."""
        self._planner.request_stop()
        self._reader.hurry()

    def make(self, loaded: LoadedJob, *, reads: str = "auto") -> Plan:
        """Make a new plan of the job; ``reads``: how records are read."""
        self.plan_id = plan_id = new_id("p")
        with self._requested(loaded) as request:
            return self._planner.make(replace(request, reads=reads), plan_id)

    def resume(self, plan: Plan, loaded: LoadedJob) -> Plan:
        """Go on with an interrupted plan."""
        self.plan_id = plan.id
        with self._requested(loaded) as request:
            return self._planner.resume(plan, request)

    @contextmanager
    def _requested(self, loaded: LoadedJob) -> Iterator[PlanRequest]:
        """Give what the plan is made of, its functions started."""
        self._core.note_client(self._environment, self._client_id, use=self.plan_id or "")
        with self._plans.functions(loaded, self._environment) as runners:
            yield self._plans.request(loaded, self._environment, runners)


class Plans:
    """Makes plans, and tells what is in them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @contextmanager
    def planning(
        self, name: str, progress: Progress, *, agreed_rate: float | None
    ) -> Iterator[PlanningSession]:
        """Give what plans for an environment; it holds nothing that can write there."""
        from bulkrunner.adapters.libris.dump_storage import SqliteDumpStorage
        from bulkrunner.services.planning.planner import Planner

        environment = self._core.polite(name, agreed_rate)
        credentials = self._core.usable_credentials(environment)
        with (
            self._core.reader(environment, progress, credentials) as reader,
            closing(SqliteDumpStorage()) as storage,
        ):
            planner = Planner(
                reader=reader,
                ledger=self._core.ledger,
                drivers=self._core.drivers(),
                clock=self._core.clock,
                progress=progress,
                iris=self._core.iris(environment),
                storage=storage,
            )
            yield PlanningSession(
                self._core, self, planner, reader, environment, credentials.client_id
            )

    def functions(self, loaded: LoadedJob, environment: Environment) -> Runners:
        """Start the functions of a job. UsageError: one cannot be called, or may not."""
        from bulkrunner.adapters.functions import Runners

        policy = effective_policy(self._core.settings.policy, loaded.job.policy)
        return Runners(
            loaded.functions,
            loaded.path,
            policy=policy.functions,
            iris=self._core.iris(environment),
        )

    def request(self, loaded: LoadedJob, environment: Environment, runners: Runners) -> PlanRequest:
        """Return what a plan is made of."""
        from bulkrunner.services.planning.planner import PlanRequest

        policy = effective_policy(self._core.settings.policy, loaded.job.policy)
        return PlanRequest(
            source=loaded,
            head={
                **loaded.head,
                "inputs": loaded.inputs,
                **({"given": _given(loaded)} if loaded.given else {}),
                **({"rule": loaded.job.rule_digest} if loaded.job.recurring else {}),
                **({"functions": runners.as_dicts()} if loaded.functions else {}),
            },
            runners=runners,
            environment=environment,
            policy=replace(policy, signers=self._core.signers() or ()),
            program_version=__version__,
        )

    def stored_plan(self, plan_id: str | None) -> Plan | None:
        """Return a plan if it got as far as the ledger."""
        plans = [plan for plan in self._core.ledger.plans.all() if plan.id == plan_id]
        return plans[0] if plans else None

    def plan_counts(self, plan: Plan) -> dict[str, int]:
        """Return the plan's counts by action, also of one that is not complete."""
        return {**empty_counts(), **self._core.ledger.plans.count_actions(plan.id)}

    def plan_findings(self, plan: Plan) -> list[Finding]:
        """Return the first hundred findings, ceilings and refusals first."""
        from bulkrunner.services.planning.planner import plan_findings

        return plan_findings(self._core.ledger, plan)

    def not_carried_out(self, plan: Plan) -> list[str]:
        """Return what test runs sent of a plan for production and the server there did not take."""
        from bulkrunner.domain.undo import undone_by
        from bulkrunner.services.gatekeeper import declined, evidence_of

        if plan.addresses.get("kind") != "production" or undone_by(plan) is not None:
            return []
        return list(declined(evidence_of(plan, self._core.ledger, self._core.clock.now())))

    def plan_faults(self, plan: Plan) -> list[str]:
        """Return why a complete plan cannot be run; exit code 3 where there is any."""
        from bulkrunner.domain.policy import plan_faults

        return plan_faults(plan, self._core.ledger.plans.count_refusals(plan.id))


def _given(loaded: LoadedJob) -> dict[str, dict[str, str]]:
    """Return the files that were given in place of the job's own, each with its digest."""
    return {
        name: {"path": path, "digest": digest_of_bytes(Path(path).read_bytes())}
        for name, path in loaded.given.items()
    }


# Of two values of a policy, the one that allows less.
_STRICTER: dict[str, Callable[[Any, Any], Any]] = {
    "staging_max_age_days": min,
    "plan_max_age_hours": min,
    "resume_max_idle_days": min,
    "min_staging_coverage": max,
    "functions": lambda one, other: min(one, other, key=("none", "confined", "any").index),
}


def effective_policy(configured: Policy, overridden: Mapping[str, Any]) -> Policy:
    """Return the configuration's policy with the manifest's values in their places.

    A configured value that is stricter than the built-in one stands against a looser one of the
    manifest. Of two ceilings the lower one counts.
    """
    values, built_in = dict(overridden), Policy()
    for name in values.keys() & _STRICTER.keys():
        stricter, mine = _STRICTER[name], getattr(configured, name)
        default = getattr(built_in, name)
        if mine != default and mine == stricter(mine, default):
            values[name] = stricter(values[name], mine)
    if "test_hosts" in values:
        values["test_hosts"] = tuple(values["test_hosts"])
    if "ceilings" in values:
        both = [configured.ceilings, dict(values["ceilings"])]
        names = {name for ceilings in both for name in ceilings}
        values["ceilings"] = {
            name: min(ceilings[name] for ceilings in both if name in ceilings) for name in names
        }
    return replace(configured, **values)


class RunningSession:
    """Evaluates the gates of a plan, then carries it out: a new run, or the one it has."""

    def __init__(
        self,
        core: Core,
        gating: GateWiring,
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

    def request_stop(self, why: Sentence | None = None) -> None:
        """Stop after what is in flight; ``why``: what the run's reason says."""
        self._executor.request_stop(why)
        self._catalogue.hurry()

    def open_gates(self) -> list[GateResult]:
        """Return every gate. GateClosed: names every closed one."""
        from bulkrunner.services.settle import UnknownWrites

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
            run_id = new_id("r")
            claim = self._gating.claim(self._plan, run_id, None)
            self.run_id = self._executor.start(self._plan, run_id, claim=claim).id
        elif (claim := self._gating.claim(self._plan, self.run_id, self._run)) is not None:
            self._core.ledger.standing.claim(claim)
        self._core.note_client(
            self._core.settings.environment(self._plan.environment),
            self._client_id,
            use=self.run_id,
        )
        return self._executor.run(self.run_id, limit=limit, hold=hold)


class Runs:
    """Carries plans out, and reads again what was written."""

    def __init__(self, core: Core, gating: GateWiring) -> None:
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
        from bulkrunner.services.running.lease import LEFT

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
        from bulkrunner.adapters.machine import is_alive, this_process
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
        from bulkrunner.services.compact import refuse_compacted
        from bulkrunner.services.verify import Verifier

        refuse_compacted(self._core.ledger, run.plan, Sentence("dropped_no_comparison", run=run.id))

        plan = self._core.ledger.plans.get(run.plan)
        environment = self._core.within(plan)
        with self._core.reader(environment, progress) as reader:
            yield Verifier(
                reader=reader,
                ledger=self._core.ledger,
                run=run,
                environment=environment,
                progress=progress,
                active_sigel=plan.active_sigel,
                iris=self._core.iris(environment),
            )
