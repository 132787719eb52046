"""Searches, dumps and look-ups of one environment over HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from bulkrunner.adapters.libris.bodies import Misshapen, is_exact, plain, read_document, read_json
from bulkrunner.adapters.libris.http import Header, Reply
from bulkrunner.adapters.libris.responses import (
    ReadAnswers,
    is_api_error,
    no_answer,
    status_and_words,
)
from bulkrunner.domain.catalogue import Activity, DumpedRecord, DumpPage, FindPage, Held
from bulkrunner.domain.records import Document, held_by, record_part, thing_part
from bulkrunner.sentences import Sentence

T = TypeVar("T")

_HEADERS: tuple[Header, ...] = ((b"Accept", b"application/json"),)
_EMM = "/api/emm/"
_ITEM_KEYS = frozenset({"@id", "@context", "@graph"})
# Digits of an offset that are believed.
MOST_DIGITS = 12
_EMM_TYPES = frozenset({"application/activity+json", "application/json", "application/ld+json"})


class Searches(ABC):
    """Adds searches, dumps and look-ups to a catalogue that can be asked."""

    _answers: ReadAnswers

    @abstractmethod
    def _ask(
        self, path: str, headers: tuple[Header, ...], understand: Callable[[Reply], T], *, what: str
    ) -> T:
        """Ask until an answer can be understood."""

    def find(self, query: Sequence[tuple[str, str]], *, limit: int, offset: int = 0) -> FindPage:
        """Return one page of a search, in the order of ids; see ``CatalogueReader``."""
        pages = [("_sort", "@id"), ("_limit", str(limit)), ("_offset", str(offset))]
        path = "/find?" + urlencode([*query, *pages])
        asked = plain(" and ".join(f"{name}={value}" for name, value in query)[:287])
        what = Sentence("asking_search", query=asked)
        return self._ask(path, _HEADERS, _find_page, what=what)

    def dump_page(self, sigel: str, *, offset: int) -> DumpPage:
        """Return one page of a library's dump; see ``CatalogueReader``."""
        query = urlencode({"selection": f"itemAndInstance:{sigel}", "offset": str(offset)})
        return self._ask(
            f"{_EMM}full?{query}",
            _HEADERS,
            _dump_page,
            what=Sentence("asking_dump", sigel=plain(sigel)),
        )

    def feed_page(self, *, until: int) -> tuple[Activity, ...]:
        """Return the newest changes before a time in milliseconds; see ``CatalogueReader``."""
        return self._ask(
            f"{_EMM}?until={until}", _HEADERS, _feed_page, what=Sentence("asking_feed")
        )

    def holdings_on(self, bib_iri: str) -> tuple[Held, ...]:
        """Return every library's live holdings on a bib; see ``CatalogueReader``."""
        query = urlencode(
            {"id": bib_iri, "relation": "itemOf", "reverse": "true", "return": "bare_record"}
        )
        documents = self._ask(
            f"/_dependencies?{query}", _HEADERS, self._answers.documents, what=bib_iri
        )
        return tuple(
            Held(
                record=self._answers.own_id(document),
                sigel=held_by(document),
                document=document if is_exact(document) else None,
            )
            for document in documents
        )


def _find_page(reply: Reply) -> FindPage:
    if reply.status == 400 and is_api_error(reply):
        words = status_and_words(reply)
        raise Misshapen(Sentence("query_refused", words=words))
    data = _object(reply)
    items, total = data.get("items"), data.get("totalItems")
    if not isinstance(items, list) or not isinstance(total, int):
        raise no_answer(reply)
    iris = tuple(_iri_of(item, "@id") for item in items)
    links = tuple(_link_of(item.get("itemOf")) for item in items)
    window = _window(data.get("maxItems"), total)
    return FindPage(total=total, window=window, iris=iris, links=links)


def _link_of(value: Any) -> str | None:
    iri = value.get("@id") if isinstance(value, dict) else None
    return iri if isinstance(iri, str) else None


def _window(value: Any, total: int) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) else total


