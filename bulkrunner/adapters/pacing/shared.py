"""Pace and slots under way that several processes share through the ledger.

A process claims slots for some seconds and renews its claim in the background, so a request costs
no transaction. Its claim ends with it: a dead process on this machine is noticed by those that
wait, any other when its claim runs out. Nobody uses a slot that another may still be using: what
is to be given back is first left unused, and given back then.
"""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from bulkrunner.adapters.ledger.rate_limits import Claim, Granted
from bulkrunner.adapters.pacing.pace import LONGEST_PAUSE, SLACK
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import Owner
from bulkrunner.errors import Interrupted, LedgerUnavailable
from bulkrunner.sentences import Sentence

# Seconds that a claim counts without being renewed.
LIFE = 15.0

# Seconds from one renewal to the next.
BEAT = 1.0

# The same while there is something to give or to get.
QUICK_BEAT = 0.2

# Waits shorter than this are not worth a word.
TELL_AFTER = 1.0

# Seconds without a request after which a process gives back what it has.
IDLE = 10.0

# Seconds that somebody waits for a slot who should not wait long.
LONGEST_IN_A_HURRY = 5.0


class SlotBook(Protocol):
    """Where claims are kept; see ``bulkrunner.adapters.ledger.rate_limits``."""

    def claim_slots(self, claim: Claim) -> Granted:
        """Renew a process's claim, and take the share of slots that is free."""

    def drop_claim(self, place: str, holder: str) -> None:
        """Free the slots of a process that needs them no more, or is dead."""


class SharedSlots:
    """The share that one process has of an environment's slots; thread safe."""

    def __init__(
        self,
        book: SlotBook,
        place: str,
        most: int,
        *,
        owner: Owner,
        alive: Callable[[Owner], bool | None],
        clock: Clock,
        tell: Callable[[str, float | None], None],
    ) -> None:
        """Claim nothing yet."""
        self._book = book
        self._place = place
        self._most = most
        self._owner = owner
        self._alive = alive
        self._clock = clock
        self._tell = tell
        self._holder = secrets.token_hex(8)
        self._changed = threading.Condition()
        self._claiming = threading.Lock()
        self._end = threading.Condition()
        self._used = 0
        self._waiting = 0
        self._usable = 0
        self._granted = 0
        self._peak = 0
        self._last_peak = 0
        self._good_until = float("-inf")
        self._used_at = float("-inf")
        self._closed = False
        self._thread: threading.Thread | None = None

    def take(self, *, in_a_hurry: Callable[[], bool]) -> None:
        """Take a slot, waiting until there is one.

        Raises:
            Interrupted: ``in_a_hurry``, and there is none for long.
            LedgerUnavailable: nothing can be claimed.
        """
        began = self._clock.monotonic()
        told = False
        with self._changed:
            self._waiting += 1
        try:
            while not self._taken():
                waited = self._clock.monotonic() - began
                if waited > LONGEST_IN_A_HURRY and in_a_hurry():
                    raise Interrupted(Sentence("pace_hurried_by_others"))
                if waited > TELL_AFTER and not told:
                    self._tell(Sentence("pace_places_taken"), None)
                    told = True
        finally:
            with self._changed:
                self._waiting -= 1
        if told:
            self._tell("", None)

    def _taken(self) -> bool:
        """Take a slot that is free now or becomes so very soon."""
        if not self._is_good():
            self._claim_anew()
        with self._changed:
            self._peak = max(self._peak, self._used + self._waiting)
            self._clock.wait_for(self._changed, self._is_free, QUICK_BEAT)
            if not self._is_free():
                return False
            self._used += 1
            self._used_at = self._clock.monotonic()
            return True

    def _is_good(self) -> bool:
        return self._clock.monotonic() < self._good_until

    def _is_free(self) -> bool:
        return self._used < self._usable and self._is_good()

    def give_back(self) -> None:
        with self._changed:
            self._used -= 1
            if self._waiting:
                self._changed.notify()

    def close(self) -> None:
        """Claim nothing any more."""
        with self._end:
            self._closed = True
            self._end.notify_all()
        thread = self._thread
        if thread is not None:
            thread.join()
        with self._claiming:
            self._let_go()

    # Claims

    def beat(self) -> None:
        """Renew the claim, and use from now on what it gives.

        Raises:
            LedgerUnavailable: it cannot be renewed.
        """
        with self._claiming:
            self._claim()

    def _claim_anew(self) -> None:
        with self._claiming:
            if self._closed:
                raise Interrupted(Sentence("pace_hurried_by_others"))
            if not self._is_good():
                self._claim()
        self._start()

    def _claim(self) -> None:
        asked_at = self._clock.monotonic()
        with self._changed:
            if not self._is_good():
                # Others may have taken what was not renewed in time; what is under way stays.
                self._usable = 0
            held = max(self._used, self._usable)
            wanted = min(self._most, max(self._peak, self._last_peak, 1))
            self._peak, self._last_peak = self._used + self._waiting, self._peak
        granted = self._book.claim_slots(
            Claim(
                place=self._place,
                holder=self._holder,
                owner=self._owner,
                wanted=wanted,
                held=held,
                most=self._most,
                now=self._clock.now().timestamp(),
                life=LIFE,
            )
        )
        with self._changed:
            self._granted = granted.slots
            self._usable = granted.usable
            self._good_until = asked_at + LIFE
            self._changed.notify_all()
            lacks = self._usable < wanted
        if lacks:
            self._bury(granted)

    def _bury(self, granted: Granted) -> None:
        for holder, owner in granted.others.items():
            if self._alive(owner) is False:
                self._book.drop_claim(self._place, holder)

    def _let_go(self) -> None:
        """Give everything back; the caller holds the right to claim."""
        with self._changed:
            had, self._granted, self._usable = self._granted, 0, 0
            self._good_until = float("-inf")
        if had:
            with suppress(LedgerUnavailable):
                self._book.drop_claim(self._place, self._holder)

    # The thread that renews

    def _start(self) -> None:
        with self._changed:
            if self._thread is not None or self._closed:
                return
            self._thread = threading.Thread(target=self._keep, name="places", daemon=True)
            self._thread.start()

    def _keep(self) -> None:
        while self._wait_for_the_next():
            with suppress(LedgerUnavailable):  # whoever needs a slot is told
                self.beat()

    def _wait_for_the_next(self) -> bool:
        """Wait for the next beat; returns whether there is one."""
        with self._changed:
            in_motion = self._granted > self._usable or self._waiting > 0
        with self._end:
            seconds = QUICK_BEAT if in_motion else BEAT
            if self._clock.wait_for(self._end, lambda: self._closed, seconds):
                return False
        with self._claiming:
            if self._is_idle():
                self._thread = None
                self._let_go()
                return False
        return True

    def _is_idle(self) -> bool:
        with self._changed:
            unused = not self._used and not self._waiting
            return unused and self._clock.monotonic() - self._used_at > IDLE


