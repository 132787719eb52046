"""What stands where: jobs, plans, runs, gates, the outlook of a run, and the next command to give."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from bulkrunner.domain.approvals import EXCLUDED, REJECTED, standing, strictest
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.ledger_port import RESTORE, Ledger
from bulkrunner.domain.plan import WRITING, Plan, PlanState
from bulkrunner.domain.policy import plan_faults
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.rules import GateResult, RuleResult, next_of, rule_results
from bulkrunner.domain.run import PROBLEMS, PUT_AWAY, Outcome, Run, RunState, Wait
from bulkrunner.domain.schedule import Hours, end_of_writes, is_open, next_closing, next_opening
from bulkrunner.domain.undo import undone_by
from bulkrunner.sentences import Sentence, says
from bulkrunner.services.running.lease import Drivers

# Changes by which the speed is measured.
SAMPLE = 200

# Seconds between two outcomes from which on the run was waiting, not working.
IDLE = 60.0

# Gaps between outcomes that are needed to speak of a speed.
ENOUGH = 5

BLANK: dict[str, Any] = dict.fromkeys(("paused", "driven", "waiting", "rate", "window", "done_at"))


class Outlooks:
    """Reads the ledger; the environment is the plan's, with the speed that it may use."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        environment: Callable[[str], Environment | None],
        drivers: Drivers,
    ) -> None:
        self._drivers = drivers
        self._ledger = ledger
        self._clock = clock
        self._environment = environment

    def of(self, run: Run, outcomes: Mapping[str, int]) -> dict[str, Any]:
        """Return plain data; nulls where the run is not being driven."""
        if run.state is not RunState.RUNNING:
            return dict(BLANK)
        now, ownership = self._clock.now(), self._drivers.of(run)
        driven = ownership.works
        wait = self._ledger.orders.wait_of(run.id) if driven else None
        if not driven and not ownership.is_free:
            wait = Wait(reason=ownership.held()[0], until=ownership.free_at)
        environment = self._environment(run.plan)
        found: dict[str, Any] = {**BLANK, "paused": run.paused, "driven": driven}
        if wait is not None:
            found["waiting"] = {"reason": wait.reason, "until": _text(wait.until)}
        if environment is None:
            return found
        rate = run.rate or environment.rate
        found["rate"] = rate
        found["window"] = _window(environment, now)
        if driven and not run.paused:
            times = self._ledger.orders.latest_outcomes(run.id, limit=SAMPLE)
            left = outcomes[Outcome.PENDING.value]
            answers = standing(self._ledger.approvals.of_plan(run.plan))
            done = end_of_writes(
                Hours(windows=environment.windows, timezone=environment.timezone),
                strictest(answer.conditions for answer in answers),
                max(now, wait.until) if wait and wait.until else now,
                writes=left,
                seconds=left / speed(times, rate),
                used=lambda night: self._ledger.runs.sent_since(run.id, night),
            )
            found["done_at"] = _text(done)
        return found


def speed(times: Sequence[datetime], rate: float) -> float:
    """Return changes per second as measured (oldest first), or as allowed if less."""
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    working = [gap for gap in gaps if gap < IDLE]
    if len(working) < ENOUGH or not sum(working):
        return rate
    return min(rate, len(working) / sum(working))


