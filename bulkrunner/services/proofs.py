"""Signatures under answers: whether they prove what the policy of a plan asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from bulkrunner.domain.answer_text import Answer, answer_text, bibs_in, spellings
from bulkrunner.domain.approvals import Approval, Signer
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.ports import Signatures
from bulkrunner.errors import SignatureRefused
from bulkrunner.sentences import Sentence

NO_REVIEWERS = Sentence("answer_no_reviewers")


class Proofs:
    """Verifies signatures of answers."""

    def __init__(
        self,
        signatures: Signatures | None,
        *,
        reviewers: Callable[[], tuple[str, ...] | None] = lambda: None,
    ) -> None:
        """Take what verifies, and today's reviewers; None where policy asks for no signature."""
        self._signatures = signatures
        self._reviewers = reviewers

    def signed(
        self, plan: Plan, answer: Answer, signature: str, *, at: datetime
    ) -> tuple[str, Signer]:
        """Return the very text that was signed, and by whom.

        Raises:
            SignatureRefused: the signature is not good, with the reason.
        """
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
        """Return who signed: a reviewer when the plan was made, and still one today.

        Raises:
            SignatureRefused: the signature is not good, with the reason.
        """
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
    """Return the answer that was recorded."""
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
    )
