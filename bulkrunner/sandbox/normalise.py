"""What the server changes in a document when it saves it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents

Document = dict[str, Any]

# Main IRI of the record or thing that an IRI names, or None where nothing does.
Resolve = Callable[[str], str | None]

# IRI of the thing of a class that has a label or code, or None.
FindByName = Callable[[str, str], str | None]

_LIGATURES = str.maketrans(
    {
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\ufeff": None,
    }
)

_BLANK = " \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2060"

_EDGES = re.compile(rf"^[{_BLANK}]+|[{_BLANK}\r\n]+$")

_NEVER_STORED = frozenset({"@reverse", "computedLabel", "_categoryByCollection"})

_NAMED_NODES = {
    "language": "Language",
    "associatedLanguage": "Language",
    "role": "Role",
    "country": "Country",
    "frequency": "Frequency",
    "descriptionConventions": "DescriptionConventions",
}

_SPACELESS = ("ISNI", "ORCID")

_DROP = object()


def normalise(document: Document, *, resolve: Resolve, find_by_name: FindByName) -> Document:
    """Return the document as the server would store it; the argument is left as it is."""
    result: Document = _clean(document)
    if documents.collection(result) == "bib":
        convert(result)
    if "@context" not in result:
        result = _run_chain(result, find_by_name)
    result = _storable(result)
    _standard_numbers(documents.node(result, 1))
    _tidy_links(result, resolve)
    thing_iri = documents.text(documents.node(result, 1), "@id")
    if thing_iri:
        documents.node(result, 0)["mainEntity"] = {"@id": thing_iri}
    return result


def _clean(value: Any) -> Any:
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {key: _clean(inner) for key, inner in value.items()}
        case list():
            return [_clean(item) for item in value]
    return value


def _storable(value: Any) -> Any:
    match value:
        case dict():
            return {key: _storable(one) for key, one in value.items() if key not in _NEVER_STORED}
        case list():
            return [_storable(item) for item in value]
    return value


def clean_text(value: str) -> str:
    """Return the string composed, without ligatures and without blanks at its ends."""
    if value.isascii():
        if value and value[0] > " " and value[-1] > " ":
            return value
    else:
        value = unicodedata.normalize("NFC", value).translate(_LIGATURES)
    return value if value == " " else _EDGES.sub("", value)


def _run_chain(document: Document, find_by_name: FindByName) -> Document:
    stripped = _without_nulls(document)
    document = stripped if isinstance(stripped, dict) else {}
    _move_work_into_instance(document)
    for place in (0, 1):
        _link_named_nodes(documents.node(document, place), find_by_name)
    _type_identifiers(documents.node(document, 1))
    return document


def _without_nulls(value: Any) -> Any:
    """Drop nulls, and the parents that dropping them leaves empty."""
    match value:
        case None:
            return _DROP
        case dict():
            kept = {key: _without_nulls(inner) for key, inner in value.items()}
            left = {key: inner for key, inner in kept.items() if inner is not _DROP}
            return _DROP if value and not left else left
        case list():
            items = [item for item in map(_without_nulls, value) if item is not _DROP]
            return _DROP if value and not items else items
    return value


def _move_work_into_instance(document: Document) -> None:
    graph = document.get("@graph")
    if not isinstance(graph, list) or len(graph) < 3 or not isinstance(graph[2], dict):
        return
    thing, work = documents.node(document, 1), graph[2]
    if documents.link(thing, "instanceOf") == work.get("@id"):
        thing["instanceOf"] = {key: value for key, value in work.items() if key != "@id"}
        del graph[2]


def _link_named_nodes(value: Any, find_by_name: FindByName) -> None:
    if isinstance(value, list):
        for item in value:
            _link_named_nodes(item, find_by_name)
    elif isinstance(value, dict):
        for key, inner in value.items():
            kind = _NAMED_NODES.get(key)
            if kind is None:
                _link_named_nodes(inner, find_by_name)
            elif isinstance(inner, list):
                value[key] = [_linked(item, kind, find_by_name) for item in inner]
            else:
                value[key] = _linked(inner, kind, find_by_name)


def _linked(value: Any, kind: str, find_by_name: FindByName) -> Any:
    if not isinstance(value, dict) or "@id" in value or value.get("@type") != kind:
        return value
    for key in ("code", "label", "prefLabel"):
        names = value.get(key)
        for name in names if isinstance(names, list) else [names]:
            found = find_by_name(kind, name) if isinstance(name, str) else None
            if found:
                return {"@id": found}
    return value


def _identifiers(thing: Document, *names: str) -> list[Document]:
    found: list[Document] = []
    for name in names:
        entries = thing.get(name)
        entries = entries if isinstance(entries, list) else [entries]
        found.extend(entry for entry in entries if isinstance(entry, dict))
    return found


def _type_identifiers(thing: Document) -> None:
    for identifier in _identifiers(thing, "identifiedBy"):
        note = identifier.get("typeNote")
        if isinstance(note, str) and note.upper() in _SPACELESS:
            identifier["@type"] = note.upper()
            del identifier["typeNote"]
        value = identifier.get("value")
        if identifier.get("@type") in _SPACELESS and isinstance(value, str):
            identifier["value"] = value.replace(" ", "")


def _standard_numbers(thing: Document) -> None:
    for identifier in _identifiers(thing, "identifiedBy", "indirectlyIdentifiedBy"):
        value = identifier.get("value")
        if not isinstance(value, str):
            continue
        match identifier.get("@type"):
            case "ISBN":
                identifier["value"] = value.replace("-", "").upper()
            case "ISSN":
                identifier["value"] = value.upper()


def _tidy_links(document: Document, resolve: Resolve) -> None:
    for place in (0, 1):
        top = documents.node(document, place)
        for key, value in top.items():
            if key != "sameAs":
                top[key] = _tidy(value, resolve)


def _tidy(value: Any, resolve: Resolve) -> Any:
    match value:
        case list():
            return [_tidy(item, resolve) for item in value]
        case dict():
            return _tidy_node(value, resolve)
    return value


def _tidy_node(value: Document, resolve: Resolve) -> Document:
    iri = value.get("@id")
    if not isinstance(iri, str):
        return {
            key: inner if key == "sameAs" else _tidy(inner, resolve) for key, inner in value.items()
        }
    main = resolve(iri)
    if len(value) == 1:
        return {"@id": main} if main else value
    if main or documents.sigel_of_library(iri) is not None:
        return {"@id": main or iri}
    inner_node: Document = _tidy_node(
        {key: inner for key, inner in value.items() if key != "@id"}, resolve
    )
    same = inner_node.get("sameAs", [])
    inner_node["sameAs"] = [*(same if isinstance(same, list) else [same]), {"@id": iri}]
    return inner_node


_CARRIED = ("carrierType", "mediaType", "contentType", "genreForm")

_FORMS = "https://id.kb.se/term/saobf/"

# Old types that are kept as a category.
_KEPT = frozenset({"Print"})

_ISSUANCE = frozenset({"Monograph", "Serial", "Collection", "Integrating"})


def convert(document: dict[str, Any]) -> None:
    """Rewrite the thing's type, its work's type and its categories, where they are old ones."""
    thing = documents.node(document, 1)
    kind = documents.text(thing, "@type") or ""
    if "pending" not in vocabulary.category(kind):
        return
    thing["@type"] = "DigitalResource" if kind == "Electronic" else "PhysicalResource"
    own = [{"@id": f"{_FORMS}{kind}"}] if kind in _KEPT else []
    issuance = thing.pop("issuanceType", None)
    work = thing.get("instanceOf")
    if isinstance(work, dict) and "@id" not in work:
        if issuance in _ISSUANCE:
            work["@type"] = issuance
        _gather_categories(work, [])
    _gather_categories(thing, own)


def _gather_categories(holder: dict[str, Any], gathered: list[Any]) -> None:
    for name in ("category", *_CARRIED):
        entries = holder.pop(name, None)
        for entry in entries if isinstance(entries, list) else [entries]:
            if entry is not None and entry not in gathered:
                gathered.append(entry)
    if gathered:
        holder["category"] = gathered
