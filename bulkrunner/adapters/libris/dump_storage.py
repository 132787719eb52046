"""Records of dumps while one plan is made: in a file of SQLite's own that nobody else sees."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from bulkrunner.domain.catalogue import DumpRow
from bulkrunner.domain.records import Document

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE record (
    library TEXT NOT NULL, id TEXT NOT NULL, wanted INT DEFAULT 0, listed INT DEFAULT 0,
    indexed INT DEFAULT 0, change TEXT, modified INT, why TEXT, link TEXT, content BLOB,
    PRIMARY KEY (library, id)
);
CREATE INDEX by_id ON record (id);
CREATE TABLE bib (id TEXT PRIMARY KEY, modified INT, facts BLOB);
"""

_PAGE = 1_000

_WANT = """
INSERT INTO record (library, id, wanted) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET wanted = 1
"""
_INDEX = """
INSERT INTO record (library, id, indexed) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET indexed = 1,
    why = iif(coalesce(?, link) <> link, 'form', why),
    content = iif(coalesce(?, link) <> link, NULL, content)
"""
_BEGIN = """
UPDATE record SET listed = 0, content = NULL, modified = NULL, why = NULL WHERE library = ?
"""
_PUT = """
INSERT INTO record (library, id, listed, modified, why, link, content)
VALUES (?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET listed = 1, link = excluded.link,
    modified = excluded.modified, why = excluded.why, content = excluded.content
"""
# What a page showed was read before the change that is newer than it.
_CHANGE = """
INSERT INTO record (library, id, change, why) VALUES (?, ?, ?, 'changed')
ON CONFLICT DO UPDATE SET change = excluded.change,
    why = iif(coalesce(modified, 0) < ?, 'changed', why),
    content = iif(coalesce(modified, 0) < ?, NULL, content)
"""
_DROP = """
UPDATE record SET content = NULL, why = ? WHERE library = ? AND id = coalesce(?, id)
"""
# ``live``: not deleted since; ``known``: named by the list or by a change since.
_COUNTS = """
SELECT count(*) FILTER (WHERE listed),
    count(*) FILTER (WHERE indexed AND live AND NOT known),
    count(*) FILTER (WHERE live AND known AND NOT indexed)
FROM (
    SELECT listed, indexed, change IS NOT 'Delete' AS live,
        listed OR coalesce(change, 'Delete') <> 'Delete' AS known
    FROM record WHERE library = ?
)
"""
_NAMED = """
SELECT DISTINCT id FROM record
WHERE library IN (SELECT value FROM json_each(?)) AND id > ? AND change IS NOT 'Delete'
    AND (listed OR indexed OR change IS NOT NULL)
ORDER BY id LIMIT ?
"""
_SPREAD = """
SELECT id FROM record
WHERE library = ? AND iif(?, wanted, content IS NOT NULL) ORDER BY id LIMIT 1 OFFSET ?
"""
_SPREAD_OVER = """
SELECT count(*) FROM record WHERE library = ? AND iif(?, wanted, content IS NOT NULL)
"""
_RECORD = """
SELECT content, listed, why FROM record WHERE id = ? ORDER BY content IS NULL LIMIT 1
"""


