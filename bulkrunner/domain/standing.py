"""Standing approvals: what a manifest asks for, what KB gave, and whether a later plan keeps within it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.domain.plan import WRITING, Action, Plan
from bulkrunner.sentences import Sentence

# Any so many hours, not a calendar's day: neither midnight nor a change of clocks begins a new count.
DAY = timedelta(hours=24)

# KB's day; an environment whose clock is behind it prolongs nothing.
KB_ZONE = ZoneInfo("Europe/Stockholm")

RECORDS = "records"  # all changes together

# In the order in which people read them.
ACTIONS = (Action.UPDATE.value, Action.CREATE.value, Action.DELETE.value)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Within which later plans of a job may run by one yes."""

    until: date  # the last day
    per_run: Mapping[str, int]  # changes by action
    per_day: Mapping[str, int]  # in any 24 hours, by action and all together
    rule: str  # rule digest of the manifest
    every: str = "day"  # how often the job is said to come

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "until": self.until.isoformat(),
            "every": self.every,
            "per_run": dict(self.per_run),
            "per_day": dict(self.per_day),
            "rule": self.rule,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bounds:
        """Read back what ``as_dict`` wrote."""
        return cls(
            until=date.fromisoformat(data["until"]),
            per_run=dict(data["per_run"]),
            per_day=dict(data["per_day"]),
            rule=str(data["rule"]),
            every=str(data["every"]),
        )

    def allows_more(self, other: Bounds | None) -> bool:
        """Return True if any bound is wider than the other's, or the other says nothing at all."""
        return (
            other is None
            or self.rule != other.rule
            or self.until > other.until
            or any(_wider(self.per_run, other.per_run))
            or any(_wider(self.per_day, other.per_day))
        )

    def told(self) -> Sentence:
        """Return them in words."""
        return Sentence(
            "standing_bounds",
            until=self.until,
            per_run=counts_told(self.per_run),
            per_day=counts_told(self.per_day),
        )


def _wider(mine: Mapping[str, int], others: Mapping[str, int]) -> Iterable[bool]:
    return (count > others.get(name, 0) for name, count in mine.items())


def counts_told(counts: Mapping[str, int]) -> list[Sentence]:
    """Return numbers of changes by action in words; what is 0 too, as that is a bound."""
    return [_counted(name, counts[name]) for name in (RECORDS, *ACTIONS) if name in counts]


def _counted(name: str, n: int) -> Sentence:
    match name:
        case Action.UPDATE:
            return Sentence("standing_updates", n=n)
        case Action.CREATE:
            return Sentence("standing_creates", n=n)
        case Action.DELETE:
            return Sentence("standing_deletes", n=n)
    return Sentence("standing_in_all", n=n)


def deed(action: str) -> Sentence:
    """Return what is done to a record by an action."""
    match action:
        case Action.CREATE:
            return Sentence("deed_create")
        case Action.DELETE:
            return Sentence("deed_delete")
    return Sentence("deed_update")


def strictest(all_of_them: Iterable[Bounds]) -> Bounds:
    """Return bounds that keep every one of those given, of which there is one at least."""
    found = list(all_of_them)
    return replace(
        found[0],
        until=min(one.until for one in found),
        per_run=_least([one.per_run for one in found]),
        per_day=_least([one.per_day for one in found]),
    )


def _least(found: list[Mapping[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for one in found for name in one)
    return {name: min(one.get(name, 0) for one in found) for name in names}


def asked_of(plan: Plan) -> Bounds | None:
    """Return the standing approval that a plan's manifest asks for; None where it asks for none."""
    asked = plan.manifest.get("recurring")
    rule = rule_of(plan)
    return None if not asked or not rule else Bounds.from_dict({**asked, "rule": rule})


def rule_of(plan: Plan) -> str:
    """Return the rule digest of a plan's manifest, empty where it asks for no standing approval."""
    return str(plan.manifest.get("rule") or "")


def ends_at(bounds: Bounds, timezone: str) -> datetime:
    """Return the moment from which on nothing may be sent any more."""
    following = bounds.until + timedelta(days=1)
    zones = (ZoneInfo(timezone), KB_ZONE)
    return min(datetime.combine(following, time(), tzinfo=zone) for zone in zones)


def over_run(bounds: Bounds, counts: Mapping[str, int]) -> Sentence | None:
    """Return which bound of a run a plan's counts exceed; None where they keep within all."""
    for action in WRITING:
        most, count = bounds.per_run.get(action.value, 0), counts.get(action.value, 0)
        if count > most:
            counted = _counted(action.value, count)
            return Sentence("standing_over_run", counted=counted, most=most)
    return None


def over_day(bounds: Bounds, used: Mapping[str, int], more: Mapping[str, int]) -> Sentence | None:
    """Return which bound of 24 hours would be exceeded by so many changes more."""
    for name in (RECORDS, *ACTIONS):
        before, after = _of(used, name), _of(more, name)
        most = bounds.per_day.get(name, 0)
        if after and before + after > most:
            counted = _counted(name, after)
            return Sentence("standing_over_day", counted=counted, before=before, most=most)
    return None


def _of(counts: Mapping[str, int], name: str) -> int:
    if name == RECORDS:
        return sum(counts.get(action, 0) for action in ACTIONS)
    return counts.get(name, 0)


@dataclass(frozen=True, kw_only=True)
class Resting:
    """The standing approval that a plan or a run rests on, as reports tell of it."""

    plan: str  # whose answers they are
    given: tuple[tuple[str, str], ...]  # of each answer who gave it, and its reference
    bounds: Bounds

    def told(self) -> Sentence:
        """Return it in words."""
        by = [Sentence("standing_given", by=name, reference=ref) for name, ref in self.given]
        return Sentence("standing_rests", by=by, plan=self.plan, bounds=self.bounds.told())

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        given = [{"by": by, "reference": reference} for by, reference in self.given]
        return {"plan": self.plan, "given": given, "bounds": self.bounds.as_dict()}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a run takes of a standing approval when it begins, or goes on."""

    run: str
    plan: str  # that it carries out
    approved: str  # plan whose answers it rests on
    rule: str
    bounds: Bounds | None = None  # None: it rests on an answer of its own, and is counted only
    # Of the ledger.
    claimed_at: datetime | None = None
    event: int = -1


@dataclass(frozen=True, kw_only=True)
class StandingEnd:
    """Somebody has ended the standing approvals of a plan."""

    plan: str
    by: str
    reason: str
    ended_at: datetime
    event: int = -1
