"""The first changes of a production run: one of every pattern, verified before the rest."""

from __future__ import annotations

from collections.abc import Iterable

from bulkrunner.domain.approval_terms import EXCLUDED
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.services.applying.budget import BAD

PREREQUISITE = "prerequisite"
"""Code of a change that was not tried, since another one had to precede it."""

TRIES = 3
"""Changes of one pattern tried, where the first ones are no longer as planned."""


def candidates(changes: Iterable[PlannedChange]) -> dict[str, list[int]]:
    """Return for each pattern the numbers of its first changes.

    Args:
        changes: of the plan, in order; their documents are not looked at.
    """
    found: dict[str, list[int]] = {}
    for change in changes:
        numbers = found.setdefault(change.pattern, [])
        if len(numbers) < TRIES:
            numbers.append(change.number)
    return found


def proven(result: Result | None) -> bool:
    """Tell whether a change shows that its pattern does what was planned."""
    return result is not None and result.outcome is Outcome.APPLIED


def fault(change: int, pattern: str, result: Result | None) -> str:
    """Return why the run must not go on after this first change, or an empty text."""
    if result is None or result.code in (PREREQUISITE, EXCLUDED):
        return ""
    named = f"the first change of its kind ({pattern}, change {change})"
    if result.outcome in BAD:
        return f"{named} ended {result.outcome}: {result.message or result.code}"
    if places := result.detail.get("not_as_predicted"):
        return f"{named} was not stored as planned: {', '.join(places[:5])}"
    return ""
