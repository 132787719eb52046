"""Whether a run goes on: the first reason to stop counts, too many bad ends are one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.ports import Clock, Progress
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.errors import BulkRunnerError
from bulkrunner.sentences import Sentence, verbatim

STEP = 0.5
"""Longest single sleep, so that a stop is soon seen."""


class Stopped(Exception):
    """Leaves a change as it is, to be taken up at the next resume; never leaves this package."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a run ends before its last change."""

    state: RunState
    reason: str
    error: BaseException | None = None


class Control:
    """Shared by all threads of a run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ending: Ending | None = None
        self._lock = threading.Lock()
        self._parked = 0
        self._paused_by: str | None = None

    @property
    def paused_by(self) -> str | None:
        """Who paused the run; None while it is not paused."""
        return self._paused_by

    def hold(self, by: str | None) -> None:
        """Let nothing more be sent until told otherwise; None: go on."""
        self._paused_by = by

    @property
    def ending(self) -> Ending | None:
        """Why the run ends; None while it goes on."""
        return self._ending

    @property
    def parked(self) -> int:
        """Threads that wait with nothing in flight."""
        return self._parked

    def ask(self) -> None:
        """End the run as soon as what is in flight is done.

        Takes no lock: a signal handler may come while this thread holds any.
        """
        if self._ending is None:
            self._ending = Ending(state=RunState.INTERRUPTED, reason=Sentence("stopped_by_signal"))

    def end(self, ending: Ending) -> None:
        """End the run; an error counts more than a mere order, else the first reason stands."""
        with self._lock:
            if self._ending is None or (self._ending.error is None and ending.error is not None):
                self._ending = ending

    def fail(self, error: BaseException, state: RunState = RunState.INTERRUPTED) -> None:
        """End the run because of an error, which whoever drives it will raise."""
        reason = error.said if isinstance(error, BulkRunnerError) else verbatim(str(error))
        self.end(Ending(state=state, reason=reason, error=error))

    def check(self) -> None:
        """Do nothing while the run goes on.

        Raises:
            Stopped: it does not.
        """
        if self._ending is not None:
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait; returns early where the run ends."""
        left = seconds
        while left > 0 and self._ending is None:
            self._clock.sleep(min(left, STEP))
            left -= STEP

    @contextmanager
    def parking(self) -> Iterator[None]:
        """Say that this thread waits with nothing in flight, so that an ending run need not."""
        with self._lock:
            self._parked += 1
        try:
            yield
        finally:
            with self._lock:
                self._parked -= 1


BAD = frozenset({Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN})

IN_A_ROW = 10

WINDOW = 200

SHARE = 0.05


class ErrorBudget:
    """Counts changes, not attempts; a conflict is nobody's fault and does not count.

    The share is of a full window, so that ten of the first few hundred stop the run as soon as
    they are reached.
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._row = 0

    def add(self, outcome: Outcome) -> Sentence | None:
        """Count an outcome; returns why the run must stop, or None."""
        bad = outcome in BAD
        self._last.append(bad)
        self._row = self._row + 1 if bad else 0
        if self._row >= IN_A_ROW:
            return Sentence("errors_in_a_row", count=self._row)
        count = sum(self._last) if bad else 0
        if count >= WINDOW * SHARE:
            return Sentence("errors_of_last", count=count, last=len(self._last))
        return None


class Tally:
    """Shared by all threads of a run."""

    def __init__(self, counts: Mapping[str, int], progress: Progress, control: Control) -> None:
        self._counts = dict(counts)
        self._progress = progress
        self._control = control
        self._budget = ErrorBudget()
        self._lock = threading.Lock()
        self._watched: dict[int, Result | None] = {}

    @property
    def total(self) -> int:
        """Changes of the run, done or not."""
        return sum(self._counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Outcomes so far; takes no lock, as a signal handler asks."""
        return dict(self._counts)

    @property
    def pending(self) -> int:
        """Changes without an outcome."""
        return self._counts[Outcome.PENDING.value]

    def watch(self, change: int) -> None:
        """Remember the result of this change."""
        self._watched[change] = None

    def is_watched(self, change: int) -> bool:
        """Tell whether a change's result is remembered."""
        return change in self._watched

    def seen(self, change: int) -> Result | None:
        """Return the result of a watched change."""
        return self._watched.get(change)

    def add(self, change: int, result: Result) -> None:
        """Count one change's outcome."""
        with self._lock:
            self._counts[result.outcome.value] += 1
            self._counts[Outcome.PENDING.value] -= 1
            if change in self._watched:
                self._watched[change] = result
            spent = None if result.code == EXCLUDED else self._budget.add(result.outcome)
            if spent:
                reason = Sentence("error_budget", spent=spent)
                self._control.end(Ending(state=RunState.STOPPED, reason=reason))
            self.show()

    def show(self) -> None:
        """Tell how far the run is."""
        counts = {
            name: count
            for name, count in self._counts.items()
            if count and name != Outcome.PENDING.value
        }
        self._progress.advance(self.total - self.pending, counts)
