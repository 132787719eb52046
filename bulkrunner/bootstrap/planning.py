"""Wiring of ``plan``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bulkrunner import __version__
from bulkrunner.bootstrap.core import Core, new_id
from bulkrunner.domain.environment import Environment, within_agreement
from bulkrunner.domain.plan import Finding, Plan, empty_counts
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Progress

if TYPE_CHECKING:
    from bulkrunner.adapters.functions import Runners
    from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
    from bulkrunner.adapters.manifests import LoadedJob
    from bulkrunner.services.planning.planner import Planner, PlanRequest


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

    def request_stop(self) -> None:
        """Stop after the batch in hand."""
        self._planner.request_stop()
        self._reader.hurry()

    def make(self, loaded: LoadedJob) -> Plan:
        """Make a new plan of the job."""
        self.plan_id = new_id("p")
        self._note()
        with self._plans.functions(loaded, self._environment) as runners:
            request = self._plans.request(loaded, self._environment, runners)
            return self._planner.make(request, self.plan_id)

    def resume(self, plan: Plan, loaded: LoadedJob) -> Plan:
        """Go on with an interrupted plan."""
        self.plan_id = plan.id
        self._note()
        with self._plans.functions(loaded, self._environment) as runners:
            request = self._plans.request(loaded, self._environment, runners)
            return self._planner.resume(plan, request)

    def _note(self) -> None:
        self._core.note_client(self._environment, self._client_id, use=self.plan_id or "")


class Plans:
    """Makes plans, and tells what is in them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @contextmanager
    def planning(
        self, name: str, progress: Progress, *, agreed_rate: float | None
    ) -> Iterator[PlanningSession]:
        """Give what plans for an environment; it holds nothing that can write there."""
        from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
        from bulkrunner.services.planning.planner import Planner

        environment = within_agreement(self._core.settings.environment(name), agreed_rate)
        credentials = self._core.usable_credentials(environment)
        with ReadOnlyCatalogue.open(
            environment,
            credentials,
            clock=self._core.clock,
            tell=progress.waiting,
            book=self._core.ledger.rate_limits,
            network=self._core.settings.network,
        ) as reader:
            planner = Planner(
                reader=reader,
                ledger=self._core.ledger,
                drivers=self._core.drivers(),
                clock=self._core.clock,
                progress=progress,
                iris=self._core.iris(environment),
            )
            yield PlanningSession(
                self._core, self, planner, reader, environment, credentials.client_id
            )

    def functions(self, loaded: LoadedJob, environment: Environment) -> Runners:
        """Start the functions of a job.

        Raises:
            UsageError: one cannot be called, or may not.
        """
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
        from bulkrunner.services.plan_outcome import plan_findings

        return plan_findings(self._core.ledger, plan)

    def not_carried_out(self, plan: Plan) -> list[str]:
        """Return what test runs sent of a plan for production and the server there did not take."""
        from bulkrunner.domain.undo import undone_by
        from bulkrunner.services.gates import declined, evidence_of

        if plan.addresses.get("kind") != "production" or undone_by(plan) is not None:
            return []
        return list(declined(evidence_of(plan, self._core.ledger, self._core.clock.now())))

    def plan_faults(self, plan: Plan) -> list[str]:
        """Return why a complete plan cannot be run; exit code 3 where there is any."""
        from bulkrunner.services.plan_outcome import accepts_of, plan_ceilings, unaccepted

        left = unaccepted(
            self._core.ledger.plans.count_refusals(plan.id), accepts_of(plan.manifest)
        )
        refused = [f"{count} × {code}" for code, count in sorted(left.items())]
        return [*plan_ceilings(plan), *refused]


_STRICTER: dict[str, Callable[[Any, Any], Any]] = {
    "staging_max_age_days": min,
    "plan_max_age_hours": min,
    "resume_max_idle_days": min,
    "min_staging_coverage": max,
    "functions": lambda one, other: min(one, other, key=("none", "confined", "any").index),
}
"""Of two values of a policy, the one that allows less."""


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
