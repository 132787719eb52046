"""Gathers what a report says from the ledger; long lists stay streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.domain.approvals import EXCLUDED, loosened, permit
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.gates import Evidence, GateResult
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import Plan, empty_counts
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.rules import rule_results
from bulkrunner.domain.run import Outcome, Run
from bulkrunner.domain.undo import undone_by
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.gates import counting_hosts, evidence_of
from bulkrunner.services.plan_outcome import accepts_of
from bulkrunner.services.proofs import Proofs
from bulkrunner.services.report.groups import group_changes
from bulkrunner.services.report.risks import Watch, searched
from bulkrunner.services.report.rows import Rows, differences_of
from bulkrunner.services.report.timing import estimate, moments, timeline

__all__ = ["ReportService", "differences_of"]

MAX_MOMENTS = 2000
"""Entries of a run's chain that are looked at for its timeline."""


class ReportService:
    """Reads plans and runs; changes nothing."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proofs: Proofs | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proofs = proofs or Proofs(None)

    def report(self, prefix: str, gates: Sequence[GateResult] = ()) -> ReportData:
        """Return the report of a plan or run.

        Args:
            prefix: id or unique prefix.
            gates: as evaluated by the caller.

        Raises:
            UsageError: no such id, or several.
        """
        plan, run = self.find(prefix)
        return self.report_of(plan, run, gates)

    def find(self, prefix: str) -> tuple[Plan, Run | None]:
        """Return the plan, and the run where the id is a run's.

        Raises:
            UsageError: no such id, or several.
        """
        plan, run = self._plan(prefix), self._run(prefix)
        if plan is not None and plan.id == prefix:
            return plan, None
        if plan is not None and run is not None and run.id != prefix:
            raise UsageError(
                Sentence("id_ambiguous", prefix=prefix),
                hint=Sentence("id_ambiguous_hint", plan=plan.id, run=run.id),
                code="ambiguous",
            )
        if run is not None:
            return self._ledger.plans.get(run.plan), run
        if plan is not None:
            return plan, None
        raise UsageError(
            Sentence("plan_or_run_unknown", prefix=prefix),
            hint=Sentence("plan_or_run_unknown_hint"),
        )

    def _plan(self, prefix: str) -> Plan | None:
        try:
            return self._ledger.plans.get(prefix)
        except UsageError as error:
            _pass_on_ambiguous(error)
            return None

    def _run(self, prefix: str) -> Run | None:
        try:
            return self._ledger.runs.get(prefix)
        except UsageError as error:
            _pass_on_ambiguous(error)
            return None

    def report_of(
        self,
        plan: Plan,
        run: Run | None,
        gates: Sequence[GateResult],
        *,
        environment: Environment | None = None,
    ) -> ReportData:
        """Return the report of a plan, or of one of its runs.

        Args:
            plan: what it is about.
            run: None where the plan itself is.
            gates: as evaluated by the caller.
            environment: with the speed that a run may use; None where nobody knows.
        """
        evidence, now = self._evidence(plan), self._clock.now()
        found = permit(
            plan,
            self._ledger.approvals.of_plan(plan.id),
            unsound=lambda answer: self._proofs.unsound(plan, answer),
        )
        policy = Policy.from_dict(dict(plan.policy))
        counts = counting_hosts(plan.addresses, policy) if evidence is not None else None
        rows, watch = Rows(self._ledger, plan, run, counts=counts), Watch(plan)
        grouped = group_changes(
            lambda: watch.watched(rows.planned()), accepts_of(plan.manifest), rows.fetch
        )
        decided = list(self._ledger.runs.decisions(run.id)) if run else []
        events = self._ledger.orders.events(run.id, limit=MAX_MOMENTS) if run else ()
        selections = tuple(self._ledger.selections.all(plan.id))
        return ReportData(
            plan=plan,
            run=run,
            generated_at=now,
            gates=tuple(gates),
            loosened=loosened(plan),
            counts={**empty_counts(), **self._ledger.plans.count_actions(plan.id)},
            sigels=self._ledger.plans.count_sigels(plan.id),
            outcomes=self._ledger.runs.outcomes(run.id) if run else None,
            excluded=self._excluded(run) if run else 0,
            approvals=found.weighed,
            evidence=evidence,
            grouped=grouped,
            problems=rows.problems,
            changes=rows.changes,
            head=self._ledger.chain.head(),
            rules=rule_results(plan, gates, self._ledger.plans.count_refusals(plan.id)),
            libraries=self._ledger.plans.library_names(plan.id),
            risks=(*watch.risks(), *searched(selections)),
            not_restored=watch.not_restored(),
            staging=watch.staging(),
            estimate=estimate(
                grouped.kinds,
                environment,
                now,
                looks=grouped.looks,
                asked=found.conditions,
            )
            if environment
            else None,
            timeline=timeline(decided),
            moments=moments(events, [when for when, _ in decided]),
            left_out=lambda: self._ledger.selections.left_out(plan.id),
            inputs=tuple(_inputs(plan)),
            selections=selections,
        )

    def _excluded(self, run: Run) -> int:
        return self._ledger.runs.count_codes(run.id, Outcome.REFUSED).get(EXCLUDED, 0)

    def _evidence(self, plan: Plan) -> Evidence | None:
        # What an undo restores is each environment's own; the gate says what was tried of it.
        if plan.addresses.get("kind") != "production" or undone_by(plan) is not None:
            return None
        return evidence_of(plan, self._ledger, self._clock.now())


def _inputs(plan: Plan) -> Iterator[Mapping[str, Any]]:
    found = plan.manifest.get("inputs")
    yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))


def _pass_on_ambiguous(error: UsageError) -> None:
    if error.code.startswith("ambiguous"):
        raise error
