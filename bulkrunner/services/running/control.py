"""Whether a run goes on: the first reason to stop counts, and everybody asks here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import RunState
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
