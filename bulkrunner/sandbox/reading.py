"""GET of one record in all its forms: bare, embellished, framed, and its change sets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.documents import Document, checksum
from bulkrunner.sandbox.entries import Catalogue, Entry, Name, NameKind
from bulkrunner.sandbox.store import Version
from bulkrunner.sandbox.wire import (
    JSON,
    NO_CACHE,
    ApiError,
    MalformedAcceptError,
    Request,
    Response,
    json_response,
    media_types,
    server_time,
)

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


_CRUD_TOOL = "https://id.kb.se/generator/crud"

_Path = tuple[str | int, ...]

_MISSING = object()


def change_sets(entry: Entry, zone: ZoneInfo) -> dict[str, Any]:
    """Return the record's change sets, oldest first; the first one names no paths."""
    sets: list[dict[str, Any]] = []
    before: Any = _MISSING
    for version in entry.versions:
        after = entry.document(version)
        added: list[_Path] = []
        removed: list[_Path] = []
        if before is not _MISSING:
            _compare(before, after, (), added, removed)
        agent = documents.link(documents.node(after, 0), "descriptionLastModifier")
        sets.append(
            {
                "@type": "ChangeSet",
                "version": {"@id": f"{entry.record_iri}/data?version={version.number}"},
                "addedPaths": [list(path) for path in added],
                "removedPaths": [list(path) for path in removed],
                "agent": {"@id": agent},
                "date": server_time(version.modified, zone),
                "tool": {"@id": _CRUD_TOOL},
            }
        )
        before = after
    return {"@id": f"{entry.record_iri}/_changesets", "changeSets": sets}


def _compare(
    before: Any, after: Any, path: _Path, added: list[_Path], removed: list[_Path]
) -> None:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            _step(before.get(key, _MISSING), after.get(key, _MISSING), (*path, key), added, removed)
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            old = before[place] if place < len(before) else _MISSING
            new = after[place] if place < len(after) else _MISSING
            _step(old, new, (*path, place), added, removed)
    else:
        added.append(path)
        removed.append(path)


def _step(before: Any, after: Any, path: _Path, added: list[_Path], removed: list[_Path]) -> None:
    if before is _MISSING:
        added.append(path)
    elif after is _MISSING:
        removed.append(path)
    else:
        _compare(before, after, path, added, removed)


CONTEXT = "/context.jsonld"

JSON_LD = "application/ld+json"

_VARY = ("Vary", "Accept, Accept-Profile")

_PROFILE = "https://id.kb.se/sys/context/kbv"

_PATH = re.compile(r"/(.+?)(?:/(data|data-view|_changesets)(?:\.(\w+))?)?", re.DOTALL)

_EXTENSIONS = {
    "jsonld": JSON_LD,
    "json": "application/json",
    "ttl": "text/turtle",
    "trig": "application/trig",
    "rdf": "application/rdf+xml",
    "xml": "application/rdf+xml",
    "n3": "text/n3",
    "atom": "application/atom+xml",
}

_BY_TYPE = {kind: extension for extension, kind in reversed(_EXTENSIONS.items())}

_ALIASES = (NameKind.RECORD_ALIAS, NameKind.THING_ALIAS)


class View(Enum):
    """Which resource of a record is asked for."""

    RECORD = ""
    DATA = "data"
    DATA_VIEW = "data-view"
    CHANGE_SETS = "_changesets"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a GET asks for, read from path, query and headers."""

    iri: str
    view: View
    extension: str
    media_type: str
    version: int | None
    embellished: bool
    framed: bool
    lens: str


def get(catalogue: Catalogue, request: Request, *, started: int, zone: ZoneInfo) -> Response:
    """Answer a GET of a record."""
    wanted = _read_request(request)
    entry = _find(catalogue, wanted.iri)
    if isinstance(entry, Name):
        return _redirect(catalogue, entry, wanted, request)
    if entry is None:
        raise ApiError(404, "Document not found.")
    version = _pick_version(entry, wanted)
    if version.deleted:
        if not entry.deleted and wanted.iri == entry.short_id:
            # Not found under the short id, which then counts as another name of what lives again.
            own = Name(entry.short_id, NameKind.THING_ALIAS)
            return _redirect(catalogue, own, wanted, request)
        raise ApiError(410, "Document has been deleted.")
    if wanted.view is View.CHANGE_SETS:
        return _change_sets(catalogue, entry, zone)
    return _represent(catalogue, entry, version, wanted, request, started)


def find_for_write(catalogue: Catalogue, path: str) -> Entry | Name | None:
    """Return the record that a write's path names; a Name where the path is an alias."""
    return _find(catalogue, path.removeprefix("/"))


def _find(catalogue: Catalogue, iri: str) -> Entry | Name | None:
    entry = catalogue.entry(iri)
    if entry is not None:
        return entry
    name = catalogue.name(iri)
    if name is None:
        return None
    return name if name.kind in _ALIASES else catalogue.entry(name.short_id)


def _read_request(request: Request) -> Wanted:
    match = _PATH.fullmatch(request.path)
    if match is None:
        raise ApiError(404, "Document not found.")
    iri, view, extension = match.group(1), View(match.group(2) or ""), match.group(3)
    media_type = _media_type(request, extension)
    lens = request.param("lens") or "none"
    if lens not in ("chip", "card", "none"):
        raise ApiError(400, "Unknown lens: " + lens)
    version = _version_number(request.param("version"))
    embellished = _flag(request, "embellished", default=version is None)
    framed = lens != "none" or _flag(request, "framed", default=media_type == "application/json")
    if _flag(request, "computedLabel", default=False) and embellished and not framed:
        raise ApiError(400, "Cannot compute labels when embellished but not framed")
    return Wanted(
        iri=iri,
        view=view,
        extension=extension or "",
        media_type=media_type,
        version=version,
        embellished=embellished,
        framed=framed,
        lens=lens,
    )


