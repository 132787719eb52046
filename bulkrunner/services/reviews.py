"""Records KB's answer to a plan, bound to the plan's digest, and proves its signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bulkrunner.domain.answer_text import Answer, answer_text, asked_about, bibs_in, spellings
from bulkrunner.domain.answer_text import line as one_line
from bulkrunner.domain.approvals import (
    Against,
    Approval,
    Conditions,
    Signer,
    WeighedAnswer,
    newest_yes,
    permitted_statements,
    standing,
    weigh,
)
from bulkrunner.domain.filled_forms import Found
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import Action, Plan, PlanState
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Clock, Signatures
from bulkrunner.domain.run import Run, RunState
from bulkrunner.domain.standing import KB_ZONE, Bounds, ends_at
from bulkrunner.errors import AnswerRefused, SignatureRefused, UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.answers import (
    excluded,
    other_digest,
    plan_named,
    the_answer,
    understood,
    words_beside,
)

NO_REVIEWERS = Sentence("answer_no_reviewers")


class Proofs:
    """Verifies signatures of answers."""

    def __init__(
        self,
        signatures: Signatures | None,
        *,
        reviewers: Callable[[], tuple[str, ...] | None] = lambda: None,
    ) -> None:
        self._signatures = signatures
        self._reviewers = reviewers

    def signed(
        self, plan: Plan, answer: Answer, signature: str, *, at: datetime
    ) -> tuple[str, Signer]:
        """Return the very text that was signed, and by whom; SignatureRefused says why not."""
        if self._reviewers() is None:
            raise SignatureRefused(NO_REVIEWERS, code="signature_no_reviewers")
        error: SignatureRefused | None = None
        for text in _signable(plan, answer):
            try:
                return text, self._by_reviewer(plan, text, signature, at)
            except SignatureRefused as refused:
                error = error or refused
                if refused.code != "signature_wrong_text":
                    break
        raise error or SignatureRefused(Sentence("answer_nothing_signed"))

    def unsound(self, plan: Plan, approval: Approval) -> Sentence | None:
        """Return why a recorded yes does not prove what the plan's policy asks for, or None."""
        if Policy.from_dict(dict(plan.policy)).reviewers is None:
            return None
        if self._reviewers() is None:
            return NO_REVIEWERS
        if not approval.signature:
            return Sentence("answer_not_signed", by=approval.by)
        if approval.text not in spellings(answer_text(plan, as_answer(approval))):
            return Sentence("answer_signed_otherwise", by=approval.by)
        try:
            found = self._by_reviewer(plan, approval.text, approval.signature, approval.recorded_at)
        except SignatureRefused as refused:
            return Sentence("answer_signature_bad", by=approval.by, fault=refused.said)
        if (found.identity, found.key) != (approval.signer, approval.key):
            return Sentence("answer_signed_by_other", by=approval.by, signer=found.identity)
        return None

    def _by_reviewer(self, plan: Plan, text: str, signature: str, at: datetime) -> Signer:
        """Return who signed: a reviewer when the plan was made, and still one today."""
        then = Policy.from_dict(dict(plan.policy)).signers
        found = [
            self._verify(text, signature, signers, at)
            for signers in dict.fromkeys((then, self._reviewers() or ()))
        ]
        return found[-1]

    def _verify(self, text: str, signature: str, signers: Sequence[str], at: datetime) -> Signer:
        if self._signatures is None:
            raise SignatureRefused(Sentence("signatures_unverifiable"))
        return self._signatures.verify(text, signature, signers=signers, at=at)


def _signable(plan: Plan, answer: Answer) -> Iterator[str]:
    """Yield what may have been signed; earlier versions' texts said nothing of bibs."""
    for bibs in dict.fromkeys((answer.bibs, 0)):
        yield from spellings(answer_text(plan, replace(answer, bibs=bibs)))


