"""Resolves a batch of entries in threads, and enters what comes of them in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import copied_key, record_key
from bulkrunner.domain.ports import PlanLedger
from bulkrunner.domain.rules import Rule
from bulkrunner.domain.steps import InputLine, StepEntry
from bulkrunner.domain.undo import Restore
from bulkrunner.errors import BulkRunnerError, Interrupted
from bulkrunner.services.planning.earlier import Item
from bulkrunner.services.planning.entering import Entering, Entry, Resolved
from bulkrunner.services.planning.explicit import Explicit
from bulkrunner.services.planning.policing import policed
from bulkrunner.services.planning.restoring import Restorer
from bulkrunner.services.planning.stepping import Stepping
from bulkrunner.services.planning.steps import Draft, Portion
from bulkrunner.services.planning.view import Look, View

BATCH = 200
"""Entries resolved and stored at a time; what a killed planner has to read again."""

Numbered = tuple[int, Item]
"""An entry with its place in the manifest's stream, from 1."""


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
    stepping: Stepping
    forbidden: Mapping[str, Rule] = field(default_factory=dict)


class BatchPlanner:
    """Plans one batch after the other."""

    def __init__(
        self,
        parts: Parts,
        ledger: PlanLedger,
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
        self._ledger = ledger
        self._plan = plan
        self._pool = pool
        self._stop = stop
        self._advance = advance
        self._view = View(ledger, plan)
        first = next(iter(ledger.changes_numbered(plan, [1])), None)
        self._first_step = first.step if first else None
        self._last = ledger.last_number(plan)

    def plan(self, batch: Sequence[Numbered]) -> tuple[Entering, int, BulkRunnerError | None]:
        """Return the changes of a batch, how many of its entries they are, and why not all."""
        entering = Entering(self._ledger, self._plan, self._view, last=self._last)
        keys = [key for _, item in batch if (key := self._key(item)) is not None]
        self._view.fetch(keys, [copied_key(key) for key in keys])
        resolved, fault = self._resolved(batch)
        entering.look_up(resolved)
        done = 0
        try:
            for (place, item), one in zip(batch, resolved, strict=False):
                anew = entering.means_others(one)
                entering.enter_whole(self._resolve(place, item, sure=True) if anew else one)
                done += 1
        except BulkRunnerError as error:
            fault = error
        if self._first_step is None and self._last == 0 and entering.added:
            self._first_step = entering.added[0].step
        self._last += len(entering.added)
        return entering, done, fault

    def _resolved(self, batch: Sequence[Numbered]) -> tuple[list[Entry], BulkRunnerError | None]:
        """Return what comes of the entries up to the first that could not be looked at, and why."""
        futures = [self._pool.submit(self._resolve, *item) for item in batch]
        found: list[Entry] = []
        try:
            for (place, _), future in zip(batch, futures, strict=True):
                found.append(future.result())
                self._advance(place)
        except BulkRunnerError as error:
            return found, error
        finally:
            for future in futures:
                future.cancel()
        return found, None

    def _resolve(self, place: int, item: Item, *, sure: bool = False) -> Entry:
        if self._stop.is_set():
            raise Interrupted("planning was stopped")
        blind = not sure and self._is_first_of_all(item)
        look = Look(self._view, blind=blind)
        portions = self._portions(place, item, look)
        records = [
            self._resolved_as(one.drafts, one.asked, one.act, blind=blind) for one in portions
        ]
        return Entry(records=records, asked=frozenset(look.asked))

    def _resolved_as(
        self,
        drafts: Sequence[Draft],
        asked: frozenset[str],
        act: Callable[[Look], Sequence[Draft]],
        *,
        blind: bool,
    ) -> Resolved:
        def again() -> Resolved:
            anew = Look(self._view)
            made = act(anew)
            return self._resolved_as(made, frozenset(anew.asked), act, blind=False)

        held = policed(drafts, self._parts.forbidden)
        return Resolved(drafts=held, asked=asked, blind=blind, again=again)

    def _portions(self, place: int, item: Item, look: Look) -> list[Portion]:
        """Return what an entry comes to; what it means is looked up with the given look."""
        match item:
            case InputLine():
                return []
            case StepEntry():
                return self._parts.stepping.resolve(item, look)
            case Restore():
                return [_portion(lambda anew: self._parts.restorer.restore(item, anew), look)]
            case _:
                explicit = self._parts.explicit
                return [_portion(lambda anew: [explicit.resolve(place, item, anew)], look)]

    def _key(self, item: Item) -> str | None:
        """Return by what an entry's record will be looked for in the plan."""
        if not isinstance(item, StepEntry) or self._is_first_of_all(item):
            return None
        return record_key(item.ref) if SHORT_ID.fullmatch(item.ref) else None

    def _is_first_of_all(self, item: Item) -> bool:
        """Tell whether nothing in the ledger can concern an entry but entries of its own kind."""
        if not isinstance(item, StepEntry):
            return True
        return self._last == 0 or (
            self._first_step == item.step.number and item.step.action.concerns_one
        )


def _portion(act: Callable[[Look], Sequence[Draft]], look: Look) -> Portion:
    own = look.another()
    drafts = act(own)
    return Portion(drafts=drafts, asked=frozenset(own.asked), act=act)


def skipped(items: Iterator[Item], done: int) -> Iterator[Numbered]:
    """Number the entries and leave out those that are planned already."""
    return islice(enumerate(items, start=1), done, None)
