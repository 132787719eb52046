"""Wiring of gates and of the answers that people give."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bulkrunner.bootstrap.core import Core
from bulkrunner.domain.gates import GateResult
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.rights import Rights
from bulkrunner.domain.run import Run
from bulkrunner.errors import BulkRunnerError

if TYPE_CHECKING:
    from bulkrunner.adapters.libris.client import ReadOnlyCatalogue
    from bulkrunner.services.approvals import Approving
    from bulkrunner.services.proofs import Proofs
    from bulkrunner.services.settle import Settling


class Gating:
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
    ) -> list[GateResult]:
        """Evaluate every gate of a plan as things are now."""
        from bulkrunner.services.gates import Gates, Situation

        return Gates(self._core.ledger, self._core.clock, proofs=self.proofs()).evaluate(
            Situation(
                plan=plan,
                environment=self._core.settings.environments.get(plan.environment),
                manifest_digest=self._digest_now(plan),
                rights=rights,
                run=run,
                unknown_writes=unknown_writes,
            )
        )

    def proofs(self) -> Proofs:
        """Return what proves the signatures of answers."""
        from bulkrunner.adapters.signatures import SshSignatures
        from bulkrunner.services.proofs import Proofs

        return Proofs(SshSignatures(), reviewers=self._core.signers)

    def _digest_now(self, plan: Plan) -> str | None:
        try:
            return self._core.load_again(plan).job.manifest_digest
        except BulkRunnerError:
            return None

    def gates_asking(self, plan: Plan) -> list[GateResult]:
        """Evaluate the gates, asking the login; where that fails the gate ``rights`` says why."""
        try:
            with self._core.reader(plan.environment) as reader:
                return self.gates(plan, rights=reader.rights)
        except BulkRunnerError as error:
            gates = self.gates(plan, rights=None)
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
        """Return every gate of the plan as things are now.

        Raises:
            GateClosed: names every closed one.
        """
        from bulkrunner.services.targets import open_gates

        gates = self.gates(plan, rights=catalogue.rights, run=run, unknown_writes=unknown_writes)
        open_gates(gates)
        return gates

    def approving(self) -> Approving:
        """Return what records answers."""
        from bulkrunner.services.approvals import Approving

        return Approving(self._core.ledger, self._core.clock, proofs=self.proofs())

    def settling(self) -> Settling:
        """Return what records a person's decision about an unknown outcome."""
        from bulkrunner.domain.catalogue import Found
        from bulkrunner.services.settle import Settling

        def read(run: Run, record: str) -> Found | None:
            environment = self._core.settings.environment(run.environment)
            ref = self._core.iris(environment).parse(record)
            if ref is None:
                return None
            with self._core.reader(run.environment) as reader:
                answer = reader.read(ref.value)
            return answer if isinstance(answer, Found) else None

        return Settling(self._core.ledger, self._core.clock, read=read)
