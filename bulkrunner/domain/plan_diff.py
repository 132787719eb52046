"""What changed between two plans: plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.diff import contents
from bulkrunner.domain.plan import Plan, PlannedChange
from bulkrunner.domain.records import Document

# ``added``, ``removed``: only in the newer or the older plan. ``action``: another action, such as a
# change that is refused now. ``operation``: the job asks for something else. ``content``: the same
# is asked for, but the record stands otherwise than before, so that something else is sent.
# ``reason``: refused or left out as before, for another reason.
Kind: TypeAlias = Literal["added", "removed", "action", "operation", "content", "reason"]

KINDS: tuple[Kind, ...] = ("action", "operation", "content", "added", "removed", "reason")
SAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One record that the plans say different things of; None where a plan does not name it."""

    kind: Kind
    older: PlannedChange | None
    newer: PlannedChange | None

    @property
    def places(self) -> list[tuple[str, Any, Any]]:
        """Return (place, older, newer) of what would be stored, or goes away; None: not there."""
        # Where that is the same, of what the change would be made in. Empty where the plans do not
        # do the same kind of thing with the record.
        if self.kind not in ("operation", "content") or self.older is None or self.newer is None:
            return []
        stored = _places(_content(self.older), _content(self.newer))
        return stored or _places(self.older.before or {}, self.newer.before or {})


def _places(older: Document, newer: Document) -> list[tuple[str, Any, Any]]:
    was, now = dict(contents(older)), dict(contents(newer))
    return [
        (place, was.get(place), now.get(place))
        for place in dict.fromkeys((*was, *now))
        if canonical_bytes(was.get(place)) != canonical_bytes(now.get(place))
    ]


def _content(change: PlannedChange) -> Document:
    return change.after or change.before or {}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Records that differ in the same way."""

    kind: Kind
    # was, now: action, with the code of a refusal; empty where a plan does not name the record.
    was: str
    now: str
    count: int
    samples: tuple[Compared, ...]  # the first of them


@dataclass(frozen=True, kw_only=True)
class PlanDiff:
    """What changed between two plans."""

    older: Plan
    newer: Plan
    heads: Mapping[str, tuple[Any, Any]]  # what differs in the plans' heads: name → (older, newer)
    same: int  # records that both plans say the same of
    differences: tuple[Difference, ...] = field(default=())
    swapped: bool = False  # they were given in the other order

    @property
    def changed(self) -> bool:
        """Return True if a run of the newer plan would do something else than one of the older."""
        return any(item.kind != "reason" for item in self.differences)


def head_differences(older: Plan, newer: Plan) -> dict[str, tuple[Any, Any]]:
    """Return what differs in two plans' heads, without their ids and times."""
    return {
        name: (mine, theirs)
        for (name, mine), (_, theirs) in zip(_head(older), _head(newer), strict=True)
        if canonical_bytes(mine) != canonical_bytes(theirs)
    }


def _head(plan: Plan) -> Iterator[tuple[str, Any]]:
    yield "job", plan.job
    yield "environment", plan.environment
    for key in ("kind", "base_url", "token_url", "base_uri"):
        yield key, plan.addresses.get(key)
    yield "manifest_digest", plan.manifest_digest
    yield "effect_digest", plan.effect_digest
    for key in ("title", "on_behalf_of", "active_sigel", "sigels", "ceilings", "accept"):
        yield key, plan.manifest.get(key)
    yield "agreement", plan.manifest.get("agreement")
    yield "policy", dict(plan.policy)
    yield "program_version", plan.program_version
    yield "counts", {name: count for name, count in plan.counts.items() if count}
