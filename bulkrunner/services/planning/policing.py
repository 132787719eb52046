"""Refuses changes of places that a rule of the policy file forbids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import WRITING
from bulkrunner.domain.rules import FORBIDDEN, Rule, touches
from bulkrunner.services.planning.refusing import refused
from bulkrunner.services.planning.steps import Draft


def policed(drafts: Sequence[Draft], forbidden: Mapping[str, Rule]) -> list[Draft]:
    """Return the drafts of one entry, all refused where one touches a forbidden place.

    Args:
        drafts: that come about together or not at all.
        forbidden: places, each with the rule that forbids it.
    """
    places = tuple(forbidden)
    touched = [place for draft in drafts if (place := touches(draft.change, places))]
    if not touched:
        return list(drafts)
    rule = forbidden[touched[0]]
    refusal = Refusal(
        code=FORBIDDEN,
        message=f"rule {rule.id} forbids to change {touched[0]} ({rule.source})",
    )
    return [
        replace(draft, change=refused(draft.change, refusal))
        if draft.change.action in WRITING
        else draft
        for draft in drafts
    ]
