"""Standing approvals listed, shown and ended, and the summary of what was done under one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import WRITING, Plan
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.domain.standing import ends_at
from bulkrunner.domain.standing_summary import StandingSummary, SummaryRun, total
from bulkrunner.domain.undo import undone_by
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.recurring import Basis, StandingApprovals, surely_now

# Records that are looked up at a time.
PAGE = 500


class StandingSummaries:
    """Reads the ledger, and notes that a standing approval has ended."""

    def __init__(self, ledger: Ledger, clock: Clock, approvals: StandingApprovals) -> None:
        self._ledger = ledger
        self._clock = clock
        self._approvals = approvals

    def all(self) -> Iterator[Basis]:
        """Yield every standing approval of the ledger, those of the newest jobs first."""
        for job in dict.fromkeys(plan.job for plan in self._ledger.plans.all()):
            yield from self._approvals.given(job)

    def find(self, ref: str) -> Basis:
        """Return the standing approval of a plan's id, or its beginning, or of an answer's reference.

        UsageError: there is none, or several.
        """
        found = [one for one in self.all() if one.approved.id == ref]
        found = found or [
            one
            for one in self.all()
            if one.approved.id.startswith(ref)
            or any(answer.reference == ref for answer in one.answers)
        ]
        if not found or not ref:
            raise UsageError(
                Sentence("standing_unknown", ref=ref[:80]),
                hint="bulkrunner standing list",
                code="unknown_standing",
            )
        if len(found) > 1:
            shown = ", ".join(one.approved.id for one in found[:10])
            raise UsageError(
                Sentence("standing_ambiguous", ref=ref[:80], shown=shown),
                hint="bulkrunner standing list",
                code="ambiguous_id",
            )
        return found[0]

    def over(self, basis: Basis) -> Sentence | None:
        """Return why a standing approval lets nothing run any more; None where it may."""
        if (ended := self._approvals.ended(basis)) is not None:
            return ended
        if surely_now(self._ledger, self._clock) >= ends_at(basis.bounds, "Europe/Stockholm"):
            return Sentence("standing_expired", until=basis.bounds.until)
        return None

    def as_data(self, basis: Basis) -> dict[str, Any]:
        """Return a standing approval as plain data."""
        over = self.over(basis)
        used, _ = self._approvals.used(basis, basis.approved, None)
        return {
            **basis.rests_on().as_dict(),
            "job": basis.approved.job,
            "environment": basis.approved.environment,
            "runs": [run.id for run in self._runs(basis)],
            "used": dict(used),
            "ended": None if over is None else str(over),
        }

    def end(self, basis: Basis, *, by: str, reason: str) -> tuple[Run, ...]:
        """Note that a standing approval has ended, and ask runs that rest on it to stop."""
        self._ledger.standing.end(basis.approved.id, by=by, reason=reason)
        running = [
            run
            for run in self._runs(basis)
            if run.state is RunState.RUNNING and run.plan != basis.approved.id
        ]
        for run in running:
            said = Sentence("standing_ended_stop", by=by)
            self._ledger.runs.request_stop(run.id, reason=said)
        return tuple(running)

    def _runs(self, basis: Basis) -> list[Run]:
        """Return the runs that rested on a standing approval, the approved plan's own first."""
        claims = self._ledger.standing.claims(basis.bounds.rule)
        names = dict.fromkeys(one.run for one in claims if one.approved == basis.approved.id)
        return [self._ledger.runs.get(name) for name in names]

    # --- the summary ------------------------------------------------------------------------------

    def summary(self, basis: Basis, month: str = "") -> StandingSummary:
        """Return what was done under a standing approval, in one month or in all."""
        runs = [self._under(run, basis) for run in self._runs(basis)]
        chosen = tuple(one for one in runs if month in ("", one.month))
        approved = basis.approved
        return StandingSummary(
            job=approved.job,
            title=str(approved.manifest.get("title") or approved.job),
            environment=approved.environment,
            rests_on=basis.rests_on(),
            made_at=self._clock.now(),
            ended=self.over(basis),
            runs=chosen,
            others=tuple(self._others(basis, {one.plan.id for one in runs})),
            head=self._ledger.chain.head(),
            month=month,
            totals=total(chosen),
        )

    def _others(self, basis: Basis, ran: set[str]) -> Iterator[Plan]:
        """Yield later plans of the job there that did not run by the standing approval."""
        for plan in reversed(self._ledger.plans.all(job=basis.approved.job)):
            later = plan.created_at > basis.approved.created_at and plan.id not in ran
            writes = any(plan.counts.get(action.value) for action in WRITING)
            if later and writes and plan.addresses == basis.approved.addresses:
                yield plan

    def _under(self, run: Run, basis: Basis) -> SummaryRun:
        plan = self._ledger.plans.get(run.plan)
        outcomes = dict(self._ledger.runs.outcomes(run.id))
        outcomes["unfinished"] = outcomes.pop(Outcome.PENDING.value)
        applied: Counter[str] = Counter()
        records: list[str] = []
        for one in self._ledger.runs.ended(run.id, outcomes=[Outcome.APPLIED], documents=False):
            applied[one.change.action.value] += 1
            records.append(one.result.record or one.change.record)
        outcomes.pop(Outcome.APPLIED.value)
        return SummaryRun(
            run=run,
            plan=plan,
            own=plan.id == basis.approved.id,
            applied=applied,
            outcomes=outcomes,
            refusals=plan.counts.get("refused", 0),
            undone=self._undone(run, records),
        )

    def _undone(self, run: Run, records: list[str]) -> int:
        """Count the records that an undo of the job has written since."""
        undos = {
            plan.job
            for plan in self._ledger.plans.all()
            if (undone_by(plan) or {}).get("job") == run.job
        }
        if not undos:
            return 0
        found = 0
        for start in range(0, len(records), PAGE):
            later = self._ledger.runs.written_later(run.id, records[start : start + PAGE])
            found += sum(any(write.job in undos for write in writes) for writes in later.values())
        return found
