"""The hours in which an environment may be written to."""

from __future__ import annotations

from bulkrunner.domain.environment import Environment
from bulkrunner.domain.ports import Clock, Progress
from bulkrunner.domain.windows import is_open, next_opening
from bulkrunner.services.applying.control import Control

LOOK_EVERY = 30.0


class Hours:
    """Holds writes back outside the environment's windows; they go on by themselves."""

    def __init__(self, environment: Environment, clock: Clock, progress: Progress) -> None:
        self._windows = environment.windows
        self._zone = environment.timezone
        self._clock = clock
        self._progress = progress

    def wait(self, control: Control) -> None:
        """Return when a window is open.

        Raises:
            Stopped: the run ends.
        """
        told = False
        while not self.are_open():
            control.check()
            now = self._clock.now()
            opening = next_opening(self._windows, self._zone, now)
            left = None if opening is None else (opening - now).total_seconds()
            self._progress.waiting(f"writing is allowed {', '.join(self._windows)}", left)
            told = True
            control.pause(min(LOOK_EVERY, left or LOOK_EVERY))
        if told:
            self._progress.waiting("", None)

    def are_open(self) -> bool:
        """Tell whether writing is allowed at this moment."""
        return not self._windows or is_open(self._windows, self._zone, self._clock.now())
