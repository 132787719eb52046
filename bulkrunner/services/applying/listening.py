"""Listens for orders from other terminals, and tells them what the run waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from bulkrunner.domain.ports import Clock, Ledger, Progress
from bulkrunner.domain.run import RunState, Wait
from bulkrunner.services.applying.control import Control, Ending

LISTEN_EVERY = 0.5
"""Seconds between two looks into the ledger; an order is obeyed within a second."""


LONG = timedelta(seconds=60)
"""A wait that is to take so long is entered in the run's chain."""


class WaitingNow:
    """A ``Progress`` that passes everything on and remembers what is waited for."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock
        self.wait: Wait | None = None

    def begin(self, what: str, total: int | None) -> None:
        """Pass on."""
        self._progress.begin(what, total)

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """Pass on."""
        self._progress.advance(done, counts)

    def waiting(self, reason: str, seconds: float | None) -> None:
        """Remember, and pass on."""
        until = None if seconds is None else self._clock.now() + timedelta(seconds=seconds)
        self.wait = Wait(reason=reason, until=until) if reason else None
        self._progress.waiting(reason, seconds)

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        """Pass on."""
        self._progress.note(message, action=action, **extra)

    def end(self) -> None:
        """Pass on."""
        self._progress.end()


class Listener:
    """Looks for orders to one run and obeys them."""

    def __init__(
        self,
        run: str,
        ledger: Ledger,
        clock: Clock,
        progress: WaitingNow,
        control: Control,
        *,
        set_rate: Callable[[float], None] | None,
    ) -> None:
        self._run = run
        self._ledger = ledger
        self._clock = clock
        self._progress = progress
        self._control = control
        self._set_rate = set_rate
        self._rate: float | None = None
        self._told: Wait | None = None
        self._logged: str | None = None
        self._paused: Wait | None = None
        self._looked_at = float("-inf")

    def listen(self) -> bool:
        """Obey what was ordered since the last look; False where that is not long enough ago."""
        now = self._clock.monotonic()
        if now - self._looked_at < LISTEN_EVERY:
            return False
        self._looked_at = now
        orders = self._ledger.orders(self._run)
        if orders.stop is not None:
            self._control.end(Ending(state=RunState.STOPPED, reason=orders.stop))
        self._pause(orders.by if orders.paused else None)
        if orders.rate is not None and orders.rate != self._rate:
            self._obey_rate(orders.rate, orders.by)
        self._tell(self._paused or self._progress.wait)
        return True

    def _pause(self, by: str | None) -> None:
        before = self._control.paused_by
        self._control.hold(by)
        if by == before:
            return
        if by is None:
            self._paused = None
            self._progress.note("the pause is lifted", action="pause_lifted")
            self._progress.waiting("", None)
            return
        reason = f"paused by {by}; bulkrunner resume {self._run}"
        self._paused = Wait(reason=reason)
        self._progress.note(reason, action="paused")
        self._progress.waiting(reason, None)

    def _obey_rate(self, rate: float, by: str) -> None:
        self._rate = rate
        if self._set_rate is not None:
            self._set_rate(rate)
            self._progress.note(f"{rate:g} writes/s from now on, ordered by {by}", action="rate")

    def _tell(self, wait: Wait | None) -> None:
        if wait != self._told:
            self._ledger.note_wait(self._run, wait)
            self._told = wait
            self._log(wait)

    def _log(self, wait: Wait | None) -> None:
        """Enter a long wait once, however often its end is reckoned anew, and when it is over."""
        if wait is not None and wait.reason == self._logged:
            return
        if self._logged is not None:
            self._ledger.log_wait(self._run, None)
            self._logged = None
        if wait is None or wait.until is None or wait.until - self._clock.now() < LONG:
            return
        self._ledger.log_wait(self._run, wait)
        self._logged = wait.reason

    def hold_once(self, by: str) -> None:
        """Pause the run by itself, once."""
        self._ledger.hold_run(self._run, hold=False)
        self._ledger.pause_run(self._run, paused=True, by=by)
        self._pause(by)

    def end(self) -> None:
        """Wait for nothing any more."""
        self._tell(None)
