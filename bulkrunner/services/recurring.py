"""Standing approvals at work: which one a later plan may run by, what it has used, and its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bulkrunner.domain.approvals import (
    Approval,
    ApprovalDecision,
    Conditions,
    permit,
    required_statements,
    standing,
)
from bulkrunner.domain.approvals import strictest as strictest_conditions
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.rules import approvers
from bulkrunner.domain.run import Run
from bulkrunner.domain.standing import (
    DAY,
    Bounds,
    Claim,
    Resting,
    deed,
    ends_at,
    over_day,
    over_run,
    rule_of,
    strictest,
)
from bulkrunner.sentences import Sentence, as_sentence
from bulkrunner.services.reviews import Proofs

MOST_PATTERNS = 3  # that a reason names


def surely_now(ledger: Ledger, clock: Clock) -> datetime:
    """Return the time, never before the ledger's newest event: a clock set back prolongs nothing."""
    now = clock.now()
    return max(now, ledger.chain.newest_time() or now)


@dataclass(frozen=True, kw_only=True)
class Basis:
    """A standing approval beside a later plan of the job."""

    approved: Plan  # whose answers it rests on
    answers: tuple[Approval, ...]  # the standing yeses, oldest first
    bounds: Bounds  # the strictest of them
    closed: Sentence | None = None  # the first bound that the plan does not keep

    @property
    def conditions(self) -> Conditions:
        """What every one of the answers asks for besides."""
        return strictest_conditions(answer.conditions for answer in self.answers)

    def rests_on(self) -> Resting:
        """Return it as reports tell of it."""
        return Resting(
            plan=self.approved.id,
            given=tuple((answer.by, answer.reference) for answer in self.answers),
            bounds=self.bounds,
        )

    def said(self) -> list[Sentence]:
        """Return who gave it and within which bounds."""
        return [
            *(
                Sentence("standing_by", by=answer.by, reference=answer.reference)
                for answer in self.answers
            ),
            *(answer.how() for answer in self.answers),
            self.bounds.told(),
        ]


