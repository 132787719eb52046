"""Finds what the changes of a plan have in common, in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from bulkrunner.domain.manifest import Accept
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report import ORDER, SAMPLES
from bulkrunner.domain.report_groups import Grouped, ReasonGroup, ReportedChange, TextGroup
from bulkrunner.domain.transfers import looks_elsewhere
from bulkrunner.services.report.patterns import Fetch, Patterns

__all__ = ["MAX_GROUPS", "group_changes"]

# Reasons and texts that are shown; the rest is counted.
MAX_GROUPS = 200

MAX_TEXTS = 5000
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
        self.samples.append(item)
        if len(self.samples) > SAMPLES:
            self.samples.sort(key=lambda one: one.change.number)
            del self.samples[SAMPLES:]


@dataclass
class _Text:
    count: int = 0
    numbers: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.numbers) < MAX_NUMBERS or number < self.numbers[-1]:
            self.numbers = sorted({*self.numbers, number})[:MAX_NUMBERS]


class _Groups:
    def __init__(self) -> None:
        self.kinds: Counter[tuple[Action, str]] = Counter()
        self.looks = 0
        self.patterns = Patterns()
        self.reasons: Bounded[tuple[Action, str], _Tally] = Bounded(_Tally, MAX_GROUPS)
        self.cleanups: Bounded[str, _Text] = Bounded(_Text, MAX_TEXTS)
        self.notes: Bounded[tuple[str, str], _Text] = Bounded(_Text, MAX_TEXTS)

    def add(self, item: ReportedChange) -> None:
        change = item.change
        self.kinds[(change.action, change.kind or "")] += 1
        if change.action in WRITING:
            self.looks += looks_elsewhere(change)
            self.patterns.add(item)
        elif reason := self.reasons.get((change.action, change.code)):
            reason.add(replace(item, change=replace(change, before=None)))
        for text in change.cleanups:
            if found := self.cleanups.get(text):
                found.add(change.number)
        for note in change.notes:
            if found := self.notes.get(note):
                found.add(change.number)


def group_changes(
    stream: Callable[[], Iterator[ReportedChange]],
    accept: Sequence[Accept],
    fetch: Fetch,
    refused: Mapping[str, int] = MappingProxyType({}),
) -> Grouped:
    """Return what the changes have in common.

    ``stream`` starts one of every change, in any order; ``fetch`` returns some by number.
    ``refused``: refusals by code, of which those that say alike of one line of input are one.
    """
    groups = _Groups()
    for item in stream():
        groups.add(item)
    cleanups, notes = _by_count(groups.cleanups.items), _by_count(groups.notes.items)
    return Grouped(
        patterns=groups.patterns.groups(fetch),
        reasons=tuple(_reasons(groups, accept, refused)),
        cleanups=tuple(
            TextGroup(text=text, count=found.count, numbers=tuple(found.numbers))
            for text, found in cleanups[:MAX_GROUPS]
        ),
        notes=tuple(
            TextGroup(text=text, code=code, count=found.count, numbers=tuple(found.numbers))
            for (code, text), found in notes[:MAX_GROUPS]
        ),
        kinds=dict(groups.kinds),
        looks=groups.looks,
        pattern_of=groups.patterns.place_of,
        beyond_cleanups=groups.cleanups.beyond
        + sum(found.count for _, found in cleanups[MAX_GROUPS:]),
    )


def _reasons(
    groups: _Groups, accept: Sequence[Accept], refused: Mapping[str, int]
) -> Iterator[ReasonGroup]:
    accepted: dict[str, Accept] = {}
    for item in accept:
        known = accepted.get(item.code)
        if known is None or item.at_most > known.at_most:
            accepted[item.code] = item
    found = _by_count(groups.reasons.items)
    for (action, code), tally in sorted(found, key=lambda entry: ORDER.index(entry[0][0])):
        limited = action is Action.REFUSED
        limit = accepted.get(code) if limited else None
        yield ReasonGroup(
            action=action,
            code=code,
            count=tally.count,
            occurrences=refused.get(code, tally.count) if limited else tally.count,
            samples=tuple(sorted(tally.samples, key=lambda one: one.change.number)),
            at_most=limit.at_most if limit else None,
            accepted_because=limit.reason if limit else "",
        )


def _by_count(items: dict[K, Any]) -> list[tuple[K, Any]]:
    return sorted(items.items(), key=lambda entry: (-entry[1].count, repr(entry[0])))
