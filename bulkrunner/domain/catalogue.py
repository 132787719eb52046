"""What the catalogue, its searches and the login answer, in a small set of typed results."""

# Every answer carries environment, record and the server's own words; nothing is concluded from a
# status alone where the server is known to mean something else by it (docs/explanation/server.md).

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkrunner.domain.records import Document
from bulkrunner.sentences import text_of


@dataclass(frozen=True, kw_only=True)
class Found:
    """A record, unembellished and without ``@context``."""

    environment: str
    record: str  # short id
    iri: str  # graph[0].@id as stored
    document: Document
    etag: str  # plain, without quotes, W/ and -gzip


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
    """The answer to one write request."""

    # DONE is 201 to a POST, else 204; LOST no complete answer; UNREADABLE one that is not in the
    # catalogue's own form, whatever its status. NOT_SENT is only recorded, of a LOST request with
    # ``sent`` False.
    kind: AnswerKind
    environment: str
    record: str
    status: int | None = None  # HTTP status, None where lost
    words: str = ""  # the server's message, bounded to 500 characters
    etag: str | None = None  # plain
    location: str | None = None  # short id in which ``Location`` ends; whose it is, reading tells
    error_id: str = ""
    retry_after: float | None = None  # seconds
    server_date: datetime | None = None  # the ``Date`` header
    errors: tuple[Mapping[str, Any], ...] = field(default=())  # of a failed validation
    sent: bool = True  # False where it is certain that no byte of the request left this machine


@dataclass(frozen=True, kw_only=True)
class FindPage:
    """One page of a search."""

    total: int  # hits in all, by the index
    window: int  # how far pages go; what lies beyond is never shown
    iris: tuple[str, ...]  # of the things on this page, in the order answered
    # ``itemOf`` of each, as the index has it; None where it shows none.
    links: tuple[str | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DumpedRecord:
    """A holding as a page of a dump shows it, with the bib that stood inside it."""

    iri: str
    # As a GET gives it: ``itemOf`` is the link again. None where the form could be another.
    document: Document | None = None
    bib: Document | None = None


@dataclass(frozen=True, kw_only=True)
class DumpRow:
    """A record of a dump as it is kept."""

    record: str  # short id
    document: Document | None  # None where it is to be read singly
    modified: int  # ms since 1970, 0 where the record does not say
    bib: Mapping[str, Any] | None  # what is known of its bib; ``id``: short id
    link: str | None = None  # its ``itemOf``


@dataclass(frozen=True, kw_only=True)
class DumpPage:
    """One page of a library's dump."""

    # When the dump's list was made, as the server writes it; another time means that the pages
    # before belong to another list.
    started: str
    done: bool  # False while the list is being made
    total: int | None  # length of the list, once it is done
    # Deleted records, and holdings of no bib, are left out, so there may be fewer than the list has.
    records: tuple[DumpedRecord, ...]
    more: bool  # whether another page follows
    offset: int | None = None  # by the page's own address, None where it does not say


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One entry of the feed of changes."""

    kind: str  # ``Create``, ``Update`` or ``Delete``
    iri: str  # of the thing
    library: str | None  # IRI of the library where it is a holding
    published: datetime


@dataclass(frozen=True, kw_only=True)
class Held:
    """A holding on a bib; ``sigel`` is None where no library can be read from it."""

    record: str
    sigel: str | None
    document: Document | None = None  # as a GET gives it


# Codes of findings that are about a search, not about a record.
SEARCH_CODES = frozenset({"index_differs", "index_unchecked", "dump_short"})


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How many holdings of a library the index has, the server's list, and the changes since."""

    index: int
    listed: int | None = None
    started: str = ""
    created: int | None = None
    deleted: int | None = None
    unread: str = ""

    @property
    def difference(self) -> int:
        """How many more the one has than the other."""
        if self.listed is None:
            return 0
        return abs(self.listed + (self.created or 0) - (self.deleted or 0) - self.index)


def unshown(facts: Mapping[str, Any]) -> int:
    """Return how many records a library's list names that were not shown, nor deleted since."""
    listed, shown, deleted = (
        int(facts.get(name, 0)) for name in ("dump_listed", "dump_shown", "since_deleted")
    )
    return max(0, listed - shown - deleted)


def compared(selection: Mapping[str, Any]) -> dict[str, Compared]:
    """Return by sigel what the note of a stored selection says of the libraries that it named."""
    facts: Mapping[str, Mapping[str, Any]] = (selection.get("note") or {}).get("compared") or {}
    return {
        sigel: Compared(
            index=one.get("index_total", 0),
            listed=one.get("dump_listed"),
            started=one.get("dump_started", ""),
            created=one.get("since_created"),
            deleted=one.get("since_deleted"),
            unread=text_of(one.get("unread", "")),
        )
        for sigel, one in facts.items()
    }
