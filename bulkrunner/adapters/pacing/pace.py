"""Politeness towards one environment: requests per second, at a time, by its latency, and rests.

Three limits, each fair in the order of asking:

- writes and reads per second: every request is given its own moment, ``1/rate`` after the one
  before it; a limiter that was late by at most ``SLACK`` may catch up, so that a coarse timer
  does not lower the rate;
- requests at a time;
- a pause of the whole environment, from ``Retry-After``, 429 or 503.

Writes slow down further while their answers take twice as long as in the beginning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from bulkrunner.domain.environment import Environment
from bulkrunner.domain.ports import Clock
from bulkrunner.errors import Interrupted
from bulkrunner.sentences import Sentence

# Writes judged together.
SAMPLE = 40

# So many times the beginning is too slow.
SLOW = 2.0

# Below so many times the beginning all is well again.
WELL = 1.5

# Seconds; a smaller rise says nothing about the server.
WORTH = 0.05

# Part of the rate that is always kept.
LEAST = 1 / 16


class Slowing:
    """Judges every ``SAMPLE`` writes by their 95th percentile; the first ones are the measure.

    Attributes:
        factor: part of the full rate to be used now.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._taken: list[float] = []
        self._beginning: float | None = None

    def add(self, seconds: float, rate: float) -> Sentence | None:
        """Take in one write at a rate; returns what changed and why, None where nothing did."""
        self._taken.append(seconds)
        if len(self._taken) < SAMPLE:
            return None
        now, self._taken = percentile(self._taken), []
        if self._beginning is None:
            self._beginning = now
            return None
        return self._judge(now, self._beginning, rate)

    def _judge(self, now: float, beginning: float, rate: float) -> Sentence | None:
        times = Sentence("pace_times", now=_ms(now), beginning=_ms(beginning))
        if now >= SLOW * beginning and now - beginning >= WORTH:
            if self.factor > LEAST:
                self.factor /= 2
                return Sentence("pace_slower", times=times, rate=f"{rate * self.factor:.3g}")
            return None
        well = now < WELL * beginning or now - beginning < WORTH
        if well and self.factor < 1:
            self.factor *= 2
            return Sentence("pace_faster", times=times, rate=f"{rate * self.factor:.3g}")
        return None


def percentile(values: list[float], share: float = 0.95) -> float:
    """Return the value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


# Seconds by which a limiter may lag behind and still catch up.
SLACK = 0.05

# Longest single sleep, so that a waiting thread soon sees that the pause grew or ended.
STEP = 0.5

# Waits shorter than this are not worth a word.
TELL_AFTER = 1.0

# A longer Retry-After is cut to this; the server can ask again.
LONGEST_PAUSE = 3600.0

# Told why nothing happens and for how long; an empty reason says that it goes on.
Tell = Callable[[str, float | None], None]


# Told once of something that people should know.
Note = Callable[[str], None]


def note_nothing(message: str) -> None:
    """Say nothing."""


def tell_nobody(reason: str, seconds: float | None) -> None:
    """Say nothing."""


class Waits(Protocol):
    """Gives each request of one kind the moment when it may be sent."""

    def reserve(self, now: float) -> float:
        """Take the next free moment, on the same clock as ``now``."""

    def set_rate(self, rate: float, now: float) -> None:
        """Use another rate from now on; moments not used yet are taken again by their owners."""

    def rest(self, seconds: float) -> None:
        """Tell others who share the moments that the environment asked for a pause."""

    def reason(self, now: float) -> str | None:
        """Return why a moment lies ahead, where it is not the rate."""


class Slots(Protocol):
    """Gives out slots among the requests under way."""

    def take(self, *, in_a_hurry: Callable[[], bool]) -> None:
        """Take a slot, waiting until there is one; not for long where somebody is in a hurry."""

    def give_back(self) -> None:
        """Give a slot back."""

    def close(self) -> None:
        """Take no more."""


class OwnSlots:
    """Places of this process alone."""

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)

    def take(self, *, in_a_hurry: Callable[[], bool]) -> None:  # noqa: ARG002 (own ones come soon)
        """Take a slot, waiting until there is one."""
        self._free.acquire()

    def give_back(self) -> None:
        self._free.release()

    def close(self) -> None:
        """Nothing is left behind."""


class Spacing:
    """Moments ``1/rate`` apart; keeps its own lock."""

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._next = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next free moment."""
        with self._lock:
            moment = max(self._next, now - SLACK)
            self._next = moment + self._gap
        return max(moment, now)

    def set_rate(self, rate: float, now: float) -> None:
        """Use another rate from now on."""
        with self._lock:
            self._gap = 1.0 / rate
            self._next = min(self._next, now + self._gap)

    def rest(self, seconds: float) -> None:
        """Nobody shares these moments."""

    def reason(self, now: float) -> str | None:  # noqa: ARG002 (it is always the rate)
        """Return nothing: it is the rate."""
        return None