def _dump_page(reply: Reply) -> DumpPage:
    data = _object(reply, records=True)
    items, started, total = data.get("items"), data.get("startTime"), data.get("totalItems")
    if not isinstance(items, list) or not isinstance(started, str):
        raise no_answer(reply)
    try:
        is_zoned = datetime.fromisoformat(started).tzinfo is not None
    except ValueError:
        is_zoned = False
    if not is_zoned:
        raise Misshapen(Sentence("dump_page_timeless", started=plain(started[:40])))
    done = data.get("_status") == "done"
    # The first page begins with the context, which is no record.
    records = [item for item in items if isinstance(item, dict) and "@graph" in item]
    return DumpPage(
        started=started,
        done=done,
        total=total if done and isinstance(total, int) else None,
        records=tuple(map(_dumped, records)),
        more=isinstance(data.get("next"), str),
        offset=_offset_of(data.get("@id")),
    )


def _offset_of(address: Any) -> int | None:
    query = parse_qs(urlsplit(address).query) if isinstance(address, str) else {}
    told = query.get("offset", [""])[0]
    return int(told) if told.isdecimal() and len(told) <= MOST_DIGITS else None


def _dumped(item: dict[str, Any]) -> DumpedRecord:
    """Return a holding with its link to the bib put back; without content where that is uncertain."""
    iri = _iri_of(item, "@id")
    try:
        document, bib = _parted(item)
    except Misshapen:
        return DumpedRecord(iri=iri)
    if record_part(document).get("@id") != iri:
        return DumpedRecord(iri=iri)
    return DumpedRecord(iri=iri, document=document, bib=bib)


def _parted(item: dict[str, Any]) -> tuple[Document, Document]:
    graph = item["@graph"]
    if not isinstance(graph, list) or len(graph) != 2 or item.keys() - _ITEM_KEYS:
        raise Misshapen(Sentence("answer_no_graph"))
    record, thing = graph
    inlined = thing.get("itemOf") if isinstance(thing, dict) else None
    if not isinstance(inlined, dict):
        raise Misshapen(Sentence("answer_no_record"))
    meta = inlined.get("meta")
    if not isinstance(meta, dict) or meta.get("recordStatus") == "marc:Deleted":
        raise Misshapen(Sentence("answer_no_record"))
    inner = {key: value for key, value in inlined.items() if key != "meta"}
    bib = read_document({"@graph": [meta, inner]})
    # Whatever led to the bib, the server shows the bib's thing in its place.
    link = {"@id": thing_part(bib)["@id"]}
    document = read_document({"@graph": [record, {**thing, "itemOf": link}]})
    if not is_exact(document):
        raise Misshapen(Sentence("answer_no_record"))
    return document, bib


def _feed_page(reply: Reply) -> tuple[Activity, ...]:
    activities = _object(reply).get("orderedItems")
    if not isinstance(activities, list):
        raise no_answer(reply)
    return tuple(_activity(item) for item in activities)


def _activity(item: Any) -> Activity:
    thing = item.get("object") if isinstance(item, dict) else None
    if not isinstance(thing, dict):
        raise Misshapen(Sentence("feed_entry_bare"))
    held = thing.get("kbv:heldBy")
    library = held.get("@id") if isinstance(held, dict) else None
    try:
        published = datetime.fromisoformat(str(item.get("published")))
    except ValueError:
        raise Misshapen(Sentence("feed_entry_timeless")) from None
    if published.tzinfo is None:
        raise Misshapen(Sentence("feed_entry_zoneless"))
    return Activity(
        kind=str(item.get("type")),
        iri=_iri_of(thing, "id"),
        library=library if isinstance(library, str) else None,
        published=published,
    )


def _iri_of(item: Any, key: str) -> str:
    iri = item.get(key) if isinstance(item, dict) else None
    if not isinstance(iri, str):
        raise Misshapen(Sentence("answer_item_without_id"))
    return iri


def _object(reply: Reply, *, records: bool = False) -> dict[str, Any]:
    if reply.status != 200:
        raise no_answer(reply)
    media_type = "application/json" if reply.media_type in _EMM_TYPES else reply.media_type
    data = read_json(media_type, reply.body, records=records)
    if not isinstance(data, dict):
        raise no_answer(reply)
    return data
