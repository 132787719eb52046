"""Embellished and framed forms of a record: for reading only, never to be written back."""

from __future__ import annotations

from typing import Any

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.catalogue import Catalogue, Entry, NameKind
from bulkrunner.sandbox.documents import Document

_CHIP = frozenset(
    {
        "@id",
        "@type",
        "code",
        "familyName",
        "givenName",
        "hasTitle",
        "label",
        "lifeSpan",
        "mainTitle",
        "name",
        "prefLabel",
        "prefLabelByLang",
        "sigel",
        "subtitle",
        "title",
        "heldBy",
        "itemOf",
    }
)
_CARD = _CHIP | frozenset(
    {
        "altLabel",
        "contribution",
        "editionStatement",
        "extent",
        "hasComponent",
        "hasVariant",
        "identifiedBy",
        "instanceOf",
        "inScheme",
        "language",
        "physicalLocation",
        "publication",
        "sameAs",
        "shelfMark",
    }
)
_MOST_REVERSE_LINKS = 512


def lens(thing: Document, name: str) -> Document:
    """Return what a lens shows of a thing."""
    if name == "none":
        return thing
    shown = _CHIP if name == "chip" else _CARD
    return {key: value for key, value in thing.items() if key in shown}


def embellish(catalogue: Catalogue, entry: Entry, document: Document) -> list[Document]:
    """Return the entries that embellishing puts after the thing: cards, then chips."""
    seen = {entry.short_id}
    cards = [_entry_of(catalogue, target, "card") for target in _targets(entry, seen)]
    chips: list[Document] = []
    for _, short_id in sorted(entry.links):
        near = catalogue.entry(short_id)
        if near is not None:
            chips += [_entry_of(catalogue, target, "chip") for target in _targets(near, seen)]
    if entry.collection == "bib":
        _show_holdings(catalogue, entry, documents.node(document, 1))
    return [item for item in cards + chips if item]


def _targets(entry: Entry, seen: set[str]) -> list[str]:
    found = sorted({short_id for _, short_id in entry.links} - seen)
    seen.update(found)
    return found


def _entry_of(catalogue: Catalogue, short_id: str, name: str) -> Document:
    entry = catalogue.entry(short_id)
    if entry is None or entry.deleted:
        return {}
    document = entry.document()
    record, thing = documents.node(document, 0), documents.node(document, 1)
    return {"@id": f"{entry.record_iri}?lens={name}", "@graph": [record, lens(thing, name)]}


def _show_holdings(catalogue: Catalogue, entry: Entry, thing: Document) -> None:
    held = [
        catalogue.entry(source)
        for source, relation in catalogue.linked_from(entry.short_id)
        if relation == "itemOf"
    ]
    iris = [holding.main_iri(NameKind.THING) for holding in held if holding is not None]
    if iris:
        links = [{"@id": iri} for iri in iris[:_MOST_REVERSE_LINKS]]
        thing["@reverse"] = {"itemOf": links}


def frame(document: Document, extra: list[Document]) -> Document:
    """Return the thing as a tree with its record under ``meta`` and linked cards inside."""
    record, thing = documents.node(document, 0), documents.node(document, 1)
    shown = {
        found["@id"]: found
        for found in (documents.node(item, 1) for item in extra)
        if isinstance(found.get("@id"), str)
    }
    framed: Document = _insert({**thing, "meta": record}, shown, frozenset({thing.get("@id")}))
    return framed


def frame_record(document: Document, extra: list[Document]) -> Document:
    """Return the record as a tree, with its thing and the linked cards inside."""
    record = documents.node(document, 0)
    thing = frame({"@graph": [{"@id": record.get("@id")}, documents.node(document, 1)]}, extra)
    return {**record, "mainEntity": thing}


def _insert(value: Any, shown: dict[str, Document], above: frozenset[Any]) -> Any:
    if isinstance(value, list):
        return [_insert(item, shown, above) for item in value]
    if not isinstance(value, dict):
        return value
    iri = value.get("@id")
    if len(value) == 1 and isinstance(iri, str) and iri in shown and iri not in above:
        return _insert(shown[iri], shown, above | {iri})
    return {
        key: inner if key == "@reverse" else _insert(inner, shown, above)
        for key, inner in value.items()
    }
