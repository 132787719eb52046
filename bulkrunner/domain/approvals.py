"""Answers to a plan: which of them count, and under which conditions it may be run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.domain.plan import Plan
from bulkrunner.domain.policy import LooserValue, Policy
from bulkrunner.domain.rules import Level, approvers, broken
from bulkrunner.domain.standing import Bounds
from bulkrunner.domain.text import same_to_the_eye
from bulkrunner.domain.undo import UNTRIED, undone_by
from bulkrunner.sentences import Sentence, joined

EXCLUDED = "excluded"  # code of a change that the approval leaves out

REJECTED = "rejected_by"  # says of a stop that a no has brought it about

# A night, for which a maximum may be set, lasts from here to the same hour of the next day.
NIGHT_BEGINS = time(18, 0)

MOST_EXCLUDED = 10_000


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a yes asks for besides."""

    per_night: int | None = None  # requests that write, at most, in one night
    # Day before which nothing is written, by the environment's clock.
    not_before: date | None = None
    # Records (short ids), or changes as ``<plan>.<number>``, that are left alone.
    excluded: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.per_night is not None or self.not_before is not None or bool(self.excluded)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data; what is not asked for is left out."""
        found: dict[str, Any] = {}
        if self.per_night is not None:
            found["per_night"] = self.per_night
        if self.not_before is not None:
            found["not_before"] = self.not_before.isoformat()
        if self.excluded:
            found["excluded"] = list(self.excluded)
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Conditions:
        """Read back what ``as_dict`` wrote."""
        day = data.get("not_before")
        return cls(
            per_night=data.get("per_night"),
            not_before=None if day is None else date.fromisoformat(day),
            excluded=tuple(data.get("excluded", ())),
        )

    def lost_in(self, later: Conditions) -> Conditions:
        """Return what these ask for and later ones do not; nothing where those are as strict."""
        night, day = later.per_night, later.not_before
        fewer = self.per_night is not None and (night is None or night > self.per_night)
        sooner = self.not_before is not None and (day is None or day < self.not_before)
        return Conditions(
            per_night=self.per_night if fewer else None,
            not_before=self.not_before if sooner else None,
            excluded=tuple(one for one in self.excluded if one not in frozenset(later.excluded)),
        )

    def told(self) -> list[Sentence]:
        """Return what is said of each."""
        parts = []
        if self.per_night is not None:
            parts.append(Sentence("condition_per_night", most=self.per_night))
        if self.not_before is not None:
            parts.append(Sentence("condition_not_before", day=self.not_before))
        if self.excluded:
            parts.append(Sentence("condition_excluded", count=len(self.excluded)))
        return parts

    def describe(self) -> Sentence:
        """Return them as one line, empty where there are none."""
        return Sentence("conditions_listed", parts=self.told())


def strictest(all_of_them: Iterable[Conditions]) -> Conditions:
    """Return conditions that keep every one of those given."""
    found = list(all_of_them)
    nights = [one.per_night for one in found if one.per_night is not None]
    days = [one.not_before for one in found if one.not_before is not None]
    return Conditions(
        per_night=min(nights, default=None),
        not_before=max(days, default=None),
        excluded=tuple(dict.fromkeys(record for one in found for record in one.excluded)),
    )


def opens_at(day: date, timezone: str) -> datetime:
    """Return the moment at which a day begins."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(timezone))


