"""Wiring of ``status`` and of orders to running runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bulkrunner.bootstrap.core import Core
from bulkrunner.bootstrap.gates import Gating
from bulkrunner.domain.environment import Environment, most_rate
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.run import Run
from bulkrunner.errors import BulkRunnerError, UsageError
from bulkrunner.sentences import Sentence, joined

if TYPE_CHECKING:
    from bulkrunner.services.running.orders import Ordering
    from bulkrunner.services.status import Status, StatusService
    from bulkrunner.services.targets import Starting

WATCH_EVERY = 2.0
"""Seconds between two looks of ``status --watch``."""


class Standing:
    """Tells where things stand, and which plan or run is meant."""

    def __init__(self, core: Core, gating: Gating) -> None:
        self._core = core
        self._gating = gating

    def starting(self) -> Starting:
        """Return what decides which plan or run is meant."""
        from bulkrunner.services.targets import Starting

        return Starting(self._core.ledger, self._core.drivers())

    def to_resume(self, prefix: str | None, *, tell: Callable[[Sentence], None]) -> Plan | Run:
        """Return what ``resume`` continues; ``tell`` hears of what cannot go on, and why."""
        return self.starting().to_resume(prefix, stuck=self._stuck, tell=tell)

    def _stuck(self, found: Plan | Run) -> Sentence | None:
        """Return why a plan or run that nobody drives cannot go on; asks no login."""
        plan = found if isinstance(found, Plan) else self._core.ledger.plans.get(found.plan)
        try:
            self._core.usable_credentials(self._core.within(plan))
            if isinstance(found, Plan):
                from bulkrunner.services.planning.planner import require_unchanged

                environment = self._core.settings.environment(found.environment)
                require_unchanged(found, self._core.load_again(found).job, environment)
                return None
        except BulkRunnerError as error:
            return error.said
        gates = self._gating.gates(plan, rights=None, run=found)
        closed = [gate for gate in gates if not gate.open and gate.name != "rights"]
        told = [Sentence("gate_closed", gate=gate.name, reason=gate.reason) for gate in closed]
        return joined(told) if told else None

    def _statuses(self) -> StatusService:
        from bulkrunner.services.status import Outlooks, StatusService

        drivers = self._core.drivers()
        outlooks = Outlooks(
            self._core.ledger, self._core.clock, environment=self._environment_of, drivers=drivers
        )
        return StatusService(
            self._core.ledger, gates=self._gating.gates_asking, drivers=drivers, outlooks=outlooks
        )

    def _environment_of(self, plan: str) -> Environment | None:
        try:
            return self._core.within(self._core.ledger.plans.get(plan))
        except UsageError:
            return None

    def ordering(self) -> Ordering:
        """Return what gives orders to running runs."""
        from bulkrunner.services.running.orders import Ordering

        return Ordering(self._core.ledger, self._core.drivers(), by=self._core.account())

    def most_rate(self, run: Run) -> float | None:
        """Return the writes per second that the run may be given; None: any number."""
        plan = self._core.ledger.plans.get(run.plan)
        agreement = plan.manifest.get("agreement") or {}
        return most_rate(self._core.settings.environment(plan.environment), agreement.get("rate"))

    def watch(self, prefix: str | None) -> Iterator[Status]:
        """Yield where things stand every other second, until nothing is driven; asks no login."""
        while True:
            status = self.status(prefix, with_gates=False)
            yield status
            if not any(run["driven"] for run in status.runs):
                return
            self._core.clock.sleep(WATCH_EVERY)

    def status(self, prefix: str | None, *, with_gates: bool = True) -> Status:
        """Return where everything stands, or one plan or run."""
        if prefix is None:
            return self._statuses().overview()
        found = self.starting().find(prefix)
        plan = found if isinstance(found, Plan) else self._core.ledger.plans.get(found.plan)
        return self._statuses().one(plan, with_gates=with_gates)

    def after_yes(self, plan: Plan) -> tuple[list[Sentence], str]:
        """Return what to know after a yes to a plan, and the next command that can work."""
        return self._statuses().after_yes(plan, self._gating.gates(plan, rights=None))

    def next_command(self, plan: Plan) -> str:
        """Return the command that takes the job one step further."""
        return self._statuses().next_command(plan)
