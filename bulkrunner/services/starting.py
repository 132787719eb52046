"""Decides what a ``run`` or ``resume`` is about: which plan, which run, and whether it may start."""

from __future__ import annotations

from collections.abc import Callable

from bulkrunner.domain.approvals import the_no, weigh
from bulkrunner.domain.environment import Kind
from bulkrunner.domain.gates import GateResult
from bulkrunner.domain.job import Job
from bulkrunner.domain.plan import Plan, PlanState
from bulkrunner.domain.ports import Clock, Ledger
from bulkrunner.domain.run import Owner, Run, RunState
from bulkrunner.errors import GateClosed, NothingToResume, UsageError


class Starting:
    """Finds the plan or run a command means; never falls back to an older one."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, alive: Callable[[Owner], bool | None]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._alive = alive

    def choose(self, job: Job, environment: str, plan_id: str | None) -> Plan | Run:
        """Return the plan to run, or the run it already has.

        Args:
            job: as its manifest is now.
            environment: name.
            plan_id: an id given by the operator, None for the newest plan.

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

    def to_resume(self, prefix: str | None) -> Plan | Run:
        """Return what ``resume`` continues.

        Raises:
            NothingToResume: nothing is interrupted, stopped or ownerless.
            UsageError: no such id.
        """
        if prefix is None:
            return self._newest_open()
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

    def _newest_open(self) -> Plan | Run:
        newest_plan = next((p for p in self._newest_plans() if not _is_complete(p)), None)
        open_runs = [run for run in self._ledger.runs() if self._is_open(run)]
        newest_run = next((run for run in open_runs if not self._is_rejected(run)), None)
        if newest_plan and (newest_run is None or newest_plan.created_at > newest_run.active_at):
            return newest_plan
        if newest_run is None:
            raise _nothing_open(open_runs)
        return newest_run

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
        if run.state in (RunState.INTERRUPTED, RunState.STOPPED):
            return True
        if run.state is RunState.COMPLETED:
            return False
        lease = self._ledger.lease(run.id)
        if run.paused or lease is None or self._alive(lease.owner) is not True:
            return True
        return lease.expires_at < self._clock.now()  # it lives, but is stopped or hangs

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


def _is_complete(plan: Plan) -> bool:
    return plan.state is PlanState.COMPLETE


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
