"""The changes of a plan so far, those of the batch in hand included, and what waits for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.operations import PREFIX, place_in_answer
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import FAILED, Request, as_refused, parts_of

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

    def expect(self, keys: Sequence[str]) -> None:
        """Go on where the plan has a change for each target key or place.

        Raises:
            NotYet: one comes, if at all, with the batch in hand.
        """
        if self._ahead and len(self.of(keys)) < len(set(keys)):
            raise NotYet

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


def refused_entry(request: Request, refusal: Refusal) -> PlannedChange:
    """Return what becomes of an entry of whose record nothing is known."""
    return PlannedChange(
        number=0,
        record=request.ref,
        given=request.given,
        source=request.source,
        declared=request.verb,
        operation=request.operation,
        step=request.step,
        **as_refused(refusal),
    )


def refused(change: PlannedChange, refusal: Refusal) -> PlannedChange:
    """Return a change that is refused after all."""
    bare = replace(
        change,
        after=None,
        predicted=None,
        before_fingerprint=None,
        after_fingerprint=None,
        cleanups=(),
        pattern="",
        prerequisites=(),
        links=(),
    )
    return replace(bare, **as_refused(refusal))


def is_for(other: PlannedChange, change: PlannedChange) -> bool:
    """Return True if a change is made, also, for the sake of another one: it takes its content in."""
    own = [(part.step, part.source) for part in parts_of(change)]
    return other.action in WRITING and any(
        not part.subject and (part.step, part.source) in own for part in parts_of(other)
    )


def fallen(needed: PlannedChange) -> Refusal:
    """Return the refusal of a change that belongs to one that is refused."""
    which = (
        Sentence("change", number=needed.number) if needed.number else Sentence("change_of_step")
    )
    return Refusal(
        "prerequisite",
        Sentence("prerequisite", which=which, code=needed.code),
        Sentence("prerequisite_hint"),
    )


Earlier: TypeAlias = Callable[[int], PlannedChange | None]

"""Finds an earlier change by its number."""

NAME_LENGTH = 16

"""Characters of a digest that stand for a record to be created, alike in every environment."""


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Prerequisites of a change.

    Attributes:
        numbers: changes that must end well first.
        records: short ids of records that an earlier run created already, by number.
        names: what stands for a record to be created in an operation's neutral form, by number.
        creates: the changes that create the records referred to, by number.
    """

    numbers: tuple[int, ...] = ()
    records: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    creates: dict[int, PlannedChange] = field(default_factory=dict)


NO_WAITS = Waits()


def waits(after: Collection[int], references: Collection[int], earlier: Earlier) -> Waits:
    """Return what an operation waits for."""
    if not after and not references:
        return NO_WAITS
    found = Waits(numbers=_numbers(after, earlier))
    numbers = list(found.numbers)
    for number in sorted(references):
        change = _carried_out(number, earlier)
        created = change.action is Action.CREATE
        if not created and change.made is None:
            raise _unmet(number, Sentence("creates_no_record"))
        found.creates[number] = change
        found.names[number] = PREFIX + change.wish_digest().removeprefix("sha256:")[:NAME_LENGTH]
        if created:
            numbers.append(number)
        elif change.made is not None:
            found.records[number] = change.made
    return Waits(
        numbers=tuple(sorted(set(numbers))),
        records=found.records,
        names=found.names,
        creates=found.creates,
    )


def _numbers(after: Iterable[int], earlier: Earlier) -> tuple[int, ...]:
    changes = {number: _carried_out(number, earlier) for number in after}
    return tuple(number for number, change in changes.items() if change.action in WRITING)


def _carried_out(number: int, earlier: Earlier) -> PlannedChange:
    change = earlier(number)
    if change is None:
        raise _unmet(number, Sentence("is_not_in_plan"))
    if change.action in FAILED:
        raise _unmet(number, ended_so(change))
    return change


def ended_so(change: PlannedChange) -> Sentence:
    """Return what became of a change that is not carried out, as the end of a sentence."""
    match change.action:
        case Action.REFUSED:
            return Sentence("is_refused", code=change.code)
        case Action.NOT_FOUND:
            return Sentence("is_not_found", code=change.code)
    return Sentence("is_unchanged", code=change.code)


def _named(number: int) -> Sentence:
    place = place_in_answer(number)
    if place is None:
        return Sentence("change", number=number)
    return Sentence("operation_of_function", place=place)


def _unmet(number: int, why: Sentence) -> Refused:
    return Refused(
        "prerequisite",
        Sentence("waits_for", what=_named(number), why=why),
        Sentence("prerequisite_hint"),
    )
