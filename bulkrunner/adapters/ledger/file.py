"""The file of a ledger, watched for as long as it is open.

A database goes on writing into a file that was removed or replaced under it, and everything is gone
when it closes; and of a file that was cut short it notices only what it happens to read. So each
transaction begins with a look, and what this process still has of a lost file is saved beside it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from bulkrunner.errors import LedgerDamaged, LedgerGone, LedgerUnavailable
from bulkrunner.sentences import Sentence

PRIVATE = 0o600

PAGE = 4096
SHARED_MEMORY = 8 * PAGE
"""Bytes of the file beside an open database that is mapped into memory (``-shm``)."""

PUT_COPY_BACK = Sentence("ledger_put_copy_back")
"""What to do with a ledger of which something is lost."""

PUT_BACK = Sentence("ledger_put_back", todo=PUT_COPY_BACK)
"""The same, for whoever has not asked yet what is wrong."""


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
        """Tell whether the file is as long as it says: a database may give room back by itself."""
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
