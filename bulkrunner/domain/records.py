"""Catalogue records: parts, identity and ownership."""

# A document is ``{"@graph": [record, thing]}``, flat JSON-LD as Libris stores it; record and thing
# are found by position. Where a shape is unexpected, functions here answer None rather than guess.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import quote_plus, unquote_plus

from bulkrunner.sentences import Sentence

Document: TypeAlias = dict[str, Any]

# Library IRIs carry the production host in every environment.
LIBRARY_PREFIX = "https://libris.kb.se/library/"

HOLDING_TYPE = "Item"

WRAPPERS = frozenset({"@list", "@set"})  # keys of JSON-LD around a list of values

# --- keys of records by role ----------------------------------------------------------------------

# Of the record part, written by the server at every save; no comparison looks at them.
WRITTEN_AT_SAVE = frozenset({"created", "modified", "recordStatus", "descriptionLastModifier"})

# Of the record part, written by the server when it creates a record: nobody knows them beforehand.
WRITTEN_AT_CREATION = WRITTEN_AT_SAVE | {"controlNumber", "descriptionCreator"}

# Of the thing; no change reaches them: they say which record it is and whose.
THING_KEPT = frozenset({"@id", "@type", "heldBy", "itemOf", "sameAs"})

# Of the record part; no change reaches them: identity, and what the server writes itself.
RECORD_KEPT = WRITTEN_AT_CREATION | {"@id", "@type", "mainEntity", "sameAs"}

# On the thing none of either: those of the record part would be taken for it.
KEPT = THING_KEPT | RECORD_KEPT


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
    """Return True if the main thing is an ``Item`` (or the subclass ``SingleItem``)."""
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


def sigel_of_iri(iri: Any) -> str | None:
    """Return the sigel of a library IRI, or None for anything else."""
    # Another host's is none, nor is one with letters encoded that need not be (``Y%6Cm``): the
    # server would read a sigel out of it, but no library has it.
    return _sigel_of(iri) if isinstance(iri, str) else None


@lru_cache(maxsize=4096)
def _sigel_of(iri: str) -> str | None:
    if not iri.startswith(LIBRARY_PREFIX) or iri == LIBRARY_PREFIX:
        return None
    sigel = unquote_plus(iri.removeprefix(LIBRARY_PREFIX))
    return sigel if library_iri(sigel) == iri else None


def held_by(document: Document) -> str | None:
    """Return the sigel of the holding's top-level ``heldBy``, or None."""
    return sigel_of_iri(link_of(thing_part(document).get("heldBy")))


def components(document: Document) -> Iterator[dict[str, Any]]:
    """Yield every component of the item, at any depth."""
    for _, component in components_below(thing_part(document), ()):
        yield component


def components_below(
    node: Mapping[str, Any], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield every component of an item or component with its path, at any depth."""
    for inner, component in objects_in(node.get("hasComponent"), (*path, "hasComponent")):
        yield inner, component
        yield from components_below(component, inner)


def objects_in(
    value: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield an object, or the objects of a list, however the value is written, with their paths."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects_in(item, (*path, index))
    elif isinstance(value, dict):
        wrapped = WRAPPERS & value.keys()
        if not wrapped:
            yield path, value
        for key in sorted(wrapped):
            yield from objects_in(value[key], (*path, key))


def component_holders(document: Document) -> list[str | None]:
    """Return the sigel of each ``heldBy`` that is not the item's own, None where it is no library."""
    # They count wherever they stand: in components of components, in nested lists, in a third part
    # of the graph or beside it. A component without ``heldBy`` contributes nothing: it belongs to
    # the item's library. The name written as JSON-LD may write it too (``kbv:heldBy``) is nobody's.
    if "heldBy" in thing_part(document) and repr(document).lower().count("heldby") == 1:
        return []  # it is the item's own: nothing else is written like it
    own = {key: value for key, value in thing_part(document).items() if key != "heldBy"}
    graph = document.get("@graph")
    others = [graph[0], *graph[2:]] if isinstance(graph, list) and graph else []
    beside = {key: value for key, value in document.items() if key != "@graph"}
    holders: list[str | None] = []
    left: list[Any] = [beside, *reversed(others), own]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "heldBy":
                    links = value if isinstance(value, list) else [value]
                    holders.extend(sigel_of_iri(link_of(link)) for link in links)
                elif _names_a_holder(key):
                    holders.append(None)
            left += [one for one in reversed(node.values()) if isinstance(one, (dict, list))]
        elif isinstance(node, list):
            left += [one for one in reversed(node) if isinstance(one, (dict, list))]
    return holders


@lru_cache(maxsize=4096)
def _names_a_holder(key: str) -> bool:
    end = key.strip()[-7:].lower()
    return end.endswith("heldby") and end[0] in ":/#h"


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


def kind_said(kind: str | None) -> Sentence:
    """Return what a record of a kind is called."""
    match kind:
        case "holding":
            return Sentence("record_holding")
        case "bib":
            return Sentence("record_bib")
    return Sentence("record_any")