class Pace:
    """Decides when the next request may be sent; shared by all threads, reading or writing.

    A slot among the concurrent requests belongs to the thread: asking again while holding one
    (a read inside a write's slot) does not take a second.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        clock: Clock,
        tell: Tell = tell_nobody,
        note: Note = note_nothing,
        writes: Waits | None = None,
        reads: Waits | None = None,
        slots: Slots | None = None,
    ) -> None:
        """Start with everything free.

        ``tell`` is told of every wait longer than a second, ``note`` when the pace changes.
        ``writes``, ``reads`` and ``slots`` may be other limiters, for instance ones that several
        processes share.
        """
        self._clock = clock
        self._tell = tell
        self._writes = writes or Spacing(environment.rate)
        self._reads = reads or Spacing(environment.read_rate)
        self._slots = slots or OwnSlots(environment.concurrency)
        self._held = threading.local()
        self._pause_lock = threading.Lock()
        self._paused_until = float("-inf")
        self._changes = 0
        self._pause_reason = ""
        self._hurried = False
        self._note = note
        self._rate = environment.rate
        self._rate_lock = threading.Lock()
        self._slowing = Slowing()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Wait until a write may be sent and hold a slot for it."""
        self._wait(self._writes, Sentence("pace_write_rate"))
        with self._slot():
            yield

    @contextmanager
    def read(self) -> Iterator[None]:
        """Wait until a read may be sent and hold a slot for it."""
        self._wait(self._reads, Sentence("pace_read_rate"))
        with self._slot():
            yield

    def hurry(self) -> None:
        """Let nobody wait long any more: whoever would is interrupted instead.

        For an orderly end: what is in flight is finished, but nobody sits out a pause.
        """
        self._hurried = True

    def rest(self, seconds: float) -> None:
        """Wait outside any rate, for instance before a question is asked again.

        Raises:
            Interrupted: the wait is long, and everything is to end.
        """
        self._until(self._clock.monotonic() + seconds)

    def close(self) -> None:
        """Leave everything to others."""
        self._slots.close()

    def tell(self, reason: str, seconds: float | None) -> None:
        """Pass on why nothing happens just now."""
        self._tell(reason, seconds)

    def pause(self, seconds: float, reason: str) -> None:
        """Let nobody send anything for a while; a longer pause already asked for stands."""
        until = self._clock.monotonic() + min(max(0.0, seconds), LONGEST_PAUSE)
        with self._pause_lock:
            if until > self._paused_until:
                self._paused_until = until
                self._pause_reason = reason
        self._writes.rest(seconds)

    def set_rate(self, rate: float) -> None:
        """Send so many writes per second from now on, less where the environment is slow."""
        with self._rate_lock:
            self._rate = rate
            self._apply()

    def took(self, seconds: float) -> None:
        """Take in how long a write's answer took; slows down or speeds up again where it tells."""
        with self._rate_lock:
            said = self._slowing.add(seconds, self._rate)
            if not said:
                return
            self._apply()
        self._note(said)

    def _apply(self) -> None:
        now = self._clock.monotonic()
        self._writes.set_rate(self._rate * self._slowing.factor, now)
        self._changes += 1

    def _wait(self, waits: Waits, why: str) -> None:
        changes = self._changes
        moment = waits.reserve(self._clock.monotonic())
        told = rested = False
        while True:
            now = self._clock.monotonic()
            if changes != self._changes and moment > now and waits is self._writes:
                changes = self._changes
                moment = waits.reserve(now)
            until, reason = moment, waits.reason(now) or why
            if self._paused_until > now:
                reason = self._pause_reason
                rested = rested or self._paused_until > moment
                until = max(moment, self._paused_until)
            if until <= now and rested:
                # Everybody wakes from a rest at once; each takes a new turn, or all would send.
                rested = False
                moment = waits.reserve(now)
                continue
            if until <= now:
                break
            if until - now > TELL_AFTER and not told:
                self._tell(reason, until - now)
                told = True
            self._step(until - now)
        if told:
            self._tell("", None)

    def _until(self, moment: float) -> None:
        while (left := moment - self._clock.monotonic()) > 0:
            self._step(left)

    def _step(self, left: float) -> None:
        if self._hurried and left > TELL_AFTER:
            raise Interrupted(Sentence("pace_hurried"))
        self._clock.sleep(min(left, STEP))

    @contextmanager
    def _slot(self) -> Iterator[None]:
        depth: int = getattr(self._held, "depth", 0)
        if not depth:
            self._slots.take(in_a_hurry=lambda: self._hurried)
        self._held.depth = depth + 1
        try:
            yield
        finally:
            self._held.depth = depth
            if not depth:
                self._slots.give_back()
