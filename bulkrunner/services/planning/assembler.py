"""Drafts enter the plan one after the other: numbers, duplicates, the policy, and what waits for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from bulkrunner.domain.iris import iter_ids
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.new_records import renumbered
from bulkrunner.domain.plan import (
    OPERATIONS,
    WRITING,
    Action,
    PlannedChange,
    concerns_record,
    record_key,
)
from bulkrunner.domain.records import thing_part
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.rules import FORBIDDEN, Rule, touches
from bulkrunner.domain.text import shown_of
from bulkrunner.errors import BulkRunnerError
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import FAILED, Draft
from bulkrunner.services.planning.plan_so_far import PlanSoFar, fallen, is_for, refused

SHOWN = 5

"""Records named in a refusal."""


class Assembler:
    """One batch of changes on its way into the ledger."""

    def __init__(self, so_far: PlanSoFar) -> None:
        self._so_far = so_far
        self._last = so_far.last
        self._next = so_far.last + 1
        self._changes: dict[int, PlannedChange] = {}

    @property
    def added(self) -> list[PlannedChange]:
        """Changes with new numbers, in order."""
        return [self._changes[number] for number in sorted(self._changes) if number > self._last]

    @property
    def replaced(self) -> list[PlannedChange]:
        """Changes that take the places of others."""
        return [self._changes[number] for number in sorted(self._changes) if number <= self._last]

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Let what is entered come in whole: where an error ends it, nothing of it is left.

        The plan so far is not looked at any more after such an error.
        """
        kept, following = dict(self._changes), self._next
        try:
            yield
        except BulkRunnerError:
            self._changes, self._next = kept, following
            raise

    def enter(self, drafts: Sequence[Draft]) -> None:
        """Give the drafts of one record their numbers, in order."""
        made: list[PlannedChange] = []
        for draft in drafts:
            change, owner = draft.change, None
            if not change.number:
                change = replace(change, number=self._next)
                self._next += 1
                if draft.refers:
                    numbers = [one.number for one in made] + [change.number]
                    named = {old: numbers[place] for old, place in draft.refers.items()}
                    change = renumbered(change, named)
                owner = self._owner(change)
                if owner is not None:
                    change = _beside(change, owner, alone=draft.alone)
            needed = [made[place] for place in draft.needs]
            change = self._waiting(change, needed)
            if change.links:
                change = self._after_what_links(change)
            if draft.change.number and change.action in FAILED:
                self._undo_what_was_for(change)
            self._put(change)
            if owner is not None and change.action in FAILED:
                self._refuse_too(owner, change)
            made.append(change)

    def _put(self, change: PlannedChange) -> None:
        self._changes[change.number] = change
        self._so_far.add(change)

    def _owner(self, change: PlannedChange) -> PlannedChange | None:
        """Return the change of the plan that concerns the very record of a new one."""
        key = change.target_key
        return None if key is None else self._so_far.of([key]).get(key)

    def _refuse_too(self, owner: PlannedChange, change: PlannedChange) -> None:
        """Refuse what else is to be done to the record of a refused change: all of it, or nothing."""
        key = owner.target_key
        if owner.action in WRITING and key is not None and concerns_record(key):
            fell = refused(owner, fallen(change))
            self._put(fell)
            self._undo_what_was_for(fell)

    def _undo_what_was_for(self, change: PlannedChange) -> None:
        """Refuse what other records were to take in from one that is refused now."""
        earlier = self._so_far.numbered(change.number)
        for number in earlier.prerequisites if earlier is not None else ():
            other = self._so_far.numbered(number)
            if other is not None and is_for(other, change):
                self._put(refused(other, fallen(change)))

    def _waiting(self, change: PlannedChange, needed: Sequence[PlannedChange]) -> PlannedChange:
        """Return a change with those that it needs among its prerequisites."""
        if change.action not in WRITING:
            kept = change.prerequisites if change.code == OPERATIONS else ()
            return replace(change, prerequisites=kept, origins=())
        unmet = next((one for one in needed if one.action in FAILED), None)
        if unmet is not None:
            return refused(change, fallen(unmet))
        # What stands already is waited for too: the run looks whether it still does.
        numbers = {one.number for one in needed}.union(change.prerequisites) - {change.number}
        for number in sorted(numbers):
            other = self._so_far.numbered(number) if number > change.number else None
            if other is not None and self._so_far.waits_for(other, change.number):
                return refused(change, _circular(number))
        return replace(change, prerequisites=tuple(sorted(numbers)))

    def _after_what_links(self, change: PlannedChange) -> PlannedChange:
        """Let the deletion of a bib wait for what takes away the links to it; any other refuses it."""
        if change.action is not Action.DELETE:
            return replace(change, links=())
        keys = [record_key(link) for link in change.links]
        found = self._so_far.of(keys)
        iri = thing_part(change.before or {}).get("@id")
        left, numbers = [], set(change.prerequisites)
        for link, key in zip(change.links, keys, strict=True):
            other = found.get(key)
            if other is not None and _takes_link_away(other, iri):
                numbers.add(other.number)
            else:
                left.append(link)
        if left:
            return refused(replace(change, links=()), _linked(left))
        return self._waiting(replace(change, prerequisites=tuple(numbers), links=()), ())


