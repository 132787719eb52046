"""Wiring of gates, answers, ``status``, orders to running runs, and ``clients``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulkrunner.bootstrap.cluster import Cluster
from bulkrunner.bootstrap.core import Core
from bulkrunner.domain.environment import Environment, most_rate
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.run import Run
from bulkrunner.errors import BulkRunnerError, UsageError, why_of
from bulkrunner.sentences import Sentence, joined

if TYPE_CHECKING:
    from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
    from bulkrunner.domain.manifest import Job
    from bulkrunner.domain.rights import Rights
    from bulkrunner.domain.rules import GateResult
    from bulkrunner.domain.standing import Claim, Resting
    from bulkrunner.services.clients import Retired
    from bulkrunner.services.gatekeeper import GateInput, Gates
    from bulkrunner.services.recurring import StandingApprovals
    from bulkrunner.services.reviews import Proofs, Reviews
    from bulkrunner.services.running.orders import RunOrders
    from bulkrunner.services.settle import Settler
    from bulkrunner.services.standing_summaries import StandingSummaries
    from bulkrunner.services.status import Status, StatusService
    from bulkrunner.services.targets import Targets


class GateWiring:
    """Evaluates gates, records answers and settlements."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def gates(
        self,
        plan: Plan,
        *,
        rights: Callable[[], Rights] | None,
        run: Run | None = None,
        unknown_writes: Callable[[], str | None] | None = None,
        whole: bool = False,
    ) -> list[GateResult]:
        """Evaluate every gate of a plan as things are now; ``whole``: look at every row."""
        situation = replace(
            self._situation(plan, run), rights=rights, unknown_writes=unknown_writes, whole=whole
        )
        return self._gates().evaluate(situation)

    def _gates(self) -> Gates:
        from bulkrunner.services.gatekeeper import Gates

        return Gates(self._core.ledger, self._core.clock, proofs=self.proofs())

    def _situation(self, plan: Plan, run: Run | None) -> GateInput:
        from bulkrunner.services.gatekeeper import GateInput

        now = self._job_now(plan)
        return GateInput(
            plan=plan,
            environment=self._core.settings.environments.get(plan.environment),
            manifest_digest=now.manifest_digest if now else None,
            rule_digest=now.rule_digest if now else None,
            rights=None,
            run=run,
        )

    def claim(self, plan: Plan, run_id: str, run: Run | None) -> Claim | None:
        """Return what a run has to claim of a standing approval; None: nothing.

        GateClosed: its plan rests on no answer any more.
        """
        return self._gates().claim(self._situation(plan, run), run_id)

    def rests_on(self, plan: Plan, run: Run | None) -> Resting | None:
        """Return the standing approval that a run rested on, or that would let a plan run now."""
        if plan.addresses.get("kind") != "production":
            return None
        if (found := self.recurring().rests_on(plan, run)) is not None or run is not None:
            return found
        basis = self._gates().basis(self._situation(plan, None))
        return None if basis is None or basis.closed else basis.rests_on()

    def summaries(self) -> StandingSummaries:
        """Return what lists, ends and sums up standing approvals."""
        from bulkrunner.services.standing_summaries import StandingSummaries

        return StandingSummaries(self._core.ledger, self._core.clock, self.recurring())

    def recurring(self) -> StandingApprovals:
        """Return what knows standing approvals."""
        from bulkrunner.services.recurring import StandingApprovals

        return StandingApprovals(self._core.ledger, self._core.clock, proofs=self.proofs())

    def proofs(self) -> Proofs:
        """Return what proves the signatures of answers."""
        from bulkrunner.adapters.signatures import SshSignatures
        from bulkrunner.services.reviews import Proofs

        return Proofs(SshSignatures(), reviewers=self._core.signers)

    def _job_now(self, plan: Plan) -> Job | None:
        try:
            return self._core.load_again(plan).job
        except BulkRunnerError:
            return None

    def gates_asking(self, plan: Plan, *, whole: bool = False) -> list[GateResult]:
        """Evaluate the gates, asking the login; where that fails the gate ``rights`` says why."""
        try:
            with self._core.reader(self._core.polite(plan.environment)) as reader:
                return self.gates(plan, rights=reader.rights, whole=whole)
        except BulkRunnerError as error:
            from bulkrunner.domain.rules import GateResult

            gates = self.gates(plan, rights=None, whole=whole)
            return [
                GateResult(name="rights", open=False, reason=error.message)
                if gate.name == "rights"
                else gate
                for gate in gates
            ]

    def require_gates(
        self,
        plan: Plan,
        catalogue: ReadOnlyCatalogue,
        run: Run | None,
        *,
        unknown_writes: Callable[[], str | None] | None = None,
    ) -> list[GateResult]:
        """Return every gate of the plan as things are now. GateClosed: names every closed one."""
        from bulkrunner.services.targets import open_gates

        gates = self.gates(plan, rights=catalogue.rights, run=run, unknown_writes=unknown_writes)
        open_gates(gates)
        return gates

    def approving(self) -> Reviews:
        """Return what records answers."""
        from bulkrunner.services.reviews import Reviews

        return Reviews(self._core.ledger, self._core.clock, proofs=self.proofs())

    def settling(self) -> Settler:
        """Return what records a person's decision about an unknown outcome."""
        from bulkrunner.domain.catalogue import Found
        from bulkrunner.services.settle import Settler

        def read(run: Run, record: str) -> Found | None:
            environment = self._core.settings.environment(run.environment)
            ref = self._core.iris(environment).parse(record)
            if ref is None:
                return None
            with self._core.reader(self._core.polite(run.environment)) as reader:
                answer = reader.read(ref.value)
            return answer if isinstance(answer, Found) else None

        return Settler(self._core.ledger, self._core.clock, read=read)


