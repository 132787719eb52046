"""Decides what a ``run`` or ``resume`` is about: which plan, which run, and whether it may start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkrunner.domain.approvals import the_no, weigh
from bulkrunner.domain.environment import Kind
from bulkrunner.domain.gates import GateResult
from bulkrunner.domain.manifest import Job
from bulkrunner.domain.plan import Plan, PlanState
from bulkrunner.domain.ports import Ledger
from bulkrunner.domain.run import PUT_AWAY, Run, RunState
from bulkrunner.errors import GateClosed, NothingToResume, UsageError
from bulkrunner.sentences import Sentence, joined
from bulkrunner.services.drivers import Drivers


def _goes_on(_found: Plan | Run) -> None:
    return None


def _in_silence(_text: Sentence) -> None:
    return None


class Starting:
    """Finds the plan or run a command means; never falls back to an older one."""

    def __init__(self, ledger: Ledger, drivers: Drivers) -> None:
        self._ledger = ledger
        self._drivers = drivers

    def choose(self, job: Job, environment: str, plan_id: str | None) -> Plan | Run:
        """Return the plan to run, the newest unless an id is given, or the run it already has.

        Raises:
            GateClosed: there is no plan.
            UsageError: the given plan is of another job or environment.
        """
        plan = self._given(job, environment, plan_id) if plan_id else self._newest(job, environment)
        runs = self._ledger.runs(plan=plan.id)
        return runs[0] if runs else plan

    def _given(self, job: Job, environment: str, plan_id: str) -> Plan:
        plan = self._ledger.plan(plan_id)
        if plan.job != job.id or plan.environment != environment:
            raise UsageError(
                f"plan {plan.id} is of job {plan.job} for {plan.environment}, "
                f"not of {job.id} for {environment}",
                hint="bulkrunner status lists the plans",
            )
        return plan

    def _newest(self, job: Job, environment: str) -> Plan:
        plans = self._ledger.plans(job=job.id, environment=environment)
        if plans:
            return plans[0]
        reason = f"job {job.id} has no plan for {environment}"
        raise GateClosed(
            reason,
            gates=(GateResult(name="plan", open=False, reason=reason),),
            hint=self._plan_first(job, environment),
        )

    def _plan_first(self, job: Job, environment: str) -> str:
        """Return the command to give: production is planned last."""
        if any(plan.addresses.get("kind") == Kind.TEST for plan in self._ledger.plans(job=job.id)):
            return f"make one: bulkrunner plan JOB --env {environment}"
        return "begin in a test environment: bulkrunner plan JOB --env staging"

    def to_resume(
        self,
        prefix: str | None,
        *,
        stuck: Callable[[Plan | Run], Sentence | None] = _goes_on,
        tell: Callable[[Sentence], None] = _in_silence,
    ) -> Plan | Run:
        """Return what ``resume`` continues: without an id the newest plan or run that can go on.

        ``stuck`` says why one cannot, where there is a choice; ``tell`` hears of each passed over.

        Raises:
            NothingToResume: nothing is interrupted, stopped or ownerless.
        """
        if prefix is None:
            return self._newest_open(stuck, tell)
        found = self.find(prefix)
        if isinstance(found, Plan):
            if found.state is not PlanState.COMPLETE:
                return found
            runs = self._ledger.runs(plan=found.id)
            if not runs:
                raise NothingToResume(
                    f"plan {found.id} is complete and has no run",
                    hint=f"bulkrunner run {found.folder} --env {found.environment}",
                )
            found = runs[0]
        return found

    def _newest_open(
        self,
        stuck: Callable[[Plan | Run], Sentence | None],
        tell: Callable[[Sentence], None],
    ) -> Plan | Run:
        runs = [run for run in self._ledger.runs() if self._is_open(run)]
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
        """Tell whether the last word on a plan for production was a no."""
        plan = self._ledger.plan(run.plan)
        if plan.addresses.get("kind") != Kind.PRODUCTION:
            return False
        return the_no(weigh(self._ledger.approvals(plan.id))) is not None

    def _newest_plans(self) -> list[Plan]:
        """Return the newest plan of each job and environment, newest first."""
        newest: dict[tuple[str, str], Plan] = {}
        for plan in self._ledger.plans():
            newest.setdefault((plan.job, plan.environment), plan)
        return list(newest.values())

    def _is_open(self, run: Run) -> bool:
        match run.state:
            case RunState.INTERRUPTED:
                return True
            case RunState.STOPPED:
                return not run.stop_reason.startswith(PUT_AWAY)
            case RunState.COMPLETED:
                return False
        return run.paused or not self._drivers.is_driven(run)

    def find(self, prefix: str) -> Plan | Run:
        """Return the plan or run of an id or unique prefix.

        Raises:
            UsageError: none or several.
        """
        found: list[Plan | Run] = []
        errors: list[UsageError] = []
        for look in (self._ledger.plan, self._ledger.run):
            try:
                found.append(look(prefix))
            except UsageError as error:
                errors.append(error)
        exact = [one for one in found if one.id == prefix]
        if len(found) == 1 or exact:
            return (exact or found)[0]
        if found:
            raise UsageError(
                f"{prefix!r} is the beginning of a plan's and of a run's id",
                hint=f"say more of it: {found[0].id} or {found[1].id}",
            )
        ambiguous = next((e for e in errors if e.code == "ambiguous_id"), None)
        raise ambiguous or UsageError(
            f"there is no plan or run {prefix[:80]!r}", hint="bulkrunner status lists them"
        )

    def run_of(self, prefix: str) -> Run:
        """Return the run with this id, or the newest of the plan with it.

        Raises:
            UsageError: there is none.
        """
        found = self.find(prefix)
        if isinstance(found, Run):
            return found
        runs = self._ledger.runs(plan=found.id)
        if not runs:
            raise UsageError(f"plan {found.id} has no run", hint="bulkrunner status")
        return runs[0]


def _nothing_open(rejected: list[Run]) -> NothingToResume:
    if not rejected:
        return NothingToResume(
            "nothing is interrupted, stopped or ownerless", hint="bulkrunner status"
        )
    run = rejected[0]
    return NothingToResume(
        f"nothing can go on: run {run.id} waits for another yes after the no to plan {run.plan}",
        hint=f"with another yes: bulkrunner approve {run.plan} …, then bulkrunner resume {run.id}",
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
    """Do nothing where every gate is open.

    Raises:
        GateClosed: names every closed gate with its reason.
    """
    closed = [gate for gate in gates if not gate.open]
    if closed:
        text = "; ".join(f"{gate.name}: {gate.reason}" for gate in closed)
        what = "gate" if len(closed) == 1 else "gates"
        raise GateClosed(
            f"closed {what} — {text}",
            gates=tuple(gates),
            hint="nothing was sent; bulkrunner status shows every gate",
        )
