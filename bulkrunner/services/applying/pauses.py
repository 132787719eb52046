"""Pauses that people ask for: nothing is sent until somebody lifts them."""

from __future__ import annotations

from bulkrunner.domain.ports import Clock
from bulkrunner.services.applying.control import Control

ASK_EVERY = 0.5


class Pauses:
    """Holds writes back while the run is paused; whoever listens for orders says why."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def wait(self, control: Control) -> None:
        """Return when the run is not paused.

        Raises:
            Stopped: the run ends.
        """
        while control.paused_by is not None:
            control.check()
            self._clock.sleep(ASK_EVERY)
