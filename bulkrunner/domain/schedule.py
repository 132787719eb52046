"""Hours and nights in which writes may be sent, by the wall clock of the environment's time zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bulkrunner.domain.approvals import Conditions, night_of, opens_at
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)

_DAY = 24 * 60

# Minutes looked ahead: a window may be missing on the day when the clock is put forward.
_HORIZON = 3 * _DAY

_MOST_WINDOWS = 60  # windows looked ahead for the end of work


@dataclass(frozen=True, kw_only=True)
class Window:
    """From the start until just before the end, in minutes of the day; may pass midnight."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        """Return True if a minute of the day is inside."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def parse_window(text: str) -> Window:
    """Read ``HH:MM-HH:MM``; Fault: another form, or a window that is empty."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise Fault(Sentence("window_form"))
    hours, minutes, end_hours, end_minutes = match.groups()
    start = int(hours) * 60 + int(minutes)
    end = _DAY if end_hours is None else int(end_hours) * 60 + int(end_minutes)
    if start == end:
        raise Fault(Sentence("window_empty"))
    return Window(start=start, end=end)


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of this name; Fault: there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Fault(Sentence("time_zone_unknown")) from None


def common(sets: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the windows in which every set is open; an empty set is always open. Fault: never."""
    parsed = [[parse_window(text) for text in windows] for windows in sets if windows]
    minutes = [
        minute
        for minute in range(_DAY)
        if all(any(window.holds(minute) for window in windows) for windows in parsed)
    ]
    if not minutes:
        raise Fault(Sentence("windows_never_meet"))
    if len(minutes) == _DAY:
        return ()
    there = set(minutes)
    starts = [minute for minute in minutes if (minute - 1) % _DAY not in there]
    return tuple(f"{_clock(start)}-{_clock(_end(start, there))}" for start in starts)


def _end(start: int, there: set[int]) -> int:
    minute = start
    while minute % _DAY in there:
        minute += 1
    return minute % _DAY


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def is_open(windows: Sequence[str], timezone: str, now: datetime) -> bool:
    """Return True if writes may be sent at this moment; without windows always."""
    return _inside([parse_window(text) for text in windows], time_zone(timezone), now)


def next_opening(windows: Sequence[str], timezone: str, now: datetime) -> datetime | None:
    """Return when writes may be sent: now where a window is open; None if never."""
    return _next(windows, timezone, now, wanted=True)


def next_closing(windows: Sequence[str], timezone: str, now: datetime) -> datetime | None:
    """Return when writes may no longer be sent: now where none is open; None if always."""
    return _next(windows, timezone, now, wanted=False)


def end_of_work(
    windows: Sequence[str], timezone: str, begin: datetime, seconds: float
) -> datetime | None:
    """Return when work of so many seconds is done that goes on in windows only."""
    # None where it never is, or not within ``_MOST_WINDOWS`` windows.
    now, left = begin, timedelta(seconds=seconds)
    for _ in range(_MOST_WINDOWS):
        opening = next_opening(windows, timezone, now)
        if opening is None:
            return None
        closing = next_closing(windows, timezone, opening)
        if closing is None or opening + left <= closing:
            return opening + left
        left -= closing - opening
        now = closing
    return None


def _next(windows: Sequence[str], timezone: str, now: datetime, *, wanted: bool) -> datetime | None:
    parsed, zone = [parse_window(text) for text in windows], time_zone(timezone)
    if _inside(parsed, zone, now) is wanted:
        return now
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    for _ in range(_HORIZON if parsed else 0):
        minute += timedelta(minutes=1)
        if _inside(parsed, zone, minute) is wanted:
            return minute
    return None


def _inside(windows: list[Window], zone: ZoneInfo, now: datetime) -> bool:
    if not windows:
        return True
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return any(window.holds(minute) for window in windows)


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
    """Return when so many writes are done under the conditions of a yes; None where never."""
    # ``begin``: when the first may be sent, but for the conditions. ``seconds``: that all take.
    # ``used``: how many were sent since a night began.
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
