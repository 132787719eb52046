"""Days and moments as catalogue records and manifests write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Stockholm")  # of days, and of times written without a zone

_YEAR = re.compile(r"[0-9]{4}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}([.,][0-9]{1,9})?(Z|[+-][0-9:]{4,6})?"
)
_FRACTION = re.compile(r"[.,]([0-9]{1,9})")
MAX_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of time, in UTC; ``end`` is the first moment after it."""

    start: datetime
    end: datetime

    def is_before(self, other: Span) -> bool:
        """Return True if it is over when the other begins."""
        return self.end <= other.start

    def is_after(self, other: Span) -> bool:
        """Return True if it begins when the other is over."""
        return self.start >= other.end


def parse_span(text: str) -> Span | None:
    """Read a year, month, day or moment (ISO 8601); None where the text is none."""
    # ``2026-11-02`` is the whole day in Sweden, ``2026`` the whole year.
    if len(text) > MAX_LENGTH:
        return None
    try:
        if _YEAR.fullmatch(text):
            first = date(int(text), 1, 1)
            return _days(first, date(first.year + 1, 1, 1))
        if _MONTH.fullmatch(text):
            first = date(int(text[:4]), int(text[5:]), 1)
            return _days(first, (first + timedelta(days=32)).replace(day=1))
        if _DAY.fullmatch(text):
            first = date.fromisoformat(text)
            return _days(first, first + timedelta(days=1))
        if _TIME.fullmatch(text):
            return _moment(text)
    except (ValueError, OverflowError):
        return None
    return None


def _days(first: date, after: date) -> Span:
    return Span(start=_midnight(first), end=_midnight(after))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def _moment(text: str) -> Span:
    micro = _FRACTION.search(text)
    whole = _FRACTION.sub("", text, count=1)
    found = datetime.fromisoformat(whole)
    if micro:
        found = found.replace(microsecond=int(micro[1][:6].ljust(6, "0")))
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZONE)
    start = found.astimezone(UTC)
    return Span(start=start, end=start + timedelta(microseconds=1))
