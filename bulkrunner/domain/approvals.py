"""Whether the answers to a plan allow it to be run, and under which conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bulkrunner.domain.approval_terms import Conditions, strictest
from bulkrunner.domain.environment import LooserValue, Policy
from bulkrunner.domain.gates import Approval
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.rules import Level, approvers, broken
from bulkrunner.domain.undo import UNTRIED, undone_by


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
    """An answer, and whether it counts.

    Attributes:
        against: why it does not count; None where it does. other: the answer that stands against
            it. said: what it lacks, or what is wrong with its signature.
        replaces: the same person's earlier answer in whose place it stands.
    """

    answer: Approval
    against: Against | None = None
    other: Approval | None = None
    said: str = ""
    replaces: Approval | None = None

    @property
    def counts(self) -> bool:
        """Whether it is heeded."""
        return self.against is None

    @property
    def dropped(self) -> Conditions:
        """What the answer that it replaces asked for, and this one does not."""
        earlier = self.replaces
        return earlier.conditions.lost_in(self.answer.conditions) if earlier else Conditions()


@dataclass(frozen=True, kw_only=True)
class Permit:
    """What the answers to a plan come to.

    Attributes:
        closed: why they do not allow it; empty where they do.
        counted: the yeses that count. conditions: of every yes that stands, the strictest.
        weighed: every answer, oldest first.
    """

    closed: str = ""
    counted: tuple[Approval, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    weighed: tuple[WeighedAnswer, ...] = ()


def weigh(answers: Sequence[Approval]) -> list[WeighedAnswer]:
    """Return which answers, given oldest first, stand: of each person the newest yes since the last no.

    What counts is when an answer was given: not before the head that it names. A yes counts after
    a no only where it answers a report that was made after that no was recorded, and never in the
    place of the same person's stricter answer to a later report. The same answer counts once.
    """
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
    return bool(more or earlier.conditions.lost_in(answer.conditions))


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
    plan: Plan, answers: Sequence[Approval], *, unsound: Callable[[Approval], str]
) -> Permit:
    """Weigh the answers to a plan; ``unsound`` says why an answer's signature does not hold."""
    weighed = [_tested(plan, one, unsound) for one in weigh(answers)]
    untested = standing(answers)
    conditions = strictest(answer.conditions for answer in untested)
    if not untested:
        return Permit(closed=_nobody(plan, weighed), weighed=tuple(weighed))
    counted = tuple(one.answer for one in weighed if one.counts and one.answer.approved)
    needed = approvers(plan)
    closed = ""
    if len(counted) < needed:
        closed = "; ".join(one.said for one in weighed if one.said)
        if needed > 1:
            told = f"{len(counted)} of the {needed} people said yes whom a plan of this size needs"
            closed = f"{told}; {closed}" if closed else told
    return Permit(closed=closed, counted=counted, conditions=conditions, weighed=tuple(weighed))


def _tested(plan: Plan, one: WeighedAnswer, unsound: Callable[[Approval], str]) -> WeighedAnswer:
    if not one.counts or not one.answer.approved:
        return one
    if lacks := missing(plan, one.answer):
        return replace(one, against=Against.LACKING, said=lacks)
    if fault := unsound(one.answer):
        return replace(one, against=Against.UNSOUND, said=fault)
    return one


def _nobody(plan: Plan, weighed: Sequence[WeighedAnswer]) -> str:
    if no := the_no(weighed):
        return f"{no.by} said no ({no.reference})"
    return (
        "nobody has approved this plan; send its report and record the answer: "
        f"bulkrunner approve {plan.id} --by NAME --reference REF"
    )


def missing(plan: Plan, answer: Approval) -> str:
    """Return what a yes lacks to allow the plan; empty where it lacks nothing."""
    if answer.plan_digest != plan.plan_digest:
        return "the recorded answer is to another plan digest"
    absent = [text for text in required_statements(plan) if text not in answer.statements]
    if absent:
        return "the approval does not name what is looser than the built-in policy: " + "; ".join(
            absent
        )
    return ""


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


def agrees_untried(found: Permit) -> bool:
    """Tell whether everybody says yes to an undo that no test environment has tried."""
    return bool(found.counted) and all(UNTRIED in answer.statements for answer in found.counted)
