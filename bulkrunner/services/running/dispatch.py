"""A run's changes go to its workers in plan order, the first of each kind ahead of the others."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice, zip_longest

from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.ledger_port import Ledger, block_of, bounds_of
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.records import Document, item_of
from bulkrunner.domain.run import Outcome, Result, Run, RunState, outcome_word
from bulkrunner.domain.run_ledger import WorkItem
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Control, Ending, OutcomeCounter


def lane_of(change: PlannedChange) -> str:
    """Return the bib, which the server locks: its changes are carried out one after the other."""
    if change.kind != "holding":
        return change.record
    if change.bib is not None:
        return change.bib.id
    document: Document = change.after or change.before or {}
    return item_of(document) or change.record


class KeyedPool:
    """A bounded number of threads, fed by one.

    Work of one lane is done in the order in which it came; a lane that has more goes to the back of
    the queue. A change waits, and its lane with it, until its prerequisites among those handed in
    are done; each waits for earlier ones only, never two for each other.
    """

    def __init__(
        self, carry_out: Callable[[WorkItem], None], *, threads: int, clock: Clock
    ) -> None:
        self._carry_out = carry_out
        self._clock = clock
        self._ready: deque[tuple[str, WorkItem]] = deque()
        self._lanes: dict[str, deque[WorkItem]] = {}
        self._present: set[int] = set()
        self._blocked: list[tuple[str, WorkItem]] = []
        lock = threading.RLock()
        self._work_there = threading.Condition(lock)
        self._changed = threading.Condition(lock)
        self._closed = False
        self._size = 0
        self._in_hand = 0
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"write-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def size(self) -> int:
        """Changes handed in and not yet done."""
        return self._size

    @property
    def lanes(self) -> int:
        """Bibs of which changes were handed in and not yet done."""
        return len(self._lanes)

    @property
    def in_hand(self) -> int:
        """Changes that a thread is busy with."""
        return self._in_hand

    @property
    def failure(self) -> BaseException | None:
        """What a thread died of."""
        return self._failure

    def put(self, item: WorkItem) -> None:
        lane = lane_of(item.change)
        with self._changed:
            self._size += 1
            self._present.add(item.change.number)
            if lane in self._lanes:
                self._lanes[lane].append(item)
                return
            self._lanes[lane] = deque()
            self._make_ready(lane, item)

    def wait(self, enough: Callable[[], bool], seconds: float) -> None:
        """Wait until something is true of this crew, or the time is over."""
        with self._changed:
            self._clock.wait_for(self._changed, enough, seconds)

    def close(self) -> None:
        """Begin nothing more; what is in hand goes on."""
        with self._changed:
            self._closed = True
            self._work_there.notify_all()
            self._changed.notify_all()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            lane, item = taken
            try:
                self._carry_out(item)
            except BaseException as error:  # noqa: BLE001 (handed to the thread that feeds)
                self._failure = error
                self.close()
            finally:
                self._done(lane, item.change.number)

    def _take(self) -> tuple[str, WorkItem] | None:
        with self._work_there:
            self._clock.wait_for(self._work_there, lambda: bool(self._ready) or self._closed, None)
            if self._closed:
                return None
            self._in_hand += 1
            return self._ready.popleft()

    def _make_ready(self, lane: str, item: WorkItem) -> None:
        if self._present.isdisjoint(item.change.prerequisites):
            self._ready.append((lane, item))
            self._work_there.notify()
        else:
            self._blocked.append((lane, item))

    def _done(self, lane: str, number: int) -> None:
        with self._changed:
            self._present.discard(number)
            waiting = self._lanes[lane]
            if waiting:
                self._make_ready(lane, waiting.popleft())
            else:
                del self._lanes[lane]
            blocked, self._blocked = self._blocked, []
            for one in blocked:
                self._make_ready(*one)
            self._size -= 1
            self._in_hand -= 1
            self._changed.notify_all()


# Changes read from the ledger at a time.
PAGE = 100

# Bibs of which the crew holds changes, and changes that it holds in all, at most: of a bib with many
# holdings one thread alone can carry out changes, so the others need some of further bibs.
LANES = 200
ROOM = 2000

# Seconds between two looks at whether the run goes on.
TICK = 0.2


class Dispatcher:
    """Feeds one run's crew; the memory it needs does not grow with the run.

    ``verify`` is asked for the block of every change before the change is read, ``recognise``
    whether what was read is what was verified.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: Run,
        pool: KeyedPool,
        counter: OutcomeCounter,
        control: Control,
        *,
        goes_on: Callable[[], bool],
        verify: Callable[[int], None],
        recognise: Callable[[WorkItem], None],
        excludes: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._pool = pool
        self._counter = counter
        self._control = control
        self._goes_on = goes_on
        self._verify = verify
        self._recognise = recognise
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

        ``first_prove``: begin with some that cover every pattern; ``hold`` pauses after these.
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
            if not self._wait_until(self._has_room):
                return
            self._put_later_ones(item, last, passed=number)
            self._pool.put(item)
        self._wait_until(lambda: self._pool.size == 0)

    def _has_room(self) -> bool:
        return self._pool.size < ROOM and self._pool.lanes < LANES

    def _put_later_ones(self, item: WorkItem, last: int | None, *, passed: int) -> None:
        """Hand in what a change waits for although it comes later than ``passed``."""
        for number in item.change.prerequisites:
            if number < passed or number in self._early or number in self._first:
                continue
            if last is not None and number > last:
                continue  # this one is then left pending, with what it waits for
            if (later := self._one(number)) is not None:
                self._early.add(number)
                self._put_later_ones(later, last, passed=passed)
                self._pool.put(later)

    def _one(self, number: int) -> WorkItem | None:
        """Return a change if it is pending, with its block verified."""
        self._verify(number)
        page = self._ledger.runs.pending(self._run.id, after=number - 1, until=number)
        for item in page:
            self._recognise(item)
        return page[0] if page else None

    def _settle_open(self, last: int | None) -> None:
        """Find out first what became of the sends that an earlier process left open."""
        for number in self._ledger.runs.open_sends(self._run.id):
            if (last is None or number <= last) and (item := self._one(number)) is not None:
                self._first.add(number)
                self._pool.put(item)
        self._wait_until(lambda: self._pool.size == 0)

    def _pending(self) -> Iterator[WorkItem]:
        """Yield what is left in plan order, each with its block and its prerequisites' verified."""
        run, after = self._run.id, 0
        while (number := self._ledger.runs.next_pending(run, after=after)) is not None:
            self._verify(number)
            _, end = bounds_of(block_of(number))
            for item in self._ledger.runs.pending(run, after=after, until=end, limit=PAGE):
                for earlier in item.change.prerequisites:
                    self._verify(earlier)
                after = item.change.number
                if after not in self._first and after not in self._early:
                    self._recognise(item)  # of what was handed in more is stored by now
                yield item

    def _limit_number(self, limit: int) -> int:
        """Return the number of the last change within the limit."""
        pending = self._ledger.runs.ended(
            self._run.id, outcomes=(Outcome.PENDING,), documents=False
        )
        return max((ended.change.number for ended in islice(pending, limit)), default=0)

    def _wait_until(self, enough: Callable[[], bool]) -> bool:
        """Wait for the crew; False where the run ends before."""
        while self._pool.failure is None and self._goes_on():
            if enough():
                return True
            self._pool.wait(enough, TICK)
        return False

    # The first changes of every pattern

    def _prove_patterns(self, last: int | None) -> None:
        """Carry out changes of each pattern, one by one, until it is proven."""
        tries = TRIES
        proven: set[str] = set()
        while unproven := self._to_prove(last, tries, proven):
            if not self._try_each(unproven, proven) or proven >= unproven.keys():
                return
            tries *= 2

    def _to_prove(self, last: int | None, tries: int, proven: set[str]) -> dict[str, list[int]]:
        found = self._ledger.runs.unproven(
            self._run.id,
            tries=tries,
            until=last,
            leaves_out=lambda number: number in self._first or self._excludes(number),
        )
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
            if not self._wait_until(lambda: self._pool.size == 0):
                return False
            for pattern, number in tried.items():
                self._judge(pattern, number)
                if is_proven(self._counter.seen(number)):
                    proven.add(pattern)
            if self._control.ending is not None:
                return False
        return True

    def _put_first(self, number: int) -> None:
        if number in self._first:
            return
        if (item := self._one(number)) is not None:
            for earlier in item.change.prerequisites:
                self._put_first(earlier)
            self._first.add(number)
            self._counter.watch(number)
            self._pool.put(item)

    def _judge(self, pattern: str, number: int) -> None:
        reason = fault(number, pattern, self._counter.seen(number))
        if reason:
            self._control.end(Ending(state=RunState.STOPPED, reason=reason))


# Code of a change that was not tried, since another one had to precede it.
PREREQUISITE = "prerequisite"

# Changes of one pattern looked out at first; more where these are no longer as planned.
TRIES = 3


def is_proven(result: Result | None) -> bool:
    """Return True if a change shows that its pattern does what was planned."""
    return result is not None and result.is_as_planned


def fault(change: int, pattern: str, result: Result | None) -> Sentence | None:
    """Return why the run must not go on after this first change, or None."""
    if result is None or result.code in (PREREQUISITE, EXCLUDED):
        return None
    if result.outcome.is_error:
        return Sentence(
            "first_ended",
            pattern=pattern,
            change=change,
            outcome=outcome_word(result.outcome),
            why=result.message or result.code,
        )
    if places := result.detail.get("not_as_predicted"):
        listed = ", ".join(places[:5])
        return Sentence("first_not_as_planned", pattern=pattern, change=change, places=listed)
    return None
