"""``advance``: takes a job as far down its road as its gates allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.commands.completion import complete_jobs
from bulkrunner.cli.options import (
    Invocation,
    blank,
    demand_parameters,
    given_inputs,
    given_parameters,
    global_options,
)
from bulkrunner.errors import BulkRunnerError, ConfigError, IncompleteOutcome, UsageError
from bulkrunner.sentences import Sentence, says

if TYPE_CHECKING:
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.environment import Environment
    from bulkrunner.domain.plan import Plan
    from bulkrunner.domain.run import Run

# How long a process on another machine, which cannot be asked, is taken to be at work on a step.
PATIENCE = timedelta(hours=12)


@click.command()
@click.argument("job", type=click.Path(path_type=Path), shell_complete=complete_jobs)
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a parameter of the manifest; repeatable.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="FILE=PATH",
    help="Read this file in place of one that the manifest names; repeatable.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where the report is written (default: here).",
)
@global_options
def advance(
    invocation: Invocation,
    job: Path,
    parameters: tuple[str, ...],
    inputs: tuple[str, ...],
    reports: Path,
) -> None:
    """Check, plan and try a job, plan it for production, and run it where KB's yes stands."""
    from bulkrunner.bootstrap import Program

    values, files = given_parameters(parameters), given_inputs(inputs)
    invocation.document["steps"] = []
    with Program(invocation.config, invocation.ledger) as program:
        road = Advancer(invocation, program, reports)
        with road.step("check"):
            loaded = program.load_job(job, values, files)
            demand_parameters(loaded.missing)
        invocation.document["job"] = loaded.job.id
        with _alone(program, loaded.job.id) as renew:
            road.renew = renew
            road.walk(loaded)


@contextmanager
def _alone(program: Program, job: str) -> Iterator[Any]:
    """Hold the job in the ledger, so that nobody else takes it forward.

    UsageError: another process does; the message says which.
    """
    from bulkrunner.adapters.machine import is_alive, this_process

    ledger, clock, me = program.ledger, program.clock, this_process()

    def until() -> Any:
        return clock.now() + PATIENCE

    held = ledger.advances.take(job, me, expires_at=until())
    if held is not None:
        owner, expires_at = held
        alive = is_alive(owner)
        if alive is False or (alive is None and clock.now() >= expires_at):
            held = ledger.advances.take(job, me, expires_at=until(), replaces=owner)
    if held is not None:
        raise UsageError(
            Sentence("advance_held", job=job, owner=held[0].describe(), until=held[1]),
            hint=Sentence("advance_held_hint"),
            code="advance_held",
        )
    try:
        yield lambda: ledger.advances.take(job, me, expires_at=until(), replaces=me)
    finally:
        ledger.advances.drop(job)


