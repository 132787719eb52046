"""What is kept of a group's changes as they stream by, and changes that belong together.

Whatever comes out depends on the changes alone, not on the order in which they came: every choice
is by count or digest, and then by the change's number.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeAlias

from bulkrunner.domain.diff import Difference
from bulkrunner.domain.places import property_of
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report import ORDER, SAMPLES
from bulkrunner.domain.report_groups import (
    General,
    Joint,
    Outlier,
    PatternGroup,
    ReportedChange,
    Values,
    Why,
)
from bulkrunner.domain.transfers import TransferRole, role_of

# Characters of a value that are compared and kept; longer ones go on as a digest.
MAX_TEXT = 300

MAX_LEAVES = 60

# Effects that are remembered, since the next change may do the same.
MAX_EFFECTS = 4096

MAX_DEPTH = 12

Kind: TypeAlias = Literal["added", "removed", "changed"]


class Leaf(NamedTuple):
    """A value inside a changed place; ``at`` is empty for the place's own; None: no text."""

    at: str
    before: str | None
    after: str | None


class Part(NamedTuple):
    """One changed place."""

    place: str
    kind: Kind
    leaves: tuple[Leaf, ...]


class Slot(NamedTuple):
    """A place and a value inside it, as far as changes of one shape have it in common."""

    place: str
    kind: Kind
    at: str


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change does; ``parts`` are in an order that does not depend on the record's.

    ``values``: digest of all. ``longest``: characters of the longest. ``places``: how many.
    """

    parts: tuple[Part, ...]
    shape: tuple[Slot, ...]
    values: bytes
    longest: int
    places: int

    @cached_property
    def leaves(self) -> tuple[tuple[Slot, str | None, str | None], ...]:
        """Each value with its place, before and after."""
        return tuple(
            (Slot(part.place, part.kind, leaf.at), leaf.before, leaf.after)
            for part in self.parts
            for leaf in part.leaves
        )

    @cached_property
    def top(self) -> tuple[str, ...]:
        """Return the properties that are touched, sorted."""
        return tuple(sorted({property_of(slot.place) for slot in self.shape}))

    @cached_property
    def of_thing(self) -> tuple[str, ...]:
        """Return the properties of the item or instance that are touched, sorted."""
        return tuple(name for name in self.top if not name.startswith("@record"))


# Made once: it is asked for every change.
_JSON = json.JSONEncoder(ensure_ascii=False)


def effect_of(differences: Sequence[Difference]) -> Effect:
    """Return what a change does; most changes of a plan do what others did before them."""
    told = repr([(one.place, one.kind, one.before, one.after) for one in differences])
    return _EFFECTS.get(told, differences)


class _Effects:
    """The latest effects, by their differences written out."""

    def __init__(self) -> None:
        self._known: dict[str, Effect] = {}

    def get(self, told: str, differences: Sequence[Difference]) -> Effect:
        found = self._known.get(told)
        if found is None:
            found = _effect(differences)
            if len(told) <= MAX_TEXT:
                if len(self._known) >= MAX_EFFECTS:
                    self._known.clear()
                self._known[told] = found
        return found


_EFFECTS = _Effects()


def _effect(differences: Sequence[Difference]) -> Effect:
    parts, longest = [], 0
    for item in differences:
        before = {} if item.kind == "added" else _leaves(item.before)
        after = {} if item.kind == "removed" else _leaves(item.after)
        longest = max(longest, *map(len, before.values()), *map(len, after.values()), 0)
        names = dict.fromkeys((*before, *after))
        leaves = tuple(Leaf(at, _bounded(before.get(at)), _bounded(after.get(at))) for at in names)
        parts.append(Part(general(item.place), item.kind, leaves[:MAX_LEAVES]))
    if len(parts) > 1:
        parts.sort(key=_JSON.encode)
    shape = {Slot(part.place, part.kind, leaf.at) for part in parts for leaf in part.leaves}
    told = _JSON.encode(parts)
    return Effect(
        parts=tuple(parts),
        shape=tuple(sorted(shape)),
        values=hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest(),
        longest=longest,
        places=len(parts),
    )


@lru_cache(maxsize=4096)
def general(place: str) -> str:
    """Return a place without its list indexes: ``hasNote.3.label`` is ``hasNote.label``."""
    return ".".join(step for step in place.split(".") if not step.isdecimal())


def _leaves(value: Any) -> dict[str, str]:
    """Return by place inside the value what it says there."""
    found: dict[str, list[str]] = {}
    for at, text in _walk("", value, 0):
        found.setdefault(at, []).append(text)
    return {at: "; ".join(texts) for at, texts in found.items()}


def _walk(at: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    match value:
        case {"@id": str(iri), **rest} if not rest:
            yield at, iri
        case dict() if value and depth < MAX_DEPTH:
            for key, item in value.items():
                if key != "@type" or len(value) == 1:
                    yield from _walk(f"{at}.{key}" if at else key, item, depth + 1)
        case list() if value and depth < MAX_DEPTH:
            for item in value:
                yield from _walk(at, item, depth + 1)
        case str():
            yield at, value
        case _:
            yield at, json.dumps(value, ensure_ascii=False, default=str)


def _bounded(text: str | None) -> str | None:
    if text is None or len(text) <= MAX_TEXT:
        return text
    rest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[:MAX_TEXT]}… #{rest}"


# Different sets of values that are counted in one group; with more than that none is.
MAX_VALUES = 20_000

# Kinds of changes from which samples are chosen.
SKETCHED = 16

# Digest of the values, and the sigel: by these two samples differ.
Mark = tuple[bytes, str]


@lru_cache(maxsize=4096)
def _lot(mark: Mark) -> bytes:
    """Return a number that is drawn for a mark, always the same."""
    return blake2b(mark[0] + mark[1].encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Sketch:
    """A fair choice of changes that differ, with the lowest number of each."""

    def __init__(self) -> None:
        self.kept: dict[bytes, tuple[int, Mark]] = {}
        self._greatest = b""
        self.lowest: list[int] = []

    def add(self, number: int, mark: Mark) -> None:
        self._note_lowest(number)
        key = _lot(mark)
        known = self.kept.get(key)
        if known is not None:
            if number < known[0]:
                self.kept[key] = (number, mark)
        elif len(self.kept) < SKETCHED or key < self._greatest:
            self.kept[key] = (number, mark)
            if len(self.kept) > SKETCHED:
                del self.kept[max(self.kept)]
            self._greatest = max(self.kept)

    def _note_lowest(self, number: int) -> None:
        if len(self.lowest) < SAMPLES or number < self.lowest[-1]:
            self.lowest = sorted({*self.lowest, number})[:SAMPLES]

    def chosen(self) -> list[int]:
        left = sorted(self.kept.values())
        taken: list[tuple[int, Mark]] = []
        while left and len(taken) < SAMPLES:
            values = {mark[0] for _, mark in taken}
            sigels = {mark[1] for _, mark in taken}
            best = min(left, key=lambda one: (one[1][0] in values, one[1][1] in sigels, one[0]))
            left.remove(best)
            taken.append(best)
        numbers = [number for number, _ in taken]
        more = [number for number in self.lowest if number not in numbers]
        return sorted([*numbers, *more[: SAMPLES - len(numbers)]])


class Extreme:
    """The change with the greatest measure, and what the measure is like among all."""

    def __init__(self) -> None:
        self.most = 0
        self.number = 0
        self.least = 0
        self.total = 0
        self.count = 0

    def add(self, number: int, measure: int, times: int = 1) -> None:
        self.total += measure * times
        self.least = measure if not self.count else min(self.least, measure)
        self.count += times
        if measure > self.most or (measure == self.most and number < self.number):
            self.most, self.number = measure, number

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


class Same:
    """Changes of a group with the same values."""

    __slots__ = ("effect", "sigels")

    def __init__(self, effect: Effect) -> None:
        self.effect = effect
        self.sigels: dict[str, list[int]] = {}

    def add(self, number: int, sigel: str) -> None:
        found = self.sigels.get(sigel)
        if found is None:
            self.sigels[sigel] = [1, number]
            return
        found[0] += 1
        lowest = found[1:]
        if len(lowest) < SAMPLES or number < lowest[-1]:
            found[1:] = sorted({*lowest, number})[:SAMPLES]

    @property
    def count(self) -> int:
        return sum(found[0] for found in self.sigels.values())

    def chosen(self) -> list[int]:
        """Return the numbers of at most three changes, of different libraries where there are."""
        firsts = sorted(found[1] for found in self.sigels.values())[:SAMPLES]
        every = sorted(number for found in self.sigels.values() for number in found[1:])
        more = [number for number in every if number not in firsts]
        return sorted([*firsts, *more[: SAMPLES - len(firsts)]])


class Collector:
    """One group of changes."""

    def __init__(self, *, slots: tuple[Slot, ...] = (), with_values: bool = False) -> None:
        self.slots = slots
        self.count = 0
        self.sigels: Counter[str] = Counter()
        self.sketch = Sketch()
        self.longest = Extreme()
        self.most = Extreme()
        self.same: dict[bytes, Same] | None = {} if with_values else None
        self._values = {slot: (Values(), Values()) for slot in slots}

    def add(self, change: PlannedChange, effect: Effect) -> None:
        number, sigel = change.number, change.sigel or ""
        self.count += 1
        self.sigels[sigel] += 1
        self.sketch.add(number, (effect.values, sigel))
        self.longest.add(number, effect.longest)
        self.most.add(number, effect.places)
        if self._values:
            for slot, before, after in effect.leaves:
                known = self._values.get(slot)
                if known is not None:
                    known[0].add(before)
                    known[1].add(after)
        self._note_values(number, sigel, effect)

    def _note_values(self, number: int, sigel: str, effect: Effect) -> None:
        if self.same is None:
            return
        same = self.same.get(effect.values)
        if same is None:
            if len(self.same) == MAX_VALUES:
                self.same = None
                return
            same = self.same[effect.values] = Same(effect)
        same.add(number, sigel)

    def general(self, slot: Slot) -> tuple[General, General]:
        """Return what stands in a slot before and after, in general."""
        before, after = self._values[slot]
        return before.general(), after.general()


# Other things done to what is saved that are told apart.
MAX_MIXED = 12


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
    return JointKey(role.verb, role.to)


def partners_of(fetched: Mapping[int, ReportedChange], numbers: Sequence[int]) -> list[int]:
    return sorted({other for n in numbers for other in fetched[n].change.prerequisites[:20]})


def ranked(sigels: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(sigels.items(), key=lambda item: (-item[1], item[0])))


def extremes(longest: Extreme, most: Extreme, *, long: int = 100) -> list[tuple[Why, int, int]]:
    """Return the changes that stand out by their longest text and by how many places they touch."""
    found: list[tuple[Why, int, int]] = []
    if longest.most >= long and longest.most > 2 * longest.mean:
        found.append(("longest", longest.number, longest.most))
    if most.most > most.least:
        found.append(("most", most.number, most.most))
    return found
