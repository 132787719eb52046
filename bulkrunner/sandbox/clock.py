"""Time as an environment sees it, and how the server writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clock(Protocol):
    """Tells the time, aware and in UTC."""

    def now(self) -> datetime:
        """Return the present moment."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment the clock stands at."""
        return self._now

    def advance(self, **delta: float) -> None:
        """Move the clock forward, with the keywords of ``timedelta``."""
        self._now += timedelta(**delta)


class ShiftedClock:
    """A clock that runs as another one does, some way off."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._shift = timedelta()

    def now(self) -> datetime:
        """Return the shifted moment."""
        return self._base.now() + self._shift

    def advance(self, **delta: float) -> None:
        """Move the clock, with the keywords of ``timedelta``."""
        self._shift += timedelta(**delta)


def to_millisecond(moment: datetime) -> datetime:
    """Cut a moment to the millisecond, the server's resolution."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def server_time(moment: datetime, zone: ZoneInfo) -> str:
    """Write a moment as the server does: in its own zone, of a second no more than is needed."""
    local = moment.astimezone(zone)
    text, offset = f"{local:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip("."), f"{local:%z}"
    return text + ("Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}")


def http_date(moment: datetime) -> str:
    """Write a moment as a Date header."""
    utc = moment.astimezone(UTC)
    return f"{_DAYS[utc.weekday()]}, {utc:%d} {_MONTHS[utc.month - 1]} {utc:%Y %H:%M:%S} GMT"
