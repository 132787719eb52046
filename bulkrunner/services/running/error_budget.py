"""How changes end is counted, and too many bad ends stop the run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.ports import Progress
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Control, Ending

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
