"""Catalogue records: parts, identity and ownership.

A document is ``{"@graph": [record, thing]}``, flat JSON-LD as Libris stores it; record and thing
are found by position. Where a shape is unexpected, functions here answer None rather than guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import quote_plus, unquote_plus

Document: TypeAlias = dict[str, Any]

LIBRARY_PREFIX = "https://libris.kb.se/library/"
"""Library IRIs carry the production host in every environment."""

HOLDING_TYPE = "Item"


def record_part(document: Document) -> dict[str, Any]:
    """Return graph[0], or an empty object."""
    return _part(document, 0)


def thing_part(document: Document) -> dict[str, Any]:
    """Return graph[1] (the item of a holding, the instance of a bib), or an empty object."""
    return _part(document, 1)


def _part(document: Document, index: int) -> dict[str, Any]:
    graph = document.get("@graph")
    node = graph[index] if isinstance(graph, list) and len(graph) > index else None
    return node if isinstance(node, dict) else {}


def is_holding(document: Document) -> bool:
    """Tell whether the main thing is an ``Item`` (or the subclass ``SingleItem``)."""
    return thing_part(document).get("@type") in ("Item", "SingleItem")


def link_of(value: Any) -> str | None:
    """Return the ``@id`` of a link object; a list of one is walked through."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, dict) and isinstance(value.get("@id"), str):
        return str(value["@id"])
    return None


def library_iri(sigel: str) -> str:
    """Return the library IRI of a sigel, encoded as the server encodes it."""
    return LIBRARY_PREFIX + quote_plus(sigel, safe="*-._")


def sigel_of_iri(iri: str | None) -> str | None:
    """Return the sigel of a library IRI, or None for any other IRI (also of another host)."""
    if iri is None or not iri.startswith(LIBRARY_PREFIX) or iri == LIBRARY_PREFIX:
        return None
    return unquote_plus(iri.removeprefix(LIBRARY_PREFIX))


def held_by(document: Document) -> str | None:
    """Return the sigel of the holding's top-level ``heldBy``, or None."""
    return sigel_of_iri(link_of(thing_part(document).get("heldBy")))


def components(document: Document) -> Iterator[dict[str, Any]]:
    """Yield every component of the item, at any depth."""
    yield from _components(thing_part(document), depth=0)


def _components(node: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    value = node.get("hasComponent")
    for child in value if isinstance(value, list) else [value]:
        if isinstance(child, dict):
            yield child
            if depth < 100:
                yield from _components(child, depth + 1)


def component_holders(document: Document) -> list[str | None]:
    """Return for each ``heldBy`` link inside components its sigel, None where it is not a library.

    A component without ``heldBy`` contributes nothing: it belongs to the item's library.
    """
    holders: list[str | None] = []
    for component in components(document):
        if "heldBy" not in component:
            continue
        value = component["heldBy"]
        links = value if isinstance(value, list) else [value]
        holders.extend(sigel_of_iri(link_of(link)) for link in links)
    return holders


def item_of(document: Document) -> str | None:
    """Return the IRI of the bib's main thing that the holding points to."""
    return link_of(thing_part(document).get("itemOf"))


def modified(document: Document) -> str | None:
    """Return ``modified`` as the server wrote it (ISO 8601 with offset)."""
    value = record_part(document).get("modified")
    return value if isinstance(value, str) else None


def last_modifier(document: Document) -> str | None:
    """Return the sigel of ``descriptionLastModifier``, or None."""
    return sigel_of_iri(link_of(record_part(document).get("descriptionLastModifier")))


def creator(document: Document) -> str | None:
    """Return the sigel of ``descriptionCreator``, or None."""
    return sigel_of_iri(link_of(record_part(document).get("descriptionCreator")))
