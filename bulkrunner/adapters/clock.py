"""The machine's clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Condition


class SystemClock:
    """Wall clock in UTC, and a monotonic clock that runs on while the machine is suspended."""

    def now(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since boot, suspend included where the system can tell."""
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boottime is None else time.clock_gettime(boottime)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))

    def wait_for(
        self, condition: Condition, is_true: Callable[[], bool], seconds: float | None
    ) -> bool:
        """Wait until something is true or the time is over; returns whether it is true."""
        return condition.wait_for(is_true, seconds)
