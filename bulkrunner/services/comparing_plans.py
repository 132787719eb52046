"""Compares two plans, record by record; holds a line of each of the older plan's changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkrunner.domain.plan import WRITING, Action, Plan, PlannedChange
from bulkrunner.domain.plan_diff import (
    KINDS,
    SAMPLES,
    Compared,
    Difference,
    Kind,
    PlanDiff,
    head_differences,
)
from bulkrunner.domain.ports import PlanLedger


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
        if len(self.numbers) < SAMPLES:
            self.numbers.append((older, newer))


class PlanComparison:
    """Reads two plans; changes nothing."""

    def __init__(self, ledger: PlanLedger) -> None:
        self._ledger = ledger

    def compare(self, older: Plan, newer: Plan) -> PlanDiff:
        """Return what changed from the one plan to the other."""
        known = dict(self._told(older))
        same, tallies = 0, dict[tuple[Kind, str, str], _Tally]()
        for key, now in self._told(newer):
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
            heads=head_differences(older, newer),
            same=same,
            differences=tuple(self._differences(tallies, older, newer)),
        )

    def _told(self, plan: Plan) -> Iterator[tuple[tuple[str, str], _Told]]:
        seen: dict[tuple[str, str], int] = {}
        for change in self._ledger.changes(plan.id, documents=False):
            record = _record(change)
            # A record that is named twice is refused twice; each is compared with its like.
            times = seen[record, ""] = seen.get((record, ""), 0) + 1
            yield (
                (record, str(times)),
                _Told(
                    action=change.action.value,
                    code=change.code,
                    operation=change.operation_digest(),
                    before=change.before_fingerprint,
                    after=change.after_fingerprint,
                    number=change.number,
                ),
            )

    def _differences(
        self, tallies: dict[tuple[Kind, str, str], _Tally], older: Plan, newer: Plan
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
        changes = self._ledger.changes(plan.id, numbers=wanted)
        return {change.number: change for change in changes}


def _record(change: PlannedChange) -> str:
    """Return what both plans call the record that a change is about."""
    if change.target_key and change.target_key.startswith("new:"):
        return change.target_key
    if change.declared == "create" or change.action is Action.CREATE:
        return f"{change.record} {change.sigel or ''}"
    return change.record


def _kind(was: _Told | None, now: _Told) -> Kind | None:
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