def _window(environment: Environment, now: datetime) -> dict[str, Any] | None:
    if not environment.windows:
        return None
    given = (environment.windows, environment.timezone, now)
    opened = is_open(*given)
    until = next_closing(*given) if opened else next_opening(*given)
    return {
        "hours": ", ".join(environment.windows),
        "timezone": environment.timezone,
        "open": opened,
        "until": _text(until),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


# Outcomes that somebody must look at before the job goes on.
# The environment where a job's road begins.
FIRST = "staging"

# Plans and runs listed in the overview.
NEWEST = 20


@dataclass(frozen=True, kw_only=True)
class Status:
    """Plain data for the terminal and ``--json``."""

    jobs: list[dict[str, Any]]
    plans: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    gates: list[GateResult] = field(default_factory=list)
    rules: tuple[RuleResult, ...] = ()
    # What is queued, and who does what; where the ledger is on a server.
    queue: list[dict[str, Any]] = field(default_factory=list)
    workers: list[dict[str, Any]] = field(default_factory=list)
    next: str = ""
    # Why nothing runs from this ledger as it is.
    closed: str = ""

    def as_document(self) -> dict[str, Any]:
        return {
            "jobs": self.jobs,
            "plans": self.plans,
            "runs": self.runs,
            "gates": [gate.as_dict() for gate in self.gates],
            "rules": [result.as_dict() for result in self.rules],
            "queue": self.queue,
            "workers": self.workers,
            "next": self.next,
        }


def _params(given: Mapping[str, Any]) -> str:
    """Return the options that give a plan the same values of its parameters."""
    words = (f"{name}={_as_given(value)}" for name, value in given.items())
    return "".join(f" --param {shlex.quote(word)}" for word in words)


def _as_given(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class StatusService:
    """Reads the ledger; asks the gates only of the plan in question."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        gates: Callable[[Plan], list[GateResult]],
        drivers: Drivers | None = None,
        outlooks: Outlooks | None = None,
        rests: Callable[[Plan], bool] = lambda _plan: False,
    ) -> None:
        self._rests = rests
        self._ledger = ledger
        self._drivers = drivers
        self._outlooks = outlooks
        self._gates = gates

    def overview(self) -> Status:
        plans = self._ledger.plans.all()[:NEWEST]
        runs = self._ledger.runs.all()[:NEWEST]
        jobs = [{"job": name} for name in sorted({plan.job for plan in plans})]
        closed = (self._ledger.provenance.copied() or "") if plans else ""
        goes_on = self.next_command(plans[0]) if plans else "bulkrunner new NAME"
        return Status(
            closed=closed,
            jobs=jobs,
            plans=[self._plan(plan) for plan in plans],
            runs=[self._run(run) for run in runs],
            next=RESTORE if closed else goes_on,
        )

    def one(self, plan: Plan, *, with_gates: bool = True) -> Status:
        runs = self._ledger.runs.all(plan=plan.id)
        gates = self._gates(plan) if with_gates else []
        return Status(
            jobs=[{"job": plan.job}],
            plans=[self._plan(plan)],
            runs=[self._run(run) for run in runs],
            gates=gates,
            rules=rule_results(plan, gates, self._ledger.plans.count_refusals(plan.id)),
            next=next_of(gates) or self._next(plan, runs, gates),
        )

    def _plan(self, plan: Plan) -> dict[str, Any]:
        return {
            "plan": plan.id,
            "job": plan.job,
            "environment": plan.environment,
            "state": plan.state.value,
            "created_at": plan.created_at.isoformat(),
            "plan_digest": plan.plan_digest,
            "counts": dict(plan.counts) or self._ledger.plans.count_actions(plan.id),
            "conditions": self._conditions(plan),
        }

    def _conditions(self, plan: Plan) -> dict[str, Any]:
        answers = standing(self._ledger.approvals.of_plan(plan.id))
        return strictest(answer.conditions for answer in answers).as_dict()

    def _run(self, run: Run) -> dict[str, Any]:
        outcomes = self._ledger.runs.outcomes(run.id)
        outlook = self._outlooks.of(run, outcomes) if self._outlooks else BLANK
        return {
            "run": run.id,
            "plan": run.plan,
            "environment": run.environment,
            "state": run.state.value,
            "reason": run.stop_reason,
            "started_at": run.started_at.isoformat(),
            "outcomes": outcomes,
            **outlook,
        }

    def after_yes(self, plan: Plan, gates: Iterable[GateResult]) -> tuple[list[Sentence], str]:
        """Return what to know after a yes, and the next command; rights are asked later."""
        if plan.addresses.get("kind") != Kind.PRODUCTION:
            return [Sentence("yes_not_needed")], (self.next_command(plan))
        if self._ledger.runs.all(plan=plan.id):
            return [], self.next_command(plan)
        said, named = list[Sentence](), ""
        newest = self._ledger.plans.all(job=plan.job, environment=plan.environment)[0]
        if newest.id != plan.id:
            said.append(Sentence("yes_newer_plan", plan=newest.id))
            named = f" --plan {plan.id}"
        closed = [gate for gate in gates if not gate.open and gate.name != "rights"]
        if closed:
            said += [
                Sentence("yes_gate_closed", gate=gate.said, reason=gate.reason) for gate in closed
            ]
            return said, f"bulkrunner status {plan.id}"
        return said, self.next_command(plan) + named

    def next_command(self, plan: Plan) -> str:
        """Return the command that takes the plan's job one step further on its road."""
        folder = shlex.quote(plan.folder)
        if plan.state is not PlanState.COMPLETE:
            return f"bulkrunner resume {plan.id}"
        production = plan.addresses.get("kind") == Kind.PRODUCTION
        if runs := self._ledger.runs.all(plan=plan.id):
            return self._after_run(runs[0], folder, production=production)
        nothing = not any(plan.counts.get(action.value) for action in WRITING)
        if nothing or self._is_refused(plan):
            return f"bulkrunner report {plan.id}"
        if production and not self._approved(plan):
            untried = self._is_untried(plan)
            return self._plan_again(plan, FIRST) if untried else f"bulkrunner report {plan.id}"
        return f"bulkrunner run {folder} --env {plan.environment}"

    def _next(self, plan: Plan, runs: Sequence[Run], gates: Sequence[GateResult]) -> str:
        """Return the next command, given the gates: a run that they keep back is planned anew."""
        shut = any(gate.name in ("plan", "environment") and not gate.open for gate in gates)
        left = runs and runs[0].state is not RunState.COMPLETED and not self._is_driven(runs[0])
        return self._plan_again(plan) if shut and left else self.next_command(plan)

    def _plan_again(self, plan: Plan, environment: str = "") -> str:
        given = plan.manifest.get("parameters") or {}
        where = environment or plan.environment
        return f"bulkrunner plan {shlex.quote(plan.folder)} --env {where}{_params(given)}"

    def _after_run(self, run: Run, folder: str, *, production: bool) -> str:
        if self._is_driven(run):
            return f"bulkrunner status {run.id} --watch"
        if says(run.stop_reason, PUT_AWAY):
            return self._plan_again(self._ledger.plans.get(run.plan))
        if run.state is not RunState.COMPLETED:
            rejected = says(run.stop_reason, REJECTED)
            if rejected and not self._approved(self._ledger.plans.get(run.plan)):
                return f"bulkrunner report {run.id}"
            return f"bulkrunner resume {run.id}"
        outcomes = self._ledger.runs.outcomes(run.id)
        excluded = self._ledger.runs.count_codes(run.id, Outcome.REFUSED).get(EXCLUDED, 0)
        if sum(outcomes[outcome.value] for outcome in PROBLEMS) > excluded:
            return f"bulkrunner report {run.id}"
        if production:
            return f"bulkrunner verify {run.id}"
        given = self._ledger.plans.get(run.plan).manifest.get("parameters") or {}
        return f"bulkrunner plan {folder} --env production{_params(given)}"

    def _is_driven(self, run: Run) -> bool:
        return self._drivers is not None and not run.paused and self._drivers.is_driven(run)

    def _is_untried(self, plan: Plan) -> bool:
        """Return True if no test environment has seen a run of the job, where one can be asked for."""
        plans = self._ledger.plans.all(job=plan.job)
        tests = (one for one in plans if one.addresses.get("kind") != Kind.PRODUCTION)
        return undone_by(plan) is None and not any(
            self._ledger.runs.all(plan=one.id) for one in tests
        )

    def _is_refused(self, plan: Plan) -> bool:
        return bool(plan_faults(plan, self._ledger.plans.count_refusals(plan.id)))

    def _approved(self, plan: Plan) -> bool:
        return bool(standing(self._ledger.approvals.of_plan(plan.id))) or self._rests(plan)