def as_answer(approval: Approval) -> Answer:
    return Answer(
        approved=approval.approved,
        plan=approval.plan,
        digest=approval.plan_digest,
        head=approval.head,
        by=approval.by,
        reference=approval.reference,
        statements=approval.statements,
        conditions=approval.conditions,
        language=approval.language or "sv",
        bibs=bibs_in(approval.text),
        standing=approval.standing,
    )


# Lines beside an answer that a message shows.
MOST_ASKED = 10


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of an answer.

    ``beside``: words outside of it. ``known``: it was recorded before, and counts.
    ``unverified``: nobody asked for its signature. ``dropped``: conditions that count no more.
    """

    plan: Plan
    approval: Approval
    stopping: tuple[Run, ...] = ()
    beside: str = ""
    unverified: bool = False
    known: bool = False
    dropped: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True, kw_only=True)
class Read:
    """An answer as read out of a text, with the signature that stands there."""

    plan: Plan
    answer: Answer
    signature: str = ""
    beside: str = ""


class Reviews:
    """``approve`` and ``reject``."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proofs: Proofs) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proofs = proofs

    def told(
        self,
        prefix: str,
        *,
        approved: bool,
        by: str,
        reference: str,
        statements: tuple[str, ...] = (),
        digest: str | None = None,
        conditions: Conditions | None = None,
        exclude: Sequence[str] = (),
        standing: Callable[[Plan], Bounds | None] = lambda _plan: None,
    ) -> Read:
        """Return an answer that the operator was told; ``digest`` is the one that it names, if any.

        UsageError: not this plan's, incomplete, or names a record that the plan does not write.
        """
        plan, plan_digest = self._complete(prefix)
        if digest is not None and digest != plan_digest:
            raise other_digest(digest, plan)
        _check_statements(plan, statements)
        asked = conditions or Conditions()
        answer = Answer(
            approved=approved,
            plan=plan.id,
            digest=plan_digest,
            head=self._ledger.chain.head(),
            bibs=self._bibs(plan),
            by=_text("--by", by),
            reference=_text("--reference", reference),
            statements=statements,
            conditions=Conditions(
                per_night=asked.per_night,
                not_before=asked.not_before,
                excluded=excluded(exclude, plan, self._holds(plan)),
            ),
            standing=standing(plan),
        )
        return Read(plan=plan, answer=answer)

    def read(
        self, found: Found, *, approved: bool, prefix: str | None = None, signature: str = ""
    ) -> Read:
        """Return the answer in a reviewer's text; an empty signature: the one that stands there.

        AnswerRefused: not as it stands. UsageError: the plan is unknown or not complete.
        """
        form = the_answer(found, approved=approved)
        plan, _ = self._complete(plan_named(form))
        if prefix is not None and self._ledger.plans.get(prefix).id != plan.id:
            raise AnswerRefused(
                Sentence("answer_to_other_plan", plan=plan.id, prefix=prefix),
                hint=Sentence("answer_to_other_plan_approve_hint")
                if approved
                else Sentence("answer_to_other_plan_reject_hint"),
                code="other_plan",
            )
        bibs = self._bibs(plan)
        answer = understood(form, plan, holds=self._holds(plan), bibs=bibs)
        self._check_head(answer.head, plan)
        signatures = [signature] if signature else list(found.signatures)
        if len(signatures) > 1:
            raise SignatureRefused(
                Sentence("signatures_differ", count=len(signatures)),
                hint=Sentence("signatures_differ_hint"),
                code="signatures_differ",
            )
        beside = words_beside(found, plan, bibs)
        return Read(plan=plan, answer=answer, signature="".join(signatures), beside=beside)

    def _check_head(self, head: str, plan: Plan) -> None:
        position = self._ledger.chain.position_of(head)
        if position is None:
            raise AnswerRefused(
                Sentence("answer_head_unknown", head=head),
                hint=Sentence("answer_head_unknown_hint"),
                code="other_head",
            )
        if position < self._ledger.plans.completed_at(plan.id):
            raise AnswerRefused(
                Sentence("answer_head_old", head=head, plan=plan.id),
                hint=Sentence("answer_head_old_hint", plan=plan.id),
                code="other_head",
            )

    def draft(self, read: Read) -> str:
        """Return the answer's canonical text, which is what a reviewer signs."""
        return answer_text(read.plan, read.answer)

    def record(
        self,
        read: Read,
        *,
        recorded_by: str,
        replace_stricter: bool = False,
        words_read: bool = False,
    ) -> Recorded:
        """Record an answer; a no also asks running runs of the plan to stop.

        ``words_read``: a person has read the words beside it, and they change nothing.
        AnswerRefused, SignatureRefused: it would not count, loosens conditions, or is unsigned.
        """
        if read.answer.approved and not words_read:
            _check_beside(read.beside)
        self._check_standing(read.answer)
        approval = self._approval(read, recorded_by)
        answers = self._ledger.approvals.of_plan(read.plan.id)
        weighed = weigh([*answers, approval])[-1]
        if not approval.approved:
            self._ledger.approvals.add(approval)
        elif weighed.against is Against.REPEATED and weighed.other in standing(answers):
            return Recorded(plan=read.plan, approval=weighed.other, beside=read.beside, known=True)
        else:
            _check_counts(weighed)
            if not replace_stricter:
                _check_strict(approval, newest_yes(answers, approval.person))
            self._ledger.approvals.add(approval, known=len(answers))
        stopping = () if approval.approved else tuple(self._stop_runs(read.plan, approval))
        return Recorded(
            plan=read.plan,
            approval=approval,
            stopping=stopping,
            beside=read.beside,
            unverified=bool(read.signature) and not approval.signer,
            dropped=weighed.dropped,
        )

    def _check_standing(self, answer: Answer) -> None:
        """Refuse a standing approval that is over, or leaves out what only this plan has."""
        if answer.standing is None:
            return
        now = max(self._clock.now(), self._ledger.chain.newest_time() or self._clock.now())
        if now >= ends_at(answer.standing, str(KB_ZONE)):
            raise AnswerRefused(
                Sentence("answer_standing_past", until=answer.standing.until),
                hint=Sentence("answer_standing_past_hint"),
                code="answer_standing_past",
            )
        for name in answer.conditions.excluded:
            if name.startswith(f"{answer.plan}."):
                raise AnswerRefused(
                    Sentence("answer_standing_number", name=name),
                    hint=Sentence("answer_standing_number_hint"),
                    code="answer_unclear",
                )

    def _approval(self, read: Read, recorded_by: str) -> Approval:
        plan, answer, now = read.plan, read.answer, self._clock.now()
        text, signer, key = "\n".join(answer.statements), "", ""
        if answer.approved and Policy.from_dict(dict(plan.policy)).reviewers is not None:
            if not read.signature:
                raise SignatureRefused(
                    Sentence("signature_missing"),
                    hint=Sentence("signature_missing_hint"),
                    code="signature_missing",
                )
            # A clock that was set back makes no expired key good.
            at = max(now, self._ledger.chain.newest_time() or now)
            text, found = self._proofs.signed(plan, answer, read.signature, at=at)
            signer, key = found.identity, found.key
        given = self._ledger.chain.position_of(answer.head)
        return Approval(
            plan=plan.id,
            plan_digest=answer.digest,
            approved=answer.approved,
            by=answer.by,
            reference=answer.reference,
            text=text or answer.reason,
            recorded_by=recorded_by,
            recorded_at=now,
            statements=answer.statements,
            conditions=answer.conditions,
            head=answer.head,
            language=answer.language,
            signature=read.signature if signer else "",
            signer=signer,
            key=key,
            standing=answer.standing,
            given=-1 if given is None else given,
        )

    def _complete(self, prefix: str) -> tuple[Plan, str]:
        plan = self._ledger.plans.get(prefix)
        if plan.state is not PlanState.COMPLETE or plan.plan_digest is None:
            raise UsageError(
                Sentence("answer_plan_incomplete", plan=plan.id),
                hint=f"bulkrunner resume {plan.id}",
                code="plan_incomplete",
            )
        return plan, plan.plan_digest

    def _bibs(self, plan: Plan) -> int:
        """Return how many of the plan's deletions are bibs."""
        deletes = self._ledger.plans.changes(plan.id, actions=(Action.DELETE,), documents=False)
        return sum(change.kind == "bib" for change in deletes)

    def _holds(self, plan: Plan) -> _Holds:
        return _Holds(self._ledger, plan)

    def _stop_runs(self, plan: Plan, approval: Approval) -> list[Run]:
        running = [
            run
            for run in self._ledger.runs.all(job=plan.job)
            if run.state is RunState.RUNNING and (run.plan == plan.id or self._rests(run, plan))
        ]
        for run in running:
            self._ledger.runs.request_stop(run.id, reason=Sentence("rejected_by", by=approval.by))
        return running

    def _rests(self, run: Run, plan: Plan) -> bool:
        """Return True if a run rests on a standing approval that a no to the plan ends."""
        claim = self._ledger.standing.claim_of(run.id)
        if claim is None or claim.bounds is None:
            return False
        return self._ledger.plans.get(run.plan).addresses == plan.addresses


