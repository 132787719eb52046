"""POST, PUT and DELETE of one record, check by check in the server's order."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from bulkrunner import vocabulary
from bulkrunner.sandbox import accounts, documents
from bulkrunner.sandbox.accounts import Writer
from bulkrunner.sandbox.documents import Document, IdGenerator, checksum
from bulkrunner.sandbox.entries import Catalogue, Entry, Name, UnstorableError, names_in
from bulkrunner.sandbox.index import NamesIndex
from bulkrunner.sandbox.normalise import normalise
from bulkrunner.sandbox.reading import clean_etag, find_for_write
from bulkrunner.sandbox.wire import NO_CACHE, ApiError, Clock, Request, Response, Settings

_SKIPPED = frozenset({"_marcUncompleted", "_marcFailedFixedFields", "_categoryByCollection"})

_BAD_IRI = re.compile(r"[\s<>\"{}|\\^`\x00-\x20]|%(?![0-9A-Fa-f]{2})")

_DESCRIPTIONS = {
    "NESTED_GRAPH": "Nested graph object found",
    "INVALID_IRI": "Invalid IRI",
    "UNEXPECTED": "Unexpected value of key",
    "OBJECT_TYPE_EXPECTED": "Expected value type of key to be object",
    "VOCAB_STRING_EXPECTED": "Expected value type to be a vocab string",
    "MISSING_DEFINITION": "Unknown term. Missing definition",
    "UNKNOWN_VOCAB_VALUE": "Unknown vocab value",
}

_DESCRIBED = frozenset({"bib", "auth", "hold"})

_TERM_VALUES = frozenset({"auth", "hold"})

Path = tuple[str | int, ...]


@dataclass
class _Walk:
    collection: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    last_path: Path = ()

    def fault(self, kind: str, path: Path, key: str, value: Any) -> None:
        self.errors.append(
            {
                "type": kind,
                "description": _DESCRIPTIONS[kind],
                "path": list(path),
                "key": key,
                "value": value,
            }
        )


def validate(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors of the whole document, empty where it may be written."""
    walk = _Walk(collection=documents.collection(document))
    for key, value in document.items():
        if key == "@graph":
            _check(walk, value, ("@graph",))
        elif key != "@context":
            _member(walk, key, value, (key,))
    return walk.errors


def _check(walk: _Walk, value: Any, path: Path) -> None:
    if isinstance(value, list):
        for place, item in enumerate(value):
            _check(walk, item, (*path, place))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _member(walk, key, inner, (*path, key))


def _member(walk: _Walk, key: str, value: Any, path: Path) -> None:
    if key in _SKIPPED or vocabulary.is_skipped(key):
        return
    match key:
        case "@graph":
            walk.fault("NESTED_GRAPH", path, key, value)
            return
        case "@id":
            _check_id(walk, value, path)
        case "@type":
            _check_type(walk, value, path)
        case _ if not key.startswith("@"):
            _check_property(walk, key, value, path)
            if key.endswith("ByLang"):
                return
    _check(walk, value, path)


