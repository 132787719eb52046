"""What the catalogue answers to searches, dumps and look-ups: which records, never what they hold.

Index and dump show records in other shapes than the catalogue stores, and late; only ids are taken
from them, and every record is read and tested afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FindPage:
    """One page of a search.

    Attributes:
        total: hits in all, by the index.
        window: how far pages go; what lies beyond is never shown.
        iris: of the things on this page, in the order answered.
    """

    total: int
    window: int
    iris: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DumpPage:
    """One page of a library's dump.

    Attributes:
        started: when the dump's list was made, as the server writes it; another time means that
            the pages before belong to another list.
        done: False while the list is being made.
        total: length of the list, once it is done.
        records: IRIs of the page's records; deleted ones are left out, so there may be fewer than
            the list has.
        more: whether another page follows.
    """

    started: str
    done: bool
    total: int | None
    records: tuple[str, ...]
    more: bool


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One entry of the feed of changes.

    Attributes:
        kind: ``Create``, ``Update`` or ``Delete``.
        iri: of the thing. library: IRI of the library where it is a holding.
    """

    kind: str
    iri: str
    library: str | None
    published: datetime


@dataclass(frozen=True, kw_only=True)
class Held:
    """A holding on a bib; ``sigel`` is None where no library can be read from it."""

    record: str
    sigel: str | None


SEARCH_CODES = frozenset({"index_differs", "index_unchecked"})
"""Codes of findings that are about a search, not about a record."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How many holdings of a library the index has, and the server's list; ``unread``: why not."""

    index: int
    listed: int | None = None
    started: str = ""
    unread: str = ""

    @property
    def difference(self) -> int:
        """How many more the one has than the other."""
        return 0 if self.listed is None else abs(self.listed - self.index)


def compared(selection: Mapping[str, Any]) -> dict[str, Compared]:
    """Return by sigel what the note of a stored selection says of the libraries that it named."""
    facts: Mapping[str, Mapping[str, Any]] = (selection.get("note") or {}).get("compared") or {}
    return {
        sigel: Compared(
            index=one.get("index_total", 0),
            listed=one.get("dump_listed"),
            started=one.get("dump_started", ""),
            unread=one.get("unread", ""),
        )
        for sigel, one in facts.items()
    }
