"""Documents: stored once by the digest of their canonical JSON, compressed; damaged or dropped."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from bulkrunner.adapters.ledger.database import Database
from bulkrunner.adapters.ledger.tables import (
    MAIN_CHAIN,
    compactions,
    documents,
    dropped,
    events,
    planned_changes,
    results,
)
from bulkrunner.domain.canonical import canonical_bytes, digest_of_bytes
from bulkrunner.domain.records import Document
from bulkrunner.errors import ChainBroken
from bulkrunner.sentences import Sentence

_IN = 500

# What most documents have in common, so that it is not stored with each: what is likeliest stands last,
# as zlib wants it. What is stored names these very bytes; other ones need another file beside it.
_COMMON = resources.files(__package__).joinpath("common_texts.txt").read_bytes().replace(b"\n", b"")

# Many times what the catalogue takes; content that becomes longer was put there by somebody else.
MOST = 64 * 1024 * 1024


def packed(content: bytes) -> bytes:
    """Return content as it is stored."""
    packer = zlib.compressobj(zdict=_COMMON)
    return packer.compress(content) + packer.flush()


def unpacked(stored: bytes) -> bytes:
    """Return content that was stored; zlib.error: it is not whole, or too long."""
    unpacker = zlib.decompressobj(zdict=_COMMON)
    content = unpacker.decompress(stored, MOST)
    if not unpacker.eof or unpacker.unused_data:
        raise zlib.error("not whole, or too long")
    return content


class Parcel:
    """Documents on their way into the ledger."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}

    def add(self, document: Document | None) -> str | None:
        """Take a document along and return its digest."""
        if document is None:
            return None
        content = canonical_bytes(document)
        digest = digest_of_bytes(content)
        self._content[digest] = content
        return digest

    def store(self, connection: Connection, database: Database) -> None:
        """Write those that are not there yet, or were dropped."""
        known = _known(connection, list(self._content))
        rows = [
            {"digest": digest, "content": packed(content)}
            for digest, content in self._content.items()
            if digest not in known
        ]
        if not rows:
            return
        again = _known(connection, list(self._content), empty=True)
        connection.execute(database.insert_new(documents), rows)
        for row in rows:
            if row["digest"] in again:
                one = update(documents).where(documents.c.digest == row["digest"])
                connection.execute(one.values(content=row["content"]))


def fetch_content(connection: Connection, digests: Iterable[str | None]) -> dict[str, bytes]:
    """Return the canonical JSON of documents, as stored; what cannot be read is left out."""
    found: dict[str, bytes] = {}
    for part in _parts([digest for digest in digests if digest is not None]):
        rows = connection.execute(
            select(documents.c.digest, documents.c.content).where(documents.c.digest.in_(part))
        )
        for digest, content in rows:
            try:
                found[digest] = unpacked(content)
            except (zlib.error, TypeError):
                continue
    return found


def fetch(connection: Connection, digests: Iterable[str | None]) -> dict[str, Document]:
    """Return documents by digest, each verified against it; without those that were dropped.

    Raises:
        ChainBroken: a document is missing or is not the one that was stored.
    """
    wanted = {digest for digest in digests if digest is not None}
    content = fetch_content(connection, wanted)
    wrong = _unless_dropped(connection, _wrong(wanted, content))
    if wrong:
        raise ChainBroken(
            Sentence("document_changed_alone", digest=wrong[0]), hint=Sentence("ledger_run_check")
        )
    texts = {digest: str(text, "utf-8", "surrogatepass") for digest, text in content.items()}
    return {digest: json.loads(text) for digest, text in texts.items() if text}


def damaged(connection: Connection, digests: Iterable[str]) -> list[str]:
    """Return those of the documents that are not as they were stored, in the order given."""
    wanted = list(digests)
    return _unless_dropped(connection, _wrong(wanted, fetch_content(connection, wanted)))


def first_damaged(connection: Connection) -> str | None:
    """Read every document; return the digest of the first that does not fit it."""
    after = "sha256:"
    column = documents.c.digest
    while True:
        page = connection.scalars(
            select(column).where(column > after).order_by(column).limit(_IN)
        ).all()
        if not page:
            return None
        if wrong := damaged(connection, page):
            return wrong[0]
        after = page[-1]


def _wrong(digests: Iterable[str], content: Mapping[str, bytes]) -> list[str]:
    return [one for one in digests if digest_of_bytes(content.get(one, b"")) != one]


def _unless_dropped(connection: Connection, digests: Sequence[str]) -> list[str]:
    """Return the digests without those of documents that are empty because they were dropped."""
    if not digests:
        return []
    found: set[str] = set()
    for part in _parts(list(digests)):
        query = (
            select(dropped.c.digest)
            .join(documents, documents.c.digest == dropped.c.digest)
            .where(dropped.c.digest.in_(part), documents.c.content == b"")
        )
        found.update(connection.scalars(query))
    return [digest for digest in digests if digest not in found]


