"""The first changes of a production run: one of every pattern, verified before the rest."""

from __future__ import annotations

from collections.abc import Iterable

from bulkrunner.domain.approval_terms import EXCLUDED
from bulkrunner.domain.ports import Ended
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.services.applying.budget import BAD

PREREQUISITE = "prerequisite"
"""Code of a change that was not tried, since another one had to precede it."""

TRIES = 3
"""Changes of one pattern looked out at first; more where these are no longer as planned."""


def to_prove(run: Iterable[Ended], tries: int) -> dict[str, list[int]]:
    """Return for each pattern that no change of a run has proven the first that are pending.

    Args:
        run: its changes in plan order; their documents are not looked at.
        tries: at most so many of a pattern.
    """
    done: set[str] = set()
    found: dict[str, list[int]] = {}
    for ended in run:
        pattern = ended.change.pattern
        if is_proven(ended.result):
            done.add(pattern)
        elif ended.result.outcome is Outcome.PENDING:
            numbers = found.setdefault(pattern, [])
            if len(numbers) < tries:
                numbers.append(ended.change.number)
    return {pattern: numbers for pattern, numbers in found.items() if pattern not in done}


def is_proven(result: Result | None) -> bool:
    """Tell whether a change shows that its pattern does what was planned."""
    return (
        result is not None
        and result.outcome is Outcome.APPLIED
        and not result.detail.get("not_as_predicted")
    )


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
