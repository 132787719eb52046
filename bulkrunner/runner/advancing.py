"""``advance``: takes a job as far down its road as its gates allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.plan import WRITING, Plan, PlanState
from bulkrunner.domain.run import PROBLEMS, PUT_AWAY, Run, RunState
from bulkrunner.errors import BulkRunnerError, ConfigError, IncompleteOutcome, UsageError
from bulkrunner.runner.conclude import plan_concluded, run_concluded
from bulkrunner.runner.telling import Telling
from bulkrunner.sentences import Sentence, says

if TYPE_CHECKING:
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.bootstrap import Program

# How long a process on another machine, which cannot be asked, is taken to be at work on a step.
PATIENCE = timedelta(hours=12)


@contextmanager
def alone(program: Program, job: str) -> Iterator[Any]:
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

    def __init__(self, telling: Telling, program: Program, reports: Path) -> None:
        self._telling = telling
        self._program = program
        self._reports = reports
        self.renew: Any = None

    @contextmanager
    def step(self, name: str, environment: str | None = None) -> Iterator[dict[str, Any]]:
        """Give the document of a step; what goes wrong in it is where the job stopped."""
        done: dict[str, Any] = {"step": name, "environment": environment, "plan": None, "run": None}
        document = self._telling.document
        document["steps"].append(done)
        if self.renew is not None:
            self.renew()
        try:
            yield done
        except BulkRunnerError as error:
            document.update(stopped_at=name, why=str(error.said), next=str(error.advice or ""))
            said = Sentence("advance_stopped", step=_called(name), environment=environment or "")
            self._telling.say(said if environment else _called(name), err=True)
            raise

    def walk(self, loaded: LoadedJob) -> None:
        """Go as far as the gates allow. BulkRunnerError: as the step ends that cannot be done."""
        test, production = self._environments()
        tried = self._planned(loaded, test, since=None)
        if _writes(tried):
            self._run(tried)
        if production is None:
            self._over(Sentence("advance_no_production"))
            return
        plan = self._planned(loaded, production, since=tried)
        self._telling.document["plan"] = plan.id
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
        self._telling.document.update(why=str(said))
        self._telling.say(said)

    def _environments(self) -> tuple[Environment, Environment | None]:
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
        outcomes = self._program.ledger.runs.outcomes(run.id)
        return any(outcomes[outcome.value] for outcome in PROBLEMS)

    def _goes_round(self, plan: Plan, loaded: LoadedJob) -> bool:
        """Return True if a job whose records the catalogue names has come to its end."""
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

        program, part = self._program, self._part("plan")
        progress = self._telling.progress()
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
                self._telling.document["plan"] = part.document["plan"]
        return program.ledger.plans.get(str(part.document["plan"]))

    # --- runs -------------------------------------------------------------------------------------

    def _newest_run(self, plan: Plan) -> Run | None:
        return next(iter(self._program.ledger.runs.all(plan=plan.id)), None)

    def _run(self, plan: Plan, *, gated: bool = False) -> Run:

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
                done.update({name: part.document[name] for name in ("run", "state", "outcomes")})
                if gated:
                    self._telling.document.update(
                        run=part.document["run"], gates=part.document["gates"]
                    )
                    self._tell_standing(part.document["run"])
        return self._program.ledger.runs.get(str(part.document["run"]))

    def _tell_standing(self, run: str | None) -> None:
        claim = self._program.ledger.standing.claim_of(run) if run else None
        if claim is not None and claim.bounds is not None:
            self._telling.document["standing"] = claim.approved
            self._telling.say(Sentence("advance_standing", plan=claim.approved))

    def _verify(self, run: Run) -> None:

        with self.step("verify", run.environment) as done:
            done.update(plan=run.plan, run=run.id)
            progress = self._telling.progress()
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
            language = self._telling.language or "sv"
            written = self._program.reports.write_report(
                name, form="html", language=language, out=folder / f"{name}.html"
            )
            done.update(plan=written.plan, run=written.run, path=str(written.path))
            self._telling.document["report"] = str(written.path)
            self._telling.say(Sentence("advance_report", path=str(written.path)))

    def _part(self, command: str) -> Telling:
        """Return what a step tells that answers like a command of its own."""
        return self._telling.part(command)


def _writes(plan: Plan) -> bool:
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
