"""Pauses that people ask for: nothing is sent until somebody lifts them."""

from __future__ import annotations

from bulkrunner.domain.ports import Clock, Progress
from bulkrunner.services.applying.control import Control

LOOK_EVERY = 0.5


class Pauses:
    """Holds writes back while the run is paused."""

    def __init__(self, run: str, clock: Clock, progress: Progress) -> None:
        self._run = run
        self._clock = clock
        self._progress = progress

    def wait(self, control: Control) -> None:
        """Return when the run is not paused.

        Raises:
            Stopped: the run ends.
        """
        told = None
        while (by := control.paused_by) is not None:
            control.check()
            if by != told:
                self._progress.waiting(f"paused by {by}; bulkrunner resume {self._run}", None)
                told = by
            self._clock.sleep(LOOK_EVERY)
        if told:
            self._progress.waiting("", None)
