"""``_findhold`` and ``_dependencies``: straight from the database, without any lag."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bulkrunner.sandbox import documents, embellish
from bulkrunner.sandbox.answers import NO_CACHE, PageError, Request, Response, json_response
from bulkrunner.sandbox.catalogue import Catalogue, Entry

_Link = tuple[str, str]
"""A record at one end of a link, with the relation."""
_Neighbours = Callable[[Entry], set[_Link]]


def find_holdings(catalogue: Catalogue, request: Request) -> Response:
    """Answer ``/_findhold``: record IRIs of a library's holdings on a bib."""
    iri, library = request.param("id"), request.param("library")
    if not iri or not library:
        raise PageError(400, '"library" (sigel) and "id" parameters required.')
    bib = catalogue.owner(iri)
    if bib is None or bib.collection != "bib":
        raise PageError(400, "Unknown bib")
    if documents.sigel_of_library(library) is None:
        library = documents.library_iri(library)
    library = catalogue.resolve(library) or library
    found = []
    for holding in _holdings_of(catalogue, bib):
        thing = documents.node(holding.document(), 1)
        held_by = documents.link(thing, "heldBy")
        if held_by is None:
            raise PageError(500)
        if held_by == library:
            found.append(holding.record_iri)
    return json_response(200, found, NO_CACHE)


def _holdings_of(catalogue: Catalogue, bib: Entry) -> list[Entry]:
    found = [
        catalogue.entry(source)
        for source, relation in catalogue.linked_from(bib.short_id)
        if relation == "itemOf"
    ]
    return [entry for entry in found if entry is not None and entry.collection == "hold"]


def dependencies(catalogue: Catalogue, request: Request) -> Response:
    """Answer ``/_dependencies``: direct links of one relation, or everything reachable."""
    iri, relation = request.param("id"), request.param("relation")
    entry = catalogue.owner(iri) if iri else None
    if entry is None:
        raise PageError(400, "Unknown id")
    reverse = (request.param("reverse") or "").lower() == "true"

    def neighbours(near: Entry) -> set[_Link]:
        return _linked(catalogue, near, relation, reverse=reverse)

    links = neighbours(entry) if relation else _closure(catalogue, entry, neighbours)
    short_ids = sorted(short_id for short_id, _ in links)
    return _returned(catalogue, short_ids, request.param("return") or "id")


def _linked(
    catalogue: Catalogue, entry: Entry, relation: str | None, *, reverse: bool
) -> set[_Link]:
    if reverse:
        pairs = set(catalogue.linked_from(entry.short_id))
    else:
        pairs = {(target, name) for name, target in catalogue.links_of(entry)}
    return {pair for pair in pairs if relation in (None, pair[1])}


def _closure(catalogue: Catalogue, entry: Entry, neighbours: _Neighbours) -> set[_Link]:
    """Return what can be reached, once for each relation that leads to it, as the database does."""
    seen = {entry.short_id}
    waiting = [entry]
    found: set[_Link] = set()
    while waiting:
        for short_id, relation in neighbours(waiting.pop()):
            near = catalogue.entry(short_id)
            if near is None or short_id == entry.short_id:
                continue
            found.add((short_id, relation))
            if short_id not in seen:
                seen.add(short_id)
                waiting.append(near)
    return found


def _returned(catalogue: Catalogue, short_ids: list[str], form: str) -> Response:
    found = [catalogue.entry(short_id) for short_id in short_ids]
    entries = [entry for entry in found if entry is not None and not entry.deleted]
    match form:
        case "id":
            return json_response(200, [entry.record_iri for entry in entries], NO_CACHE)
        case "bare_record":
            return json_response(
                200, [json.loads(entry.newest.body) for entry in entries], NO_CACHE
            )
        case "embellished_record":
            return json_response(
                200, [_embellished(catalogue, entry) for entry in entries], NO_CACHE
            )
    raise PageError(400, "Unknown return form")


def _embellished(catalogue: Catalogue, entry: Entry) -> dict[str, Any]:
    document = entry.document()
    extra = embellish.embellish(catalogue, entry, document)
    document["@graph"] += extra
    return document
