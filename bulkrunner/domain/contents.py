"""The content of a whole document as a flat list of places and values, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulkrunner.domain.records import Document, record_part, thing_part

MAX_LEAVES = 200
"""Places listed of one document; the rest is in the document itself."""

MAX_DEPTH = 30

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
    index of a list of one is left out, and so are types beside other content.
    """
    found: list[tuple[str, Any]] = []
    for prefix, part, hidden in (
        ("", thing_part(document), OWNED),
        ("@record.", record_part(document), MANAGED),
    ):
        for key, value in part.items():
            if key in hidden:
                continue
            for leaf in _leaves(f"{prefix}{key}", value, depth=0):
                if len(found) == MAX_LEAVES:
                    return found
                found.append(leaf)
    return found


def _leaves(place: str, value: Any, *, depth: int) -> Iterator[tuple[str, Any]]:
    if depth == MAX_DEPTH:
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
