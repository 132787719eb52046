"""Time that goes on only while every thread waits, so that hours of a real run take seconds.

    clock = SimulatedClock(datetime(2026, 3, 2, 20, 30, tzinfo=UTC))
    clock.at(clock.now() + timedelta(hours=1), something)
    with clock.running():
        ...  # threads sleep and wait on the clock; it leaps from one that wakes to the next

Before and after it runs the clock leaps over whatever anybody sleeps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class _Sleeper:
    """A thread that waits: until a time, or until something is true."""

    until: float
    condition: threading.Condition
    is_true: Callable[[], bool] | None = None


@dataclass(order=True)
class _Appointment:
    at: float
    action: Callable[[], None] = field(compare=False)


class SimulatedClock:
    """Implements ``domain.ports.Clock``; the sandbox reads it too.

    A thread takes part from its first wait on, be it over at once. Whatever else it does - a request, a transaction, a
    lock - counts as work that takes no time.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = 0.0
        self._runs = False
        self._guard = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._sleepers: dict[threading.Thread, _Sleeper] = {}
        self._appointments: list[_Appointment] = []
        self.failure: BaseException | None = None

    def follow(self, ask: object) -> None:
        """Go by no other clock."""

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        if not self._runs:
            with self._guard:
                self._elapsed += max(0.0, seconds)
            return
        condition = threading.Condition()
        with condition:
            self._wait(_Sleeper(self._elapsed + max(0.0, seconds), condition))

    def wait_for(
        self, condition: threading.Condition, is_true: Callable[[], bool], seconds: float | None
    ) -> bool:
        if not self._runs:
            return condition.wait_for(is_true, seconds)
        with self._guard:
            self._threads.add(threading.current_thread())
        until = float("inf") if seconds is None else self._elapsed + seconds
        if not is_true():
            self._wait(_Sleeper(until, condition, is_true))
        return is_true()

    def at(self, moment: datetime, action: Callable[[], None]) -> None:
        """Do something when the time has come; nobody else does anything meanwhile."""
        self._appointments.append(_Appointment((moment - self._start).total_seconds(), action))
        self._appointments.sort()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let time go on by itself, while this thread waits too."""
        self._runs = True
        self._threads.add(threading.current_thread())
        ticking = threading.Thread(target=self._tick, name="time", daemon=True)
        ticking.start()
        try:
            yield
        finally:
            self._runs = False
            with self._guard:
                self._guard.notify_all()
            ticking.join()
            self._threads.clear()
        if self.failure is not None:
            raise self.failure

    def _wait(self, sleeper: _Sleeper) -> None:
        """Wait, the sleeper's condition held."""
        thread = threading.current_thread()
        with self._guard:
            self._threads.add(thread)
            self._sleepers[thread] = sleeper
            self._guard.notify_all()
        try:
            while self._runs and self._elapsed < sleeper.until:
                if sleeper.is_true is not None and sleeper.is_true():
                    break
                sleeper.condition.wait(1.0)
        finally:
            with self._guard:
                del self._sleepers[thread]

    def _tick(self) -> None:
        while self._runs:
            with self._guard:
                if not self._everybody_waits():
                    self._guard.wait(0.005)
                    continue
                sleepers = list(self._sleepers.values())
            try:
                self._go_on(sleepers)
            except BaseException as error:  # noqa: BLE001 (raised where the clock was started)
                self.failure = error
                self._appointments.clear()

    def _everybody_waits(self) -> bool:
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        return bool(self._threads) and self._threads <= self._sleepers.keys()

    def _go_on(self, sleepers: list[_Sleeper]) -> None:
        """Leap to where the next one wakes, unless one of them is about to wake already."""
        if any(self._is_awake(sleeper) for sleeper in sleepers):
            # It has been told; let it come so far.
            threading.Event().wait(0.0001)
            return
        next_one = min(sleeper.until for sleeper in sleepers)
        if self._appointments and self._appointments[0].at <= next_one:
            appointment = self._appointments.pop(0)
            self._elapsed = max(self._elapsed, appointment.at)
            appointment.action()
            return
        assert next_one < float("inf"), "everybody waits for ever"
        self._elapsed = next_one
        for sleeper in sleepers:
            if sleeper.until <= next_one:
                with sleeper.condition:
                    sleeper.condition.notify_all()

    def _is_awake(self, sleeper: _Sleeper) -> bool:
        if sleeper.until <= self._elapsed:
            return True
        if sleeper.is_true is None:
            return False
        with sleeper.condition:
            return sleeper.is_true()
