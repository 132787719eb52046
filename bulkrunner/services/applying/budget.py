"""The error budget: how many changes may end badly before the run stops by itself."""

from __future__ import annotations

from collections import deque

from bulkrunner.domain.run import Outcome

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

    def add(self, outcome: Outcome) -> str:
        """Count an outcome; returns why the run must stop, or an empty text."""
        bad = outcome in BAD
        self._last.append(bad)
        self._row = self._row + 1 if bad else 0
        if self._row >= IN_A_ROW:
            return f"{self._row} changes in a row were refused, failed or are unknown"
        count = sum(self._last) if bad else 0
        if count >= WINDOW * SHARE:
            return (
                f"{count} of the last {len(self._last)} changes were refused, failed or are unknown"
            )
        return ""
