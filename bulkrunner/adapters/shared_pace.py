"""Moments that several processes share, taken from a book that all of them see: the ledger."""

from __future__ import annotations

import math
import threading
from typing import Protocol

from bulkrunner.adapters.pace import LONGEST_PAUSE, SLACK
from bulkrunner.domain.ports import Clock

AHEAD = 0.1
"""Seconds of moments taken at once, so that a high rate does not cost a transaction each."""


class Book(Protocol):
    """Where the moments are kept; see ``bulkrunner.adapters.ledger.paces``."""

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
        count = max(1, int(AHEAD / self._gap))
        first, rest = self._book.take_moments(
            self._place, self._kind, count=count, gap=self._gap, now=wall, slack=SLACK
        )
        self._next, self._left = now + (first - wall), count
        self._rests_until = now + (rest - wall)

    def reason(self, now: float) -> str | None:
        """Return why a moment lies ahead, where it is not the rate."""
        if self._rests_until <= now:
            return None
        return "the environment asked for a rest, perhaps another process"

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
