"""Ctrl-C: the first one stops cleanly, the second one at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_INTERRUPTED = 6


@contextmanager
def stoppable(request_stop: Callable[[], None], last_words: Callable[[], str]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into ``request_stop`` while the block runs.

    A second signal ends the process at once with exit code 6; the ledger knows what was sent.

    Args:
        request_stop: as a signal handler may call it: takes no lock.
        last_words: likewise; returns what the process leaves on stdout when it ends at once.
    """
    seen = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            _say(1, last_words())
            os._exit(EXIT_INTERRUPTED)
        request_stop()
        _say(2, "\nstopping after what is in flight; once more to stop at once\n")

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
