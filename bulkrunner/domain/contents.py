"""The content of a whole document as a flat list of places and values, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from bulkrunner.domain.records import Document, record_part, thing_part

MAX_LEAVES = 200
"""Places listed of one document; the rest is in the document itself."""

MOST = 100_000
"""Places of one part that are counted."""

MAX_NESTING = 30
COMPONENTS = "hasComponent"

OWNED = frozenset({"@id", "@type", "heldBy", "itemOf", "mainEntity", "sameAs"})
"""Keys of record and thing that say which record it is: shown elsewhere."""

MANAGED = OWNED | {
    "controlNumber",
    "created",
    "modified",
    "recordStatus",
    "descriptionCreator",
    "descriptionLastModifier",
}
"""Keys of the record part that the server keeps."""


def contents(document: Document) -> list[tuple[str, Any]]:
    """Return (place, value) of what the document says, at most ``MAX_LEAVES``.

    Places are written as in a manifest: from the thing, or ``@record.`` from the record part; the
    index of a list of one is left out, and so are types beside other content. Components come
    after the thing's own properties, and are what is left out first where there are too many.
    """
    thing, record = thing_part(document), record_part(document)
    own = _of_part("", thing, OWNED | {COMPONENTS})
    managed = _of_part("@record.", record, MANAGED)
    room = max(0, MAX_LEAVES - len(own) - len(managed))
    parts = {COMPONENTS: thing[COMPONENTS]} if COMPONENTS in thing else {}
    return [*own, *_of_part("", parts, frozenset(), limit=room), *managed][:MAX_LEAVES]


def left_out(document: Document) -> int:
    """Return how many places ``contents`` leaves out; of very many at least so many."""
    kept = (
        (thing_part(document), OWNED),
        (record_part(document), MANAGED),
    )
    total = sum(len(_of_part("", part, hidden, limit=MOST)) for part, hidden in kept)
    return max(0, total - MAX_LEAVES)


def _of_part(
    prefix: str, part: dict[str, Any], hidden: frozenset[str], *, limit: int = MAX_LEAVES
) -> list[tuple[str, Any]]:
    leaves = (
        leaf
        for key, value in part.items()
        if key not in hidden
        for leaf in _leaves(f"{prefix}{key}", value, depth=0)
    )
    return list(islice(leaves, limit))


def _leaves(place: str, value: Any, *, depth: int) -> Iterator[tuple[str, Any]]:
    if depth == MAX_NESTING:
        yield place, value
        return
    match value:
        case {"@id": str(iri), **rest} if not rest:
            yield place, iri
        case dict() if value:
            for key, item in value.items():
                if key == "@type" and len(value) > 1:
                    continue
                yield from _leaves(f"{place}.{key}", item, depth=depth + 1)
        case [only]:
            yield from _leaves(place, only, depth=depth + 1)
        case list() if value:
            for index, item in enumerate(value):
                yield from _leaves(f"{place}.{index}", item, depth=depth + 1)
        case _:
            yield place, value
