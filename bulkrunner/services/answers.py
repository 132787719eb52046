"""What a reviewer's text means for a plan, and whether its signature proves it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from bulkrunner.domain.answer_text import (
    Answer,
    Fields,
    Found,
    answer_text,
    bibs_in,
    line,
    spellings,
)
from bulkrunner.domain.approval_terms import MOST_EXCLUDED, Conditions
from bulkrunner.domain.approvals import permitted_statements
from bulkrunner.domain.environment import Policy
from bulkrunner.domain.gates import Approval, Signer
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import Signatures
from bulkrunner.errors import AnswerRefused, SignatureRefused

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLAN = re.compile(r"p-[0-9a-z]{1,40}")
_NUMBER = re.compile(r"(p-[0-9a-z]{1,40})\.([1-9][0-9]{0,8})")
_NIGHT = re.compile(
    r"(?:at most|högst)?\s*([0-9]{1,7}(?:[ .,][0-9]{3})*)(?:\s*[^\W\d_].{0,60})?", re.IGNORECASE
)
_BETWEEN = frozenset({"och", "and", "samt", "-"})
_DASHES = re.compile(r"[\u2010-\u2015\u2212]")
_SPLIT = re.compile(r"[\s,;]+")


def the_answer(found: Found, *, approved: bool) -> Fields:
    """Return the one answer of a text.

    Raises:
        AnswerRefused: there is none, it is not filled in, there are several, or it says the other.
    """
    if not found.answers:
        if found.blank:
            raise AnswerRefused(
                "the answer is not filled in: neither a name nor a case number stands in it",
                hint="ask for a new one, or record it: approve PLAN --by NAME --reference REF",
                code="answer_blank",
            )
        raise AnswerRefused(
            "no answer stands in this text",
            hint="it begins like this: We approve that this plan is run. / "
            "Vi godkänner att den här planen körs.",
            code="answer_missing",
        )
    if len(found.answers) > 1:
        told = "; ".join(_told(fields) for fields in found.answers[:5])
        raise AnswerRefused(
            f"{len(found.answers)} answers that differ stand in this text: {told}",
            hint="leave only the one that counts",
            code="answers_differ",
        )
    fields = found.answers[0]
    if fields.approved is not approved:
        says, command = ("yes", "approve") if fields.approved else ("no", "reject")
        raise AnswerRefused(
            f"the answer says {says}: {_told(fields)}",
            hint=f"record it so: bulkrunner {command} --from FILE",
            code="answer_says_otherwise",
        )
    return fields


def _told(fields: Fields) -> str:
    verdict = "yes" if fields.approved else "no"
    who = line(fields["by"]) or "nobody"
    return f"{verdict} to {line(fields['plan'])[:60] or 'no plan'} by {who}"


def plan_named(fields: Fields) -> str:
    """Return the id of the plan that an answer is to.

    Raises:
        AnswerRefused: it names none.
    """
    name = _hyphened("".join(fields["plan"].split()))
    if not _PLAN.fullmatch(name):
        raise _unclear("plan", fields["plan"], "a plan's id, as p-4k7x2mw9qz")
    return name


def understood(fields: Fields, plan: Plan, *, holds: Callable[[str], bool]) -> Answer:
    """Return what an answer says of a plan.

    Args:
        fields: as found in the text.
        plan: that it is to.
        holds: tells whether the plan has such a record or ``<plan>.<number>``.

    Raises:
        AnswerRefused: it is to another digest, or something in it cannot be understood.
    """
    digest = _digest("digest", fields)
    if digest != plan.plan_digest:
        raise other_digest(digest, plan)
    for name, label in (("by", "name"), ("reference", "case number")):
        if not line(fields[name]).strip(" ._"):
            raise AnswerRefused(
                f"the answer has no {label}", hint="ask for it", code="answer_blank"
            )
    if fields["conditions"].strip():
        raise _unclear("conditions", fields["conditions"], "nothing; use the lines below it")
    return Answer(
        approved=fields.approved,
        plan=plan.id,
        digest=digest,
        head=_digest("head", fields),
        by=line(fields["by"]),
        reference=line(fields["reference"]),
        reason=line(fields["reason"]),
        statements=_agreed(fields["agreed"], plan),
        conditions=_conditions(fields, plan, holds),
        language=fields.language,
    )


def other_digest(digest: str, plan: Plan) -> AnswerRefused:
    """Return the error of an answer to another plan than this."""
    return AnswerRefused(
        f"the answer is to {digest}, but plan {plan.id} has {plan.plan_digest}",
        hint="the plan was made again after the report was sent; send the new report",
        code="other_digest",
    )


def _digest(name: str, fields: Fields) -> str:
    found = _DIGEST.match("".join(fields[name].split()).lower())
    if found is None:
        raise _unclear(name, fields[name], "sha256: and 64 digits, as the report has it")
    return found[0]


def _agreed(text: str, plan: Plan) -> tuple[str, ...]:
    """Return the statements of the plan that stand in a text, in the plan's order."""
    rest = f" {' '.join(text.split())} "
    known = permitted_statements(plan)
    there = set()
    for statement in sorted(known, key=len, reverse=True):
        told = f" {' '.join(statement.split())} "
        if told in rest:
            there.add(statement)
            rest = rest.replace(told, " ")
    if left := rest.strip(" -•*·"):
        listed = "; ".join(known) or "nothing: the plan's policy is the built-in one"
        raise AnswerRefused(
            f"the answer agrees to {left[:200]!r}, which plan {plan.id} does not ask for",
            hint=f"statements of this plan: {listed}",
            code="unknown_statement",
        )
    return tuple(statement for statement in known if statement in there)


