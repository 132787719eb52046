"""Whether the answers to a plan allow it to be run, and under which conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bulkrunner.domain.approval_terms import Conditions, strictest
from bulkrunner.domain.environment import LooserValue, Policy
from bulkrunner.domain.gates import Approval
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.rules import Level, approvers, broken
from bulkrunner.domain.undo import UNTRIED, undone_by


@dataclass(frozen=True, kw_only=True)
class Permit:
    """What the answers to a plan come to.

    Attributes:
        closed: why they do not allow it; empty where they do.
        counted: the yeses that count. conditions: of every yes that stands, the strictest.
    """

    closed: str = ""
    counted: tuple[Approval, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)


def standing(answers: Sequence[Approval]) -> list[Approval]:
    """Return the newest yes of each person since the last no; a no withdraws every yes.

    Args:
        answers: oldest first.
    """
    newest: dict[str, Approval] = {}
    for answer in answers:
        if answer.approved:
            newest.pop(answer.person, None)
            newest[answer.person] = answer
        else:
            newest.clear()
    return list(newest.values())


def permit(
    plan: Plan, answers: Sequence[Approval], *, unsound: Callable[[Approval], str]
) -> Permit:
    """Weigh the answers to a plan.

    Args:
        plan: that they are to.
        answers: oldest first.
        unsound: says why an answer's signature does not hold; empty where it does.
    """
    valid = standing(answers)
    conditions = strictest(answer.conditions for answer in valid)
    if not valid:
        return Permit(closed=_nobody(plan, answers))
    reasons = {answer.person: missing(plan, answer) or unsound(answer) for answer in valid}
    counted = tuple(answer for answer in valid if not reasons[answer.person])
    needed = approvers(plan)
    closed = ""
    if len(counted) < needed:
        why = [reason for reason in reasons.values() if reason]
        closed = "; ".join(why)
        if needed > 1:
            told = f"{len(counted)} of the {needed} people said yes whom a plan of this size needs"
            closed = f"{told}; {closed}" if closed else told
    return Permit(closed=closed, counted=counted, conditions=conditions)


def _nobody(plan: Plan, answers: Sequence[Approval]) -> str:
    if answers:
        return f"{answers[-1].by} said no ({answers[-1].reference})"
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
