"""Batches of entries: resolved beside each other, they enter the plan one after the other.

An entry is resolved ahead of its turn against what is stored. What that asked about the plan is
noted; where its batch has come to hold any of it, the entry is resolved again in its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

from bulkrunner.domain.iris import SHORT_ID, iter_ids
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Create, Delete, Operation, Unreadable, Update
from bulkrunner.domain.operations import renumbered
from bulkrunner.domain.plan import (
    OPERATIONS,
    WRITING,
    Action,
    PlannedChange,
    concerns_record,
    copied_key,
    holding_key,
    record_key,
)
from bulkrunner.domain.records import thing_part
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.rules import FORBIDDEN, Rule, touches
from bulkrunner.domain.steps import InputLine, StepCreate, StepEntry, StepFunction
from bulkrunner.domain.text import shown_of
from bulkrunner.domain.undo import Restore
from bulkrunner.errors import BulkRunnerError, Interrupted
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import FAILED, Draft, Request
from bulkrunner.services.planning.explicit_operations import Explicit
from bulkrunner.services.planning.plan_so_far import (
    Look,
    NotYet,
    PlanSoFar,
    fallen,
    is_for,
    refused,
)
from bulkrunner.services.planning.restorations import Restorer
from bulkrunner.services.planning.step_entries import StepEntries

Item: TypeAlias = Operation | Unreadable | Restore | StepEntry | InputLine
"""What is resolved to planned changes; a line that is left out comes to none."""

Numbered: TypeAlias = tuple[int, Item]
"""An entry with its place in the manifest's stream, from 1."""

Resolved: TypeAlias = tuple[Sequence[Draft], frozenset[str]]
"""What became of one record, and what that asked about the plan."""

Ahead: TypeAlias = tuple[Sequence[Request], Sequence[Draft], frozenset[str], Sequence[Resolved]]
"""What an entry means, what comes to nothing of it, what that asked, and what became of each."""


def batches(items: Iterator[Numbered], size: int) -> Iterator[list[Numbered]]:
    """Yield the entries in batches; no batch holds entries of two steps.

    A later step sees what the one before will have done; it waits until that is stored.
    """
    batch: list[Numbered] = []
    step: int | None = None
    for place, item in items:
        own = item.step.number if isinstance(item, StepEntry) else step
        if batch and (own != step or len(batch) == size):
            yield batch
            batch = []
        step = own
        batch.append((place, item))
    if batch:
        yield batch


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
            "duplicate_operation", Sentence("record_taken_in_plan", number=owner.number)
        )
        change = refused(change, refusal)
    return replace(change, target_key=None)


def _circular(number: int) -> Refusal:
    return Refusal("circular", Sentence("circular", number=number), Sentence("circular_hint"))


def _linked(left: Sequence[str]) -> Refusal:
    shown = shown_of(left, ", ".join(left[:SHOWN]), SHOWN)
    return Refusal(
        "linked", Sentence("linked", count=len(left), shown=shown), Sentence("linked_hint")
    )


