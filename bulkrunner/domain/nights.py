"""When work is done of which only so much may be done in one night."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bulkrunner.domain.approval_terms import Conditions, night_of, opens_at
from bulkrunner.domain.windows import end_of_work, next_closing, next_opening


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When writes may be sent: daily windows (none: always) of a time zone."""

    windows: Sequence[str]
    timezone: str


def end_of_writes(
    hours: Hours,
    asked: Conditions,
    begin: datetime,
    *,
    writes: int,
    seconds: float,
    used: Callable[[datetime], int] = lambda _: 0,
) -> datetime | None:
    """Return when so many writes are done under the conditions of a yes; None where never.

    Args:
        hours: of the environment.
        asked: the conditions.
        begin: when the first may be sent, but for the conditions.
        writes: how many are left.
        seconds: that all of them take.
        used: how many were sent since a night began.
    """
    begin = begin.astimezone(UTC)
    if asked.not_before is not None:
        begin = max(begin, opens_at(asked.not_before, hours.timezone).astimezone(UTC))
    if asked.per_night is None or not writes:
        return end_of_work(hours.windows, hours.timezone, begin, seconds)
    each = seconds / writes
    night, following = night_of(begin, hours.timezone)
    tonight = _fitting(hours, begin, following, each, asked.per_night - used(night))
    if writes <= tonight:
        return end_of_work(hours.windows, hours.timezone, begin, writes * each)
    left = writes - tonight
    after = night_of(following, hours.timezone)[1]
    share = _fitting(hours, following, after, each, asked.per_night)
    if not share:
        return None
    whole = (left - 1) // share
    last = following + timedelta(days=whole)  # by the clock on the wall, as nights are
    seconds = (left - whole * share) * each
    return end_of_work(hours.windows, hours.timezone, last.astimezone(UTC), seconds)


def _fitting(hours: Hours, begin: datetime, end: datetime, each: float, most: int) -> int:
    """Return how many writes can be sent between two moments."""
    if each <= 0:
        return max(0, most)
    return max(0, min(most, int(_open_seconds(hours, begin, end) / each)))


def _open_seconds(hours: Hours, begin: datetime, end: datetime) -> float:
    total, now, end = 0.0, begin.astimezone(UTC), end.astimezone(UTC)
    while now < end:
        opening = next_opening(hours.windows, hours.timezone, now)
        if opening is None or opening >= end:
            break
        closing = next_closing(hours.windows, hours.timezone, opening)
        now = end if closing is None else min(closing, end)
        total += (now - opening).total_seconds()
    return total
