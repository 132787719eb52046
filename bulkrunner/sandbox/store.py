"""Versions of records and the journal of requests: in memory, or in a file that survives a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    short_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    created TEXT NOT NULL,
    modified TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    sigel TEXT,
    client TEXT,
    PRIMARY KEY (short_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One stored version of a record, with who wrote it: number 0 is the oldest."""

    short_id: str
    number: int
    body: bytes
    created: datetime
    modified: datetime
    deleted: bool = False
    sigel: str | None = None
    client: str | None = None


class Store(Protocol):
    """Keeps versions and a few settings."""

    def versions(self) -> Iterator[Version]:
        """Yield every version kept, each record's in order."""
        ...

    def append(self, versions: Iterable[Version]) -> None:
        """Keep versions, all or none."""
        ...

    def setting(self, name: str) -> str | None: ...

    def set_setting(self, name: str, value: str) -> None:
        """Keep a setting."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class MemoryStore:
    """Keeps nothing beyond the process; the catalogue itself holds the versions."""

    def __init__(self) -> None:
        self._settings: dict[str, str] = {}

    def versions(self) -> Iterator[Version]:
        """Yield nothing: a new process starts empty."""
        return iter(())

    def append(self, versions: Iterable[Version]) -> None:
        """Do nothing."""

    def setting(self, name: str) -> str | None:
        """Return a setting of this process."""
        return self._settings.get(name)

    def set_setting(self, name: str, value: str) -> None:
        """Keep a setting for this process."""
        self._settings[name] = value

    def close(self) -> None:
        """Do nothing."""


class SqliteStore:
    """Keeps every version in one SQLite file; a commit survives the death of the process."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        # One environment uses it from one thread at a time; the engine holds the lock.
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def versions(self) -> Iterator[Version]:
        """Yield every version in the file, each record's in order."""
        rows = self._connection.execute(
            "SELECT short_id, number, body, created, modified, deleted, sigel, client"
            " FROM versions ORDER BY short_id, number"
        )
        for short_id, number, body, created, modified, deleted, sigel, client in rows:
            yield Version(
                short_id=short_id,
                number=number,
                body=body,
                created=datetime.fromisoformat(created),
                modified=datetime.fromisoformat(modified),
                deleted=bool(deleted),
                sigel=sigel,
                client=client,
            )

    def append(self, versions: Iterable[Version]) -> None:
        """Write versions in one transaction."""
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany(
                "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, versions)
            )
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def setting(self, name: str) -> str | None:
        """Return a setting of the file."""
        found = self._connection.execute(
            "SELECT value FROM settings WHERE name = ?", (name,)
        ).fetchone()
        return str(found[0]) if found else None

    def set_setting(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _row(version: Version) -> tuple[object, ...]:
    return (
        version.short_id,
        version.number,
        version.body,
        version.created.isoformat(),
        version.modified.isoformat(),
        version.deleted,
        version.sigel,
        version.client,
    )


_WRITES = frozenset({"POST", "PUT", "DELETE", "PATCH"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """One request: who asked for what, and how it was answered (status 0: not at all).

    Attributes:
        conditional: whether it carried If-None-Match.
    """

    seq: int
    time: datetime
    method: str
    path: str
    query: str
    status: int
    client: str | None
    sigel: str | None
    conditional: bool = False
    stored: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def is_write(self) -> bool:
        """Whether it was a write request to the catalogue, done or refused."""
        return self.method in _WRITES and not self.path.startswith("/oauth/")

    def as_json(self) -> dict[str, Any]:
        """Return the entry for the control interface."""
        return {
            "seq": self.seq,
            "time": self.time.astimezone(UTC).isoformat(),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "client": self.client,
            "sigel": self.sigel,
            "conditional": self.conditional,
            "stored": list(self.stored),
            "faults": list(self.faults),
        }


class Journal:
    """Keeps log entries in order."""

    def __init__(self) -> None:
        self._entries: list[LogEntry] = []
        self._next = 1

    def next_seq(self) -> int:
        """Return the number of the next request."""
        seq, self._next = self._next, self._next + 1
        return seq

    def add(self, entry: LogEntry) -> None:
        """Keep an entry."""
        self._entries.append(entry)

    def entries(self, *, writes: bool = False, since: int = 0) -> list[LogEntry]:
        """Return entries, of writes only where asked, after a sequence number."""
        return [e for e in list(self._entries) if e.seq > since and (e.is_write or not writes)]

    def clear(self) -> None:
        """Forget the entries; numbers go on."""
        self._entries.clear()
