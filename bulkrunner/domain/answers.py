"""What the catalogue and the login answered, in a small set of typed results.

Every answer carries environment, record and the server's own words; nothing is concluded from a
status alone where the server is known to mean something else by it (docs/explanation/server.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkrunner.domain.records import Document


@dataclass(frozen=True, kw_only=True)
class Found:
    """A record, unembellished and without ``@context``.

    Attributes:
        record: short id. iri: graph[0].@id as stored. etag: plain, without quotes, W/ and -gzip.
    """

    environment: str
    record: str
    iri: str
    document: Document
    etag: str


@dataclass(frozen=True, kw_only=True)
class NotModified:
    """304: the record still has the ETag asked for."""

    environment: str
    record: str
    etag: str


@dataclass(frozen=True, kw_only=True)
class Gone:
    """410: the record has been deleted."""

    environment: str
    record: str


@dataclass(frozen=True, kw_only=True)
class Missing:
    """404: the environment knows no such record or version."""

    environment: str
    record: str


@dataclass(frozen=True, kw_only=True)
class Moved:
    """302: the id is another name of the record at ``target`` (an IRI)."""

    environment: str
    record: str
    target: str


ReadAnswer = Found | NotModified | Gone | Missing | Moved


class AnswerKind(StrEnum):
    """How a write was answered."""

    DONE = "done"
    REDIRECT = "redirect"
    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    CONFLICT = "conflict"
    STALE = "stale"
    BUSY = "busy"
    SERVER_ERROR = "server_error"
    LOST = "lost"
    UNREADABLE = "unreadable"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, kw_only=True)
class WriteAnswer:
    """The answer to one write request.

    Attributes:
        kind: DONE is 201 to a POST, else 204; LOST no complete answer; UNREADABLE one that is not in
            the catalogue's own form, whatever its status. NOT_SENT is only recorded, of a LOST
            request with ``sent`` False.
        status: HTTP status, None where lost. words: the server's message, bounded to 500 characters.
        etag: plain. location: short id in which ``Location`` ends; whose it is, reading tells.
        retry_after: seconds. server_date: the ``Date`` header. errors: of a failed validation.
        sent: False where it is certain that no byte of the request left this machine.
    """

    kind: AnswerKind
    environment: str
    record: str
    status: int | None = None
    words: str = ""
    etag: str | None = None
    location: str | None = None
    error_id: str = ""
    retry_after: float | None = None
    server_date: datetime | None = None
    errors: tuple[Mapping[str, Any], ...] = field(default=())
    sent: bool = True
