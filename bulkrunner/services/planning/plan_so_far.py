"""What the changes of a plan so far will have done, those of the batch in hand included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import PlannedChange

MAX_CHAIN = 10_000
"""Changes looked at to find out whether one waits for another."""


Placed: TypeAlias = dict[str, tuple[int, ...]]
Kept: TypeAlias = tuple[dict[int, PlannedChange], dict[str, int], Placed, set[str]]


class View:
    """Finds changes by what they concern or by number; thread safe as long as nobody adds."""

    def __init__(self, ledger: Ledger, plan: str) -> None:
        self._ledger = ledger
        self._plan = plan
        self._batch: dict[int, PlannedChange] = {}
        self._numbers: dict[str, int] = {}
        self._placed: Placed = {}
        self._written: set[str] = set()
        self._fetched: dict[str, PlannedChange | None] = {}
        self._fetched_places: dict[str, tuple[int, ...]] = {}

    def begin(self) -> None:
        """Forget the batch: it is in the ledger."""
        self._batch = {}
        self._numbers = {}
        self._placed = {}
        self._written = set()
        self._fetched = {}
        self._fetched_places = {}

    def kept(self) -> Kept:
        """Return the batch as it is, to come back to."""
        return dict(self._batch), dict(self._numbers), dict(self._placed), set(self._written)

    def back_to(self, kept: Kept) -> None:
        """Forget what was added since."""
        self._batch, self._numbers, self._placed, self._written = kept

    def fetch(self, keys: Sequence[str], places: Sequence[str]) -> None:
        """Look the keys and places of a batch up at once; what is stored stays as it is meanwhile."""
        found = self._ledger.lookups.changes_of(self._plan, keys) if keys else {}
        self._fetched = {key: found.get(key) for key in keys}
        numbers = self._ledger.lookups.numbers_at(self._plan, places) if places else {}
        self._fetched_places = {place: numbers.get(place, ()) for place in places}

    def add(self, change: PlannedChange) -> None:
        """Take in a change of the batch, or one that replaces another."""
        self._batch[change.number] = change
        names = [key for key in (change.target_key, change.place) if key]
        self._numbers.update(dict.fromkeys(names, change.number))
        self._written.update(names, [f"number:{change.number}"])
        if change.place:
            known = self._placed.get(change.place, ())
            self._placed[change.place] = tuple(dict.fromkeys((*known, change.number)))

    def is_stale(self, asked: Iterable[str]) -> bool:
        """Tell whether the batch has written any of what somebody asked for."""
        return not self._written.isdisjoint(asked)

    def of(self, keys: Sequence[str], *, blind: bool) -> dict[str, PlannedChange]:
        """Return for each target key or place the change that has it."""
        found = {key: self._batch[self._numbers[key]] for key in keys if key in self._numbers}
        if blind:
            return found
        fetched = {key: self._fetched.get(key) for key in keys if key not in found}
        found |= {key: change for key, change in fetched.items() if change is not None}
        left = [key for key in fetched if key not in self._fetched]
        return found | (dict(self._ledger.lookups.changes_of(self._plan, left)) if left else {})

    def at(self, place: str, *, blind: bool) -> tuple[int, ...]:
        """Return the numbers of all changes that have a place."""
        stored: Sequence[int] = ()
        if place in self._fetched_places:
            stored = self._fetched_places[place]
        elif not blind:
            stored = self._ledger.lookups.numbers_at(self._plan, [place]).get(place, ())
        return tuple(sorted({*stored, *self._placed.get(place, ())}))

    def numbered(self, number: int) -> PlannedChange | None:
        """Return a change by its number."""
        if number in self._batch:
            return self._batch[number]
        return next(iter(self._ledger.lookups.changes_numbered(self._plan, [number])), None)

    def waits_for(self, change: PlannedChange, number: int) -> bool:
        """Tell whether a change waits, over any others, for the one with the number."""
        seen: set[int] = set()
        left = list(change.prerequisites)
        while left and len(seen) < MAX_CHAIN:
            one = left.pop()
            if one == number:
                return True
            if one not in seen:
                seen.add(one)
                found = self.numbered(one)
                left += found.prerequisites if found else ()
        return bool(left)


class Look:
    """One resolution's look at the plan; remembers what its result depends on."""

    def __init__(self, view: View, *, blind: bool = False) -> None:
        """Look at a plan.

        Args:
            view: of the plan.
            blind: the ledger need not be asked, nothing that is stored can be of concern.
        """
        self._view = view
        self._blind = blind
        self.asked: set[str] = set()

    def another(self) -> Look:
        """Return a look of the same kind that remembers nothing yet."""
        return Look(self._view, blind=self._blind)

    def of(self, keys: Sequence[str], *, sure: bool = False) -> dict[str, PlannedChange]:
        """Return for each target key or place the change that has it.

        Args:
            keys: of records or places.
            sure: ask the ledger in any case.
        """
        self.asked.update(keys)
        return self._view.of(keys, blind=self._blind and not sure)

    def at(self, key: str) -> PlannedChange | None:
        """Return the change that has a target key or place."""
        return self.of([key]).get(key)

    def numbers_at(self, place: str) -> tuple[int, ...]:
        """Return the numbers of all changes that have a place."""
        self.asked.add(place)
        return self._view.at(place, blind=self._blind)

    def numbered(self, number: int) -> PlannedChange | None:
        """Return a change by its number."""
        self.asked.add(f"number:{number}")
        return self._view.numbered(number)
