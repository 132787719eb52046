"""Compares two plans, record by record; holds a line of each of the older plan's changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.environment import Kind as EnvironmentKind
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import WRITING, Action, Plan, PlannedChange
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import Document
from bulkrunner.domain.report import (
    CHANGES_NAMED,
    KINDS,
    Compared,
    Difference,
    DifferenceKind,
    PlanDiff,
    head_differences,
)


class _Told(NamedTuple):
    """What a plan says of a record, as far as it is compared."""

    action: str
    code: str
    operation: str
    before: str | None
    after: str | None
    number: int


@dataclass
class _Tally:
    count: int = 0
    numbers: list[tuple[int | None, int | None]] = field(default_factory=list)

    def add(self, older: int | None, newer: int | None) -> None:
        self.count += 1
        if len(self.numbers) < CHANGES_NAMED:
            self.numbers.append((older, newer))


class _Prints:
    """Fingerprints by which documents are compared.

    Those of two environments differ in the addresses of their own records alone; there the one's
    are told by the other's, never production's: the names of libraries begin like them.
    """

    def __init__(self, older: Plan, newer: Plan) -> None:
        bases = {plan.id: plan.addresses.get("base_uri", "") for plan in (older, newer)}
        self.apart = bases[older.id] != bases[newer.id] and all(bases.values())
        moved = newer if older.addresses.get("kind") == EnvironmentKind.PRODUCTION else older
        kept = older if moved is newer else newer
        self._moved, self._from, self._to = moved.id, bases[moved.id], bases[kept.id]

    def of(self, plan: Plan, document: Document | None, known: str | None) -> str | None:
        """Return a document's fingerprint; the stored one where both plans are of one place."""
        if not self.apart or document is None:
            return known
        if plan.id != self._moved:
            return before_fingerprint(document)
        text = canonical_bytes(document).replace(self._from.encode(), self._to.encode())
        return before_fingerprint(json.loads(text))


class PlanComparison:
    """Reads two plans; changes nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def compare(self, older: Plan, newer: Plan) -> PlanDiff:
        """Return what changed from the one plan to the other; they are put in the order of time."""
        swapped = older.created_at > newer.created_at
        if swapped:
            older, newer = newer, older
        prints = _Prints(older, newer)
        known = dict(self._told(older, prints))
        same, tallies = 0, dict[tuple[DifferenceKind, str, str], _Tally]()
        for key, now in self._told(newer, prints):
            was = known.pop(key, None)
            kind = _kind(was, now)
            if kind is None:
                same += 1
                continue
            found = tallies.setdefault((kind, _named(was), _named(now)), _Tally())
            found.add(was.number if was else None, now.number)
        for was in known.values():
            tallies.setdefault(("removed", _named(was), ""), _Tally()).add(was.number, None)
        return PlanDiff(
            older=older,
            newer=newer,
            swapped=swapped,
            heads=head_differences(older, newer),
            same=same,
            differences=tuple(self._differences(tallies, older, newer)),
        )

    def _told(self, plan: Plan, prints: _Prints) -> Iterator[tuple[tuple[str, int], _Told]]:
        seen: Counter[str] = Counter()
        for change in self._ledger.plans.changes(plan.id, documents=prints.apart):
            record = _record(change)
            # A record that is named twice is refused twice; each is compared with its like.
            seen[record] += 1
            yield (
                (record, seen[record]),
                _Told(
                    action=change.action.value,
                    code=change.code,
                    operation=change.operation_digest(),
                    before=prints.of(plan, change.before, change.before_fingerprint),
                    after=prints.of(plan, change.after, change.after_fingerprint),
                    number=change.number,
                ),
            )

    def _differences(
        self, tallies: dict[tuple[DifferenceKind, str, str], _Tally], older: Plan, newer: Plan
    ) -> Iterator[Difference]:
        ranked = sorted(tallies.items(), key=lambda one: (KINDS.index(one[0][0]), -one[1].count))
        old = self._fetched(older, (pair[0] for _, tally in ranked for pair in tally.numbers))
        new = self._fetched(newer, (pair[1] for _, tally in ranked for pair in tally.numbers))
        for (kind, was, now), tally in ranked:
            samples = tuple(
                Compared(
                    kind=kind,
                    older=None if first is None else old[first],
                    newer=None if second is None else new[second],
                )
                for first, second in tally.numbers
            )
            yield Difference(kind=kind, was=was, now=now, count=tally.count, samples=samples)

    def _fetched(self, plan: Plan, numbers: Iterator[int | None]) -> dict[int, PlannedChange]:
        wanted = sorted({number for number in numbers if number is not None})
        changes = self._ledger.plans.changes(plan.id, numbers=wanted)
        return {change.number: change for change in changes}


def _record(change: PlannedChange) -> str:
    """Return what both plans call the record that a change is about."""
    if change.target_key and change.target_key.startswith("new:"):
        return change.target_key
    if change.declared == "create" or change.action is Action.CREATE:
        return f"{change.record} {change.sigel or ''}"
    return change.record


def _kind(was: _Told | None, now: _Told) -> DifferenceKind | None:
    if was is None:
        return "added"
    if was.action != now.action:
        return "action"
    if now.action not in WRITING:
        return None if was.code == now.code else "reason"
    if was.operation != now.operation:
        return "operation"
    return None if (was.before, was.after) == (now.before, now.after) else "content"


def _named(told: _Told | None) -> str:
    if told is None:
        return ""
    return f"{told.action} {told.code}" if told.action == "refused" else told.action