class Advancer:
    """One call of ``advance``: what it did, and where it stopped."""

    def __init__(self, invocation: Invocation, program: Program, reports: Path) -> None:
        self._invocation = invocation
        self._program = program
        self._reports = reports
        self.renew: Any = None

    @contextmanager
    def step(self, name: str, environment: str | None = None) -> Iterator[dict[str, Any]]:
        """Give the document of a step; what goes wrong in it is where the job stopped."""
        done: dict[str, Any] = {"step": name, "environment": environment, "plan": None, "run": None}
        document = self._invocation.document
        document["steps"].append(done)
        if self.renew is not None:
            self.renew()
        try:
            yield done
        except BulkRunnerError as error:
            document.update(stopped_at=name, why=str(error.said), next=str(error.advice or ""))
            said = Sentence("advance_stopped", step=_called(name), environment=environment or "")
            self._invocation.say(said if environment else _called(name), err=True)
            raise

    def walk(self, loaded: LoadedJob) -> None:
        """Go as far as the gates allow. BulkRunnerError: as the step ends that cannot be done."""
        from bulkrunner.domain.run import RunState

        test, production = self._environments()
        tried = self._planned(loaded, test, since=None)
        if _writes(tried):
            self._run(tried)
        if production is None:
            self._over(Sentence("advance_no_production"))
            return
        plan = self._planned(loaded, production, since=tried)
        self._invocation.document["plan"] = plan.id
        if not _writes(plan):
            self._over(Sentence("advance_nothing", plan=plan.id))
            return
        run = self._newest_run(plan)
        if is_left := run is None or run.state is not RunState.COMPLETED:
            self._report(plan.id)
        run = self._run(plan, gated=True)  # of one that is complete it tells how it ended
        if is_left:
            self._verify(run)
            self._report(run.id)
        self._over(Sentence("advance_done", run=run.id))

    def _over(self, said: Sentence) -> None:
        self._invocation.document.update(why=str(said))
        self._invocation.say(said)

    def _environments(self) -> tuple[Environment, Environment | None]:
        from bulkrunner.domain.environment import Kind

        known = list(self._program.settings.environments.values())
        tests = [one for one in known if one.kind is Kind.TEST]
        productions = [one for one in known if one.kind is Kind.PRODUCTION]
        if not tests:
            raise ConfigError(Sentence("advance_no_test"), hint=Sentence("advance_no_test_hint"))
        if len(productions) > 1:
            names = ", ".join(one.name for one in productions)
            raise ConfigError(Sentence("advance_several", names=names))
        return tests[0], next(iter(productions), None)

    # --- plans ------------------------------------------------------------------------------------

    def _planned(self, loaded: LoadedJob, environment: Environment, *, since: Plan | None) -> Plan:
        """Return the plan of this night's job: the one there is, else a new one."""
        from bulkrunner.domain.plan import PlanState

        plans = self._program.ledger.plans.all(job=loaded.job.id, environment=environment.name)
        newest = plans[0] if plans else None
        if newest is not None and self._serves(newest, loaded, environment, since):
            if newest.state is PlanState.COMPLETE:
                return newest
            return self._plan(loaded, environment, again=newest)
        return self._plan(loaded, environment)

    def _serves(
        self, plan: Plan, loaded: LoadedJob, environment: Environment, since: Plan | None
    ) -> bool:
        """Return True if a plan is this night's, and can be gone on with."""
        from bulkrunner.domain.plan import PlanState
        from bulkrunner.domain.run import PUT_AWAY, RunState

        same = plan.manifest_digest == loaded.job.manifest_digest
        if not same or dict(plan.addresses) != environment.addresses():
            return False
        if plan.state is not PlanState.COMPLETE:
            return True
        run = self._newest_run(plan)
        if since is not None and plan.created_at < since.created_at:
            return run is not None and run.state is RunState.RUNNING  # else it was tried anew since
        if run is not None and run.state is RunState.COMPLETED:
            if since is None and self._ended_badly(run):
                return False
            # What the catalogue itself names may be other records by now.
            return since is not None or not self._goes_round(plan, loaded)
        if run is not None and says(run.stop_reason, PUT_AWAY):
            return False
        gates = self._program.gating.gates(plan, rights=None, run=run)
        return all(gate.open for gate in gates if gate.name in ("plan", "environment"))

    def _ended_badly(self, run: Run) -> bool:
        from bulkrunner.domain.run import PROBLEMS

        outcomes = self._program.ledger.runs.outcomes(run.id)
        return any(outcomes[outcome.value] for outcome in PROBLEMS)

    def _goes_round(self, plan: Plan, loaded: LoadedJob) -> bool:
        """Return True if a job whose records the catalogue names has come to its end."""
        from bulkrunner.domain.environment import Kind
        from bulkrunner.domain.run import RunState

        if not loaded.counts.get("selection"):
            return False
        productions = self._program.ledger.plans.all(job=plan.job)
        newest = next(
            (one for one in productions if one.addresses.get("kind") == Kind.PRODUCTION), None
        )
        if newest is None or newest.created_at < plan.created_at:
            return False
        run = self._newest_run(newest)
        return not _writes(newest) or (run is not None and run.state is RunState.COMPLETED)

    def _plan(
        self, loaded: LoadedJob, environment: Environment, *, again: Plan | None = None
    ) -> Plan:
        from bulkrunner.cli.conclude import plan_concluded
        from bulkrunner.cli.console import ConsoleProgress

        program, part = self._program, self._part("plan")
        progress = ConsoleProgress(self._invocation.worded)
        with (
            self.step("plan", environment.name) as done,
            program.plans.planning(
                environment.name, progress, agreed_rate=loaded.job.agreement.rate
            ) as planning,
        ):
            try:
                plan_concluded(
                    part,
                    program,
                    planning,
                    lambda: planning.resume(again, loaded) if again else planning.make(loaded),
                )
            finally:
                done.update(plan=part.document["plan"], counts=part.document["counts"])
                self._invocation.document["plan"] = part.document["plan"]
        return program.ledger.plans.get(str(part.document["plan"]))

    # --- runs -------------------------------------------------------------------------------------

    def _newest_run(self, plan: Plan) -> Run | None:
        return next(iter(self._program.ledger.runs.all(plan=plan.id)), None)

    def _run(self, plan: Plan, *, gated: bool = False) -> Run:
        from bulkrunner.cli.conclude import run_concluded

        part, found = self._part("run"), self._newest_run(plan)
        with self.step("run", plan.environment) as done:
            done["plan"] = plan.id
            try:
                run_concluded(part, self._program, found or plan, limit=None)
            except BulkRunnerError as error:
                if gated and (gates := getattr(error, "gates", ())):
                    part.document["gates"] = [gate.as_dict() for gate in gates]
                raise
            finally:
                done.update(run=part.document["run"], outcomes=part.document["outcomes"])
                if gated:
                    self._invocation.document.update(
                        run=part.document["run"], gates=part.document["gates"]
                    )
                    self._tell_standing(part.document["run"])
        return self._program.ledger.runs.get(str(part.document["run"]))

    def _tell_standing(self, run: str | None) -> None:
        claim = self._program.ledger.standing.claim_of(run) if run else None
        if claim is not None and claim.bounds is not None:
            self._invocation.document["standing"] = claim.approved
            self._invocation.say(Sentence("advance_standing", plan=claim.approved))

    def _verify(self, run: Run) -> None:
        from bulkrunner.cli.console import ConsoleProgress

        with self.step("verify", run.environment) as done:
            done.update(plan=run.plan, run=run.id)
            progress = ConsoleProgress(self._invocation.worded)
            with self._program.runs.verifying(run, progress) as verifying:
                result = verifying.verify()
            done.update(checked=result.checked, differences=len(result.differences))
            if result.differences:
                count = len({one["record"] for one in result.differences})
                raise IncompleteOutcome(
                    Sentence("records_differ", count=count),
                    hint=Sentence("advance_verify_hint", run=run.id),
                    code="differences",
                )

    def _report(self, name: str) -> None:
        from bulkrunner.adapters.machine import made_folder

        with self.step("report") as done:
            folder = made_folder(self._reports)
            language = self._invocation.language or "sv"
            written = self._program.reports.write_report(
                name, form="html", language=language, out=folder / f"{name}.html"
            )
            done.update(plan=written.plan, run=written.run, path=str(written.path))
            self._invocation.document["report"] = str(written.path)
            self._invocation.say(Sentence("advance_report", path=str(written.path)))

    def _part(self, command: str) -> Invocation:
        """Return an invocation that answers like a command of its own."""
        return replace(self._invocation, document=blank(command), printed=False)


def _writes(plan: Plan) -> bool:
    from bulkrunner.domain.plan import WRITING

    return any(plan.counts.get(action.value) for action in WRITING)


def _called(step: str) -> Sentence:
    match step:
        case "check":
            return Sentence("advance_at_check")
        case "plan":
            return Sentence("advance_at_plan")
        case "run":
            return Sentence("advance_at_run")
        case "verify":
            return Sentence("advance_at_verify")
    return Sentence("advance_at_report")
