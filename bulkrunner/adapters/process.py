"""The process itself, the clock it goes by, and whether the process that an owner names still lives."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition

from bulkrunner.domain.run import Owner

PROC = Path("/proc")

# Elsewhere signal 0 is no question: on Windows it stops the process, or ends it.
_CAN_ASK = os.name == "posix"

MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def this_process() -> Owner:
    pid = os.getpid()
    return Owner(host=_host(), boot=_boot(), pid=pid, started=_started(pid) or "")


def is_alive(owner: Owner) -> bool | None:
    """Return True if the owner's process lives; None where that cannot be told from here.

    Only of a process on this very host can it be told. A process that got the number of a dead one
    has another start time; a zombie is dead.
    """
    if owner.host != _host():
        return None
    if owner.boot and owner.boot != _boot():
        return False
    if not _exists(owner.pid):
        return False
    started = _started(owner.pid)
    if not owner.started or started is None:
        return None if _exists(owner.pid) else False
    return started == owner.started


def _exists(pid: int) -> bool:
    if not _CAN_ASK:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _host() -> str:
    """Host name, machine id and process namespace: where a process number means the same."""
    return "/".join((socket.gethostname(), _machine_id(), _namespace()))


def _machine_id() -> str:
    for path in MACHINE_IDS:
        try:
            return path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
    return ""


def _namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _started(pid: int) -> str | None:
    """Return the start time in ticks since boot; None where unknown, ``dead`` for a zombie."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in parentheses may itself hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    return "dead" if fields[0] in ("Z", "X") else fields[19]


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
