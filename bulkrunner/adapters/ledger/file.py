"""The file of a ledger, watched while it is open, and how far it had come, noted beside it.

A database goes on writing into a file that was removed or replaced under it, and everything is gone
when it closes; and of a file that was cut short it notices only what it happens to read. So each
transaction begins with a look, and what this process still has of a lost file is saved beside it.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sqlite3
import struct
import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bulkrunner.adapters.ledger.tables import MAIN_CHAIN
from bulkrunner.errors import LedgerDamaged, LedgerGone, LedgerUnavailable
from bulkrunner.sentences import Sentence

PRIVATE = 0o600

PAGE = 4096

# Bytes of the file beside an open database that is mapped into memory (``-shm``).
SHARED_MEMORY = 8 * PAGE

# What to do with a ledger of which something is lost.
PUT_COPY_BACK = Sentence("ledger_put_copy_back")

# The same, for whoever has not asked yet what is wrong.
PUT_BACK = Sentence("ledger_put_back", todo=PUT_COPY_BACK)


class LedgerFile:
    """One file, as it was when it was opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._size = 0
        self._anchor: sqlite3.Connection | None = None
        self._loss: LedgerUnavailable | None = None

    def connect(self, timeout: float) -> sqlite3.Connection:
        """Open the database; never creates one.

        Raises:
            LedgerUnavailable: its disk has no room for what lies beside it, or cannot be written.
        """
        self._require_room()
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
        )

    def _require_room(self) -> None:
        """The database maps a file beside its own into memory: without room for it, a process dies."""
        if not hasattr(os, "statvfs"):
            return
        try:
            disk = os.statvfs(self.path.parent)
            beside = self.path.with_name(f"{self.path.name}-shm")
            there = beside.stat().st_blocks * 512 if beside.exists() else 0
        except OSError:
            return  # opening it will tell
        if disk.f_flag & os.ST_RDONLY:
            raise LedgerUnavailable(
                Sentence("ledger_read_only", path=str(self.path)),
                hint=Sentence("ledger_read_only_hint"),
            )
        if there < SHARED_MEMORY and disk.f_bavail * disk.f_frsize < SHARED_MEMORY - there + PAGE:
            raise LedgerUnavailable(
                Sentence("ledger_disk_full", parent=str(self.path.parent)),
                hint=Sentence("ledger_disk_full_hint"),
            )

    def require(self) -> None:
        """Do nothing where the file is still the one that was opened.

        Raises:
            LedgerGone: it was removed or replaced. LedgerDamaged: it was cut short.
        """
        try:
            found = self.path.stat()
        except OSError:
            found = None
        with self._lock:
            if self._loss is not None:
                raise self._loss
            if self._identity is None:
                return
            if found is None or (found.st_dev, found.st_ino) != self._identity:
                self._loss = self._gone(removed=found is None)
            elif found.st_size < self._size and not self._is_whole(found.st_size):
                self._loss = LedgerDamaged(
                    Sentence(
                        "ledger_cut_short",
                        path=str(self.path),
                        st_size=found.st_size,
                        size=self._size,
                    ),
                    hint=PUT_BACK,
                )
            else:
                self._size = found.st_size
                return
            raise self._loss

    def _is_whole(self, size: int) -> bool:
        """Return True if the file is as long as it says: a database may give room back by itself."""
        with self.path.open("rb") as file:
            head = file.read(32)
        page = int.from_bytes(head[16:18], "big")
        page = 65536 if page == 1 else page
        return len(head) == 32 and int.from_bytes(head[28:32], "big") * page <= size

    def watch(self) -> None:
        """Remember which file it is, and hold on to it; called once there is a database in it."""
        with self._lock:
            if self._identity is not None:
                return
            anchor = self.connect(1.0)
            with suppress(sqlite3.Error):
                # A connection that has read keeps everything open that a copy needs.
                anchor.execute("SELECT count(*) FROM sqlite_master").fetchall()
            found = self.path.stat()
            self._anchor = anchor
            self._identity, self._size = (found.st_dev, found.st_ino), found.st_size

    def close(self) -> None:
        """Let go of the file."""
        if self._anchor is not None:
            self._anchor.close()

    def _gone(self, *, removed: bool) -> LedgerGone:
        saved = self._save()
        if saved is None:
            hint = Sentence("ledger_gone_hint", path=str(self.path))
        else:
            hint = Sentence("ledger_gone_saved_hint", saved=str(saved), path=str(self.path))
        return LedgerGone(
            Sentence("ledger_removed", path=str(self.path))
            if removed
            else Sentence("ledger_replaced", path=str(self.path)),
            hint=hint,
        )

    def _save(self) -> Path | None:
        """Copy what this process still has of the file; None where that does not work."""
        if self._anchor is None:
            return None
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        saved = self.path.with_name(f"{self.path.name}.saved-{now}-{os.getpid()}")
        try:
            os.close(os.open(saved, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
            with closing(sqlite3.connect(saved)) as copy:
                self._anchor.backup(copy)
        except (OSError, sqlite3.Error):
            saved.unlink(missing_ok=True)
            return None
        return saved


def put_in_place(draft: Path, path: Path) -> None:
    """Give a whole database its name, unless another process was quicker."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not path.exists():
            draft.rename(path)


try:
    import fcntl
except ImportError:  # not on Windows; then a file is known by its number alone
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SUFFIX = "-head"

# Bytes of the file: written at once, so that it is never found half written.
_SIZE = 4096

# Linux' question for the generation of an inode: a number that is given again has another.
_GET_GENERATION = 0x80087601

# As far as the system has them: Windows knows the last alone.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))

# Position of an event in its chain, and its hash as text.
Head = tuple[int, str]


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What the file says.

    Attributes:
        first: hash of the ledger's first event, by which it is told from others; empty before it.
        heads: chain → its newest event: the ledger's own chain, and the run written to last.
        path: of the ledger that it is noted of.
        is_itself: whether this is the file that was written, and no copy of it.
    """

    first: str = ""
    heads: Mapping[str, Head] = field(default_factory=dict)
    path: str = ""
    is_itself: bool = True

    def is_copy_of(self, other: Noted | None) -> bool:
        """Return True if the other one is still there and has come no further."""
        return (
            other is not None
            and other.is_itself
            and (other.first, other.heads) == (self.first, self.heads)
        )


class HeadFile:
    """The file beside one ledger. Several processes may write it, each later on.

    Attributes:
        follows: whether what is committed is noted; None until it is known that this is no copy.
    """

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.path = ledger.with_name(ledger.name + SUFFIX)
        self.follows: bool | None = None
        self._last: dict[str, Head] = {}

    def read(self) -> Noted | None:
        """Return what it says; None where it is not there, or says nothing."""
        try:
            handle = os.open(self.path, os.O_RDONLY | _FLAGS)
        except OSError:
            return None
        try:
            return _read(handle)
        finally:
            os.close(handle)

    def begin(self, noted: Noted) -> None:
        """Write it anew, as another file. LedgerUnavailable: that is not possible."""
        try:
            handle, draft = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            try:
                try:
                    Path(draft).chmod(PRIVATE)  # whatever the umask takes away
                    self._write(handle, noted)
                    os.fsync(handle)
                finally:
                    os.close(handle)  # a file that is open keeps its name on Windows
                os.replace(draft, self.path)  # noqa: PTH105 (mkstemp gives no path)
            except OSError:
                Path(draft).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise LedgerUnavailable(
                Sentence(
                    "ledger_heads_unwritten",
                    path=str(self.path),
                    strerror=str(error.strerror or error),
                ),
                hint=Sentence("ledger_heads_unwritten_hint"),
            ) from error
        self.follows, self._last = True, dict(noted.heads)

    def remove(self) -> None:
        """Forget what is noted."""
        self.path.unlink(missing_ok=True)

    def note(self, heads: Mapping[str, Head]) -> None:
        """Note the newest events, after they have been committed.

        What cannot be noted is no reason to stop: the file then only says less than it might.
        """
        if any(head[0] < self._last.get(chain, head)[0] for chain, head in heads.items()):
            self.follows = False  # the ledger was put back under this process
            return
        self._last = {**self._last, **heads}
        try:
            handle = os.open(self.path, os.O_RDWR | _FLAGS)
            try:
                said = _read(handle)
                if said is None or not said.is_itself:
                    self.follows = False
                    return
                # Another process may have been further.
                main = max(
                    (found[MAIN_CHAIN] for found in (said.heads, heads) if MAIN_CHAIN in found),
                    default=None,
                )
                known = {} if main is None else {MAIN_CHAIN: main}
                found = {**said.heads, **heads, **known}
                self._write(handle, Noted(first=said.first, heads=found))
            finally:
                os.close(handle)
        except OSError as error:
            log.warning("%s cannot be written: %s", self.path, error)

    def _write(self, handle: int, noted: Noted) -> None:
        runs = {chain: head for chain, head in noted.heads.items() if chain != MAIN_CHAIN}
        main = {chain: head for chain, head in noted.heads.items() if chain == MAIN_CHAIN}
        said = {
            "ledger": str(self.ledger.resolve()),
            "first": noted.first,
            "heads": {**main, **dict(list(runs.items())[-1:])},
            "file": _identity(handle),
        }
        content = json.dumps(said).encode().ljust(_SIZE - 1) + b"\n"
        os.lseek(handle, 0, os.SEEK_SET)
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read(handle: int) -> Noted | None:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        said = json.loads(os.read(handle, _SIZE))
        heads = {str(chain): (int(at), str(head)) for chain, (at, head) in said["heads"].items()}
        itself = list(said["file"]) == _identity(handle)
        path = str(said["ledger"])
        return Noted(first=str(said["first"]), heads=heads, path=str(path), is_itself=itself)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _identity(handle: int) -> list[int]:
    """Return what tells a file from its copies, also from one that was given its number again."""
    generation = 0
    with suppress(OSError, AttributeError):
        answer = fcntl.ioctl(handle, _GET_GENERATION, bytes(8))
        generation = struct.unpack("=q", answer)[0] & 0xFFFF_FFFF
    return [os.fstat(handle).st_ino, generation]
