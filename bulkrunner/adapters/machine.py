"""The machine: files written whole and read by bounded lines, the process, and the clock it goes by."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition
from typing import BinaryIO

from bulkrunner.domain.run import Owner
from bulkrunner.errors import UsageError, why_of
from bulkrunner.sentences import Sentence


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; it takes the path's place only when everything is on disk.

    Raises:
        UsageError: the file cannot be written.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with _written_into(path) as file:
            yield file
        return
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error


def made_folder(folder: Path) -> Path:
    """Return the folder, made where it is not there. UsageError: it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from error
    return folder


@contextmanager
def _written_into(path: Path) -> Iterator[BinaryIO]:
    """Give a device or a pipe to write to: nothing may take its place."""
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> UsageError:
    return UsageError(
        Sentence("report_not_written", path=str(path), why=why_of(error)),
        hint=Sentence("report_not_written_hint"),
        code="not_written",
    )


_PACKAGE = Path(__file__).resolve().parents[1]


def share_folder(name: str) -> Path:
    """Return the folder ``migrations``, ``jobs`` or ``templates``.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / "_share" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation has no folder {name}")


BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; ``whole`` is False where it was longer than the limit and cut."""

    number: int
    data: bytes
    whole: bool


def lines_of(file: BinaryIO, limit: int) -> Iterator[Line]:
    """Yield the lines of a file, each read up to a limit; a byte order mark is dropped."""
    number = 0
    while data := file.readline(limit + 2):
        number += 1
        if number == 1:
            data = data.removeprefix(BOM)
        whole = data.endswith(b"\n") or len(data) < limit + 2
        if not whole:
            whole = _skip_rest(file)
        text = data.removesuffix(b"\n").removesuffix(b"\r")
        yield Line(number, text, whole and len(text) <= limit)


def _skip_rest(file: BinaryIO) -> bool:
    """Read on to the end of the line; True where nothing but the line's end was left."""
    nothing = True
    while data := file.readline(1 << 16):
        nothing = nothing and data in (b"\n", b"\r\n")
        if data.endswith(b"\n"):
            break
    return nothing


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


# File systems of other machines, on which SQLite's locks cannot be relied on.
SHARES = frozenset(
    {
        *("9p", "afs", "ceph", "cifs", "coda", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"),
        *(
            "smb3",
            "smbfs",
            "fuse.glusterfs",
            "fuse.rclone",
            "fuse.s3fs",
            "fuse.sshfs",
            "fuse.smbnetfs",
        ),
    }
)


def share_of(path: Path, mounts: Path = PROC / "mounts") -> str | None:
    """Return the kind of file system where a path lies on another machine's disk, as far as is known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found, kind = Path("/"), ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Blanks and the like are written as octal numbers.
        place = Path(re.sub(r"\\([0-7]{3})", lambda one: chr(int(one[1], 8)), fields[1]))
        if path.is_relative_to(place) and len(place.parts) >= len(found.parts):
            found, kind = place, fields[2]
    return kind if kind in SHARES else None


# Seconds between two looks at a clock that others share, and by how many it may differ meanwhile.
ASK_EVERY = 30.0
TOLERATED = 0.02


class SystemClock:
    """Wall clock in UTC, and a monotonic clock that runs on while the machine is suspended.

    Several machines with one ledger go by the clock of its server: each by its own clock, leases and
    paces of one would mean nothing to the other.
    """

    def __init__(self) -> None:
        self._ask: Callable[[], datetime | None] | None = None
        self._asked_at = float("-inf")
        self._base: tuple[datetime, float] | None = None

    def follow(self, ask: Callable[[], datetime | None] | None) -> None:
        """Go by another clock from now on, as long as it can be asked; None: by the machine's."""
        self._ask = ask

    def now(self) -> datetime:
        """Return the wall clock, or what the clock that is followed says."""
        if self._ask is None:
            return datetime.now(UTC)
        began = self.monotonic()
        if began - self._asked_at > ASK_EVERY:
            self._asked_at = began
            self._measure(self._ask, began)
        return self._reckoned(self.monotonic())

    def _measure(self, ask: Callable[[], datetime | None], began: float) -> None:
        if (told := ask()) is None:
            return
        middle = (began + self.monotonic()) / 2
        if self._base is None or abs(told - self._reckoned(middle)) > timedelta(seconds=TOLERATED):
            self._base = (told.astimezone(UTC), middle)

    def _reckoned(self, monotonic: float) -> datetime:
        if self._base is None:
            return datetime.now(UTC)
        told, at = self._base
        return told + timedelta(seconds=monotonic - at)

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
