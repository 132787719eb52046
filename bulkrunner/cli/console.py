"""The terminal: its streams and signals, and how far a command is.

Output never changes what a command does or how it ends: a stream may be closed, full, gone, or of
an encoding that lacks a character.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import FrameType
from typing import Any, TextIO

import click

from bulkrunner.domain.text import visible
from bulkrunner.errors import why_of
from bulkrunner.runner.telling import counts_said
from bulkrunner.sentences import Sentence, as_sentence, verbatim

log = logging.getLogger("bulkrunner")

_CLEAR = "\r\x1b[2K"

# The language of the command line, for what is wrong with the terminal itself.
SPOKEN: ContextVar[str] = ContextVar("spoken", default="en")

# Seconds between two lines where stderr is no terminal.
EVERY = 10.0


def open_streams() -> None:
    """Give the process all three standard streams, each able to take any text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Left closed, its number would go to the next file opened, and be written over.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
    sys.stdin = sys.stdin or _devnull("r")
    sys.stdout = sys.stdout or _devnull("w")
    sys.stderr = sys.stderr or _devnull("w")
    for stream in (sys.stdout, sys.stderr):
        # A character that the stream's encoding lacks is written as its number.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _devnull(mode: str) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # type: ignore[return-value] # noqa: PTH123


def tell(text: str, *, err: bool = False, style: str = "") -> None:
    """Print for people, in a style where a terminal shows colours, or a document for machines.

    Texts of records, files and servers may hold what a terminal would obey; it is written out.
    """
    stream = sys.stderr if err else sys.stdout
    try:
        if style and _shows_colours(stream):
            _draw(stream, visible(text), style)
        else:
            click.echo(visible(text), file=stream)
    except OSError as error:
        _give_up(stream, error)


# What is said in which colour, by the key of the sentence.
STYLES = {
    "error": "bold red",
    "hint": "cyan",
    "next": "bold",
    "go_on_with": "bold",
    "status_gate_open": "green",
    "status_gate_closed": "red",
    "yes_gate_closed": "red",
    "doctor_problem": "red",
    "doctor_well": "green",
    "doctor_production": "bold yellow",
}


def _shows_colours(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _draw(stream: TextIO, text: str, style: str = "", *, end: str = "\n", width: int = 0) -> None:
    """Draw a text on a terminal, as much of it as ``width`` columns hold; 0: all."""
    from rich.console import Console
    from rich.text import Text

    drawn = Text(text, style=style, end="")
    if width:
        drawn.truncate(width, overflow="ellipsis")
    Console(file=stream, soft_wrap=True).print(drawn, end=end)


def flush() -> None:
    """Write what is buffered; where that fails, leave nothing for the exit to trip on."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _give_up(stream, error)


def _give_up(stream: TextIO, error: OSError) -> None:
    """Send the rest of the stream nowhere; a reader that went away is nothing to speak of."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
        why = why_of(error) if error.strerror else verbatim(type(error).__name__)
        tell(Sentence("stdout_not_written", why=why).worded(SPOKEN.get()), err=True)


class ConsoleProgress:
    """Shows what is done, how fast, how long it will take and what is waited for, on stderr."""

    def __init__(self, worded: Callable[[Sentence | str], str]) -> None:
        self._worded = worded
        self._live = sys.stderr.isatty()
        self._what: Sentence | str = ""
        self._total: int | None = None
        self._began = self._said = time.monotonic()
        self._offset: int | None = None
        self._done = 0
        self._counts: Mapping[str, int] = {}
        self._reason: Sentence | str = ""

    def begin(self, what: Sentence | str, total: int | None) -> None:
        """Start a phase."""
        self._what, self._total = what, total
        self._began = self._said = time.monotonic()
        self._offset, self._done, self._counts, self._reason = None, 0, {}, ""
        self._show(force=True)

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        """Tell how many are done in all; the rate counts from the first call on."""
        if self._offset is None:
            self._offset, self._began = done, time.monotonic()
        self._done, self._counts = done, dict(counts)
        self._show()

    def waiting(self, reason: Sentence | str, seconds: float | None) -> None:
        """Tell why nothing happens."""
        if seconds is not None and reason:
            reason = Sentence("waiting_for", reason=as_sentence(reason), seconds=f"{seconds:.0f}")
        changed = reason != self._reason
        self._reason = reason
        self._show(force=changed and bool(reason) and not self._live)

    def note(self, message: Sentence | str, *, action: str, **extra: Any) -> None:
        """Print one event."""
        _write(f"{_CLEAR if self._live else ''}{visible(self._worded(message))}\n")
        log.info(message, extra={"action": action, **extra})

    def end(self) -> None:
        """Finish the phase."""
        if self._what:
            self._show(force=True)
            if self._live:
                _write("\n")
            self._what = ""

    def _line(self) -> str:
        what = as_sentence(self._what)
        if self._total is None:
            begun = Sentence("progress", what=what, done=self._done)
        else:
            begun = Sentence("progress_of", what=what, done=self._done, total=self._total)
        spent = time.monotonic() - self._began
        parts: list[Sentence | str] = [begun]
        moved = self._done - (self._offset or 0)
        if moved > 0 and spent > 1:
            rate = moved / spent
            parts.append(f"{rate:.1f}/s")
            if self._total is not None and self._total > self._done:
                left = _duration((self._total - self._done) / rate)
                parts.append(Sentence("progress_left", left=left))
        if any(self._counts.values()):
            parts.append(counts_said(self._counts))
        if self._reason:
            parts.append(Sentence("progress_waiting", reason=as_sentence(self._reason)))
        return visible(" · ".join(map(self._worded, parts)))

    def _show(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._said < (0.2 if self._live else EVERY):
            return
        self._said = now
        if not self._live:
            _write(self._line() + "\n")
            return
        _write(_CLEAR)
        with suppress(OSError):
            _draw(sys.stderr, self._line(), end="", width=_columns())
            sys.stderr.flush()


def _write(text: str) -> None:
    """Write to stderr, as far as it can be written to."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _columns() -> int:
    """Return how many columns a line may take: a longer one could not be taken back."""
    try:
        return max(os.get_terminal_size(sys.stderr.fileno()).columns - 1, 0)
    except (OSError, ValueError):
        return 79


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


EXIT_INTERRUPTED = 6


@contextmanager
def stoppable(
    request_stop: Callable[[], None],
    last_words: Callable[[], str],
    worded: Callable[[Sentence | str], str],
) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into ``request_stop`` while the block runs.

    A second signal ends the process at once with exit code 6; the ledger knows what was sent.

    Args:
        request_stop: as a signal handler may call it: takes no lock.
        last_words: likewise; returns what the process leaves on stdout when it ends at once.
        worded: puts a sentence into the language of the command line.
    """
    seen = 0
    stopping = worded(Sentence("stopping"))

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            _say(1, last_words())
            os._exit(EXIT_INTERRUPTED)
        request_stop()
        _say(2, f"\n{stopping}\n")

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)


def _say(stream: int, text: str) -> None:
    """Write past the buffers: the signal may have come in the middle of a write to them."""
    left = text.encode()
    with suppress(OSError):
        while left:
            left = left[os.write(stream, left) :]
