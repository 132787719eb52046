"""Batches of entries: resolved beside each other, they enter the plan one after the other.

An entry is resolved ahead of its turn against what is stored. What that asked about the plan is
noted; where its batch has come to hold any of it, the entry is resolved again in its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Create, Delete, Operation, Unreadable, Update
from bulkrunner.domain.plan import copied_key, holding_key, record_key
from bulkrunner.domain.rules import Rule
from bulkrunner.domain.steps import InputLine, StepCreate, StepEntry, StepFunction
from bulkrunner.domain.undo import Restore
from bulkrunner.errors import BulkRunnerError, Interrupted
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.assembler import Assembler, policed
from bulkrunner.services.planning.draft import Draft, Request
from bulkrunner.services.planning.explicit import Explicit
from bulkrunner.services.planning.plan_so_far import Look, NotYet, PlanSoFar
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


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What turns each kind of entry into changes.

    Attributes:
        forbidden: places that no change may touch, each with the rule that says so.
    """

    explicit: Explicit
    restorer: Restorer
    steps: StepEntries
    forbidden: Mapping[str, Rule] = field(default_factory=dict)


class BatchPlanner:
    """Plans one batch after the other."""

    def __init__(
        self,
        parts: Parts,
        ledger: Ledger,
        plan: str,
        *,
        pool: ThreadPoolExecutor,
        stop: threading.Event,
        advance: Callable[[int], None],
    ) -> None:
        """Prepare.

        Args:
            parts: that resolve entries.
            ledger: holds the plan.
            plan: its id.
            pool: of threads that read.
            stop: set when planning is to stop.
            advance: told the place of each entry that is resolved.
        """
        self._parts = parts
        self._pool = pool
        self._stop = stop
        self._advance = advance
        self._so_far = PlanSoFar(ledger, plan)

    def plan(self, batch: Sequence[Numbered]) -> tuple[Assembler, int, BulkRunnerError | None]:
        """Return the changes of a batch, how many of its entries they are, and why not all."""
        self._so_far.begin()
        keys = {key for _, item in batch for key in named_keys(item)}
        self._so_far.fetch(keys, map(copied_key, keys))
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
        try:
            look = Look(self._so_far, ahead=True)
            requests, drafts = self._meant(place, item, look)
            return (
                requests,
                drafts,
                frozenset(look.asked),
                [
                    self._resolved(item, request, Look(self._so_far, ahead=True))
                    for request in requests
                ],
            )
        except NotYet:
            return None

    def _enter(self, assembler: Assembler, place: int, item: Item, ahead: Ahead | None) -> None:
        """Enter what becomes of an entry's records one after the other.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known: Sequence[Resolved] = ()
        if ahead is None or self._so_far.has_written(ahead[2]):
            requests, drafts = self._meant(place, item, Look(self._so_far))
        else:
            requests, drafts, _asked, known = ahead
        for index, request in enumerate(requests):
            made, asked = known[index] if known else ((), frozenset())
            if not known or self._so_far.has_written(asked):
                made, _asked = self._resolved(item, request, Look(self._so_far))
            assembler.enter(policed(made, self._parts.forbidden))
        for draft in drafts:
            assembler.enter(policed([draft], self._parts.forbidden))

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


def named_keys(item: Item) -> Iterator[str]:
    """Yield by what the records that an entry names by their ids will be looked for in the plan."""
    ref = _named(item)
    if ref is not None and SHORT_ID.fullmatch(ref):
        yield record_key(ref)
        creates = item.step.action if isinstance(item, StepEntry) else item
        if isinstance(creates, StepCreate | Create) and isinstance(creates.sigel, str):
            yield holding_key(ref, creates.sigel)


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