def _conditions(fields: Fields, plan: Plan, holds: Callable[[str], bool]) -> Conditions:
    return Conditions(
        per_night=_per_night(fields["per_night"]),
        not_before=_day(_hyphened(fields["not_before"])),
        excluded=excluded(_SPLIT.split(_hyphened(fields["excluded"])), plan, holds),
    )


def _hyphened(text: str) -> str:
    """Return text with the hyphens that a mail program has made dashes of."""
    return _DASHES.sub("-", text)


def _per_night(text: str) -> int | None:
    if not (text := text.strip(" ._-")):
        return None
    found = _NIGHT.fullmatch(text)
    number = re.sub(r"[ .,]", "", found[1]) if found else ""
    if not number or int(number) < 1:
        raise _unclear("per_night", text, "a whole number from 1, as 500")
    return int(number)


def _day(text: str) -> date | None:
    if not (text := text.strip(" ._")):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _unclear("not_before", text, "a day, as 2026-12-01") from None


def excluded(given: Sequence[str], plan: Plan, holds: Callable[[str], bool]) -> tuple[str, ...]:
    """Return records and changes that a yes leaves out, each once.

    Raises:
        AnswerRefused: one is no id, or the plan does not write it.
    """
    words = [word.strip(" .<>()") for word in given]
    named = [word for word in words if word and word.casefold() not in _BETWEEN]
    found = tuple(dict.fromkeys(_excluded(word, plan) for word in named))
    if len(found) > MOST_EXCLUDED:
        raise AnswerRefused(
            f"{len(found)} records are excluded, more than {MOST_EXCLUDED}",
            hint="make another plan without them",
            code="answer_unclear",
        )
    for word in found:
        if not holds(word):
            raise AnswerRefused(
                f"the answer excludes {word}, which plan {plan.id} does not write",
                hint="the report names every record and change of the plan",
                code="unknown_exclusion",
            )
    return found


def _excluded(word: str, plan: Plan) -> str:
    if (number := _NUMBER.fullmatch(word)) and number[1] == plan.id:
        return word
    name = word.removesuffix("#it").rpartition("/")[2]
    if not SHORT_ID.fullmatch(name):
        raise _unclear("excluded", word, f"ids of records, or of changes as {plan.id}.12")
    return name


def _unclear(name: str, text: str, wanted: str) -> AnswerRefused:
    what = _NAMES.get(name, name)
    return AnswerRefused(
        f"the answer's line {what!r} has {line(text)[:100]!r}; it must hold {wanted}",
        hint="ask what is meant; the program keeps only what it understands",
        code="answer_unclear",
    )


_NAMES = {
    "plan": "Plan",
    "digest": "Kontrollsumma/Digest",
    "head": "Liggarens kontrollvärde/Ledger",
    "conditions": "Villkor/Conditions",
    "per_night": "Högst per natt/At most per night",
    "not_before": "Inte före/Not before",
    "excluded": "Undantagna poster/Excluded records",
}


NO_REVIEWERS = (
    "policy asked for signed answers when the plan was made, and names no reviewers now: put "
    "[policy] reviewers back, or make a new plan"
)


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
        raise error or SignatureRefused("nothing was signed")

    def unsound(self, plan: Plan, approval: Approval) -> str:
        """Return why a recorded yes does not prove what the plan's policy asks for, or nothing."""
        if Policy.from_dict(dict(plan.policy)).reviewers is None:
            return ""
        if self._reviewers() is None:
            return NO_REVIEWERS
        if not approval.signature:
            return f"the answer of {approval.by} is not signed, as policy asks"
        if approval.text not in spellings(answer_text(plan, as_answer(approval))):
            return f"what {approval.by} signed is not what was recorded"
        try:
            found = self._by_reviewer(plan, approval.text, approval.signature, approval.recorded_at)
        except SignatureRefused as refused:
            return f"the signature of {approval.by}: {refused.message}"
        if (found.identity, found.key) != (approval.signer, approval.key):
            return f"the answer of {approval.by} was signed by {found.identity}"
        return ""

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
            raise SignatureRefused("signatures cannot be verified here")
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
