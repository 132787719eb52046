"""What the changes of a plan so far will have done, those of the batch in hand included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import PlannedChange

MAX_CHAIN = 10_000
"""Changes looked at to find out whether one waits for another."""


class NotYet(Exception):
    """What was looked for can only be told in turn; never leaves planning."""


class PlanSoFar:
    """Finds changes by what they concern or by number; thread safe as long as nobody adds."""

    def __init__(self, ledger: Ledger, plan: str) -> None:
        self._ledger = ledger
        self._plan = plan
        self.last = ledger.lookups.last_number(plan)
        """Number of the last change that is stored."""
        self._forget()

    def _forget(self) -> None:
        self._batch: dict[int, PlannedChange] = {}
        self._numbers: dict[str, int] = {}
        self._placed: dict[str, tuple[int, ...]] = {}
        self._written: set[str] = set()
        self._stored: dict[str, PlannedChange | None] = {}
        self._stored_places: dict[str, tuple[int, ...]] = {}

    def begin(self) -> None:
        """Begin a batch; the one before is in the ledger."""
        self.last = max([self.last, *self._batch])
        self._forget()

    def fetch(self, keys: Iterable[str], places: Iterable[str] = ()) -> None:
        """Look keys and places up at once; what is stored stays as it is during a batch."""
        keys = [key for key in keys if key not in self._stored]
        places = [place for place in places if place not in self._stored_places]
        found = self._ledger.lookups.changes_of(self._plan, keys) if keys and self.last else {}
        self._stored |= {key: found.get(key) for key in keys}
        there = self._ledger.lookups.numbers_at(self._plan, places) if places and self.last else {}
        self._stored_places |= {place: there.get(place, ()) for place in places}

    def add(self, change: PlannedChange) -> None:
        """Take in a change of the batch, or one that replaces another."""
        self._batch[change.number] = change
        names = [key for key in (change.target_key, change.place) if key]
        self._numbers.update(dict.fromkeys(names, change.number))
        self._written.update(names, [f"number:{change.number}"])
        if change.place:
            known = self._placed.get(change.place, ())
            self._placed[change.place] = tuple(dict.fromkeys((*known, change.number)))

    def has_written(self, asked: Iterable[str]) -> bool:
        """Return True if the batch has written any of what somebody asked for."""
        return not self._written.isdisjoint(asked)

    def of(self, keys: Sequence[str]) -> dict[str, PlannedChange]:
        """Return for each target key or place the change that has it."""
        found = {key: self._batch[self._numbers[key]] for key in keys if key in self._numbers}
        left = [key for key in keys if key not in found]
        self.fetch(left)
        return found | {key: one for key in left if (one := self._stored[key]) is not None}

    def numbers_at(self, place: str) -> tuple[int, ...]:
        """Return the numbers of all changes that have a place."""
        self.fetch((), [place])
        return tuple(sorted({*self._stored_places[place], *self._placed.get(place, ())}))

    def numbered(self, number: int) -> PlannedChange | None:
        """Return a change by its number."""
        if number in self._batch or number > self.last:
            return self._batch.get(number)
        return next(iter(self._ledger.lookups.changes_numbered(self._plan, [number])), None)

    def waits_for(self, change: PlannedChange, number: int) -> bool:
        """Return True if a change waits, over any others, for the one with the number."""
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
    """One resolution's look at the plan; remembers what its result depends on.

    Ahead of its turn a resolution sees what is stored, and nothing of its own batch.
    """

    def __init__(self, so_far: PlanSoFar, *, ahead: bool = False) -> None:
        self._so_far = so_far
        self._ahead = ahead
        self.asked: set[str] = set()

    def another(self) -> Look:
        """Return a look of the same kind that remembers nothing yet."""
        return Look(self._so_far, ahead=self._ahead)

    def of(self, keys: Sequence[str]) -> dict[str, PlannedChange]:
        """Return for each target key or place the change that has it."""
        self.asked.update(keys)
        return self._so_far.of(keys)

    def at(self, key: str) -> PlannedChange | None:
        """Return the change that has a target key or place."""
        return self.of([key]).get(key)

    def numbers_at(self, place: str) -> tuple[int, ...]:
        """Return the numbers of all changes that have a place."""
        self.asked.add(place)
        return self._so_far.numbers_at(place)

    def numbered(self, number: int) -> PlannedChange | None:
        """Return a change by its number.

        Raises:
            NotYet: it comes, if at all, with the batch in hand.
        """
        if self._ahead and number > self._so_far.last:
            raise NotYet
        self.asked.add(f"number:{number}")
        return self._so_far.numbered(number)