class SqliteDumpStorage:
    """See ``domain.ports.DumpStorage``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A database without a name is in a file that is gone with the process, and in memory
        # only as far as its cache reaches.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Drop everything."""
        self._database.close()

    def want(self, library: str, records: Iterable[str]) -> int:
        """Note records that will be asked for; returns how many of the library's are wanted."""
        self._mark(_WANT, ((library, record) for record in records))
        query = "SELECT count(*) FROM record WHERE library = ? AND wanted"
        return int(self._rows(query, library)[0][0])

    def index(self, library: str, records: Iterable[tuple[str, str | None]]) -> None:
        """Note records that the search index names, and the bib's IRI as it has it."""
        self._mark(_INDEX, ((library, record, link, link) for record, link in records))

    def _mark(self, query: str, rows: Iterator[tuple[Any, ...]]) -> None:
        while page := list(islice(rows, _PAGE)):
            self._many(query, page)

    def begin(self, library: str) -> None:
        """Forget what pages of a library's list brought: it is read from its beginning."""
        self._many(_BEGIN, [(library,)])

    def put(self, library: str, page: Sequence[DumpRow], *, wanted: bool) -> int:
        """Keep a page of a library's list; returns how many of its records came before.

        With ``wanted`` contents are kept of records only that will be asked for.
        """
        repeated = 0
        rows: dict[str, tuple[Any, ...]] = {}
        bibs: list[tuple[Any, ...]] = []
        for one in page:
            told = self._rows(
                "SELECT listed, wanted FROM record WHERE library = ? AND id = ?",
                library,
                one.record,
            )
            listed, asked_for = told[0] if told else (0, 0)
            repeated += bool(listed) or one.record in rows
            kept = one.document if asked_for or not wanted else None
            why = None if one.document is not None else "form"
            rows[one.record] = (
                *(library, one.record, one.modified, why, one.link),
                _packed(kept),
            )
            if kept is not None and one.bib is not None:
                bibs.append((one.bib["id"], one.bib["modified"], _packed(one.bib)))
        self._many(_PUT, list(rows.values()))
        self._many("INSERT OR REPLACE INTO bib VALUES (?, ?, ?)", bibs)
        return repeated

    def change(self, library: str, changes: Mapping[str, tuple[str, int]]) -> None:
        """Note the newest change (kind, ms since 1970) of records; older contents are dropped."""
        rows = [(library, record, kind, at, at) for record, (kind, at) in changes.items()]
        self._many(_CHANGE, rows)

    def drop(self, library: str, why: str, record: str | None = None) -> None:
        """Drop the content of a record, or every one of a library; ``why``: so it is read singly."""
        self._many(_DROP, [(why, library, record)])

    def forget_bibs(self, bibs: Mapping[str, int]) -> None:
        """Drop what is known of bibs from before they were changed (ms since 1970)."""
        self._many("DELETE FROM bib WHERE id = ? AND modified < ?", list(bibs.items()))

    def counts(self, library: str) -> dict[str, int]:
        """Count a library's records: ``dump_shown``, ``index_only``, ``dump_only``."""
        (row,) = self._rows(_COUNTS, library)
        return dict(zip(("dump_shown", "index_only", "dump_only"), row, strict=True))

    def named(self, libraries: Sequence[str]) -> Iterator[str]:
        """Yield, in order and each once, what list, index or feed name of libraries, live."""
        last = ""
        while page := self._rows(_NAMED, json.dumps(libraries), last, _PAGE):
            yield from (record for (record,) in page)
            last = page[-1][0]

    def spread(self, library: str, count: int, *, wanted: bool = False) -> list[str]:
        """Return so many records, with contents or wanted, spread over a library's."""
        ((total,),) = self._rows(_SPREAD_OVER, library, wanted)
        places = sorted({total * place // count for place in range(count)}) if total else []
        return [self._rows(_SPREAD, library, wanted, place)[0][0] for place in places]

    def record(self, record: str) -> tuple[Document | None, str]:
        """Return a record, or why it is to be read singly; empty where nothing is known of it."""
        rows = self._rows(_RECORD, record)
        if not rows:
            return None, ""
        content, listed, why = rows[0]
        if content is not None:
            return _unpacked(content), ""
        # Of a record that no list wanted, its library's pages have brought no content.
        return None, why if why is not None else "" if listed else "unlisted"

    def bib(self, bib: str) -> Mapping[str, Any] | None:
        """Return what is known of a bib."""
        rows = self._rows("SELECT facts FROM bib WHERE id = ?", bib)
        return _unpacked(rows[0][0]) if rows else None

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def _many(self, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany(query, rows)
            self._database.execute("COMMIT")


def _packed(value: Any) -> bytes | None:
    if value is None:
        return None
    return zlib.compress(json.dumps(value, ensure_ascii=False).encode(), 1)


def _unpacked(content: bytes) -> Any:
    return json.loads(zlib.decompress(content))
