"""Looks at every change of a plan for what a reviewer should be warned of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.catalogue import compared
from bulkrunner.domain.plan import WRITING, Action, Plan
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import (
    Document,
    component_holders,
    held_by,
    last_modifier,
    modified,
    record_part,
    thing_part,
)
from bulkrunner.domain.report import Noted, StagingSummary
from bulkrunner.domain.report_groups import ReportedChange

# A record changed by others within so many days before the plan is one to look at.
RECENT = timedelta(days=30)

MANY_DELETIONS = 1000
MANY_SHARE = 0.25
KEPT = 5


class _Tally:
    def __init__(self) -> None:
        self.count = 0
        self.numbers: list[int] = []

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.numbers) < KEPT or number < self.numbers[-1]:
            self.numbers = sorted({*self.numbers, number})[:KEPT]


class Watch:
    """Takes changes one by one; keeps counts and a few numbers."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._own = _own_sigels(plan)
        self._base = plan.addresses.get("base_uri", "")
        self._found: dict[str, _Tally] = {}
        self._outcomes: dict[str, int] = {}
        self._actions: dict[Action, int] = {}

    def watched(self, stream: Iterator[ReportedChange]) -> Iterator[ReportedChange]:
        for item in stream:
            self.add(item)
            yield item

    def add(self, item: ReportedChange) -> None:
        change = item.change
        self._actions[change.action] = self._actions.get(change.action, 0) + 1
        if change.action not in WRITING:
            return
        for code in self._codes(item):
            self._found.setdefault(code, _Tally()).add(change.number)
        if item.tried is not None:
            word = item.tried.counterpart.outcome
            self._outcomes[word] = self._outcomes.get(word, 0) + 1

    def _codes(self, item: ReportedChange) -> Iterator[str]:
        change, before = item.change, item.change.before
        if change.kind == "bib":
            yield "shared_bib"
        if any(code == "not_taken_along" for code, _ in change.notes):
            yield "left_behind"
        if before is not None:
            if self._changed_recently(before):
                yield "changed_recently"
            own = held_by(before)
            if any(holder != own for holder in component_holders(before)):
                yield "several_libraries"
        if change.action is Action.DELETE:
            yield from _lost(before or {})
        elif change.cleanups:
            yield "cleanups_stay"
        if item.tried is not None:
            yield from self._staged(item)

    def _changed_recently(self, document: Document) -> bool:
        by, when = last_modifier(document), modified(document)
        if by is None or when is None or by in self._own:
            return False
        try:
            age = self._plan.created_at - datetime.fromisoformat(when)
        except (ValueError, TypeError):
            return False
        return age < RECENT

    def _staged(self, item: ReportedChange) -> Iterator[str]:
        twin = item.tried.counterpart if item.tried else None
        if twin is None:
            return
        for code in ("not_as_predicted", "cleanups"):
            if twin.detail.get(code):
                yield f"staged_{code}"
        mine = item.change.before
        if mine is not None and twin.before is not None and twin.before != mine:
            moved = canonical_bytes(twin.before).replace(
                twin.base_uri.encode(), self._base.encode()
            )
            if moved != canonical_bytes(mine) and not _same_content(moved, mine):
                yield "staged_other_content"

    # --- what came out -----------------------------------------------------------------------

    def risks(self) -> tuple[Noted, ...]:
        """Return what a reviewer should look at twice."""
        writes = sum(self._actions.get(action, 0) for action in WRITING)
        deletes = self._actions.get(Action.DELETE, 0)
        found = []
        if deletes and (deletes >= MANY_DELETIONS or deletes >= MANY_SHARE * writes):
            found.append(Noted(code="many_deletions", count=deletes))
        if not self._plan.manifest.get("ceilings"):
            found.append(Noted(code="no_ceilings"))
        if not (self._plan.manifest.get("agreement") or {}).get("reference"):
            found.append(Noted(code="no_agreement"))
        codes = ("left_behind", "changed_recently", "several_libraries", "shared_bib")
        return (*found, *self._noted(*codes))

    def not_restored(self) -> tuple[Noted, ...]:
        """Return what an undo could not bring back."""
        return self._noted("new_id", "other_ids", "single_item", "cleanups_stay")

    def staging(self) -> StagingSummary:
        """Return what test runs did, and where production will differ."""
        remarks = self._noted("staged_other_content", "staged_not_as_predicted", "staged_cleanups")
        return StagingSummary(outcomes=dict(sorted(self._outcomes.items())), remarks=remarks)

    def _noted(self, *codes: str) -> tuple[Noted, ...]:
        return tuple(
            Noted(code=code, count=tally.count, numbers=tuple(tally.numbers))
            for code in codes
            if (tally := self._found.get(code)) is not None
        )


def searched(selections: Sequence[Mapping[str, Any]]) -> Iterator[Noted]:
    """Yield what is to be known of searches: holdings that the index lacks are in no plan."""
    found = [one for chosen in selections for one in compared(chosen).values()]
    if differing := sum(one.difference for one in found):
        yield Noted(code="index_differs", count=differing)
    if unread := sum(one.listed is None for one in found):
        yield Noted(code="index_unchecked", count=unread)


def _own_sigels(plan: Plan) -> frozenset[str]:
    head = plan.manifest
    sigels = head.get("sigels")
    named = [head.get("active_sigel"), head.get("on_behalf_of")]
    listed = list(sigels) if isinstance(sigels, (list, tuple)) else []
    return frozenset(str(sigel) for sigel in [*listed, *named] if sigel)


def _lost(document: Document) -> Iterator[str]:
    yield "new_id"
    if "sameAs" in record_part(document) or "sameAs" in thing_part(document):
        yield "other_ids"
    if thing_part(document).get("@type") == "SingleItem":
        yield "single_item"


def _same_content(moved: bytes, mine: Document) -> bool:
    return before_fingerprint(json.loads(moved)) == before_fingerprint(mine)
