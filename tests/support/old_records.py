"""Collected records in older forms, brought into the form that is stored today.

The oldest form is ``{"descriptions": {"entry": …, "items": […], "quoted": […]}}``: the record, its
thing, and the nodes that these link to by addresses such as ``/some?type=Person&…``. What has no
place in today's vocabulary is left out.
"""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from bulkrunner import vocabulary
from bulkrunner.sandbox.seed_documents import LEGACY_BASE, TERMS_BASE, library_uri

Node = dict[str, Any]

_DIGITAL = frozenset({"Electronic", "Multimedia"})
_HOLDING_LINKS = {
    "acquisitionStatus": "marc:acquisitionStatus",
    "completeness": "marc:completeness",
    "copyReport": "marc:copyReport",
    "generalRetentionPolicy": "marc:retentionPolicy",
}
_AGENTS = ("attributedTo", "influencedBy", "author", "editor", "translator", "publisher")


@cache
def modern(folder: Path) -> Path:
    """Return a file with the folder's records, each in today's form."""
    found = [json.loads(file.read_bytes()) for file in sorted(folder.glob("*.jsonld"))]
    older = (document for document in found if "descriptions" in document)
    bib = next(document["descriptions"]["items"][0]["@id"] for document in older)
    path = Path(tempfile.mkdtemp(prefix="records-")) / "records.jsonl"
    lines = []
    for document in found:
        if "descriptions" in document:
            graph = convert(document)
        else:
            record, thing, *works = document["@graph"]
            if works:
                thing["instanceOf"] = {key: works[0][key] for key in works[0] if key != "@id"}
            if "itemOf" in thing:
                thing["itemOf"] = {"@id": _absolute(bib)}
            graph = [record, thing]
        lines.append(json.dumps({"@graph": graph}))
    path.write_text("\n".join(lines))
    return path