def _media_type(request: Request, extension: str | None) -> str:
    if extension is not None:
        if extension not in _EXTENSIONS:
            raise ApiError(404, f".{extension}")
        return _EXTENSIONS[extension]
    try:
        wanted = media_types(request.header("accept"))
    except MalformedAcceptError as error:
        raise ApiError(400, str(error)) from error
    return next((kind for kind in wanted if kind in _BY_TYPE), JSON_LD)


def _version_number(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,9}", text):
        # The query that looks a version up by checksum fails on the real server too.
        raise ApiError(500, "version by checksum")
    return int(text)


def _flag(request: Request, name: str, *, default: bool) -> bool:
    value = request.param(name)
    return default if value is None else value.strip().lower() == "true"


def _pick_version(entry: Entry, wanted: Wanted) -> Version:
    if wanted.version is None:
        return entry.newest
    try:
        return entry.versions[wanted.version]
    except IndexError as error:
        raise ApiError(404, "Document not found.") from error


def _redirect(catalogue: Catalogue, name: Name, wanted: Wanted, request: Request) -> Response:
    if wanted.view is View.RECORD:
        location = catalogue.main_iri(name) or ""
    else:
        owner = catalogue.entry(name.short_id)
        suffix = f".{wanted.extension}" if wanted.extension else ""
        record_iri = owner.record_iri if owner is not None else ""
        location = f"{record_iri}/{wanted.view.value}{suffix}"
    # The query goes to the very end, behind a thing's fragment.
    if request.query_string:
        location += "?" + request.query_string
    return Response(status=302, headers=(("Location", location), NO_CACHE))


def _change_sets(catalogue: Catalogue, entry: Entry, zone: ZoneInfo) -> Response:
    sets = {**change_sets(entry, zone), "@context": CONTEXT}
    etag = ("ETag", f'"{catalogue.etag(entry)}"')
    return json_response(200, sets, etag, _VARY, NO_CACHE, content_type=f"{JSON_LD};charset=utf-8")


def _represent(
    catalogue: Catalogue,
    entry: Entry,
    version: Version,
    wanted: Wanted,
    request: Request,
    started: int,
) -> Response:
    if wanted.media_type not in (JSON_LD, "application/json"):
        raise ApiError(501, "the sandbox serves JSON-LD and JSON only")
    extra: list[Document] = []
    etag = catalogue.etag(entry, version)
    document: Document | None = None
    if wanted.embellished:
        document = entry.document(version)
        extra = embellish(catalogue, entry, document)
        etag += ":" + checksum({"@graph": extra, "thing": documents.node(document, 1)})
    common = (("ETag", f'"{etag}"'), _VARY, NO_CACHE)
    if _unchanged(request.header("if-none-match"), etag, embellished=wanted.embellished):
        only_here = (("Content-Type", JSON), ("Server-Start-Time", str(started)))
        return Response(status=304, headers=(*common, *only_here))
    body = _body(entry, version, document, extra, wanted)
    return Response(status=200, headers=(*common, *_headers(entry, wanted)), body=body)


def _body(
    entry: Entry,
    version: Version,
    document: Document | None,
    extra: list[Document],
    wanted: Wanted,
) -> bytes:
    if document is None and not wanted.framed:
        return _with_context(version.body)
    document = document or entry.document(version)
    if wanted.framed:
        document = _framed(document, extra, wanted)
    else:
        document["@graph"] += extra
    body = json.dumps(document, ensure_ascii=False).encode()
    return body if wanted.media_type == "application/json" else _with_context(body)


def _framed(document: Document, extra: list[Document], wanted: Wanted) -> Document:
    if wanted.lens != "none":
        thing = lens(documents.node(document, 1), wanted.lens)
        return frame({"@graph": [documents.node(document, 0), thing]}, [])
    return frame_record(document, extra)


def _with_context(body: bytes) -> bytes:
    if b'"@context"' in body and "@context" in json.loads(body):
        return body
    return b'{"@context":"' + CONTEXT.encode() + b'",' + body[1:]


def _headers(entry: Entry, wanted: Wanted) -> tuple[tuple[str, str], ...]:
    extension = _BY_TYPE[wanted.media_type]
    lens = f"?lens={wanted.lens}" if wanted.lens != "none" else ""
    links = [f'<{_PROFILE}>; rel="profile"', f"<{entry.record_iri}>; rel=describedby"]
    if wanted.media_type == "application/json":
        links = [f'<{CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="{JSON_LD}"']
    return (
        ("Content-Type", f"{wanted.media_type};charset=utf-8"),
        ("Content-Location", f"{entry.record_iri}/data.{extension}{lens}"),
        ("Document", entry.record_iri),
        *(("Link", link) for link in links),
    )


def clean_etag(value: str) -> str:
    """Return an ETag as the server reads it: without quotes, W/ and -gzip."""
    value = value.strip().removeprefix("W/").strip('"')
    return value.replace("-gzip", "")


def _unchanged(header: str | None, etag: str, *, embellished: bool) -> bool:
    if not header:
        return False
    given = clean_etag(header)
    if embellished:
        return given == etag
    return given.partition(":")[0] == etag
