"""Threads that carry out changes, never two of one bib at the same time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import Clock, WorkItem
from bulkrunner.domain.records import Document, item_of


def lane_of(change: PlannedChange) -> str:
    """Return what changes must share to be carried out one after the other: the bib.

    The server locks the bib for every write on one of its holdings.
    """
    if change.kind != "holding":
        return change.record
    if change.bib is not None:
        return change.bib.id
    document: Document = change.after or change.before or {}
    return item_of(document) or change.record


class Crew:
    """A bounded number of threads, fed by one.

    Work of one lane is done in the order in which it came; a lane that has more goes to the back of
    the queue, so that a long one keeps nobody waiting. Threads never wait for each other. A change
    that has prerequisites among those handed in before it waits until they are done, and its lane
    with it; as each waits for earlier ones only, never two for each other.
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
        self._changed = threading.Condition()
        self._closed = False
        self._size = 0
        self._in_hand = 0
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"write-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        """Let the threads begin."""
        for thread in self._threads:
            thread.start()

    @property
    def size(self) -> int:
        """Changes handed in and not yet done."""
        return self._size

    @property
    def in_hand(self) -> int:
        """Changes that a thread is busy with."""
        return self._in_hand

    @property
    def failure(self) -> BaseException | None:
        """What a thread died of."""
        return self._failure

    def put(self, item: WorkItem) -> None:
        """Hand in a change."""
        lane = lane_of(item.change)
        with self._changed:
            self._size += 1
            self._present.add(item.change.number)
            if lane in self._lanes:
                self._lanes[lane].append(item)
                return
            self._lanes[lane] = deque()
            self._make_ready(lane, item)
            self._changed.notify_all()

    def wait(self, enough: Callable[[], bool], seconds: float) -> None:
        """Wait until something is true of this crew, or the time is over."""
        with self._changed:
            self._clock.wait_for(self._changed, enough, seconds)

    def close(self) -> None:
        """Begin nothing more; what is in hand goes on."""
        with self._changed:
            self._closed = True
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
        with self._changed:
            self._clock.wait_for(self._changed, lambda: bool(self._ready) or self._closed, None)
            if self._closed:
                return None
            self._in_hand += 1
            return self._ready.popleft()

    def _make_ready(self, lane: str, item: WorkItem) -> None:
        waits = not self._present.isdisjoint(item.change.prerequisites)
        (self._blocked if waits else self._ready).append((lane, item))

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
