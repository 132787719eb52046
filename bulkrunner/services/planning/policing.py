"""Refuses changes of places that a rule of the policy file forbids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bulkrunner.domain.plan import Action, Plan, PlannedChange
from bulkrunner.domain.rules import FORBIDDEN, Rule, forbidden_places, touches


def policed(plan: Plan, changes: Sequence[PlannedChange]) -> list[PlannedChange]:
    """Return the changes; one that touches a place that a rule of the plan forbids is refused."""
    forbidden = forbidden_places(plan)
    if not forbidden:
        return list(changes)
    places = tuple(forbidden)
    return [
        _refused(change, place, forbidden[place]) if (place := touches(change, places)) else change
        for change in changes
    ]


def _refused(change: PlannedChange, place: str, rule: Rule) -> PlannedChange:
    return replace(
        change,
        action=Action.REFUSED,
        target_key=None,
        after=None,
        predicted=None,
        after_fingerprint=None,
        cleanups=(),
        pattern="",
        code=FORBIDDEN,
        message=f"rule {rule.id} forbids to change {place} ({rule.source})",
    )
