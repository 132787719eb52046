"""Records KB's answer to a plan: a yes or a no, bound to the plan's digest."""

from __future__ import annotations

from bulkrunner.domain.gates import Approval
from bulkrunner.domain.plan import Plan, PlanState
from bulkrunner.domain.ports import Clock, Ledger
from bulkrunner.domain.run import Run, RunState
from bulkrunner.errors import UsageError
from bulkrunner.services.gating import permitted_statements

MAX_TEXT = 2000
"""Characters of a name, reference or statement that are kept."""


class Approving:
    """``approve`` and ``reject``."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def answer(
        self,
        prefix: str,
        *,
        approved: bool,
        by: str,
        reference: str,
        recorded_by: str,
        statements: tuple[str, ...] = (),
        digest: str | None = None,
    ) -> tuple[Plan, Approval, list[Run]]:
        """Record an answer; a no also asks running runs of the plan to stop.

        Args:
            prefix: plan id or unique prefix.
            approved: yes or no.
            by: whose answer it is.
            reference: where it can be found, e.g. a case number.
            recorded_by: account@host of who records it.
            statements: looser policy values that the answer agrees to, word for word.
            digest: plan digest that the answer names, where it names one.

        Returns:
            The plan, what was stored, and the runs that were asked to stop.

        Raises:
            UsageError: unknown or incomplete plan, empty name or reference, another digest,
                a statement that is none of the plan's.
        """
        plan = self._ledger.plan(prefix)
        if plan.state is not PlanState.COMPLETE or plan.plan_digest is None:
            raise UsageError(
                f"plan {plan.id} is not complete; there is nothing to answer to yet",
                hint=f"bulkrunner resume {plan.id}",
                code="plan_incomplete",
            )
        if digest is not None and digest != plan.plan_digest:
            raise UsageError(
                f"the answer is to {digest}, but plan {plan.id} has {plan.plan_digest}",
                hint="the plan was made again after the report was sent; send the new report",
                code="other_digest",
            )
        self._check_statements(plan, statements)
        approval = Approval(
            plan=plan.id,
            plan_digest=plan.plan_digest,
            approved=approved,
            by=_text("--by", by),
            reference=_text("--reference", reference),
            text="\n".join(statements),
            recorded_by=recorded_by,
            recorded_at=self._clock.now(),
            statements=statements,
        )
        self._ledger.add_approval(approval)
        return plan, approval, [] if approved else self._stop_runs(plan, approval)

    def _check_statements(self, plan: Plan, statements: tuple[str, ...]) -> None:
        known = permitted_statements(plan)
        for statement in statements:
            if statement not in known:
                listed = "; ".join(known) or "none: the plan's policy is the built-in one"
                raise UsageError(
                    f"plan {plan.id} has no policy value {statement!r}",
                    hint=f"statements of this plan: {listed}",
                    code="unknown_statement",
                )

    def _stop_runs(self, plan: Plan, approval: Approval) -> list[Run]:
        running = [run for run in self._ledger.runs(plan=plan.id) if run.state is RunState.RUNNING]
        for run in running:
            self._ledger.request_stop(run.id, reason=f"rejected by {approval.by}")
        return running


def _text(option: str, value: str) -> str:
    value = "".join(letter if letter.isprintable() else " " for letter in value)
    value = " ".join(value.split())
    if not value:
        raise UsageError(f"{option} is empty", hint="name the person and where the answer is kept")
    return value[:MAX_TEXT]
