"""Records KB's answer to a plan: a yes or a no, bound to the plan's digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bulkrunner.domain.answer_text import Answer, answer_text
from bulkrunner.domain.answer_text import line as one_line
from bulkrunner.domain.approvals import (
    REJECTED,
    Against,
    Approval,
    Conditions,
    WeighedAnswer,
    newest_yes,
    permitted_statements,
    standing,
    weigh,
)
from bulkrunner.domain.courtesies import asked_about
from bulkrunner.domain.filled_forms import Found
from bulkrunner.domain.plan import Action, Plan, PlanState
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Clock, Ledger
from bulkrunner.domain.run import Run, RunState
from bulkrunner.errors import AnswerRefused, SignatureRefused, UsageError
from bulkrunner.services.answers import (
    excluded,
    other_digest,
    plan_named,
    the_answer,
    understood,
    words_beside,
)
from bulkrunner.services.proofs import Proofs

MOST_ASKED = 10
"""Lines beside an answer that a message shows."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of an answer.

    Attributes:
        stopping: runs that were asked to stop. beside: words that stood outside of the answer.
        unverified: a signature stands there that nobody asked for and nobody verified.
        known: it was recorded before, and counts; nothing was recorded now.
        dropped: conditions of the person's earlier answer that do not count any more.
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


class Approving:
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
    ) -> Read:
        """Return an answer that the operator was told; ``digest`` is the one that it names, if any.

        Raises:
            UsageError: unknown or incomplete plan, empty name or reference, another digest,
                a statement that is none of the plan's, an excluded record that it does not write.
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
            head=self._ledger.head(),
            bibs=self._bibs(plan),
            by=_text("--by", by),
            reference=_text("--reference", reference),
            statements=statements,
            conditions=Conditions(
                per_night=asked.per_night,
                not_before=asked.not_before,
                excluded=excluded(exclude, plan, self._holds(plan)),
            ),
        )
        return Read(plan=plan, answer=answer)

    def read(
        self, found: Found, *, approved: bool, prefix: str | None = None, signature: str = ""
    ) -> Read:
        """Return the answer that stands in a reviewer's text.

        Args:
            found: what was read out of the text.
            approved: what it must say.
            prefix: plan that it must be to; None: the one that it names.
            signature: from a file of its own; empty: the one that stands in the text.

        Raises:
            AnswerRefused: it cannot be recorded as it stands.
            UsageError: the plan is unknown or not complete.
        """
        form = the_answer(found, approved=approved)
        plan, _ = self._complete(plan_named(form))
        if prefix is not None and self._ledger.plan(prefix).id != plan.id:
            raise AnswerRefused(
                f"the answer is to plan {plan.id}, not to {prefix}",
                hint=f"bulkrunner {'approve' if approved else 'reject'} --from FILE takes the plan "
                "that the answer names",
                code="other_plan",
            )
        bibs = self._bibs(plan)
        answer = understood(form, plan, holds=self._holds(plan), bibs=bibs)
        self._check_head(answer.head, plan)
        signatures = [signature] if signature else list(found.signatures)
        if len(signatures) > 1:
            raise SignatureRefused(
                f"{len(signatures)} different signatures stand in this text",
                hint="leave only the one under this answer",
                code="signatures_differ",
            )
        beside = words_beside(found, plan, bibs)
        return Read(plan=plan, answer=answer, signature="".join(signatures), beside=beside)

    def _check_head(self, head: str, plan: Plan) -> None:
        position = self._ledger.position_of(head)
        if position is None:
            raise AnswerRefused(
                f"the report that was answered names the head {head}, which this ledger has "
                "never had: it is another ledger, or it was rewritten since",
                hint="run: bulkrunner ledger check; then send the report of this ledger",
                code="other_head",
            )
        if position < self._ledger.completed_at(plan.id):
            raise AnswerRefused(
                f"the answer names the head {head}, which is older than plan {plan.id}: it is of "
                "the report of another plan",
                hint=f"send the report again: bulkrunner report {plan.id}",
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

        Args:
            read: the answer.
            recorded_by: account@host of who records it.
            replace_stricter: it may drop conditions of the person's earlier answer.
            words_read: a person has read the words beside it, and they change nothing.

        Raises:
            AnswerRefused: it would not count, drops conditions, or other words stand beside it.
            SignatureRefused: the plan's policy asks for a signature, and there is no good one.
        """
        if read.answer.approved and not words_read:
            _check_beside(read.beside)
        approval = self._approval(read, recorded_by)
        answers = self._ledger.approvals(read.plan.id)
        weighed = weigh([*answers, approval])[-1]
        if not approval.approved:
            self._ledger.add_approval(approval)
        elif weighed.against is Against.REPEATED and weighed.other in standing(answers):
            return Recorded(plan=read.plan, approval=weighed.other, beside=read.beside, known=True)
        else:
            _check_counts(weighed)
            if not replace_stricter:
                _check_strict(approval, newest_yes(answers, approval.person))
            self._ledger.add_approval(approval, known=len(answers))
        stopping = () if approval.approved else tuple(self._stop_runs(read.plan, approval))
        return Recorded(
            plan=read.plan,
            approval=approval,
            stopping=stopping,
            beside=read.beside,
            unverified=bool(read.signature) and not approval.signer,
            dropped=weighed.dropped,
        )

    def _approval(self, read: Read, recorded_by: str) -> Approval:
        plan, answer, now = read.plan, read.answer, self._clock.now()
        text, signer, key = "\n".join(answer.statements), "", ""
        if answer.approved and Policy.from_dict(dict(plan.policy)).reviewers is not None:
            if not read.signature:
                raise SignatureRefused(
                    "the answer is not signed, as policy asks",
                    hint="have the text signed that this writes: bulkrunner approve … --draft FILE",
                    code="signature_missing",
                )
            # A clock that was set back makes no expired key good.
            at = max(now, self._ledger.newest_time() or now)
            text, found = self._proofs.signed(plan, answer, read.signature, at=at)
            signer, key = found.identity, found.key
        given = self._ledger.position_of(answer.head)
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
            given=-1 if given is None else given,
        )

    def _complete(self, prefix: str) -> tuple[Plan, str]:
        plan = self._ledger.plan(prefix)
        if plan.state is not PlanState.COMPLETE or plan.plan_digest is None:
            raise UsageError(
                f"plan {plan.id} is not complete; there is nothing to answer to yet",
                hint=f"bulkrunner resume {plan.id}",
                code="plan_incomplete",
            )
        return plan, plan.plan_digest

    def _bibs(self, plan: Plan) -> int:
        """Return how many of the plan's deletions are bibs."""
        deletes = self._ledger.changes(plan.id, actions=(Action.DELETE,), documents=False)
        return sum(change.kind == "bib" for change in deletes)

    def _holds(self, plan: Plan) -> _Holds:
        return _Holds(self._ledger, plan)

    def _stop_runs(self, plan: Plan, approval: Approval) -> list[Run]:
        running = [run for run in self._ledger.runs(plan=plan.id) if run.state is RunState.RUNNING]
        for run in running:
            self._ledger.request_stop(run.id, reason=f"{REJECTED}{approval.by}")
        return running


