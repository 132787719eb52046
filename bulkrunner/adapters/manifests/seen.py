"""Remembers which records were already named, on disk, so that memory does not grow with them."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self

from bulkrunner.domain.job import Source


class Seen:
    """A temporary set of keys with the place where each was first taken."""

    def __init__(self) -> None:
        # An empty name is a private file of SQLite's own, gone when it is closed.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute(
            "CREATE TABLE seen (key TEXT PRIMARY KEY, part INTEGER NOT NULL, file TEXT NOT NULL,"
            " line INTEGER NOT NULL, col INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._base.execute("BEGIN")

    def take(self, key: str, part: int, source: Source) -> tuple[int, Source] | None:
        """Take a key; return the part and place that has it already, None where it was free."""
        taken = self._base.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?)",
            (key, part, source.file, source.line, source.column),
        )
        if taken.rowcount:
            return None
        found = self._base.execute("SELECT part, file, line, col FROM seen WHERE key = ?", (key,))
        first, file, line, column = found.fetchone()
        return first, Source(file=file, line=line, column=column)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._base.close()