def convert(document: Node) -> list[Node]:
    """Return record and thing; their ids are the old ones, on ``http://libris.kb.se/``.

    Raises:
        ValueError: an expected part is missing or of another type.
    """
    try:
        return _convert(document["descriptions"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"not a record in the old form ({type(error).__name__}: {error})"
        ) from error


def _convert(descriptions: Node) -> list[Node]:
    entry, old = descriptions["entry"], descriptions["items"][0]
    quoted = _quoted(descriptions.get("quoted", []))
    is_holding = entry["@id"].startswith("/hold/")
    record = _record(entry, is_holding=is_holding)
    thing = _holding(old, quoted) if is_holding else _bib(old, quoted)
    record["mainEntity"] = {"@id": _absolute(old["@id"])}
    return [record, {"@id": _absolute(old["@id"]), **thing}]


def _quoted(nodes: list[Node]) -> dict[str, Node]:
    inner = [node.get("@graph", node) for node in nodes]
    return {node["@id"]: node for node in inner if "@id" in node}


def _absolute(path: str) -> str:
    return LEGACY_BASE + path.removeprefix("/")


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _record(entry: Node, *, is_holding: bool) -> Node:
    record: Node = {"@id": _absolute(entry["@id"]), "@type": "Record"}
    for key in (
        "controlNumber",
        "created",
        "modified",
        "_marcUncompleted",
        "_marcFailedFixedFields",
    ):
        if key in entry:
            record[key] = entry[key]
    for key, place in (("encLevel", "encodingLevel"), ("holdingType", "marc:holdingType")):
        term = f"marc:{_last_part(entry[key])}" if key in entry else ""
        if vocabulary.is_term(term):
            record[place] = term
    identifiers = [
        {"@type": kind, "value": value}
        for kind, key in (("LibrisIIINumber", "librisIIINumber"), ("SystemNumber", "systemNumber"))
        for value in _as_list(entry.get(key))
    ]
    if identifiers:
        record["identifiedBy"] = identifiers
    notes = _as_list(entry.get("technicalNote"))
    if notes and not is_holding:
        record["technicalNote"] = [{"@type": "TechnicalNote", "label": note} for note in notes]
    return record


def _last_part(link: Node) -> str:
    return unquote(link["@id"].rpartition("/")[2])


def _holding(old: Node, quoted: dict[str, Node]) -> Node:
    sigel = old["heldBy"]["notation"]
    thing: Node = {
        "@type": "Item",
        "heldBy": {"@id": library_uri(sigel)},
        "itemOf": {"@id": _absolute(old["holdingFor"]["@id"])},
    }
    if "numberOfItems" in old:
        thing["inventoryLevel"] = old["numberOfItems"]
    for key, place in _HOLDING_LINKS.items():
        if key in old:
            thing[place] = {"@id": f"{TERMS_BASE}marc/{_last_part(old[key])}"}
    offers = [_offer(offer, sigel, quoted) for offer in _as_list(old.get("offers"))]
    if len(offers) == 1 and offers[0]["heldBy"] == thing["heldBy"]:
        thing.update({key: value for key, value in offers[0].items() if key != "@type"})
    elif offers:
        thing["hasComponent"] = offers
    for example in _as_list(old.get("workExample")):
        _add_example(thing, example)
    _put(thing, "classification", [_classification(x, quoted) for x in _as_list(old.get("callno"))])
    _put(thing, "subject", [_subject(x, quoted) for x in _as_list(old.get("subject"))])
    _put(thing, "associatedMedia", [_media(x) for x in _as_list(old.get("associatedMedia"))])
    return thing


def _put(node: Node, key: str, values: list[Any]) -> None:
    if values:
        node[key] = [*_as_list(node.get(key)), *values]


def _offer(offer: Node, sigel: str, quoted: dict[str, Node]) -> Node:
    held_by = [_notation(link, quoted) for link in _as_list(offer.get("heldBy"))]
    node: Node = {"@type": "Item", "heldBy": {"@id": library_uri(held_by[0] if held_by else sigel)}}
    if "classificationPart" in offer:
        node["shelfMark"] = {"@type": "ShelfMark", "label": offer["classificationPart"]}
    for key in (
        "shelfControlNumber",
        "shelfLabel",
        "copyNumber",
        "callNumberSuffix",
        "cataloguersNote",
    ):
        if key in offer:
            node[key] = offer[key]
    _put(node, "physicalLocation", _as_list(offer.get("shelfLocation")))
    _put(node, "hasNote", _notes(offer.get("copyNote")))
    if "sequenceNumber" in offer:
        node["marc:groupid"] = offer["sequenceNumber"]
    if "materialsSpecified" in offer:
        node["appliesTo"] = {"@type": "Resource", "label": offer["materialsSpecified"]}
    return node


def _notation(link: Node, quoted: dict[str, Node]) -> str:
    node = _follow(link, quoted)
    if "notation" in node:
        return str(node["notation"])
    asked = parse_qs(link["@id"].partition("?")[2])
    values: list[str] = asked.get("notation") or asked.get("name") or [""]
    return values[0]


def _notes(values: Any) -> list[Node]:
    return [{"@type": "Note", "label": value} for value in _as_list(values)]


def _add_example(thing: Node, example: Node) -> None:
    if "description" in example:
        unit: Node = {
            "@type": "marc:TextualHoldingsBasicBibliographicUnit",
            "marc:textualString": example["description"],
        }
        _put(unit, "marc:publicNote", _as_list(example.get("copyNote")))
        _put(unit, "marc:cataloguersNote", _as_list(example.get("cataloguersNote")))
        _put(thing, "marc:hasTextualHoldingsBasicBibliographicUnit", [unit])
    for key in ("itemCondition", "custodialHistory"):
        old_key = "custodialHistoryOfItem" if key == "custodialHistory" else key
        values = [*_as_list(thing.get(key)), *_as_list(example.get(old_key))]
        if values:
            thing[key] = values[0] if len(values) == 1 else values
    _put(thing, "hasNote", _notes(example.get("bindingInformation")))


def _follow(link: Node, quoted: dict[str, Node]) -> Node:
    """Return the node that is linked to, or the link itself when it says everything."""
    return quoted.get(link.get("@id", ""), link)


def _classification(link: Node, quoted: dict[str, Node]) -> Node:
    code = _follow(link, quoted).get("notation")
    return {"@type": "Classification", "code": code or _last_part({"@id": link["@id"].rstrip("/")})}


def _subject(link: Node, quoted: dict[str, Node]) -> Node:
    node = _follow(link, quoted)
    if node.get("@type") == "Person":
        return _agent(node)
    label = node.get("prefLabel") or node.get("label") or node.get("name")
    if not label:
        parts = [unquote(part) for part in link.get("@id", "").split("/")[3:] if part]
        label = "--".join(parts) or "[Utan benämning]"
    return {"@type": "Topic", "prefLabel": label}


def _media(link: Node) -> Node:
    media: Node = {"@type": "MediaObject", "uri": [link["@id"]]}
    _put(media, "marc:publicNote", _as_list(link.get("copyNote")))
    return media


def _bib(old: Node, quoted: dict[str, Node]) -> Node:
    kinds = _as_list(old["@type"])
    digital = _DIGITAL.intersection(kinds)
    thing: Node = {
        "@type": "DigitalResource" if digital else "PhysicalResource",
        "hasTitle": [_title(old["instanceTitle"])],
        "instanceOf": _work(old, kinds, quoted),
    }
    _put(
        thing,
        "publication",
        [_publication(x, old, quoted) for x in _as_list(old.get("publication"))],
    )
    _put(thing, "identifiedBy", [x for x in map(_identifier, _as_list(old.get("identifier"))) if x])
    for form in _as_list(old.get("hasFormat")):
        if "extent" in form:
            _put(thing, "extent", [{"@type": "Extent", "label": _as_list(form["extent"])}])
        if "dimensions" in form:
            thing["dimensions"] = form["dimensions"]
    if "responsibilityStatement" in old:
        thing["responsibilityStatement"] = old["responsibilityStatement"]
    _put(thing, "hasNote", _notes(old.get("comment")))
    return thing


def _title(old: Node) -> Node:
    title: Node = {"@type": "Title", "mainTitle": old.get("titleValue", "[Utan titel]")}
    if "subtitle" in old:
        title["subtitle"] = old["subtitle"]
    _put(title, "partNumber", _as_list(old.get("partNumber")))
    _put(title, "partName", _as_list(old.get("partTitle")))
    return title


def _work(old: Node, kinds: list[str], quoted: dict[str, Node]) -> Node:
    classes = [k for k in kinds if k in {"Monograph", "Serial", "Collection", "Integrating"}]
    work: Node = {"@type": (classes or ["Monograph"])[0]}
    languages = [_last_part(link) for link in _as_list(old.get("language"))]
    _put(work, "language", [{"@id": f"{TERMS_BASE}language/{code}"} for code in languages if code])
    links = [link for key in _AGENTS for link in _as_list(old.get(key))]
    agents = [_agent(_follow(link, quoted)) for link in links]
    unique = [agent for index, agent in enumerate(agents) if agent not in agents[:index]]
    kinds_of = ["PrimaryContribution", *["Contribution"] * len(unique)]
    contributions = [
        {"@type": kind, "agent": agent} for kind, agent in zip(kinds_of, unique, strict=False)
    ]
    _put(work, "contribution", contributions)
    _put(
        work,
        "classification",
        [_classification(x, quoted) for x in _as_list(old.get("classification"))],
    )
    _put(work, "subject", [_subject(x, quoted) for x in _as_list(old.get("subject"))])
    return work


def _agent(node: Node) -> Node:
    kind = node.get("@type")
    if kind != "Person":
        label = node.get("name") or node.get("label") or node.get("notation") or str(kind)
        return {"@type": "Organization" if kind == "Organization" else "Agent", "name": label}
    agent = {"@type": "Person"}
    agent |= {key: node[key] for key in ("familyName", "givenName", "name") if key in node}
    years = (str(node.get("birthYear", "")), str(node.get("deathYear", "")))
    if any(years):
        agent["lifeSpan"] = "-".join(years)
    return agent


def _publication(event: Node, old: Node, quoted: dict[str, Node]) -> Node:
    node: Node = {"@type": "PrimaryPublication"}
    if "providerName" in event:
        node["agent"] = {"@type": "Agent", "label": event["providerName"]}
    for link in _as_list(event.get("place")):
        label = _follow(link, quoted).get("label")
        _put(node, "place", [{"@type": "Place", "label": label}] if label else [])
    codes = [_last_part(link) for link in _as_list(old.get("publicationCountry"))]
    _put(node, "country", [{"@id": f"{TERMS_BASE}country/{code}"} for code in codes[:1] if code])
    _put(node, "date", _as_list(event.get("providerDate")))
    return node


def _identifier(old: Node) -> Node | None:
    scheme = _last_part(old["identifierScheme"]) if "identifierScheme" in old else ""
    kind = {"isbn": "ISBN", "issn": "ISSN"}.get(scheme, "Identifier")
    if "identifierValue" not in old:
        return None
    value = str(old["identifierValue"])
    node: Node = {
        "@type": kind,
        "value": value.replace("-", "").upper() if kind == "ISBN" else value,
    }
    if "identifierNote" in old:
        node["qualifier"] = _as_list(old["identifierNote"])
    return node