def policed(drafts: Sequence[Draft], forbidden: Mapping[str, Rule]) -> list[Draft]:
    """Return the drafts of one entry, all refused where one touches a forbidden place."""
    places = tuple(forbidden)
    touched = [place for draft in drafts if places and (place := touches(draft.change, places))]
    if not touched:
        return list(drafts)
    rule = forbidden[touched[0]]
    refusal = Refusal(
        FORBIDDEN,
        Sentence("rule_forbids_change", rule=rule.id, place=touched[0], source=rule.source),
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


class Parts:
    """What turns each kind of entry into changes; most jobs need but one of them."""

    def __init__(
        self,
        explicit: Explicit,
        steps: Callable[[], StepEntries],
        restorer: Callable[[], Restorer],
    ) -> None:
        self.explicit = explicit
        self._steps = steps
        self._restorer = restorer

    @cached_property
    def steps(self) -> StepEntries:
        """Turns the entries of steps into changes."""
        return self._steps()

    @cached_property
    def restorer(self) -> Restorer:
        """Turns what runs did into changes that take it back."""
        return self._restorer()


class BatchPlanner:
    """Plans one batch after the other."""

    def __init__(
        self,
        parts: Parts,
        so_far: PlanSoFar,
        forbidden: Mapping[str, Rule],
        *,
        pool: ThreadPoolExecutor,
        stop: threading.Event,
        advance: Callable[[int], None],
    ) -> None:
        self._parts = parts
        self._so_far = so_far
        self._forbidden = forbidden
        self._pool = pool
        self._stop = stop
        self._advance = advance

    def plan(self, batch: Sequence[Numbered]) -> tuple[Assembler, int, BulkRunnerError | None]:
        """Return the changes of a batch, how many of its entries they are, and why not all."""
        self._so_far.begin()
        self._so_far.fetch(
            {key for _, item in batch for key in _named_keys(item)},
            {copied_key(key) for _, item in batch if (key := _record_key(item))},
        )
        ahead, fault = self._resolved_ahead(batch)
        self._so_far.fetch(_target_keys(ahead))
        assembler = Assembler(self._so_far)
        done = 0
        try:
            for (place, item), one in zip(batch, ahead, strict=False):
                with assembler.whole():
                    self._enter(assembler, place, item, one)
                done += 1
        except BulkRunnerError as error:
            fault = error
        return assembler, done, fault

    def _resolved_ahead(
        self, batch: Sequence[Numbered]
    ) -> tuple[list[Ahead | None], BulkRunnerError | None]:
        """Return what comes of the entries up to the first that could not be looked at, and why.

        None: of that nothing can be told before its turn.
        """
        named: set[str] = set()
        futures: list[Future[Ahead | None] | None] = []
        for place, item in batch:
            name = _record_of(item)
            is_repeated = name in named
            named.update([name] if name else [])
            futures.append(None if is_repeated else self._pool.submit(self._ahead, place, item))
        found: list[Ahead | None] = []
        try:
            for (place, _), future in zip(batch, futures, strict=True):
                found.append(future.result() if future is not None else None)
                self._advance(place)
        except BulkRunnerError as error:
            return found, error
        finally:
            for future in futures:
                if future is not None:
                    future.cancel()
        return found, None

    def _ahead(self, place: int, item: Item) -> Ahead | None:
        look = Look(self._so_far, ahead=True)
        try:
            requests, drafts = self._meant(place, item, look)
            resolved = [self._resolved(item, one, look.another()) for one in requests]
        except NotYet:
            return None
        return requests, drafts, frozenset(look.asked), resolved

    def _enter(self, assembler: Assembler, place: int, item: Item, ahead: Ahead | None) -> None:
        """Enter what becomes of an entry's records one after the other."""
        known: Sequence[Resolved] = ()
        if ahead is None or self._so_far.has_written(ahead[2]):
            requests, drafts = self._meant(place, item, Look(self._so_far))
        else:
            requests, drafts, _asked, known = ahead
        for index, request in enumerate(requests):
            made, asked = known[index] if known else ((), frozenset())
            if not known or self._so_far.has_written(asked):
                made, _asked = self._resolved(item, request, Look(self._so_far))
            assembler.enter(policed(made, self._forbidden))
        for draft in drafts:
            assembler.enter(policed([draft], self._forbidden))

    def _meant(
        self, place: int, item: Item, look: Look
    ) -> tuple[Sequence[Request], Sequence[Draft]]:
        """Return what is wanted of which records, and what comes to nothing before that."""
        if self._stop.is_set():
            raise Interrupted(Sentence("planning_stopped"))
        match item:
            case InputLine():
                return [], []
            case StepEntry():
                return self._parts.steps.meant(item, look)
            case Restore():
                return [self._parts.restorer.request(item)], []
            case _:
                return self._parts.explicit.meant(place, item)

    def _resolved(self, item: Item, request: Request, look: Look) -> Resolved:
        match item:
            case StepEntry():
                drafts = self._parts.steps.act(item, request, look)
            case Restore():
                drafts = self._parts.restorer.restore(item, request, look)
            case Update() | Delete() | Create():
                drafts = [self._parts.explicit.resolve(item, request, look)]
            case _:
                raise AssertionError("nothing is wanted of a record")
        return drafts, frozenset(look.asked)


def _named_keys(item: Item) -> Iterator[str]:
    """Yield by what an entry's records will be looked for in the plan, as far as it names them."""
    ref = _named(item)
    if ref is not None and SHORT_ID.fullmatch(ref):
        yield record_key(ref)
        act = item.step.action if isinstance(item, StepEntry) else item
        if isinstance(act, StepCreate | Create) and isinstance(act.sigel, str):
            yield holding_key(ref, act.sigel)


def _record_key(item: Item) -> str | None:
    """Return the key of a record that a step writes, where the entry names it by its id."""
    ref = _record_of(item) if isinstance(item, StepEntry) else None
    return record_key(ref) if ref is not None and SHORT_ID.fullmatch(ref) else None


def _named(item: Item) -> str | None:
    match item:
        case StepEntry():
            return item.ref
        case Update() | Delete():
            return item.target
        case Create():
            return item.of
        case Restore():
            return item.record
    return None


def _record_of(item: Item) -> str | None:
    """Return the record that an entry writes, as it names it; None: it may share it with others."""
    act = item.step.action if isinstance(item, StepEntry) else item
    if isinstance(act, StepFunction) and act.on_bibs:
        return None
    return None if isinstance(act, StepCreate | Create | Restore) else _named(item)


def _target_keys(ahead: Sequence[Ahead | None]) -> set[str]:
    drafts = [
        draft
        for one in ahead
        if one is not None
        for draft in (*one[1], *(draft for made, _ in one[3] for draft in made))
    ]
    return {draft.change.target_key for draft in drafts if draft.change.target_key}