# Seconds between two looks of ``status --watch``.
WATCH_EVERY = 2.0


class StatusWiring:
    """Tells where things stand, and which plan or run is meant."""

    def __init__(self, core: Core, gating: GateWiring) -> None:
        self._core = core
        self._gating = gating

    def starting(self) -> Targets:
        """Return what decides which plan or run is meant."""
        from bulkrunner.services.targets import Targets

        return Targets(self._core.ledger, self._core.drivers())

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
        told = [Sentence("gate_closed", gate=gate.said, reason=gate.reason) for gate in closed]
        return joined(told) if told else None

    def _statuses(self) -> StatusService:
        from bulkrunner.services.status import Outlooks, StatusService

        drivers = self._core.drivers()
        outlooks = Outlooks(
            self._core.ledger, self._core.clock, environment=self._environment_of, drivers=drivers
        )
        return StatusService(
            self._core.ledger,
            gates=self._gating.gates_asking,
            drivers=drivers,
            outlooks=outlooks,
            rests=lambda plan: self._gating.rests_on(plan, None) is not None,
        )

    def _environment_of(self, plan: str) -> Environment | None:
        try:
            return self._core.within(self._core.ledger.plans.get(plan))
        except UsageError:
            return None

    def ordering(self) -> RunOrders:
        """Return what gives orders to running runs."""
        from bulkrunner.services.running.orders import RunOrders

        return RunOrders(self._core.ledger, self._core.drivers(), by=self._core.account())

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
            queue, workers = Cluster(self._core).listed()
            return replace(self._statuses().overview(), queue=queue, workers=workers)
        found = self.starting().find(prefix)
        plan = found if isinstance(found, Plan) else self._core.ledger.plans.get(found.plan)
        return self._statuses().one(plan, with_gates=with_gates)

    def after_yes(self, plan: Plan) -> tuple[list[Sentence], str]:
        """Return what to know after a yes to a plan, and the next command that can work."""
        return self._statuses().after_yes(plan, self._gating.gates(plan, rights=None))

    def next_command(self, plan: Plan) -> str:
        """Return the command that takes the job one step further."""
        return self._statuses().next_command(plan)


class Clients:
    """Retires API clients."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def retire(
        self, environment_name: str, client: str | None, *, by: str, out: Path | None
    ) -> tuple[Retired, Path]:
        """Write the notice to KB, then block the client.

        Raises:
            UsageError: nobody knows which client, it is in use, or the file cannot be written.
        """
        from bulkrunner.services.clients import notice

        environment = self._core.settings.environment(environment_name)
        service = self._core.client_service()
        name = service.choose(environment.name, client, self._configured(environment_name))
        path = out or Path(f"retired-{environment.name}-{_plain(name)}.txt")
        if path.exists():
            raise UsageError(
                Sentence("file_there_already", path=str(path)),
                hint=Sentence("give_other_file"),
                code="not_written",
            )
        retired = service.retire(environment.name, name, by=by, drivers=self._core.drivers())
        text = notice(retired, environment, by=by, at=self._core.clock.now())
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                Sentence(
                    "notice_not_written",
                    name=name,
                    path=str(path),
                    why=why_of(error),
                    text=text,
                ),
                hint=Sentence("notice_not_written_hint"),
                code="not_written",
            ) from None
        return retired, path.absolute()

    def _configured(self, environment: str) -> str | None:
        try:
            return self._core.credentials(self._core.settings.environment(environment)).client_id
        except BulkRunnerError:
            return None


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)[:60] or "client"
