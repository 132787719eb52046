"""Counts how changes end, and stops the run when too many end badly."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from bulkrunner.domain.approval_terms import EXCLUDED
from bulkrunner.domain.ports import Progress
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.services.applying.budget import ErrorBudget
from bulkrunner.services.applying.control import Control, Ending


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
            spent = "" if result.code == EXCLUDED else self._budget.add(result.outcome)
            if spent:
                self._control.end(Ending(state=RunState.STOPPED, reason=f"error budget: {spent}"))
            self.show()

    def show(self) -> None:
        """Tell how far the run is."""
        counts = {
            name: count
            for name, count in self._counts.items()
            if count and name != Outcome.PENDING.value
        }
        self._progress.advance(self.total - self.pending, counts)
