"""Changes grouped by what they do, as finely as a person can still read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report import ORDER
from bulkrunner.domain.report_groups import (
    Level,
    Outlier,
    PatternGroup,
    PatternPart,
    PatternValue,
    ReportedChange,
    Variant,
    Why,
    is_restoring,
    just,
)
from bulkrunner.domain.transfers import role_of, told_by_places
from bulkrunner.services.report.collect import (
    Collector,
    Effect,
    Extreme,
    JointGroup,
    JointKey,
    Part,
    Same,
    Slot,
    effect_of,
    extremes,
    key_of,
    partners_of,
    ranked,
)

Fetch = Callable[[Sequence[int]], Mapping[int, ReportedChange]]


def exactly(parts: Sequence[Part]) -> tuple[PatternPart, ...]:
    """Return places with the very values of one change."""
    return tuple(
        PatternPart(
            place=part.place,
            kind=part.kind,
            values=tuple(
                PatternValue(at=leaf.at, before=just(leaf.before), after=just(leaf.after))
                for leaf in part.leaves
            ),
        )
        for part in parts
    )


def in_general(collector: Collector) -> tuple[PatternPart, ...]:
    """Return places with what the values of all changes have in common."""
    places: dict[tuple[str, str], PatternPart] = {}
    for slot in collector.slots:
        before, after = collector.general(slot)
        value = PatternValue(at=slot.at, before=before, after=after)
        known = places.get((slot.place, slot.kind))
        values = (*known.values, value) if known else (value,)
        places[(slot.place, slot.kind)] = PatternPart(
            place=slot.place, kind=slot.kind, values=values
        )
    return tuple(places.values())


def named(key: Iterable[object]) -> tuple[PatternPart, ...]:
    return tuple(PatternPart(place=str(name), kind="changed") for name in key)


# Groups of one action and kind; with more of them coarser ones are shown.
MAX_SHAPES = 60

# Sets of values that get a group of their own among changes of one shape.
MAX_OWN = 12

OWN_SHARE = 0.02

SHOWN_VARIANTS = 5

RARE_SHARE = 0.02

_Kind: TypeAlias = tuple[Action, str, str]

_Key: TypeAlias = tuple[Slot, ...] | tuple[str, ...]

# Action, kind and verb, level, what is common at that level, digest of values where they are
# common.
_Full: TypeAlias = tuple[_Kind, str, _Key, bytes]


class Patterns:
    """Takes changes one by one; memory does not grow with them."""

    def __init__(self) -> None:
        self._kinds: dict[_Kind, _OfKind] = {}
        self._joint: dict[JointKey, JointGroup] = {}
        self._places: dict[_Full | JointKey, int] = {}

    def add(self, item: ReportedChange) -> None:
        change, effect = item.change, effect_of(item.differences)
        key = _key_of(change)
        if isinstance(key, JointKey):
            self._add_joint(key, change, effect)
            return
        if key not in self._kinds:
            origin = change.pattern if is_restoring(change.pattern) else ""
            self._kinds[key] = _OfKind(key, change.kind, origin)
        self._kinds[key].add(change, effect)

    def _add_joint(self, key: JointKey, change: PlannedChange, effect: Effect) -> None:
        role = role_of(change)
        if role is not None:
            group = self._joint.setdefault(key, JointGroup(key, change.kind))
            group.add(change, role, effect)

    def groups(self, fetch: Fetch) -> tuple[PatternGroup, ...]:
        """Return the groups: deletions before all else, then the largest first."""
        plain = [draft for of_kind in self._kinds.values() for draft in of_kind.drafts()]
        plain.sort(key=lambda draft: draft.rank())
        joint = sorted(self._joint.values(), key=lambda group: group.rank())
        found = _in_order(plain, joint)
        self._places = {group.key: place for place, group in enumerate(found)}
        fetched = fetch(sorted({number for group in found for number in group.numbers()}))
        pairs = [number for group in joint for number in group.numbers()]
        partners = fetch(partners_of(fetched, pairs)) if pairs else {}
        return tuple(group.finished(fetched, partners) for group in found)

    def place_of(self, item: ReportedChange) -> int:
        """Return which of the groups a change is in, counted from 0; -1: in none."""
        key = _key_of(item.change)
        if isinstance(key, JointKey):
            return self._places.get(key, -1)
        of_kind = self._kinds.get(key)
        if of_kind is None:
            return -1
        keys = of_kind.keys_of(effect_of(item.differences))
        return next((self._places[key] for key in keys if key in self._places), -1)


def _key_of(change: PlannedChange) -> _Kind | JointKey:
    role = role_of(change)
    if role is None or told_by_places(role, change.action):
        verb = "" if role is None or role.mixed else role.verb
        return (change.action, change.kind or "", verb)
    return key_of(role)


def _in_order(plain: list[_Draft], joint: list[JointGroup]) -> list[_Draft | JointGroup]:
    """Put plain groups of an action before joint ones of it: deletions that are only that first."""
    return sorted(
        [*plain, *joint],
        key=lambda group: (ORDER.index(group.action), isinstance(group, JointGroup)),
    )


@dataclass(kw_only=True)
class _Draft:
    """A group whose samples are not fetched yet."""

    key: _Full
    action: Action
    kind: str | None
    level: Level
    parts: tuple[PatternPart, ...]
    count: int
    sigels: Mapping[str, int]
    samples: Sequence[int]
    outliers: Sequence[tuple[Why, int, int]] = ()
    variants: tuple[Variant, ...] = ()
    rarer: int = 0
    different: int | None = None
    origin: str = ""
    verb: str = ""

    def rank(self) -> tuple[int, int, bool, str]:
        return (ORDER.index(self.action), -self.count, self.level == "others", repr(self.parts))

    def numbers(self) -> Iterator[int]:
        yield from self.samples
        yield from (number for _, number, _ in self.outliers)

    def finished(
        self, fetched: Mapping[int, ReportedChange], _: Mapping[int, ReportedChange]
    ) -> PatternGroup:
        return PatternGroup(
            action=self.action,
            kind=self.kind,
            origin=self.origin,
            verb=self.verb,
            level=self.level,
            parts=self.parts,
            count=self.count,
            sigels=ranked(self.sigels),
            samples=tuple(fetched[number] for number in self.samples),
            outliers=tuple(
                Outlier(why=why, change=fetched[number], measure=measure)
                for why, number, measure in self.outliers
            ),
            variants=self.variants,
            rarer=self.rarer,
            different=self.different,
        )


class _OfKind:
    """Changes of one action to one kind of record, grouped at three levels at once."""

    def __init__(self, key: _Kind, kind: str | None, origin: str) -> None:
        self._origin = origin
        self._action, _, self._verb = key
        self._kind = kind
        self._of = key
        action = self._action
        self._deletes = action is Action.DELETE
        self._fine: dict[_Key, Collector] | None = {}
        self._coarse: dict[_Key, Collector] | None = {}
        self._all = Collector()

    def _two_keys(self, effect: Effect) -> tuple[_Key, _Key]:
        if not self._deletes:
            return effect.shape, effect.top
        return effect.of_thing, ("…",) if effect.of_thing else ()

    def keys_of(self, effect: Effect) -> Iterator[_Full]:
        """Yield the keys that a change's group may have, the finest first."""
        fine, coarse = self._two_keys(effect)
        yield (self._of, "fine", fine, effect.values)
        yield (self._of, "fine", fine, b"")
        yield (self._of, "coarse", coarse, b"")
        yield (self._of, "all", (), b"")

    def add(self, change: PlannedChange, effect: Effect) -> None:
        self._all.add(change, effect)
        fine, coarse = self._two_keys(effect)
        self._fine = self._added(self._fine, fine, change, effect)
        self._coarse = self._added(self._coarse, coarse, change, effect)

    def _added(
        self,
        groups: dict[_Key, Collector] | None,
        key: _Key,
        change: PlannedChange,
        effect: Effect,
    ) -> dict[_Key, Collector] | None:
        if groups is None:
            return None
        found = groups.get(key)
        if found is None:
            if len(groups) == (MAX_OWN if self._deletes else MAX_SHAPES):
                return None
            fine = groups is self._fine and not self._deletes
            slots = effect.shape if fine else ()
            found = groups[key] = Collector(slots=slots, with_values=fine)
        found.add(change, effect)
        return groups

    def drafts(self) -> Iterator[_Draft]:
        if self._deletes:
            yield from self._deletions()
        elif self._fine is not None:
            for key, collector in self._fine.items():
                yield from self._of_shape(key, collector)
        elif self._coarse is not None:
            for key, collector in self._coarse.items():
                full = (self._of, "coarse", key, b"")
                yield self._draft(full, collector, "coarse", named(key))
        else:
            yield self._draft((self._of, "all", (), b""), self._all, "all", ())

    def _deletions(self) -> Iterator[_Draft]:
        groups = self._fine if self._fine is not None else self._coarse or {}
        level = "fine" if self._fine is not None else "coarse"
        for key, collector in groups.items():
            yield self._draft((self._of, level, key, b""), collector, "shape", named(key))

    def _draft(
        self, key: _Full, collector: Collector, level: Level, parts: tuple[PatternPart, ...]
    ) -> _Draft:
        return _Draft(
            key=key,
            action=self._action,
            kind=self._kind,
            origin=self._origin,
            verb=self._verb,
            level=level,
            parts=parts,
            count=collector.count,
            sigels=collector.sigels,
            samples=collector.sketch.chosen(),
            outliers=extremes(collector.longest, collector.most),
        )

    # --- changes of one shape ----------------------------------------------------------------

    def _of_shape(self, key: _Key, collector: Collector) -> Iterator[_Draft]:
        same = collector.same
        ranked = sorted(same.items(), key=lambda one: (-one[1].count, one[0])) if same else []
        own = [one for one in ranked if _deserves(one[1].count, collector.count, len(ranked))]
        own = own[:MAX_OWN]
        for values, found in own:
            yield self._own((self._of, "fine", key, values), found)
        rest = [found for _, found in ranked[len(own) :]]
        full = (self._of, "fine", key, b"")
        if len(rest) == 1:
            yield self._own(full, rest[0])
        elif rest or not ranked:
            yield self._others(full, collector, rest, split=bool(own))

    def _own(self, key: _Full, found: Same) -> _Draft:
        return _Draft(
            key=key,
            action=self._action,
            kind=self._kind,
            origin=self._origin,
            verb=self._verb,
            level="values",
            parts=exactly(found.effect.parts),
            count=found.count,
            sigels={sigel: kept[0] for sigel, kept in found.sigels.items()},
            samples=found.chosen(),
            different=1,
        )

    def _others(
        self, key: _Full, collector: Collector, rest: Sequence[Same], *, split: bool
    ) -> _Draft:
        level: Level = "others" if split else "shape"
        draft = self._draft(key, collector, level, in_general(collector))
        if not rest:
            return draft
        draft.count = sum(found.count for found in rest)
        draft.different = len(rest)
        if split:
            draft.sigels = _sigels(rest)
            draft.samples = _spread(rest)
            draft.outliers = extremes(*_measured(rest))
        draft.variants = tuple(
            Variant(parts=exactly(found.effect.parts), count=found.count)
            for found in rest[:SHOWN_VARIANTS]
        )
        draft.rarer = draft.count - sum(variant.count for variant in draft.variants)
        last = min(rest, key=lambda found: (found.count, found.chosen()[0]))
        if last.count <= RARE_SHARE * draft.count:
            draft.outliers = [("rare", last.chosen()[0], last.count), *draft.outliers]
        return draft


def _deserves(count: int, total: int, different: int) -> bool:
    return different <= 3 or count >= max(2, OWN_SHARE * total)


def _sigels(rest: Sequence[Same]) -> dict[str, int]:
    sigels: dict[str, int] = {}
    for found in rest:
        for sigel, kept in found.sigels.items():
            sigels[sigel] = sigels.get(sigel, 0) + kept[0]
    return sigels


def _spread(rest: Sequence[Same]) -> list[int]:
    """Return one change each of the commonest, a middling and the rarest values."""
    picked = {0: rest[0], len(rest) // 2: rest[len(rest) // 2], len(rest) - 1: rest[-1]}
    numbers = {found.chosen()[0] for found in picked.values()}
    for found in rest[:3]:
        for number in found.chosen():
            if len(numbers) < 3:
                numbers.add(number)
    return sorted(numbers)


def _measured(rest: Sequence[Same]) -> tuple[Extreme, Extreme]:
    longest, most = Extreme(), Extreme()
    for found in rest:
        number, count = found.chosen()[0], found.count
        longest.add(number, found.effect.longest, count)
        most.add(number, found.effect.places, count)
    return longest, most