def _known(connection: Connection, digests: list[str], *, empty: bool = False) -> set[str]:
    """Return which of the documents are there; ``empty``: there, but without their content."""
    known: set[str] = set()
    column = documents.c.content
    for part in _parts(digests):
        query = select(documents.c.digest).where(documents.c.digest.in_(part))
        known.update(connection.scalars(query.where(column == b"" if empty else column != b"")))
    return known


def _parts(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _IN):
        yield items[start : start + _IN]


# Columns of a change that name documents.
_DOCUMENTS = ("before", "after", "predicted")


def document_faults(connection: Connection) -> Iterator[Sentence]:
    """Yield what is wrong with documents: missing, changed, or emptied though not dropped."""
    c = planned_changes.c
    for name in _DOCUMENTS:
        query = (
            select(c.plan, c.number, c[name].label("digest"))
            .outerjoin(documents, documents.c.digest == c[name])
            .where(c[name].is_not(None), documents.c.digest.is_(None))
            .order_by(c.plan, c.number)
        )
        if (row := connection.execute(query.limit(1)).first()) is not None:
            what = _of_change(name, row.plan, row.number)
            yield Sentence("document_gone", digest=row.digest, what=what)
    kept = (
        select(results.c.run, results.c.change, results.c.stored)
        .outerjoin(documents, documents.c.digest == results.c.stored)
        .where(results.c.stored.is_not(None), documents.c.digest.is_(None))
        .order_by(results.c.run, results.c.change)
    )
    if (row := connection.execute(kept.limit(1)).first()) is not None:
        what = Sentence("document_kept_of_change", number=row.change, run=row.run)
        yield Sentence("document_gone", digest=row.stored, what=what)
    found = first_damaged(connection)
    if found is not None:
        yield _damaged(connection, found)


def compaction_faults(connection: Connection) -> Iterator[Sentence]:
    """Yield what does not fit of the documents that were dropped."""
    query = (
        select(events.c.position, events.c.data)
        .where(events.c.chain == MAIN_CHAIN, events.c.kind == "compacted")
        .order_by(events.c.position)
    )
    plans, digests = 0, 0
    for position, text in connection.execute(query).all():
        data = json.loads(text)
        names = connection.scalars(
            select(compactions.c.plan).where(compactions.c.event == position)
        ).all()
        count, digest = dropped_digest(connection, position)
        plans, digests = plans + len(names), digests + count
        if sorted(names) != data["plans"] or (count, digest) != (data["count"], data["documents"]):
            yield Sentence("compacted_changed", position=position)
    for table, told in ((compactions, plans), (dropped, digests)):
        if connection.scalar(select(func.count()).select_from(table)) != told:
            yield Sentence("rows_of_no_event", table=table.name)


def dropped_digest(connection: Connection, event: int) -> tuple[int, str]:
    """Return how many documents an event dropped, and the digest of all of theirs."""
    query = select(dropped.c.digest).where(dropped.c.event == event).order_by(dropped.c.digest)
    return listed_digest(connection, query)


def listed_digest(connection: Connection, query: Select[Any]) -> tuple[int, str]:
    """Return how many digests a query gives, and one over all of them."""
    hashed, count = hashlib.sha256(), 0
    for digest in connection.scalars(query.execution_options(yield_per=_IN)):
        hashed.update(f"\n{digest}".encode() if count else digest.encode())
        count += 1
    return count, f"sha256:{hashed.hexdigest()}"


def documents_damaged(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Sentence]:
    """Yield which documents of these changes are not as they were stored."""
    for start in range(0, len(rows), _IN):
        digests: dict[str, Sentence] = {}
        for row in rows[start : start + _IN]:
            for name in _DOCUMENTS:
                if (digest := getattr(row, name)) is not None:
                    digests.setdefault(digest, _of_change(name, row.plan, row.number))
        for digest in damaged(connection, list(digests)):
            yield Sentence("document_changed", digest=digest, what=digests[digest])


def _damaged(connection: Connection, digest: str) -> Sentence:
    c = planned_changes.c
    for name in _DOCUMENTS:
        query = select(c.plan, c.number).where(c[name] == digest).order_by(c.plan, c.number)
        if (row := connection.execute(query.limit(1)).first()) is not None:
            what = _of_change(name, row.plan, row.number)
            return Sentence("document_changed", digest=digest, what=what)
    return Sentence("document_changed_alone", digest=digest)


def _of_change(name: str, plan: str, number: int) -> Sentence:
    return Sentence("document_of_change", name=name, number=number, plan=plan)