def night_of(now: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Return when the present night began and when the next one begins."""
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    day = local.date() if local.time() >= NIGHT_BEGINS else local.date() - timedelta(days=1)
    return tuple(  # type: ignore[return-value]
        datetime.combine(day + timedelta(days=more), NIGHT_BEGINS, tzinfo=zone) for more in (0, 1)
    )


class Against(StrEnum):
    """Why an answer does not count, or not any more."""

    REJECTED = "rejected"
    ANSWERED = "answered"
    REPLACED = "replaced"
    REPEATED = "repeated"
    BEFORE_NO = "before_no"
    BEFORE_STRICTER = "before_stricter"
    LACKING = "lacking"
    UNSOUND = "unsound"


@dataclass(frozen=True, kw_only=True)
class WeighedAnswer:
    """An answer, and whether it counts."""

    answer: Approval
    against: Against | None = None  # why it does not count; None where it does
    other: Approval | None = None  # the answer that stands against it
    said: str = ""  # what it lacks, or what is wrong with its signature
    replaces: Approval | None = None  # the same person's earlier answer in whose place it stands

    @property
    def counts(self) -> bool:
        """Return True if it is heeded."""
        return self.against is None

    @property
    def dropped(self) -> Conditions:
        """What the answer that it replaces asked for, and this one does not."""
        earlier = self.replaces
        return earlier.conditions.lost_in(self.answer.conditions) if earlier else Conditions()


@dataclass(frozen=True, kw_only=True)
class ApprovalDecision:
    """What the answers to a plan come to."""

    closed: str = ""  # why they do not allow it; empty where they do
    counted: tuple[Approval, ...] = ()  # the yeses that count
    # Of every yes that stands, the strictest.
    conditions: Conditions = field(default_factory=Conditions)
    weighed: tuple[WeighedAnswer, ...] = ()  # every answer, oldest first


def weigh(answers: Sequence[Approval]) -> list[WeighedAnswer]:
    """Return which answers, given oldest first, stand: of each person the newest yes since the last no."""
    # What counts is when an answer was given: not before the head that it names. A yes counts after
    # a no only where it answers a report that was made after that no was recorded, and never in the
    # place of the same person's stricter answer to a later report. The same answer counts once.
    found: list[WeighedAnswer] = []
    for answer in answers:
        new = _weigh_yes(answer, found) if answer.approved else WeighedAnswer(answer=answer)
        if new.counts:
            found = [_after(earlier, answer) for earlier in found]
        found.append(new)
    return found


def _weigh_yes(answer: Approval, found: Sequence[WeighedAnswer]) -> WeighedAnswer:
    for earlier in found:
        if answer.repeats(earlier.answer):
            return WeighedAnswer(answer=answer, against=Against.REPEATED, other=earlier.answer)
    last_no = max((n for n, one in enumerate(found) if not one.answer.approved), default=-1)
    if last_no >= 0 and answer.given < (no := found[last_no].answer).event:
        return WeighedAnswer(answer=answer, against=Against.BEFORE_NO, other=no)
    taken = [
        one.answer
        for one in found[last_no + 1 :]
        if one.answer.person == answer.person and one.against in (None, Against.REPLACED)
    ]
    for own in taken:
        if answer.given < own.given and _allows_more(answer, own):
            return WeighedAnswer(answer=answer, against=Against.BEFORE_STRICTER, other=own)
    return WeighedAnswer(answer=answer, replaces=taken[-1] if taken else None)


def _allows_more(answer: Approval, earlier: Approval) -> bool:
    more = set(answer.statements) - set(earlier.statements)
    wider = answer.standing is not None and answer.standing.allows_more(earlier.standing)
    return bool(more or wider or earlier.conditions.lost_in(answer.conditions))


def _after(earlier: WeighedAnswer, answer: Approval) -> WeighedAnswer:
    if not earlier.counts:
        return earlier
    if not answer.approved:
        against = Against.REJECTED if earlier.answer.approved else Against.REPLACED
    elif not earlier.answer.approved:
        against = Against.ANSWERED
    elif earlier.answer.person == answer.person:
        against = Against.REPLACED
    else:
        return earlier
    return replace(earlier, against=against, other=answer)


def standing(answers: Sequence[Approval]) -> list[Approval]:
    """Return the yeses that stand; whether their signatures hold is not asked."""
    return [one.answer for one in weigh(answers) if one.counts and one.answer.approved]


def newest_yes(answers: Sequence[Approval], person: str) -> Approval | None:
    """Return a person's newest yes that was ever heeded, also one that a no has withdrawn."""
    heeded = (None, Against.REPLACED, Against.REJECTED)
    found = [
        one.answer
        for one in weigh(answers)
        if one.answer.approved and one.answer.person == person and one.against in heeded
    ]
    return found[-1] if found else None


def the_no(weighed: Sequence[WeighedAnswer]) -> Approval | None:
    """Return the no that stands, None where there is none."""
    return next((one.answer for one in weighed if one.counts and not one.answer.approved), None)


def permit(
    plan: Plan, answers: Sequence[Approval], *, unsound: Callable[[Approval], str | None]
) -> ApprovalDecision:
    """Weigh the answers to a plan; ``unsound`` says why an answer's signature does not hold."""
    weighed = [_tested(plan, one, unsound) for one in weigh(answers)]
    untested = standing(answers)
    conditions = strictest(answer.conditions for answer in untested)
    if not untested:
        return ApprovalDecision(closed=_nobody(plan, weighed), weighed=tuple(weighed))
    counted = tuple(one.answer for one in weighed if one.counts and one.answer.approved)
    needed = approvers(plan)
    closed: str = ""
    if len(counted) < needed:
        why = [one.said for one in weighed if one.said]
        if needed > 1:
            why.insert(0, Sentence("answer_too_few", said=len(counted), needed=needed))
        closed = joined(why)
    return ApprovalDecision(
        closed=closed, counted=counted, conditions=conditions, weighed=tuple(weighed)
    )


def _tested(
    plan: Plan, one: WeighedAnswer, unsound: Callable[[Approval], str | None]
) -> WeighedAnswer:
    if not one.counts or not one.answer.approved:
        return one
    if lacks := missing(plan, one.answer):
        return replace(one, against=Against.LACKING, said=lacks)
    if fault := unsound(one.answer):
        return replace(one, against=Against.UNSOUND, said=fault)
    return one


def _nobody(plan: Plan, weighed: Sequence[WeighedAnswer]) -> Sentence:
    if no := the_no(weighed):
        return Sentence("answer_no", by=no.by, reference=no.reference)
    return Sentence("answer_nobody", plan=plan.id)


def missing(plan: Plan, answer: Approval) -> Sentence | None:
    """Return what a yes lacks to allow the plan; None where it lacks nothing."""
    if answer.plan_digest != plan.plan_digest:
        return Sentence("answer_other_digest")
    absent = [text for text in required_statements(plan) if text not in answer.statements]
    if absent:
        return Sentence("answer_names_not", statements=absent)
    return None


def loosened(plan: Plan) -> tuple[LooserValue, ...]:
    """Return what must be agreed to in particular: values looser than built in, broken rules."""
    values = Policy.from_dict(dict(plan.policy)).loosened()
    rules = (
        LooserValue(name=rule.id, value=said, built_in=rule.source)
        for rule, said in broken(plan, Level.AGREE)
    )
    return (*values, *rules)


def required_statements(plan: Plan) -> tuple[str, ...]:
    """Return what an approval of this plan must contain, word for word."""
    return tuple(item.statement() for item in loosened(plan))


def permitted_statements(plan: Plan) -> tuple[str, ...]:
    """Return what an approval of this plan may contain."""
    own = (UNTRIED,) if undone_by(plan) is not None else ()
    return (*required_statements(plan), *own)


def agrees_untried(found: ApprovalDecision) -> bool:
    """Return True if everybody says yes to an undo that no test environment has tried."""
    return bool(found.counted) and all(UNTRIED in answer.statements for answer in found.counted)


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Whose signature stands under a text: identity and fingerprint of the key."""

    identity: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A recorded answer to one plan digest."""

    plan: str
    plan_digest: str
    approved: bool  # False is a ``reject``
    by: str  # whose answer it is
    reference: str
    text: str  # the answer as recorded; of a signed one the very text that was signed
    recorded_by: str  # account@host that typed it in; an unsigned answer is shown as such
    recorded_at: datetime
    statements: tuple[str, ...] = ()  # what it agrees to in particular, word for word
    conditions: Conditions = field(default_factory=Conditions)
    head: str = ""  # the ledger's head that the answer names, empty where it names none
    language: str = ""  # of the text; empty where no text was read
    signature: str = ""  # armoured SSH signature, empty where there is none
    signer: str = ""  # identity of the reviewer whose key it is
    key: str = ""  # that key's fingerprint
    standing: Bounds | None = None  # within which later plans may run too; None: this one alone
    # Event of the ledger that ``head`` is of, -1 where none is; the answer is not older.
    given: int = field(default=-1, compare=False)
    event: int = field(default=-1, compare=False)  # by which it was recorded, -1 before that

    @property
    def person(self) -> str:
        """Who answered, for telling approvers apart."""
        return same_to_the_eye(self.signer or self.by)

    def repeats(self, other: Approval) -> bool:
        """Return True if this is the other answer once more: same person, words and head."""
        return bool(self.head) and self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        reference = same_to_the_eye(self.reference)
        terms = (frozenset(self.statements), self.conditions, self.standing)
        return (self.approved, self.plan_digest, self.head, self.person, reference, terms)

    def how(self) -> Sentence:
        """Return how it is known whose answer it is."""
        if self.signer:
            return Sentence("answer_signed_by", signer=self.signer, print=self.key)
        return Sentence("answer_unsigned")