# Seconds of moments taken at once, so that a high rate does not cost a transaction each.
AHEAD = 0.1

# The same while nobody else takes any: another process that comes waits so long at most.
AHEAD_ALONE = 1.0


class Book(Protocol):
    """Where the moments are kept; see ``bulkrunner.adapters.ledger.rate_limits``."""

    def take_moments(
        self, place: str, kind: str, *, count: int, gap: float, now: float, slack: float
    ) -> tuple[float, float]:
        """Take the next moments, ``gap`` seconds apart; returns the first, and the end of a rest."""

    def rest_place(self, place: str, until: float) -> None:
        """Let nobody take a moment before ``until``."""

    def hasten(self, place: str, kind: str, *, until: float) -> None:
        """Free what was taken beyond ``until``."""


class SharedSpacing:
    """Moments ``1/rate`` apart among all processes that use the same book and place.

    The book goes by the wall clock, which all machines share; callers by their own clock. Moments
    taken ahead and not used in time are given up: they are never made good by sending faster.
    """

    def __init__(self, book: Book, place: str, kind: str, rate: float, *, clock: Clock) -> None:
        self._book = book
        self._place = place
        self._kind = kind
        self._gap = 1.0 / rate
        self._clock = clock
        self._next = 0.0
        self._left = 0
        self._ahead = AHEAD
        self._end = float("-inf")
        self._rests_until = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next free moment, on the caller's clock."""
        with self._lock:
            missed = max(0, math.ceil((now - SLACK - self._next) / self._gap))
            if missed >= self._left:
                self._take(now)
                missed = 0
            self._left -= missed + 1
            moment = self._next + missed * self._gap
            self._next = moment + self._gap
            return max(moment, now)

    def _take(self, now: float) -> None:
        wall = self._clock.now().timestamp()
        count = max(1, int(self._ahead / self._gap))
        first, rest = self._book.take_moments(
            self._place, self._kind, count=count, gap=self._gap, now=wall, slack=SLACK
        )
        # Where the moments begin just where those before ended, nobody has taken any in between.
        is_alone = abs(first - self._end) < min(self._gap / 2, 0.001)
        self._ahead = min(2 * self._ahead, AHEAD_ALONE) if is_alone else AHEAD
        self._end = first + count * self._gap
        self._next, self._left = now + (first - wall), count
        self._rests_until = now + (rest - wall)

    def reason(self, now: float) -> str | None:
        """Return why a moment lies ahead, where it is not the rate."""
        if self._rests_until <= now:
            return None
        return Sentence("pace_rest")

    def set_rate(self, rate: float, now: float) -> None:  # noqa: ARG002 (the book has its own clock)
        """Use another rate from now on.

        A higher one frees what was taken far ahead. Moments that other processes still wait for
        are among them; for each of these one request may come too early, once.
        """
        with self._lock:
            old, self._gap = self._gap, 1.0 / rate
            self._left = 0
            if self._gap < old:
                until = self._clock.now().timestamp() + self._gap
                self._book.hasten(self._place, self._kind, until=until)

    def rest(self, seconds: float) -> None:
        """Let every process of the place wait."""
        seconds = min(max(0.0, seconds), LONGEST_PAUSE)
        self._book.rest_place(self._place, self._clock.now().timestamp() + seconds)