def _check_id(walk: _Walk, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        walk.fault("UNEXPECTED", walk.last_path, "@id", value)
        return
    walk.last_path = path
    if _BAD_IRI.search(value):
        walk.fault("INVALID_IRI", path, "@id", value)


def _check_type(walk: _Walk, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        walk.fault("UNEXPECTED", walk.last_path, "@type", value)
        return
    walk.last_path = path
    if walk.collection in _TERM_VALUES and not vocabulary.is_term(value):
        walk.fault("UNKNOWN_VOCAB_VALUE", path, "@type", value)


def _check_property(walk: _Walk, key: str, value: Any, path: Path) -> None:
    walk.last_path = path
    if key.endswith("ByLang"):
        _check_by_lang(walk, key, value, path)
    if walk.collection not in _DESCRIBED:
        return
    if not vocabulary.is_term(key):
        walk.fault("MISSING_DEFINITION", path, key, "")
        return
    first = value[0] if isinstance(value, list) and value else value
    if vocabulary.is_vocab_typed(key):
        _check_vocab_value(walk, key, first, path)
    elif vocabulary.is_object_property(key) and isinstance(first, str | int | float | bool):
        walk.fault("OBJECT_TYPE_EXPECTED", path, key, value)


def _check_by_lang(walk: _Walk, key: str, value: Any, path: Path) -> None:
    if not isinstance(value, dict):
        walk.fault("OBJECT_TYPE_EXPECTED", path, key, value)
        return
    for language, entry in value.items():
        entries = entry if isinstance(entry, list) else [entry]
        if not all(isinstance(item, str) for item in entries):
            walk.fault("UNEXPECTED", (*path, language), language, entry)


def _check_vocab_value(walk: _Walk, key: str, value: Any, path: Path) -> None:
    if isinstance(value, dict):
        walk.fault("VOCAB_STRING_EXPECTED", path, key, value)
    known = isinstance(value, str) and vocabulary.is_term(value)
    if walk.collection in _TERM_VALUES and isinstance(value, dict | str) and not known:
        walk.fault("UNKNOWN_VOCAB_VALUE", path, key, value)


_JSON_LD = "application/ld+json"

_NOT_FOUND = "Document not found."

_WHOLE_NUMBER_LIMIT = 4000


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What the three write methods need."""

    catalogue: Catalogue
    settings: Settings
    clock: Clock
    ids: IdGenerator
    labelled: NamesIndex

    def post(self, request: Request, writer: Writer) -> Response:
        """Create a record."""
        if request.path not in ("/", "/data"):
            raise ApiError(405, _NO_METHOD)
        body = _read_body(request)
        _check_flat(body)
        short_id = self.ids.next(self.clock.now())
        document = self._give_id(body, short_id)
        _refuse_invalid(document)
        accounts.may_create(writer, document)
        document = self._normalise(document)
        self._refuse_taken_names(document)
        if documents.collection(document) == "hold":
            self._check_new_holding(document)
        document = _signed(document, writer, created=True)
        try:
            entry = self._store(short_id, document, writer)
        except UnstorableError as error:
            raise ApiError(404, _NOT_FOUND) from error
        location = self.settings.base_uri + short_id
        return Response(status=201, headers=self._stored(entry, location))

    def put(self, request: Request, writer: Writer) -> Response:
        """Replace a record."""
        _refuse_root(request)
        body = _read_body(request)
        framed = "@graph" not in body and isinstance(body.get("@id"), str)
        sent_iri = documents.text(documents.node(body, 0), "@id")
        if sent_iri is None and not framed:
            raise ApiError(400, "Missing @id in request.")
        entry = self._target(request)
        if isinstance(entry, Response):
            return entry
        old = entry.document()
        if framed:
            # A framed body shows no thing at its place: not a holding, or nothing at all.
            raise ApiError(403 if documents.is_holding(old) else 500, _NOT_ALLOWED)
        if sent_iri != documents.text(documents.node(old, 0), "@id"):
            raise ApiError(400, "Record ID was modified")
        _refuse_invalid(body)
        accounts.may_update(writer, old, body)
        if documents.collection(old) != documents.collection(body):
            raise ApiError(
                400,
                "Cannot change legacy collection for document. "
                "Legacy collection is mapped from entity @type.",
            )
        self._check_etag(request, entry)
        return self._update(entry, old, body, writer)

    def delete(self, request: Request, writer: Writer) -> Response:
        """Delete a record, whatever If-Match says."""
        _refuse_root(request)
        entry = self._target(request)
        if isinstance(entry, Response):
            return entry
        document = entry.document()
        accounts.may_delete(writer, document)
        if entry.deleted:
            raise ApiError(410, "Document has been deleted.")
        linking = self.catalogue.blocking(entry.short_id)
        if linking:
            others = f" and {len(linking) - 1} other records" if len(linking) > 1 else ""
            raise ApiError(403, f"Record is referenced by {linking[0]}{others}.")
        pair = documents.holding_pair(document)
        if pair is not None and self.catalogue.resolve(pair[1]) is None:
            return Response(status=204)
        self._store(entry.short_id, _signed(document, writer), writer, deleted=True)
        return Response(status=204)

    # Past the checks

    def write_as(
        self, writer: Writer, short_id: str, document: Document, *, deleted: bool = False
    ) -> Entry:
        """Store a version without any check."""
        document = self._normalise(document)
        return self._store(short_id, _signed(document, writer), writer, deleted=deleted)

    def create_as(self, writer: Writer, body: Document) -> Entry:
        """Create a record without any check."""
        short_id = self.ids.next(self.clock.now())
        document = self._normalise(self._give_id(body, short_id))
        return self._store(short_id, _signed(document, writer, created=True), writer)

    # Steps of an update

    def _target(self, request: Request) -> Entry | Response:
        found = find_for_write(self.catalogue, request.path)
        if found is None:
            raise ApiError(404, _NOT_FOUND)
        if isinstance(found, Name):
            location = self.catalogue.main_iri(found) or ""
            return Response(status=302, headers=(("Location", location), NO_CACHE))
        return found

    def _check_etag(self, request: Request, entry: Entry) -> None:
        header = request.header("if-match")
        if header is None:
            raise ApiError(400, "Missing If-Match header in update")
        if clean_etag(header).partition(":")[0] != self.catalogue.etag(entry):
            raise ApiError(412, "The resource has been updated by someone else. Please refetch.")

    def _update(self, entry: Entry, old: Document, body: Document, writer: Writer) -> Response:
        document = self._normalise(body)
        location = ("Location", entry.record_iri)
        deleting = documents.says_deleted(body)
        if documents.collection(document) == "hold":
            if not self._resolves(document, library_needed=not deleting):
                # The server drops the write and answers with the ETag of what it did not store.
                return Response(
                    status=204, headers=(location, ("ETag", f'"{checksum(document)}"'), NO_CACHE)
                )
            self._refuse_taken_pair(entry, old, document)
        if not self._keeps_names(entry, old, document):
            raise ApiError(500, "identifiers or control number changed")
        try:
            stored = self._store(
                entry.short_id, _signed(document, writer), writer, deleted=deleting
            )
        except UnstorableError as error:
            raise ApiError(500, str(error)) from error
        return Response(status=204, headers=self._stored(stored))

    def _resolves(self, document: Document, *, library_needed: bool) -> bool:
        thing = documents.node(document, 1)
        held_by, item_of = documents.link(thing, "heldBy"), documents.link(thing, "itemOf")
        if item_of is None or self.catalogue.resolve(item_of) is None:
            return False
        if not library_needed:
            return True
        return held_by is not None and self.catalogue.resolve(held_by) is not None

    def _refuse_taken_pair(self, entry: Entry, old: Document, new: Document) -> None:
        pair = documents.holding_pair(new)
        if pair is None or pair == documents.holding_pair(old):
            return
        others = [other for other in self.catalogue.holdings_with(pair) if other != entry.short_id]
        if others:
            raise ApiError(409, _taken(others[0], pair))

    def _keeps_names(self, entry: Entry, old: Document, new: Document) -> bool:
        before, after = dict(names_in(old)), dict(names_in(new))
        if not before.keys() <= after.keys():
            return False
        for iri in after:
            name = self.catalogue.name(iri)
            if name is not None and name.short_id != entry.short_id:
                return False
        number = documents.node(old, 0).get("controlNumber")
        return bool(documents.node(new, 0).get("controlNumber") == number)

    # Steps of a create

    def _give_id(self, body: Document, short_id: str) -> Document:
        """Put the new id in the place of the temporary one."""
        record = documents.node(body, 0)
        candidates = [documents.text(record, "@id") or "", *documents.aliases(record)]
        base = self.settings.base_uri
        old = next((iri for iri in candidates if iri.startswith(base)), candidates[0])
        document: Document = documents.replace_prefix(body, old, base + short_id)
        documents.node(document, 0)["controlNumber"] = short_id
        return document

    def _refuse_taken_names(self, document: Document) -> None:
        for iri, _ in names_in(document):
            name = self.catalogue.name(iri)
            if name is not None:
                raise ApiError(
                    409,
                    f"INSERT of document with id {documents.node(document, 0)['controlNumber']} "
                    "failed. Extra info: Document considered a duplicate of : "
                    f"[[{name.short_id}, on URI: {iri}]]",
                )

    def _check_new_holding(self, document: Document) -> None:
        if not self._resolves(document, library_needed=True):
            raise ApiError(404, _NOT_FOUND)
        pair = documents.holding_pair(document)
        if pair is not None and (there := self.catalogue.holdings_with(pair)):
            if self.settings.duplicate_status == 409:
                raise ApiError(409, _taken(there[0], pair))
            raise ApiError(404, _NOT_FOUND)

    # Shared steps

    def _normalise(self, document: Document) -> Document:
        return normalise(document, resolve=self.catalogue.resolve, find_by_name=self.labelled.find)

    def _store(
        self, short_id: str, document: Document, writer: Writer, *, deleted: bool = False
    ) -> Entry:
        return self.catalogue.put(
            short_id,
            document,
            now=self.clock.now(),
            deleted=deleted,
            sigel=writer.active_sigel,
            client=writer.client.client_id,
        )

    def _stored(self, entry: Entry, location: str = "") -> tuple[tuple[str, str], ...]:
        return (
            ("Location", location or entry.record_iri),
            ("ETag", f'"{self.catalogue.etag(entry)}"'),
            NO_CACHE,
        )


_NO_METHOD = "Method not allowed."

_NOT_ALLOWED = "You are not authorized to perform this operation"


def _refuse_root(request: Request) -> None:
    if request.path in ("/", ""):
        raise ApiError(405, _NO_METHOD)


def _taken(short_id: str, pair: tuple[str, str]) -> str:
    return f"Already exists a holding record ({short_id}) for {pair[0]} and bib: {pair[1]}"


def _refuse_invalid(document: Document) -> None:
    errors = validate(document)
    if errors:
        raise ApiError(400, "Invalid JSON-LD", errors=errors)


def _read_body(request: Request) -> Document:
    content_type = request.header("content-type")
    if content_type is None:
        raise ApiError(500, "no content type")
    if content_type.partition(";")[0].strip().lower() != _JSON_LD:
        raise ApiError(400, "Content-Type not supported.")
    try:
        body = json.loads(request.body, parse_constant=_refuse_constant, parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"Failed to read request body: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "Failed to read request body: not an object")
    if not body:
        raise ApiError(400, "No data received.")
    return body


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > _WHOLE_NUMBER_LIMIT:
        raise ValueError("number too long")
    return int(digits)


_IDS_DIFFER = "The Record's temporary mainEntity.@id is not same as the Thing's temporary @id"

_SAME_ID = "The Record's temporary @id can't be the same as the Thing's temporary mainEntity.@id"


def _check_flat(body: Document) -> None:
    if not isinstance(body.get("@graph"), list):
        raise ApiError(400, "Body is not flat JSON-LD.")
    record_iri = documents.text(documents.node(body, 0), "@id")
    main = documents.link(documents.node(body, 0), "mainEntity")
    thing_iri = documents.text(documents.node(body, 1), "@id")
    if not record_iri:
        raise ApiError(400, "Document is missing temporary @id in Record")
    if not main:
        raise ApiError(400, "Document is missing temporary mainEntity.@id in Record")
    if not thing_iri:
        raise ApiError(400, "Document is missing temporary @id in Thing")
    if main != thing_iri:
        raise ApiError(400, _IDS_DIFFER)
    if record_iri == thing_iri:
        raise ApiError(400, _SAME_ID)


def _signed(document: Document, writer: Writer, *, created: bool = False) -> Document:
    """Put the active sigel on the record as its modifier, and as creator of a new one."""
    agent = {"@id": documents.library_iri(writer.active_sigel or "")}
    record = {**documents.node(document, 0), "descriptionLastModifier": agent}
    if created:
        record["descriptionCreator"] = agent
    graph: list[Any] = [record, *document["@graph"][1:]]
    return {**document, "@graph": graph}
