"""Progress on the terminal: a live line where there is one, else a line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bulkrunner.domain.visible import visible

log = logging.getLogger("bulkrunner")

_CLEAR = "\r\x1b[2K"

EVERY = 10.0
"""Seconds between two lines where stderr is no terminal."""


class ConsoleProgress:
    """Shows what is done, how fast, how long it will take and what is waited for, on stderr."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._what = ""
        self._total: int | None = None
        self._began = self._said = time.monotonic()
        self._offset: int | None = None
        self._done = 0
        self._counts: Mapping[str, int] = {}
        self._reason = ""

    def begin(self, what: str, total: int | None) -> None:
        """Start a phase."""
        self._what, self._total = what, total
        self._began = self._said = time.monotonic()
        self._offset, self._done, self._counts, self._reason = None, 0, {}, ""
        self._show(force=True)

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """Tell how many are done in all; the rate counts from the first call on."""
        if self._offset is None:
            self._offset = 0 if done < 2 else done - 1
        self._done, self._counts = done, dict(counts)
        self._show()

    def waiting(self, reason: str, seconds: float | None) -> None:
        """Tell why nothing happens."""
        if seconds is not None and reason:
            reason = f"{reason}, {seconds:.0f} s"
        changed = reason != self._reason
        self._reason = reason
        self._show(force=changed and bool(reason) and not self._live)

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        """Print one event."""
        _write(f"{_CLEAR if self._live else ''}{visible(message)}\n")
        log.info(message, extra={"action": action, **extra})

    def end(self) -> None:
        """Finish the phase."""
        if self._what:
            self._show(force=True)
            if self._live:
                _write("\n")
            self._what = ""

    def _line(self) -> str:
        done = f"{self._done:,}" + (f" of {self._total:,}" if self._total is not None else "")
        spent = time.monotonic() - self._began
        parts = [f"{self._what}: {done}"]
        moved = self._done - (self._offset or 0)
        if moved > 0 and spent > 1:
            rate = moved / spent
            parts.append(f"{rate:.1f}/s")
            if self._total is not None and self._total > self._done:
                parts.append(f"{_duration((self._total - self._done) / rate)} left")
        counts = ", ".join(f"{count:,} {name}" for name, count in self._counts.items() if count)
        if counts:
            parts.append(counts)
        if self._reason:
            parts.append(f"waiting: {self._reason}")
        return visible(" · ".join(parts))

    def _show(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._said < (0.2 if self._live else EVERY):
            return
        self._said = now
        _write(_CLEAR + self._line()[:200] if self._live else self._line() + "\n")


def _write(text: str) -> None:
    """Write to stderr. That nobody reads it is no reason to end what is being done."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
