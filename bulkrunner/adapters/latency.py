"""Slows down when answers to writes take twice as long as in the beginning, and recovers."""

from __future__ import annotations

SAMPLE = 40
"""Writes judged together."""

SLOW = 2.0
"""So many times the beginning is too slow."""

WELL = 1.5
"""Below so many times the beginning all is well again."""

WORTH = 0.05
"""Seconds; a smaller rise says nothing about the server."""

LEAST = 1 / 16
"""Part of the rate that is always kept."""


class Slowing:
    """Judges every ``SAMPLE`` writes by their 95th percentile; the first ones are the measure.

    Attributes:
        factor: part of the full rate to be used now.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._taken: list[float] = []
        self._beginning: float | None = None

    def add(self, seconds: float) -> str:
        """Take in one write; returns what changed and why, or an empty text."""
        self._taken.append(seconds)
        if len(self._taken) < SAMPLE:
            return ""
        now, self._taken = percentile(self._taken), []
        if self._beginning is None:
            self._beginning = now
            return ""
        return self._judge(now, self._beginning)

    def _judge(self, now: float, beginning: float) -> str:
        times = f"95 % of writes answered within {_ms(now)}, in the beginning {_ms(beginning)}"
        if now >= SLOW * beginning and now - beginning >= WORTH:
            if self.factor > LEAST:
                self.factor /= 2
                return f"slower: {times}"
            return ""
        well = now < WELL * beginning or now - beginning < WORTH
        if well and self.factor < 1:
            self.factor *= 2
            return f"faster again: {times}"
        return ""


def percentile(values: list[float], share: float = 0.95) -> float:
    """Return the value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
