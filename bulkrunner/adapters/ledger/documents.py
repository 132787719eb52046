"""Documents: stored once by the digest of their canonical JSON, compressed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from bulkrunner.adapters.ledger.database import Database
from bulkrunner.adapters.ledger.schema import documents
from bulkrunner.domain.canonical import canonical_bytes, digest_of_bytes
from bulkrunner.domain.records import Document
from bulkrunner.errors import ChainBroken

_LEVEL = 1
_IN = 500


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
        """Write those that are not there yet."""
        known = _known(connection, list(self._content))
        rows = [
            {"digest": digest, "content": zlib.compress(content, _LEVEL)}
            for digest, content in self._content.items()
            if digest not in known
        ]
        if rows:
            connection.execute(database.insert_new(documents), rows)


def fetch_content(connection: Connection, digests: Iterable[str | None]) -> dict[str, bytes]:
    """Return the canonical JSON of documents, as stored; what cannot be read is left out."""
    found: dict[str, bytes] = {}
    for part in _parts([digest for digest in digests if digest is not None]):
        rows = connection.execute(
            select(documents.c.digest, documents.c.content).where(documents.c.digest.in_(part))
        )
        for digest, content in rows:
            try:
                found[digest] = zlib.decompress(content)
            except (zlib.error, TypeError):
                continue
    return found


def fetch(connection: Connection, digests: Iterable[str | None]) -> dict[str, Document]:
    """Return documents by digest, each verified against it.

    Raises:
        ChainBroken: a document is missing or is not the one that was stored.
    """
    wanted = {digest for digest in digests if digest is not None}
    content = fetch_content(connection, wanted)
    for digest in wanted:
        if digest_of_bytes(content.get(digest, b"")) != digest:
            raise ChainBroken(
                f"document {digest} is not as it was stored", hint="run: bulkrunner ledger check"
            )
    return {digest: json.loads(text) for digest, text in content.items()}


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
        content = fetch_content(connection, page)
        for digest in page:
            if digest_of_bytes(content.get(digest, b"")) != digest:
                return str(digest)
        after = page[-1]


def _known(connection: Connection, digests: list[str]) -> set[str]:
    known: set[str] = set()
    for part in _parts(digests):
        known.update(
            connection.scalars(select(documents.c.digest).where(documents.c.digest.in_(part)))
        )
    return known


def _parts(items: list[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(items), _IN):
        yield items[start : start + _IN]
