"""The command line in a process whose waits are short, so that many mishaps fit into a minute.

python -m tests.crashes.adversary.hurried run JOB --env staging
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from bulkrunner.adapters.machine import SystemClock
from bulkrunner.adapters.pacing.pace import Pace
from bulkrunner.cli.main import main

HASTE = float(os.environ.get("SOAK_HASTE", "20"))
"""Every wait of the program is so many times shorter; nothing else of it is touched."""


def _sleep(_clock: SystemClock, seconds: float) -> None:
    time.sleep(max(0.0, seconds) / HASTE)


def _shorter(real: Callable[..., None]) -> Callable[..., None]:
    """Waits until a moment, which a shorter sleep alone would not shorten."""

    def call(pace: Pace, seconds: float, *more: Any) -> None:
        real(pace, seconds / HASTE, *more)

    return call


if __name__ == "__main__":
    setattr(SystemClock, "sleep", _sleep)  # noqa: B010
    setattr(Pace, "rest", _shorter(Pace.rest))  # noqa: B010
    setattr(Pace, "pause", _shorter(Pace.pause))  # noqa: B010
    sys.exit(main(sys.argv[1:]))
