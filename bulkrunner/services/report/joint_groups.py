"""Changes that belong together: a move, a merge, a split, a copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report import ORDER
from bulkrunner.domain.report_groups import (
    Joint,
    Outlier,
    PatternGroup,
    ReportedChange,
    Why,
)
from bulkrunner.domain.transfers import TransferRole, role_of
from bulkrunner.services.report.collect import (
    Collector,
    Effect,
    Extreme,
)

MAX_MIXED = 12

"""Other things done to what is saved that are told apart."""


class JointKey(NamedTuple):
    """By this they stand together; ``to`` is empty where the verb names no one library."""

    verb: str
    to: str


@dataclass
class _Side:
    """One side of a group: the records that content leaves, or that take it in."""

    collector: Collector = field(default_factory=Collector)

    @property
    def count(self) -> int:
        return self.collector.count

    def numbers(self) -> list[int]:
        return self.collector.sketch.chosen() if self.collector.count else []


class JointGroup:
    """One group while its changes stream by; memory does not grow with them."""

    def __init__(self, key: JointKey, kind: str | None) -> None:
        self.key = key
        self._kind = kind
        self._actions: Counter[Action] = Counter()
        self._mixed: Counter[str] = Counter()
        self._leaves = _Side()
        self._saves = _Side()

    def add(self, change: PlannedChange, role: TransferRole, effect: Effect) -> None:
        """Take one change."""
        self._actions[change.action] += 1
        side = self._leaves if role.side == "leaves" else self._saves
        side.collector.add(change, effect)
        if role.mixed and role.side == "saves":
            known = change.pattern in self._mixed or len(self._mixed) < MAX_MIXED
            self._mixed[change.pattern if known else ""] += 1

    @property
    def action(self) -> Action:
        """What is hardest to take back of what is done."""
        return min(self._actions, key=ORDER.index)

    @property
    def count(self) -> int:
        """Changes, of both sides."""
        return self._leaves.count + self._saves.count

    def rank(self) -> tuple[int, int, str]:
        """Return what groups are put in order by."""
        return (ORDER.index(self.action), -self.count, repr(self.key))

    @property
    def _main(self) -> _Side:
        return self._leaves if self._leaves.count else self._saves

    def numbers(self) -> list[int]:
        """Return the changes that are shown."""
        return [*self._main.numbers(), *(number for _, number, _ in self._outliers())]

    def _outliers(self) -> Iterator[tuple[Why, int, int]]:
        main = self._main.collector
        yield from extremes(main.longest, main.most)

    def finished(
        self, fetched: Mapping[int, ReportedChange], partners: Mapping[int, ReportedChange]
    ) -> PatternGroup:
        """Return the group with its samples, and what belongs to each."""
        leaves, saves = self._leaves.collector, self._saves.collector
        sigels = Counter(leaves.sigels) + Counter(saves.sigels)
        origins = leaves.sigels if self._leaves.count else {}
        return PatternGroup(
            action=self.action,
            kind=self._kind,
            level="joint",
            parts=(),
            count=self.count,
            sigels=ranked(sigels),
            samples=tuple(fetched[number] for number in self._main.numbers()),
            outliers=tuple(
                Outlier(why=why, change=fetched[number], measure=measure)
                for why, number, measure in self._outliers()
            ),
            joint=Joint(
                verb=self.key.verb,
                records=self._main.count,
                mixed=ranked(self._mixed),
                actions={
                    action: self._actions[action] for action in ORDER if self._actions[action]
                },
                origins=ranked(origins),
                destinations=ranked(saves.sigels) or ({self.key.to: 0} if self.key.to else {}),
                partners={
                    number: tuple(
                        partners[other]
                        for other in fetched[number].change.prerequisites
                        if other in partners and self._belongs(partners[other])
                    )
                    for number in self.numbers()
                },
            ),
        )

    def _belongs(self, other: ReportedChange) -> bool:
        role = role_of(other.change)
        return role is not None and role.verb == self.key.verb and role.side == "saves"


def key_of(role: TransferRole) -> JointKey:
    """Return the group that a change is in."""
    return JointKey(role.verb, role.to)


def partners_of(fetched: Mapping[int, ReportedChange], numbers: Sequence[int]) -> list[int]:
    """Return the changes that these ones wait for."""
    return sorted({other for n in numbers for other in fetched[n].change.prerequisites[:20]})


def ranked(sigels: Mapping[str, int]) -> dict[str, int]:
    """Return sigels, the one with most first."""
    return dict(sorted(sigels.items(), key=lambda item: (-item[1], item[0])))


def extremes(longest: Extreme, most: Extreme, *, long: int = 100) -> list[tuple[Why, int, int]]:
    """Return the changes that stand out by their longest text and by how many places they touch."""
    found: list[tuple[Why, int, int]] = []
    if longest.most >= long and longest.most > 2 * longest.mean:
        found.append(("longest", longest.number, longest.most))
    if most.most > most.least:
        found.append(("most", most.number, most.most))
    return found
