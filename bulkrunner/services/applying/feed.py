"""Hands a run's changes to the crew in plan order, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, takewhile, zip_longest

from bulkrunner.domain.ports import Ledger, WorkItem
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.services.applying import canary
from bulkrunner.services.applying.control import Control, Ending
from bulkrunner.services.applying.crew import Crew
from bulkrunner.services.applying.tally import Tally

PAGE = 100
"""Changes read from the ledger at a time."""

ROOM = 200
"""Changes that the crew holds at most."""

TICK = 0.2
"""Seconds between two looks at whether the run goes on."""


class Feed:
    """Feeds one run's crew; the memory it needs does not grow with the run."""

    def __init__(
        self,
        ledger: Ledger,
        run: Run,
        crew: Crew,
        tally: Tally,
        control: Control,
        *,
        goes_on: Callable[[], bool],
        excludes: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._crew = crew
        self._tally = tally
        self._control = control
        self._goes_on = goes_on
        self._excludes = excludes
        self._first: set[int] = set()
        self._early: set[int] = set()

    def everything(
        self,
        limit: int | None,
        *,
        first_prove: bool,
        hold: Callable[[], None] | None = None,
    ) -> None:
        """Hand in all that is pending and wait until it is done, or the run ends.

        Args:
            limit: at most so many changes.
            first_prove: begin with a few changes that cover every pattern.
            hold: called when these are verified; pauses the run until somebody lifts it.
        """
        last = None if limit is None else self._limit_number(limit)
        self._settle_open(last)
        if first_prove and self._goes_on():
            self._prove_patterns(last)
            if hold is not None and self._goes_on():
                hold()
                self._wait_until(lambda: self._control.paused_by is None)
        for item in self._pending():
            number = item.change.number
            if last is not None and number > last:
                break
            if number in self._first:
                continue
            if number in self._early:
                self._early.discard(number)
                continue
            if not self._wait_until(lambda: self._crew.size < ROOM):
                return
            self._put_later_ones(item, last, passed=number)
            self._crew.put(item)
        self._wait_until(lambda: self._crew.size == 0)

    def _put_later_ones(self, item: WorkItem, last: int | None, *, passed: int) -> None:
        """Hand in what a change waits for although it comes later in the plan.

        Args:
            item: the change.
            last: number of the last change within the limit.
            passed: number that the feed has come to; what is before it is handed in.
        """
        for number in item.change.prerequisites:
            if number < passed or number in self._early or number in self._first:
                continue
            if last is not None and number > last:
                continue  # this one is then left pending, with what it waits for
            page = self._ledger.pending(self._run.id, after=number - 1, limit=1)
            if page and page[0].change.number == number:
                self._early.add(number)
                self._put_later_ones(page[0], last, passed=passed)
                self._crew.put(page[0])

    def _settle_open(self, last: int | None) -> None:
        """Find out first what became of the sends that an earlier process left open.

        They are among the first that are pending: no more than ``ROOM`` were handed in at a time.
        """
        for item in islice(self._pending(), ROOM + PAGE):
            if item.attempts and (last is None or item.change.number <= last):
                self._first.add(item.change.number)
                self._crew.put(item)
        self._wait_until(lambda: self._crew.size == 0)

    def _pending(self) -> Iterator[WorkItem]:
        after = 0
        while page := self._ledger.pending(self._run.id, after=after, limit=PAGE):
            yield from page
            after = page[-1].change.number

    def _limit_number(self, limit: int) -> int:
        """Return the number of the last change within the limit."""
        pending = self._ledger.ended(self._run.id, outcomes=(Outcome.PENDING,), documents=False)
        return max((ended.change.number for ended in islice(pending, limit)), default=0)

    def _wait_until(self, enough: Callable[[], bool]) -> bool:
        """Wait for the crew; False where the run ends before."""
        while self._crew.failure is None and self._goes_on():
            if enough():
                return True
            self._crew.wait(enough, TICK)
        return False

    # The first changes of every pattern

    def _prove_patterns(self, last: int | None) -> None:
        """Carry out changes, one of each pattern at a time, until every pattern is proven.

        Where the first ones of a pattern have been edited since, others of it are tried.
        """
        tries = canary.TRIES
        proven: set[str] = set()
        while unproven := self._to_prove(last, tries, proven):
            if not self._try_each(unproven, proven) or proven >= unproven.keys():
                return
            tries *= 2

    def _to_prove(self, last: int | None, tries: int, proven: set[str]) -> dict[str, list[int]]:
        run = self._ledger.ended(self._run.id, documents=False)
        ours = (
            ended
            for ended in takewhile(lambda one: last is None or one.change.number <= last, run)
            if ended.change.number not in self._first and not self._excludes(ended.change.number)
        )
        found = canary.to_prove(ours, tries)
        return {pattern: numbers for pattern, numbers in found.items() if pattern not in proven}

    def _try_each(self, unproven: dict[str, list[int]], proven: set[str]) -> bool:
        """Try one of each pattern after the other; False where the run ends."""
        for numbers in zip_longest(*unproven.values()):
            tried = {
                pattern: number
                for pattern, number in zip(unproven, numbers, strict=True)
                if number is not None and pattern not in proven
            }
            for number in sorted(tried.values()):
                self._put_first(number)
            if not self._wait_until(lambda: self._crew.size == 0):
                return False
            for pattern, number in tried.items():
                self._judge(pattern, number)
                if canary.is_proven(self._tally.seen(number)):
                    proven.add(pattern)
            if self._control.ending is not None:
                return False
        return True

    def _put_first(self, number: int) -> None:
        if number in self._first:
            return
        page = self._ledger.pending(self._run.id, after=number - 1, limit=1)
        if page and page[0].change.number == number:
            for earlier in page[0].change.prerequisites:
                self._put_first(earlier)
            self._first.add(number)
            self._tally.watch(number)
            self._crew.put(page[0])

    def _judge(self, pattern: str, number: int) -> None:
        reason = canary.fault(number, pattern, self._tally.seen(number))
        if reason:
            self._control.end(Ending(state=RunState.STOPPED, reason=reason))
