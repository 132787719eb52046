"""Refuses changes of places that a rule of the policy file forbids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import WRITING, PlannedChange
from bulkrunner.domain.rules import FORBIDDEN, Rule, touches
from bulkrunner.services.planning.steps import Draft, as_refused


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
    return [replace(draft, change=_refused(draft.change, refusal)) for draft in drafts]


def _refused(change: PlannedChange, refusal: Refusal) -> PlannedChange:
    if change.action not in WRITING:
        return change
    bare = replace(
        change,
        after=None,
        predicted=None,
        before_fingerprint=None,
        after_fingerprint=None,
        cleanups=(),
        pattern="",
        prerequisites=(),
        links=(),
    )
    return replace(bare, **as_refused(refusal))