class _Holds:
    """Tells whether a plan writes a record, or has a change of that name."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan

    def __call__(self, name: str) -> bool:
        return bool(self._ledger.numbers_of(self._plan.id, (name,)))


def _check_beside(beside: str) -> None:
    """Raise AnswerRefused if words beside a yes may change what it says."""
    if asked := asked_about(beside):
        more = f" (and {len(asked) - MOST_ASKED} lines more)" if len(asked) > MOST_ASKED else ""
        told = "; ".join(repr(one_line(row)[:200]) for row in asked[:MOST_ASKED])
        raise AnswerRefused(
            f"words that are not the form's stand beside the answer: {told}{more}",
            hint="read them: where they change nothing, give the same command with --words-read; "
            "where they set a condition, have the answer sent again with that on its line",
            code="words_beside",
        )


def _check_counts(weighed: WeighedAnswer) -> None:
    other = weighed.other
    if weighed.against is None or other is None:
        return
    said = {
        Against.REPEATED: f"this answer of {other.by} ({other.reference}) was recorded before, and "
        "does not count any more; an answer counts once",
        Against.BEFORE_NO: f"the report that was answered is older than the no of {other.by} "
        f"({other.reference}); whether the yes was given after it cannot be known",
        Against.BEFORE_STRICTER: f"the report that was answered is older than the one that "
        f"{other.by} answered more strictly ({other.reference})",
    }[weighed.against]
    raise AnswerRefused(
        said,
        hint="send the report as it is now, and have that answered: bulkrunner report "
        f"{weighed.answer.plan}",
        code="answer_too_old",
    )


def _check_strict(approval: Approval, earlier: Approval | None) -> None:
    if earlier is None or not (lost := earlier.conditions.lost_in(approval.conditions)):
        return
    raise AnswerRefused(
        f"this answer is looser than the one before: {earlier.by} ({earlier.reference}) asked for "
        f"{lost.describe()}",
        hint="where that is meant to count no more, give the same command with --replace; else "
        "give the condition too",
        code="answer_looser",
    )


def _check_statements(plan: Plan, statements: tuple[str, ...]) -> None:
    known = permitted_statements(plan)
    for statement in statements:
        if statement not in known:
            listed = "; ".join(known) or "none: the plan's policy is the built-in one"
            raise UsageError(
                f"plan {plan.id} has no policy value {statement!r}",
                hint=f"statements of this plan: {listed}",
                code="unknown_statement",
            )


def _text(option: str, value: str) -> str:
    value = one_line(value)
    if not value:
        raise UsageError(f"{option} is empty", hint="name the person and where the answer is kept")
    return value
