"""Conditions that an approval sets, and that the run keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

EXCLUDED = "excluded"
"""Code of a change that the approval leaves out."""

REJECTED = "rejected by "
"""How the reason of a stop begins that a no has brought about."""

NIGHT_BEGINS = time(18, 0)
"""A night, for which a maximum may be set, lasts from here to the same hour of the next day."""

MOST_EXCLUDED = 10_000


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a yes asks for besides.

    Attributes:
        per_night: requests that write, at most, in one night.
        not_before: day before which nothing is written, by the environment's clock.
        excluded: records (short ids), or changes as ``<plan>.<number>``, that are left alone.
    """

    per_night: int | None = None
    not_before: date | None = None
    excluded: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.per_night is not None or self.not_before is not None or bool(self.excluded)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data; what is not asked for is left out."""
        found: dict[str, Any] = {}
        if self.per_night is not None:
            found["per_night"] = self.per_night
        if self.not_before is not None:
            found["not_before"] = self.not_before.isoformat()
        if self.excluded:
            found["excluded"] = list(self.excluded)
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Conditions:
        """Read back what ``as_dict`` wrote."""
        day = data.get("not_before")
        return cls(
            per_night=data.get("per_night"),
            not_before=None if day is None else date.fromisoformat(day),
            excluded=tuple(data.get("excluded", ())),
        )

    def lost_in(self, later: Conditions) -> Conditions:
        """Return what these ask for and later ones do not; nothing where those are as strict."""
        night, day = later.per_night, later.not_before
        fewer = self.per_night is not None and (night is None or night > self.per_night)
        sooner = self.not_before is not None and (day is None or day < self.not_before)
        return Conditions(
            per_night=self.per_night if fewer else None,
            not_before=self.not_before if sooner else None,
            excluded=tuple(one for one in self.excluded if one not in frozenset(later.excluded)),
        )

    def describe(self, between: str = ", ") -> str:
        """Return them as one line, empty where there are none."""
        parts = []
        if self.per_night is not None:
            parts.append(f"at most {self.per_night} a night")
        if self.not_before is not None:
            parts.append(f"not before {self.not_before.isoformat()}")
        if self.excluded:
            parts.append(f"{len(self.excluded)} excluded")
        return between.join(parts)


def strictest(all_of_them: Iterable[Conditions]) -> Conditions:
    """Return conditions that keep every one of those given."""
    found = list(all_of_them)
    nights = [one.per_night for one in found if one.per_night is not None]
    days = [one.not_before for one in found if one.not_before is not None]
    return Conditions(
        per_night=min(nights, default=None),
        not_before=max(days, default=None),
        excluded=tuple(dict.fromkeys(record for one in found for record in one.excluded)),
    )


def opens_at(day: date, timezone: str) -> datetime:
    """Return the moment at which a day begins."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(timezone))


def night_of(now: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Return when the present night began and when the next one begins."""
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    day = local.date() if local.time() >= NIGHT_BEGINS else local.date() - timedelta(days=1)
    return tuple(  # type: ignore[return-value]
        datetime.combine(day + timedelta(days=more), NIGHT_BEGINS, tzinfo=zone) for more in (0, 1)
    )
