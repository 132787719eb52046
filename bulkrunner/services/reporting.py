"""Gathers what a report says from the ledger; long lists stay streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bulkrunner.domain.contents import contents
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.environment import Policy
from bulkrunner.domain.gates import Evidence, GateResult
from bulkrunner.domain.plan import WRITING, Action, Plan, PlannedChange, empty_counts
from bulkrunner.domain.ports import Clock, Ended, Ledger
from bulkrunner.domain.reading import read_differences
from bulkrunner.domain.report import (
    ORDER,
    PROBLEMS,
    ReportData,
    ReportedChange,
    record_link,
)
from bulkrunner.domain.run import Outcome, Result, Run
from bulkrunner.domain.undo import undone_by
from bulkrunner.errors import UsageError
from bulkrunner.services.gating import counting_hosts
from bulkrunner.services.grouping import group_changes
from bulkrunner.services.planning.outcome import accepts_of


class ReportService:
    """Reads plans and runs; changes nothing."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

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
                f"{prefix} is the beginning of a plan's and of a run's id",
                hint=f"say more of it: {plan.id} or {run.id}",
                code="ambiguous",
            )
        if run is not None:
            return self._ledger.plan(run.plan), run
        if plan is not None:
            return plan, None
        raise UsageError(f"there is no plan or run {prefix}", hint="bulkrunner status lists them")

    def _plan(self, prefix: str) -> Plan | None:
        try:
            return self._ledger.plan(prefix)
        except UsageError as error:
            _pass_on_ambiguous(error)
            return None

    def _run(self, prefix: str) -> Run | None:
        try:
            return self._ledger.run(prefix)
        except UsageError as error:
            _pass_on_ambiguous(error)
            return None

    def report_of(self, plan: Plan, run: Run | None, gates: Sequence[GateResult]) -> ReportData:
        """Return the report of a plan, or of one of its runs."""
        rows = _Rows(self._ledger, plan, run)
        return ReportData(
            plan=plan,
            run=run,
            generated_at=self._clock.now(),
            gates=tuple(gates),
            loosened=Policy.from_dict(dict(plan.policy)).loosened(),
            counts={**empty_counts(), **self._ledger.count_actions(plan.id)},
            sigels=self._ledger.count_sigels(plan.id),
            outcomes=self._ledger.outcomes(run.id) if run else None,
            approvals=tuple(self._ledger.approvals(plan.id)),
            evidence=self._evidence(plan),
            grouped=group_changes(rows.planned, accepts_of(plan.manifest), rows.fetch),
            problems=rows.problems,
            changes=rows.changes,
            head=self._ledger.head(),
            left_out=lambda: self._ledger.left_out(plan.id),
            inputs=tuple(_inputs(plan)),
            selections=tuple(self._ledger.selections(plan.id)),
        )

    def _evidence(self, plan: Plan) -> Evidence | None:
        # What an undo restores is each environment's own; the gate says what was tried of it.
        if plan.addresses.get("kind") != "production" or undone_by(plan) is not None:
            return None
        policy = Policy.from_dict(dict(plan.policy))
        return self._ledger.evidence(
            plan,
            not_before=self._clock.now() - timedelta(days=policy.staging_max_age_days),
            counts=counting_hosts(plan.addresses, policy),
        )


def _inputs(plan: Plan) -> Iterator[Mapping[str, Any]]:
    found = plan.manifest.get("inputs")
    yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))


def _pass_on_ambiguous(error: UsageError) -> None:
    if error.code.startswith("ambiguous"):
        raise error


class _Rows:
    """Streams of a plan's or run's changes."""

    def __init__(self, ledger: Ledger, plan: Plan, run: Run | None) -> None:
        self._ledger = ledger
        self._plan = plan
        self._run = run

    def planned(self) -> Iterator[ReportedChange]:
        """Yield every change as planned."""
        for action in ORDER:
            for change in self._ledger.changes(self._plan.id, actions=(action,)):
                yield self._reported(change)

    def fetch(self, numbers: Sequence[int]) -> dict[int, ReportedChange]:
        """Return changes by their numbers."""
        changes = self._ledger.changes(self._plan.id, numbers=numbers)
        return {change.number: self._reported(change) for change in changes}

    def changes(self) -> Iterator[ReportedChange]:
        """Yield every change, with its result where there is a run."""
        if self._run is None:
            yield from self.planned()
            return
        for action in ORDER:
            changes = self._ledger.changes(self._plan.id, actions=(action,))
            if action not in WRITING:
                yield from map(self._reported, changes)
            else:
                ended = self._ledger.ended(self._run.id, documents=False)
                yield from self._joined(changes, ended)

    def _joined(
        self, changes: Iterator[PlannedChange], ended: Iterator[Ended]
    ) -> Iterator[ReportedChange]:
        """Put results to changes; both streams come in plan order."""
        current = next(ended, None)
        for change in changes:
            while current is not None and current.change.number < change.number:
                current = next(ended, None)
            if current is not None and current.change.number == change.number:
                yield self._with_result(self._reported(change), current)
            else:
                pending = Result(outcome=Outcome.PENDING)
                yield replace(self._reported(change), result=pending)

    def problems(self) -> Iterator[ReportedChange]:
        """Yield what the run did over somebody's edit, then what it did not carry out."""
        if self._run is None:
            return
        for item in self._ledger.ended(self._run.id, outcomes=(Outcome.APPLIED,), documents=False):
            if item.result.code or item.result.detail:
                yield self._with_result(self._reported(item.change), item)
        for outcome in PROBLEMS:
            for item in self._ledger.ended(self._run.id, outcomes=(outcome,)):
                yield self._with_result(self._reported(item.change), item)

    def _with_result(self, reported: ReportedChange, item: Ended) -> ReportedChange:
        link = self._link(item.result.record) or reported.link
        return replace(reported, result=item.result, attempts=item.attempts, link=link)

    def _reported(self, change: PlannedChange) -> ReportedChange:
        return ReportedChange(
            change=change, differences=differences_of(change), link=self._link(change.record)
        )

    def _link(self, record: str | None) -> str | None:
        return record_link(self._plan.addresses.get("base_url", ""), record)


_Differ = Callable[[PlannedChange], tuple[Difference, ...]]


def _updated(change: PlannedChange) -> tuple[Difference, ...]:
    if change.before is None or change.after is None:
        return ()
    return tuple(read_differences(change.before, change.after))


def _deleted(change: PlannedChange) -> tuple[Difference, ...]:
    return tuple(
        Difference(place=place, before=value, after=None, kind="removed")
        for place, value in contents(change.before or {})
    )


def _created(change: PlannedChange) -> tuple[Difference, ...]:
    return tuple(
        Difference(place=place, before=None, after=value, kind="added")
        for place, value in contents(change.after or {})
    )


_DIFFERS: dict[Action, _Differ] = {
    Action.UPDATE: _updated,
    Action.DELETE: _deleted,
    Action.CREATE: _created,
}


def differences_of(change: PlannedChange) -> tuple[Difference, ...]:
    """Return what the change does to the document, place by place."""
    differ = _DIFFERS.get(change.action)
    return differ(change) if differ else ()
