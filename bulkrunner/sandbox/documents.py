"""Reading a record document: ids, links, holding, library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from bulkrunner import vocabulary

Document = dict[str, Any]

LIBRARY_BASE = "https://libris.kb.se/library/"
DELETED = "marc:Deleted"
_READ_ONLY_DATASETS = ("https://id.kb.se/dataset/", "https://libris.kb.se/dataset/")


def library_iri(sigel: str) -> str:
    """Return the library IRI of a sigel, encoded as Java's URLEncoder does."""
    return LIBRARY_BASE + quote_plus(sigel, safe="*").replace("~", "%7E")


def sigel_of_library(iri: object) -> str | None:
    """Return the sigel of a library IRI, or None where it is no such IRI."""
    if not isinstance(iri, str) or not iri.startswith(LIBRARY_BASE):
        return None
    return unquote_plus(iri[len(LIBRARY_BASE) :])


def node(document: Document, place: int) -> Document:
    """Return graph[place], or an empty node."""
    graph = document.get("@graph")
    if isinstance(graph, list) and len(graph) > place and isinstance(graph[place], dict):
        found: Document = graph[place]
        return found
    return {}


def link(holder: Document, name: str) -> str | None:
    """Return the @id of a property that holds one link."""
    value = holder.get(name)
    target = value.get("@id") if isinstance(value, dict) else None
    return target if isinstance(target, str) else None


def text(holder: Document, name: str) -> str | None:
    """Return a property's value where it is a string."""
    value = holder.get(name)
    return value if isinstance(value, str) else None


def aliases(holder: Document) -> list[str]:
    """Return the IRIs in a node's sameAs."""
    same = holder.get("sameAs")
    entries = same if isinstance(same, list) else [same]
    return [e["@id"] for e in entries if isinstance(e, dict) and isinstance(e.get("@id"), str)]


def thing_type(document: Document) -> str:
    """Return the type of the main thing, empty where there is none."""
    return text(node(document, 1), "@type") or ""


def collection(document: Document) -> str:
    """Return the record's legacy collection; ``none`` where its class belongs to none."""
    return vocabulary.collection(thing_type(document)) or "none"


def is_holding(document: Document) -> bool:
    """Whether holding rights apply: every Item, whatever its collection."""
    kind = thing_type(document)
    return vocabulary.collection(kind) == "hold" or vocabulary.is_subclass_of(kind, "Item")


def holding_sigel(document: Document) -> str | None:
    """Return the sigel of the top-level heldBy."""
    return sigel_of_library(link(node(document, 1), "heldBy"))


def holding_pair(document: Document) -> tuple[str, str] | None:
    """Return heldBy and itemOf of a holding whose collection is hold."""
    if collection(document) != "hold":
        return None
    thing = node(document, 1)
    held_by, item_of = link(thing, "heldBy"), link(thing, "itemOf")
    return (held_by, item_of) if held_by and item_of else None


def is_read_only(document: Document) -> bool:
    """Whether the record belongs to data that REST may not change."""
    record = node(document, 0)
    if record.get("@type") != "Record":
        return True
    datasets = record.get("inDataset")
    entries = datasets if isinstance(datasets, list) else [datasets]
    return any(
        isinstance(entry, dict) and str(entry.get("@id", "")).startswith(_READ_ONLY_DATASETS)
        for entry in entries
    )


def says_deleted(document: Document) -> bool:
    """Whether the body's own recordStatus is the deleted one."""
    return node(document, 0).get("recordStatus") == DELETED


def links(document: Document) -> Iterator[tuple[str, str]]:
    """Yield (relation, IRI) of every link; relations of the record start with ``meta``."""
    yield from _links(node(document, 0), ("meta",))
    yield from _links(node(document, 1), ())


def _links(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _links(item, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "@id" and isinstance(inner, str):
                yield ".".join(path), inner
            elif key != "sameAs" and isinstance(inner, dict | list):
                yield from _links(inner, (*path, key))


def replace_prefix(value: Any, old: str, new: str) -> Any:
    """Return the value with ``old`` replaced at the start of every @id."""
    match value:
        case dict():
            return {
                key: new + inner[len(old) :]
                if key == "@id" and isinstance(inner, str) and inner.startswith(old)
                else replace_prefix(inner, old, new)
                for key, inner in value.items()
            }
        case list():
            return [replace_prefix(item, old, new) for item in value]
    return value
