"""The catalogue's feed of changes: which records of a library were created since a moment.

It is read from the table of versions, so it lags behind nothing and has deleted records too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bulkrunner.adapters.bodies import Misshapen, read_json
from bulkrunner.adapters.http import Reply
from bulkrunner.adapters.reads import status_and_words
from bulkrunner.adapters.retry import TryAgain
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.records import library_iri

MOST_PAGES = 20
"""Pages of a hundred changes that are read at most, newest first."""

MEDIA_TYPE = "application/activity+json"
LATER = 24 * 3600 * 1000
"""Milliseconds by which the server's clock may be ahead of ours."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some changes, newest first.

    Attributes:
        created: short id and IRI of the library of every creation, and when.
        oldest: time of the oldest change; None: the feed is at its end.
    """

    created: tuple[tuple[datetime, str, str], ...]
    oldest: datetime | None


def created_since(
    ask: Callable[[int], Page | None], sigel: str, since: datetime, *, now: datetime
) -> tuple[str, ...] | None:
    """Return short ids of a library's records created since a moment, live or deleted.

    Args:
        ask: returns the changes before a moment, in milliseconds; None where there is no feed.
        sigel: of the library.
        since: by the server's clock.
        now: by ours.

    Returns:
        None where the feed does not tell, or not as far back.
    """
    library = library_iri(sigel)
    found: dict[str, None] = {}
    until = int(now.timestamp() * 1000) + LATER
    for _ in range(MOST_PAGES):
        page = ask(until)
        if page is None:
            return None
        for when, record, holder in page.created:
            if holder == library and when >= since:
                found[record] = None
        if page.oldest is None or page.oldest < since:
            return tuple(found)
        # The oldest moment once more: a page may have ended within it.
        before, until = until, int(page.oldest.timestamp() * 1000) + 1
        if until >= before:
            return None
    return None


def read_page(reply: Reply, iris: IriMap) -> Page | None:
    """Understand one page; None where the environment has no feed.

    Raises:
        TryAgain, Unreadable, Misshapen: as for every answer to a read.
    """
    if reply.status == 404:
        return None
    if reply.status != 200:
        raise TryAgain(status_and_words(reply))
    kind = "application/json" if reply.media_type == MEDIA_TYPE else reply.media_type
    data = read_json(kind, reply.body)
    items = data.get("orderedItems") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise Misshapen("the feed's answer holds no list of changes")
    times = [_when(item) for item in items]
    created = (
        (when, *_subject(item, iris))
        for item, when in zip(items, times, strict=True)
        if item.get("type") == "Create"
    )
    return Page(
        created=tuple((when, record, holder) for when, record, holder in created if record),
        oldest=min(times) if times else None,
    )


def _when(item: Any) -> datetime:
    text = item.get("published") if isinstance(item, dict) else None
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Misshapen("a change of the feed has no time")
    return found


def _subject(item: dict[str, Any], iris: IriMap) -> tuple[str, str]:
    """Return the short id of what was created, and the IRI of the library that holds it."""
    subject = item.get("object")
    if not isinstance(subject, dict):
        return "", ""
    iri, holder = subject.get("id"), subject.get("kbv:heldBy")
    record = iris.short_id(iri.removesuffix("#it")) if isinstance(iri, str) else None
    library = holder.get("@id") if isinstance(holder, dict) else None
    return record or "", library if isinstance(library, str) else ""
