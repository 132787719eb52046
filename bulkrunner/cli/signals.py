"""Ctrl-C: the first one stops cleanly, the second one at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_INTERRUPTED = 6


@contextmanager
def stoppable(request_stop: Callable[[], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into ``request_stop`` while the block runs.

    A second signal ends the process at once with exit code 6; the ledger knows what was sent.
    """
    seen = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            os._exit(EXIT_INTERRUPTED)
        request_stop()
        # Not through sys.stderr: the signal may have come in the middle of a write to it.
        with suppress(OSError):
            os.write(2, b"\nstopping after what is in flight; once more to stop at once\n")

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)