class _Holds:
    """Tells whether a plan writes a record, or has a change of that name."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan

    def __call__(self, name: str) -> bool:
        return bool(self._ledger.plans.numbers_of(self._plan.id, (name,)))


def _check_beside(beside: str) -> None:
    if asked := asked_about(beside):
        more = len(asked) - MOST_ASKED
        told = "; ".join(repr(one_line(row)[:200]) for row in asked[:MOST_ASKED])
        raise AnswerRefused(
            Sentence("words_beside_more", told=told, more=more)
            if more > 0
            else Sentence("words_beside", told=told),
            hint=Sentence("answer_words_beside_hint"),
            code="words_beside",
        )


def _check_counts(weighed: WeighedAnswer) -> None:
    other = weighed.other
    if weighed.against is None or other is None:
        return
    said = {
        Against.REPEATED: Sentence("answer_repeated", by=other.by, reference=other.reference),
        Against.BEFORE_NO: Sentence("answer_before_no", by=other.by, reference=other.reference),
        Against.BEFORE_STRICTER: Sentence(
            "answer_before_stricter", by=other.by, reference=other.reference
        ),
    }[weighed.against]
    raise AnswerRefused(
        said,
        hint=Sentence("answer_too_old_hint", plan=weighed.answer.plan),
        code="answer_too_old",
    )


def _check_strict(approval: Approval, earlier: Approval | None) -> None:
    if earlier is None:
        return
    lost = earlier.conditions.lost_in(approval.conditions).told()
    given, before = approval.standing, earlier.standing
    if given is not None and before is not None and given.allows_more(before):
        lost.append(before.told())
    if not lost:
        return
    raise AnswerRefused(
        Sentence(
            "answer_looser",
            by=earlier.by,
            reference=earlier.reference,
            lost=Sentence("conditions_listed", parts=lost),
        ),
        hint=Sentence("answer_looser_hint"),
        code="answer_looser",
    )


def _check_statements(plan: Plan, statements: tuple[str, ...]) -> None:
    known = permitted_statements(plan)
    for statement in statements:
        if statement not in known:
            listed = "; ".join(known) or Sentence("statements_none")
            raise UsageError(
                Sentence("plan_statement_unknown", plan=plan.id, statement=repr(statement)),
                hint=Sentence("plan_statements", listed=listed),
                code="unknown_statement",
            )


def _text(option: str, value: str) -> str:
    value = one_line(value)
    if not value:
        raise UsageError(
            Sentence("option_empty", option=option), hint=Sentence("answer_person_hint")
        )
    return value