class StandingApprovals:
    """Looks for the standing approval that a plan may run by, and ends them."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proofs: Proofs | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proofs = proofs or Proofs(None)

    def basis(
        self,
        plan: Plan,
        environment: Environment | None,
        *,
        rule_now: str | None,
        run: Run | None = None,
    ) -> Basis | None:
        """Return the newest standing approval that the plan keeps within, else the newest there is.

        None where KB has given none to an earlier plan of the job. ``rule_now``: of the manifest as
        it stands in its folder.
        """
        found: Basis | None = None
        for given in self.given(plan.job):
            if given.approved.id == plan.id:
                continue
            why = next(self._against(given, plan, environment, rule_now, run), None)
            if why is None:
                return given
            found = found or replace(given, closed=why)
        return found

    def given(self, job: str) -> Iterator[Basis]:
        """Yield every standing approval of a job, the newest first, also those that have ended."""
        answers = self._ledger.approvals.of_job(job)
        for name in dict.fromkeys(one.plan for one in reversed(answers) if one.standing):
            given = [one for one in answers if one.plan == name and one.approved and one.standing]
            still = [one for one in standing(self._ledger.approvals.of_plan(name)) if one.standing]
            chosen = tuple(still or given[-1:])
            yield Basis(
                approved=self._ledger.plans.get(name),
                answers=chosen,
                bounds=strictest(one.standing for one in chosen if one.standing),
            )

    # --- whether it has ended -------------------------------------------------------------------

    def ended(self, basis: Basis) -> Sentence | None:
        """Return why a standing approval holds no more, whatever is planned; None where it holds."""
        return next(self._endings(basis), None)

    def _endings(self, basis: Basis) -> Iterator[Sentence]:
        # By when they were given, not recorded: an old one is not made new by being recorded late.
        first = min(one.given if one.head else one.event for one in basis.answers)
        for answer in self._ledger.approvals.of_job(basis.approved.job):
            if answer.approved or answer.event <= first:
                continue
            if self._ledger.plans.get(answer.plan).addresses == basis.approved.addresses:
                yield Sentence("standing_rejected", by=answer.by, reference=answer.reference)
        answers = self._ledger.approvals.of_plan(basis.approved.id)
        if not set(map(_event, standing(answers))) >= set(map(_event, basis.answers)):
            yield Sentence("standing_replaced", plan=basis.approved.id)
        for end in self._ledger.standing.ends(basis.approved.id):
            if end.event > first:
                yield Sentence("standing_ended", by=end.by, at=end.ended_at, reason=end.reason)
        for one in self._ledger.provenance.restorations():
            if one.event > first:
                yield Sentence("standing_ledger_restored", at=one.at)

    # --- whether a plan keeps within it ---------------------------------------------------------

    def _against(
        self,
        basis: Basis,
        plan: Plan,
        environment: Environment | None,
        rule_now: str | None,
        run: Run | None,
    ) -> Iterator[Sentence]:
        """Yield which bounds of a standing approval a plan does not keep, the first one first."""
        yield from self._endings(basis)
        yield from self._unsound(basis, plan)
        if not basis.bounds.rule == rule_of(basis.approved) == rule_of(plan) == rule_now:
            yield Sentence("standing_other_rule", plan=basis.approved.id)
        if dict(plan.addresses) != dict(basis.approved.addresses):
            yield Sentence("standing_other_addresses", plan=basis.approved.id)
        zone = environment.timezone if environment else Environment.timezone
        if surely_now(self._ledger, self._clock) >= ends_at(basis.bounds, zone):
            yield Sentence("standing_expired", until=basis.bounds.until)
        if new := self._new_patterns(basis, plan):
            yield Sentence("standing_new_pattern", patterns=new[:MOST_PATTERNS])
        if over := over_run(basis.bounds, plan.counts):
            yield over
        used, mine = self.used(basis, plan, run)
        if over := over_day(basis.bounds, used, mine):
            yield over

    def _unsound(self, basis: Basis, plan: Plan) -> Iterator[Sentence]:
        """Yield what is wrong with the answers: signatures, statements, how many there are."""
        found = self._decision(basis.approved)
        counted = [one for one in found.counted if one.standing]
        if found.closed or len(counted) < len(basis.answers):
            yield Sentence("standing_unsound", why=found.closed or Sentence("standing_not_counted"))
        needed = max(approvers(plan), approvers(basis.approved))
        if len(counted) < needed:
            yield Sentence("standing_too_few", said=len(counted), needed=needed)
        for answer in basis.answers:
            absent = [one for one in required_statements(plan) if one not in answer.statements]
            if absent:
                yield Sentence("standing_names_not", statements=absent)
        signed = Policy.from_dict(dict(plan.policy)).reviewers is not None
        if signed and not all(answer.signature for answer in basis.answers):
            yield Sentence("answer_not_signed", by=basis.answers[0].by)

    def _decision(self, plan: Plan) -> ApprovalDecision:
        answers = self._ledger.approvals.of_plan(plan.id)
        return permit(plan, answers, unsound=lambda one: self._proofs.unsound(plan, one))

    def _new_patterns(self, basis: Basis, plan: Plan) -> list[Sentence]:
        left_out = self._ledger.plans.numbers_of(basis.approved.id, basis.conditions.excluded)
        shown = self._ledger.standing.patterns(basis.approved.id, without=left_out)
        asked = self._ledger.standing.patterns(plan.id)
        return [
            Sentence("standing_pattern", action=deed(action), pattern=as_sentence(pattern))
            for action, _kind, pattern in sorted(asked - shown)
        ]

    def used(
        self, basis: Basis, plan: Plan, run: Run | None
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return what other runs may have sent in the last 24 hours, and what this one may send."""
        since = surely_now(self._ledger, self._clock) - DAY
        mine = plan.counts if run is None else self._ledger.standing.of_run(run.id, since)
        used = self._ledger.standing.used(
            basis.bounds.rule, basis.approved.addresses, since, but=run.id if run else ""
        )
        return used, mine

    def rests_on(self, plan: Plan, run: Run | None) -> Resting | None:
        """Return the standing approval that a run, or the newest run of a plan, rested on."""
        runs = [run] if run else self._ledger.runs.all(plan=plan.id)[:1]
        claims = (self._ledger.standing.claim_of(one.id) for one in runs)
        claim = next((one for one in claims if one is not None and one.bounds is not None), None)
        if claim is None:
            return None
        given = (one for one in self.given(plan.job) if one.approved.id == claim.approved)
        return next((one.rests_on() for one in given), None)

    # --- a run begins ---------------------------------------------------------------------------

    def claim(self, plan: Plan, run: str, basis: Basis | None) -> Claim | None:
        """Return what a run has to claim before it sends anything; None: nothing."""
        if basis is not None:
            return Claim(
                run=run,
                plan=plan.id,
                approved=basis.approved.id,
                rule=basis.bounds.rule,
                bounds=basis.bounds,
            )
        own = standing(self._ledger.approvals.of_plan(plan.id))
        if any(answer.standing for answer in own) or self._ledger.standing.claim_of(run):
            return Claim(run=run, plan=plan.id, approved=plan.id, rule=rule_of(plan))
        return None


def _event(answer: Approval) -> int:
    return answer.event
