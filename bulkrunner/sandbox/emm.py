"""EMM: full dumps of a library's holdings, and the feed of changes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.entries import Catalogue, Entry
from bulkrunner.sandbox.wire import (
    JSON,
    NO_CACHE,
    Clock,
    PageError,
    Request,
    Response,
    Settings,
    json_response,
    server_time,
)

_PAGE = 100
_KEPT_FOR = timedelta(days=5)
_AS_CONTEXT = "https://www.w3.org/ns/activitystreams"
_CONTEXT = [_AS_CONTEXT, "https://emm-spec.org/1.0/context.json"]
_ACTIVITIES = "application/activity+json;charset=utf-8"
# Record of the JSON-LD context, which a dump begins with.
_CONTEXT_ID = "4tkrb9vl61pgqxrp"


@dataclass(frozen=True, kw_only=True)
class _Dump:
    started: datetime
    short_ids: tuple[str, ...]


class Emm:
    """Answers under ``/api/emm/``."""

    def __init__(
        self, catalogue: Catalogue, clock: Clock, settings: Settings, zone: ZoneInfo
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._settings = settings
        self._zone = zone
        self._dumps: dict[str, _Dump] = {}
        self._base = settings.base_uri + "api/emm/"

    def answer(self, request: Request) -> Response:
        match request.path.removeprefix("/api/emm/"):
            case "full":
                return self._full(request)
            case "":
                return self._feed(request)
        raise PageError(404)

    # Dumps

    def _full(self, request: Request) -> Response:
        selection = request.param("selection")
        if not selection:
            raise PageError(400, "selection is missing")
        download = request.param("download")
        if download is not None:
            return self._download(self._dump(selection), download)
        offset = request.param("offset")
        if offset is None:
            return self._entry_point(selection)
        if not re.fullmatch(r"\d{1,9}", offset):
            raise PageError(400, "offset is no number")
        return self._dump_page(selection, int(offset))

    def _dump(self, selection: str) -> _Dump:
        now = self._clock.now()
        dump = self._dumps.get(selection)
        if dump is None or now - dump.started > _KEPT_FOR:
            dump = _Dump(started=now, short_ids=tuple(self._select(selection)))
            self._dumps[selection] = dump
        return dump

    def _select(self, selection: str) -> list[str]:
        kind, _, value = selection.partition(":")
        live = (entry for entry in self._catalogue.entries() if not entry.deleted)
        match kind:
            case "all":
                return _as_stored(live)
            case "type":
                return _as_stored(entry for entry in live if _has_type(entry, value))
            case "itemAndInstance":
                library = documents.library_iri(value)
                return _as_stored(entry for entry in live if _held_by(entry, library))
        # The real server waits a minute before it gives up; the outcome is the same.
        raise PageError(500)

    def _address(self, selection: str, **extra: str) -> str:
        # As it is: the server writes no escapes in its own addresses.
        query = "&".join(f"{name}={value}" for name, value in extra.items())
        return f"{self._base}full?selection={selection}" + (f"&{query}" if query else "")

    def _entry_point(self, selection: str) -> Response:
        return json_response(
            200,
            {
                "@context": [_AS_CONTEXT],
                "type": "Collection",
                "id": self._address(selection),
                "url": self._address(selection, download=".ndjsonld.gz"),
                "first": {
                    "type": "CollectionPage",
                    "id": self._address(selection, offset="0"),
                },
            },
            NO_CACHE,
            content_type=_ACTIVITIES,
        )

    def _dump_page(self, selection: str, offset: int) -> Response:
        dump = self._dump(selection)
        age = self._clock.now() - dump.started
        done = age >= timedelta(milliseconds=self._settings.emm_generating_ms)
        # The list has no order; what is loaded for one page comes in the order of ids.
        items = list(self._items(sorted(dump.short_ids[offset : offset + _PAGE])))
        page: dict[str, Any] = {
            "@context": _AS_CONTEXT,
            "@id": self._address(selection, offset=str(offset)),
            "type": "CollectionPage",
            # Of a file, so finer than the times of records, and in UTC wherever the server is.
            "startTime": dump.started.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "_status": "done" if done else "generating",
            "partOf": {"type": "Collection", "id": self._address(selection)},
            "items": [*([self._context_document()] if offset == 0 else []), *items],
        }
        if done:
            page["totalItems"] = len(dump.short_ids)
        if offset + _PAGE < len(dump.short_ids):
            page["next"] = self._address(selection, offset=str(offset + _PAGE))
        return json_response(200, page, NO_CACHE, content_type=JSON)

    def _download(self, dump: _Dump, kind: str) -> Response:
        if kind not in (".ndjsonld.gz", ".ndjsonld"):
            raise PageError(400, "unknown download")
        lines = [self._context_document(), *self._items(dump.short_ids)]
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        if kind.endswith(".gz"):
            return Response(
                status=200,
                headers=(("Content-Type", "application/octet-stream"),),
                body=gzip.compress(body, 1, mtime=0),
            )
        return Response(status=200, headers=(("Content-Type", "application/x-ndjson"),), body=body)

    def _items(self, short_ids: Iterable[str]) -> Iterator[Document]:
        for short_id in short_ids:
            entry = self._catalogue.entry(short_id)
            if entry is None or entry.deleted:
                continue
            document = entry.document()
            if entry.collection == "hold" and not self._inline_instance(document):
                continue
            context = [None, self._settings.base_uri + _CONTEXT_ID]
            yield {"@context": context, "@id": entry.record_iri, **document}

    def _context_document(self) -> Document:
        context = {"@vocab": "https://id.kb.se/vocab/"}
        return {"@id": self._settings.base_uri + _CONTEXT_ID, "@context": context}

    def _inline_instance(self, document: Document) -> bool:
        """Put the whole instance in the place of the link; False where it cannot be found."""
        thing = documents.node(document, 1)
        item_of = documents.link(thing, "itemOf")
        bib = self._catalogue.owner(item_of) if item_of else None
        if bib is None:
            return False
        instance = bib.document()
        thing["itemOf"] = {
            **documents.node(instance, 1),
            "meta": documents.node(instance, 0),
        }
        return True

    # Changes

    def _feed(self, request: Request) -> Response:
        until = request.param("until")
        if until is None:
            now = int(self._clock.now().timestamp() * 1000) + 1
            return json_response(
                200,
                {
                    "@context": _CONTEXT,
                    "type": "OrderedCollection",
                    "id": self._base,
                    "url": self._base + "full?selection=all",
                    "first": {"type": "OrderedCollectionPage", "id": f"{self._base}?until={now}"},
                },
                NO_CACHE,
                content_type=_ACTIVITIES,
            )
        if not re.fullmatch(r"\d{1,15}", until):
            raise PageError(400, "until is no number")
        activities, oldest = self._activities(int(until))
        return json_response(
            200,
            {
                "@context": _CONTEXT,
                "type": "OrderedCollectionPage",
                "id": f"{self._base}?until={until}",
                "partOf": self._base,
                "next": f"{self._base}?until={oldest}",
                "orderedItems": activities,
            },
            NO_CACHE,
            content_type=_ACTIVITIES,
        )

    def _activities(self, until: int) -> tuple[list[Document], int]:
        found = [
            (int(version.modified.timestamp() * 1000), entry, version.number)
            for entry in self._catalogue.entries()
            for version in entry.versions
        ]
        newest = sorted(
            (item for item in found if item[0] < until), key=lambda item: item[0], reverse=True
        )[:_PAGE]
        oldest = newest[-1][0] if newest else until
        return [_activity(entry, number, self._zone) for _, entry, number in newest], oldest


def _activity(entry: Entry, number: int, zone: ZoneInfo) -> Document:
    version = entry.versions[number]
    document = entry.document(version)
    thing = documents.node(document, 1)
    subject: Document = {
        "id": thing.get("@id"),
        "type": f"kbv:{thing.get('@type')}",
        "updated": server_time(version.modified, zone),
    }
    held_by = documents.link(thing, "heldBy")
    if held_by is not None:
        subject["kbv:heldBy"] = {"@id": held_by}
    kind = "Delete" if version.deleted else "Create" if number == 0 else "Update"
    return {"type": kind, "published": server_time(version.modified, zone), "object": subject}


def _as_stored(entries: Iterable[Entry]) -> list[str]:
    """Return ids in the order of the table: a row that is written anew goes to its end."""
    rows = sorted(entries, key=lambda entry: (entry.newest.modified, entry.short_id))
    return [entry.short_id for entry in rows]


def _has_type(entry: Entry, kind: str) -> bool:
    return vocabulary.is_subclass_of(documents.thing_type(entry.document()), kind)


def _held_by(entry: Entry, library: str) -> bool:
    return entry.pair is not None and entry.pair[0] == library
