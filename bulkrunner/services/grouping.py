"""Finds what the changes of a plan have in common, in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from bulkrunner.domain.canonical import canonical_bytes, digest_of_bytes
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.job import Accept
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report import (
    ORDER,
    SAMPLES,
    Grouped,
    PatternGroup,
    ReasonGroup,
    ReportedChange,
    TextGroup,
    Variant,
)

MAX_GROUPS = 200
MAX_VARIANTS = 100
MAX_VARIANT_BYTES = 2000
SHOWN_VARIANTS = 5
MAX_NUMBERS = 5

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A dictionary that takes at most ``limit`` keys and counts what came for others."""

    def __init__(self, make: Callable[[], V], limit: int) -> None:
        self._make = make
        self._limit = limit
        self.items: dict[K, V] = {}
        self.beyond = 0

    def get(self, key: K) -> V | None:
        """Return the key's value, made where it is new; None where there is no room left."""
        value = self.items.get(key)
        if value is None and len(self.items) < self._limit:
            value = self.items[key] = self._make()
        if value is None:
            self.beyond += 1
        return value


@dataclass
class _Tally:
    """How many, and the first few of them."""

    count: int = 0
    samples: list[ReportedChange] = field(default_factory=list)

    def add(self, item: ReportedChange) -> None:
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(item)


@dataclass
class _Values:
    """How often the same values are changed; ``shown`` keeps one example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: dict[str, tuple[Difference, ...]] = field(default_factory=dict)
    beyond: int = 0

    def add(self, differences: tuple[Difference, ...]) -> None:
        data = canonical_bytes([[item.place, item.before, item.after] for item in differences])
        key = digest_of_bytes(data)
        if key not in self.shown:
            if len(self.shown) == MAX_VARIANTS or len(data) > MAX_VARIANT_BYTES:
                self.beyond += 1
                return
            self.shown[key] = differences
        self.counts[key] += 1

    def commonest(self) -> tuple[tuple[Variant, ...], int]:
        top = self.counts.most_common(SHOWN_VARIANTS)
        variants = tuple(Variant(differences=self.shown[key], count=count) for key, count in top)
        listed = sum(count for _, count in top)
        return variants, self.counts.total() + self.beyond - listed


@dataclass
class _Pattern(_Tally):
    values: _Values = field(default_factory=_Values)


@dataclass
class _Text:
    count: int = 0
    numbers: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.numbers) < MAX_NUMBERS:
            self.numbers.append(number)


class _Groups:
    def __init__(self) -> None:
        self.kinds: Counter[tuple[Action, str]] = Counter()
        self.patterns: Bounded[tuple[Action, str], _Pattern] = Bounded(_Pattern, MAX_GROUPS)
        self.reasons: Bounded[tuple[Action, str], _Tally] = Bounded(_Tally, MAX_GROUPS)
        self.cleanups: Bounded[str, _Text] = Bounded(_Text, MAX_GROUPS)
        self.notes: Bounded[tuple[str, str], _Text] = Bounded(_Text, MAX_GROUPS)

    def add(self, item: ReportedChange) -> None:
        change = item.change
        self.kinds[(change.action, change.kind or "")] += 1
        if change.action in WRITING:
            self._add_pattern(item)
        elif reason := self.reasons.get((change.action, change.code)):
            reason.add(replace(item, change=replace(change, before=None)))
        for text in change.cleanups:
            if found := self.cleanups.get(text):
                found.add(change.number)
        for note in change.notes:
            if found := self.notes.get(note):
                found.add(change.number)

    def _add_pattern(self, item: ReportedChange) -> None:
        change = item.change
        pattern = self.patterns.get((change.action, change.pattern))
        if pattern is None:
            return
        pattern.add(item)
        if change.action is Action.UPDATE and item.differences:
            pattern.values.add(item.differences)


def group_changes(
    stream: Callable[[], Iterator[ReportedChange]], accept: Sequence[Accept]
) -> Grouped:
    """Return what the changes have in common.

    Args:
        stream: starts a stream of every change.
        accept: refusals that the manifest lives with.
    """
    groups = _Groups()
    for item in stream():
        groups.add(item)
    return Grouped(
        patterns=tuple(_patterns(groups)),
        reasons=tuple(_reasons(groups, accept)),
        cleanups=tuple(
            TextGroup(text=text, count=found.count, numbers=tuple(found.numbers))
            for text, found in _by_count(groups.cleanups.items)
        ),
        notes=tuple(
            TextGroup(text=text, code=code, count=found.count, numbers=tuple(found.numbers))
            for (code, text), found in _by_count(groups.notes.items)
        ),
        kinds=dict(groups.kinds),
        beyond_patterns=groups.patterns.beyond,
        beyond_cleanups=groups.cleanups.beyond,
    )


def _patterns(groups: _Groups) -> Iterator[PatternGroup]:
    found = _by_count(groups.patterns.items)
    for (action, text), tally in sorted(found, key=lambda entry: ORDER.index(entry[0][0])):
        variants, rarer = tally.values.commonest()
        yield PatternGroup(
            action=action,
            pattern=text,
            count=tally.count,
            samples=tuple(tally.samples),
            variants=variants,
            rarer=rarer,
        )


def _reasons(groups: _Groups, accept: Sequence[Accept]) -> Iterator[ReasonGroup]:
    accepted: dict[str, Accept] = {}
    for item in accept:
        known = accepted.get(item.code)
        if known is None or item.at_most > known.at_most:
            accepted[item.code] = item
    found = _by_count(groups.reasons.items)
    for (action, code), tally in sorted(found, key=lambda entry: ORDER.index(entry[0][0])):
        limit = accepted.get(code) if action is Action.REFUSED else None
        yield ReasonGroup(
            action=action,
            code=code,
            count=tally.count,
            samples=tuple(tally.samples),
            at_most=limit.at_most if limit else None,
            accepted_because=limit.reason if limit else "",
        )


def _by_count(items: dict[K, Any]) -> list[tuple[K, Any]]:
    return sorted(items.items(), key=lambda entry: -entry[1].count)
