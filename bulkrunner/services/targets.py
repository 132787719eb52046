"""Decides what a ``run`` or ``resume`` is about: which plan, which run, and whether it may start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkrunner.domain.approvals import the_no, weigh
from bulkrunner.domain.environment import Kind
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Job
from bulkrunner.domain.plan import Plan, PlanState
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import PUT_AWAY, Run, RunState
from bulkrunner.errors import GateClosed, NothingToResume, UsageError
from bulkrunner.sentences import Sentence, joined, says
from bulkrunner.services.running.lease import Drivers


def _goes_on(_found: Plan | Run) -> None:
    return None


def _in_silence(_text: Sentence) -> None:
    return None


class Targets:
    """Finds the plan or run a command means; never falls back to an older one."""

    def __init__(self, ledger: Ledger, drivers: Drivers) -> None:
        self._ledger = ledger
        self._drivers = drivers

    def choose(self, job: Job, environment: str, plan_id: str | None) -> Plan | Run:
        """Return the plan to run, the newest unless an id is given, or the run it already has.

        GateClosed: there is no plan. UsageError: it is of another job or environment.
        """
        plan = self._given(job, environment, plan_id) if plan_id else self._newest(job, environment)
        runs = self._ledger.runs.all(plan=plan.id)
        return runs[0] if runs else plan

    def _given(self, job: Job, environment: str, plan_id: str) -> Plan:
        plan = self._ledger.plans.get(plan_id)
        if plan.job != job.id or plan.environment != environment:
            raise UsageError(
                Sentence(
                    "plan_of_other_job",
                    plan=plan.id,
                    job=plan.job,
                    environment=plan.environment,
                    job2=job.id,
                    environment2=environment,
                ),
                hint=Sentence("plan_of_other_job_hint"),
            )
        return plan

    def _newest(self, job: Job, environment: str) -> Plan:
        plans = self._ledger.plans.all(job=job.id, environment=environment)
        if plans:
            return plans[0]
        reason = Sentence("plan_missing_for", job=job.id, environment=environment)
        raise GateClosed(
            reason,
            gates=(GateResult(name="plan", open=False, reason=reason),),
            hint=self._plan_first(job, environment),
        )

    def _plan_first(self, job: Job, environment: str) -> Sentence:
        """Return the command to give: production is planned last."""
        if any(
            plan.addresses.get("kind") == Kind.TEST for plan in self._ledger.plans.all(job=job.id)
        ):
            return Sentence("plan_missing_hint", environment=environment)
        return Sentence("plan_missing_begin_hint")

    def to_resume(
        self,
        prefix: str | None,
        *,
        stuck: Callable[[Plan | Run], Sentence | None] = _goes_on,
        tell: Callable[[Sentence], None] = _in_silence,
    ) -> Plan | Run:
        """Return what ``resume`` continues: without an id the newest plan or run that can go on.

        ``stuck`` says why one cannot, where there is a choice; ``tell`` hears of each passed over.
        NothingToResume: nothing is interrupted, stopped or ownerless.
        """
        if prefix is None:
            return self._newest_open(stuck, tell)
        found = self.find(prefix)
        if isinstance(found, Plan):
            if found.state is not PlanState.COMPLETE:
                return found
            runs = self._ledger.runs.all(plan=found.id)
            if not runs:
                raise NothingToResume(
                    Sentence("plan_without_run", found=found.id),
                    hint=f"bulkrunner run {found.folder} --env {found.environment}",
                )
            found = runs[0]
        return found

    def _newest_open(
        self,
        stuck: Callable[[Plan | Run], Sentence | None],
        tell: Callable[[Sentence], None],
    ) -> Plan | Run:
        runs = [run for run in self._ledger.runs.all() if self._is_open(run)]
        rejected = [run for run in runs if self._is_rejected(run)]
        plans = [plan for plan in self._newest_plans() if plan.state is not PlanState.COMPLETE]
        found = _newest_first([run for run in runs if run not in rejected], plans)
        if not found:
            raise _nothing_open(rejected)
        for one in found:
            if (held := self._held(one)) is not None:
                tell(held)
                continue
            why = stuck(one) if len(found) > 1 else None
            if why is None:
                return one
            tell(_passed_over(one, why))
        return found[0]  # whatever keeps it from going on says so itself

    def _held(self, found: Plan | Run) -> Sentence | None:
        """Return why a run cannot be taken up; None if it can, or only its pause is to be lifted."""
        if isinstance(found, Plan) or (found.paused and self._drivers.is_driven(found)):
            return None
        ownership = self._drivers.of(found)
        return None if ownership.is_free else joined(ownership.held())

    def _is_rejected(self, run: Run) -> bool:
        plan = self._ledger.plans.get(run.plan)
        if plan.addresses.get("kind") != Kind.PRODUCTION:
            return False
        return the_no(weigh(self._ledger.approvals.of_plan(plan.id))) is not None

    def _newest_plans(self) -> list[Plan]:
        """Return the newest plan of each job and environment, newest first."""
        newest: dict[tuple[str, str], Plan] = {}
        for plan in self._ledger.plans.all():
            newest.setdefault((plan.job, plan.environment), plan)
        return list(newest.values())

    def _is_open(self, run: Run) -> bool:
        match run.state:
            case RunState.INTERRUPTED:
                return True
            case RunState.STOPPED:
                return not says(run.stop_reason, PUT_AWAY)
            case RunState.COMPLETED:
                return False
        return run.paused or not self._drivers.is_driven(run)

    def find(self, prefix: str) -> Plan | Run:
        """Return the plan or run of an id or unique prefix; UsageError if none or several."""
        found: list[Plan | Run] = []
        errors: list[UsageError] = []
        for look in (self._ledger.plans.get, self._ledger.runs.get):
            try:
                found.append(look(prefix))
            except UsageError as error:
                errors.append(error)
        exact = [one for one in found if one.id == prefix]
        if len(found) == 1 or exact:
            return (exact or found)[0]
        if found:
            raise UsageError(
                Sentence("id_ambiguous", prefix=repr(prefix)),
                hint=Sentence("id_ambiguous_hint", plan=found[0].id, run=found[1].id),
            )
        ambiguous = next((e for e in errors if e.code == "ambiguous_id"), None)
        raise ambiguous or UsageError(
            Sentence("plan_or_run_unknown", prefix=repr(prefix[:80])),
            hint=Sentence("plan_or_run_unknown_hint"),
        )

    def run_of(self, prefix: str) -> Run:
        """Return the run of an id, or the newest of the plan; UsageError if none."""
        found = self.find(prefix)
        if isinstance(found, Run):
            return found
        runs = self._ledger.runs.all(plan=found.id)
        if not runs:
            raise UsageError(Sentence("plan_has_no_run", found=found.id), hint="bulkrunner status")
        return runs[0]


def _nothing_open(rejected: list[Run]) -> NothingToResume:
    if not rejected:
        return NothingToResume(Sentence("nothing_to_resume"), hint="bulkrunner status")
    run = rejected[0]
    return NothingToResume(
        Sentence("nothing_goes_on_after_no", run=run.id, plan=run.plan),
        hint=Sentence("nothing_goes_on_after_no_hint", plan=run.plan, run=run.id),
    )


def _newest_first(runs: Sequence[Run], plans: Sequence[Plan]) -> list[Plan | Run]:
    """Return both, each in its order: a plan before the runs that were active before it was begun."""
    found: list[Plan | Run] = []
    left = list(plans)
    for run in runs:
        while left and left[0].created_at > run.active_at:
            found.append(left.pop(0))
        found.append(run)
    return found + left


def _passed_over(found: Plan | Run, why: Sentence) -> Sentence:
    if isinstance(found, Plan):
        return Sentence("plan_cannot_go_on", plan=found.id, why=why)
    return Sentence("run_cannot_go_on", run=found.id, why=why)


def open_gates(gates: list[GateResult]) -> None:
    """Raise GateClosed, which names every closed gate with its reason, unless all are open."""
    closed = [gate for gate in gates if not gate.open]
    if closed:
        told = [Sentence("gate_told", gate=gate.said, reason=gate.reason) for gate in closed]
        raise GateClosed(
            Sentence("gates_closed_one" if len(closed) == 1 else "gates_closed", gates=told),
            gates=tuple(gates),
            hint=Sentence("gates_closed_hint"),
        )