def _takes_link_away(change: PlannedChange, iri: object) -> bool:
    if change.action is Action.DELETE:
        return True
    if change.action is not Action.UPDATE or not isinstance(iri, str):
        return False
    return iri not in set(iter_ids(change.after))


def _beside(change: PlannedChange, owner: PlannedChange, *, alone: bool) -> PlannedChange:
    """Return a change whose record another one of the plan has: it writes nothing."""
    if alone or change.action in WRITING:
        refusal = Refusal(
            code="duplicate_operation",
            message=Sentence("record_taken_in_plan", number=owner.number),
        )
        change = refused(change, refusal)
    return replace(change, target_key=None)


def _circular(number: int) -> Refusal:
    return Refusal(
        code="circular",
        message=Sentence("circular", number=number),
        hint=Sentence("circular_hint"),
    )


def _linked(left: Sequence[str]) -> Refusal:
    shown = shown_of(left, ", ".join(left[:SHOWN]), SHOWN)
    return Refusal(
        code="linked",
        message=Sentence("linked", count=len(left), shown=shown),
        hint=Sentence("linked_hint"),
    )


def policed(drafts: Sequence[Draft], forbidden: Mapping[str, Rule]) -> list[Draft]:
    """Return the drafts of one entry, all refused where one touches a forbidden place.

    Args:
        drafts: that come about together or not at all.
        forbidden: places, each with the rule that forbids it.
    """
    places = tuple(forbidden)
    touched = [place for draft in drafts if (place := touches(draft.change, places))]
    if not touched:
        return list(drafts)
    rule = forbidden[touched[0]]
    refusal = Refusal(
        code=FORBIDDEN,
        message=Sentence("rule_forbids_change", rule=rule.id, place=touched[0], source=rule.source),
    )
    return [
        replace(draft, change=refused(draft.change, refusal))
        if draft.change.action in WRITING
        else draft
        for draft in drafts
    ]


PAGE = 200


def let_fall(ledger: Ledger, plan: str, *, cursor: int) -> None:
    """Refuse in a whole plan what waits for refused changes, and what was made for its sake."""
    while _pass(ledger, plan, cursor):
        pass


def _pass(ledger: Ledger, plan: str, cursor: int) -> bool:
    """Go through the plan once; returns whether anything fell that may be waited for by others."""
    after, fell = 0, False
    while page := ledger.lookups.waiting(plan, after=after, limit=PAGE):
        after = max(page)
        while falling := _unmet(ledger, plan, page):
            replaced = _with_what_was_for(ledger, plan, falling)
            ledger.plans.add_changes(plan, [], cursor=cursor, replaced=replaced)
            page = {number: waits for number, waits in page.items() if number not in falling}
            fell = True
    return fell


def _unmet(ledger: Ledger, plan: str, page: Mapping[int, tuple[int, ...]]) -> dict[int, list[int]]:
    """Return the changes that wait for failed ones, each with those."""
    failed = ledger.lookups.failed(plan, sorted({one for waits in page.values() for one in waits}))
    found = {number: sorted(failed.intersection(waits)) for number, waits in page.items()}
    return {number: bad for number, bad in found.items() if bad}


def _with_what_was_for(
    ledger: Ledger, plan: str, falling: Mapping[int, list[int]]
) -> list[PlannedChange]:
    replaced: dict[int, PlannedChange] = {}
    for change in ledger.lookups.changes_numbered(plan, sorted(falling)):
        (needed,) = ledger.lookups.changes_numbered(plan, falling[change.number][:1])
        replaced[change.number] = refused(change, fallen(needed))
        for other in ledger.lookups.changes_numbered(plan, change.prerequisites):
            if is_for(other, change) and other.number not in falling:
                replaced[other.number] = refused(other, fallen(replaced[change.number]))
    return list(replaced.values())
