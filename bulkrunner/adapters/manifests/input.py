"""An input of a job, and the records that it has named already."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from bulkrunner.adapters.files import BadFile
from bulkrunner.adapters.manifests.folder import FileRefused
from bulkrunner.adapters.manifests.ids import IdEntry
from bulkrunner.domain.manifest import Problem, Source

Report = Callable[[Problem], None]

"""Takes a fault."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One line, row or id of a selection.

    Attributes:
        entry: what it names, or why it names nothing.
        row: the row's columns where the selection is a table.
    """

    source: Source
    entry: IdEntry
    row: Mapping[str, str] | None = None


@dataclass(kw_only=True)
class Input:
    """How an input was read, for people to see.

    Attributes:
        kind: ``ids``, ``text`` (a table), ``xlsx``, ``ods``, ``report``.
        header_row: where the manifest names it.
        hidden: what becomes of hidden rows: ``use`` or ``skip``. hidden_rows: how many hold
            something. hidden_columns, hidden_sheets: their names.
        lines: lines or rows in all, the header of a table left out.
        left_out: lines that are nothing, by code.
    """

    file: str
    kind: str
    encoding: str = ""
    separator: str = ""
    header_separator: str = ""
    sheet: str = ""
    columns: tuple[str, ...] = ()
    header_row: int = 0
    hidden: str = ""
    hidden_rows: int = 0
    hidden_columns: tuple[str, ...] = ()
    hidden_sheets: tuple[str, ...] = ()
    lines: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def count(self, found: IdEntry) -> None:
        """Count one line."""
        self.lines += 1
        if found.code:
            self.left_out[found.code] += 1

    @property
    def hides(self) -> bool:
        """Whether something of the file is not shown by whoever opens it."""
        return bool(self.hidden_rows or self.hidden_columns or self.hidden_sheets)

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain data, empty ones left out."""
        plain = {name: value for name, value in vars(self).items() if value}
        return plain | {"lines": self.lines, "left_out": dict(self.left_out)}


def _problem(bad: BadFile, name: str) -> Problem:
    place = Source(file=name, line=bad.line, column=bad.column)
    return Problem(source=place, code=bad.code, message=bad.message, hint=bad.hint)


def _refused(refused: FileRefused, at: Source, hint: str) -> Problem:
    return Problem(source=at, code=refused.code, message=refused.message, hint=hint)


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
