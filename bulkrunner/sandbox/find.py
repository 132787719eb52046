"""``/find`` with its limits and window; ``_findhold`` and ``_dependencies``, which never lag."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from bulkrunner.sandbox import documents, index, reading
from bulkrunner.sandbox.entries import Catalogue, Entry
from bulkrunner.sandbox.index import NUMBER_FIELDS, SearchIndex, union
from bulkrunner.sandbox.wire import (
    NO_CACHE,
    ApiError,
    PageError,
    Request,
    Response,
    Settings,
    json_response,
)

_DEFAULT_LIMIT, _MOST = 200, 4000

_NEW_DEFAULT_LIMIT, _NEW_MOST = 20, 210

_EXACT_SETS = frozenset({"@type", "@id", "heldBy.@id", "itemOf.@id", "meta.@id"})

_PREFIX = re.compile(r"(not|or|and|exists|minEx|maxEx|min|max|matches)-(.+)")

_SHOWN_META = frozenset({"@id", "@type", "created", "modified", "recordStatus", "controlNumber"})

_SYSTEM_FIELDS = re.compile(r"_.*")

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d[\d.]*(Z|[+-]\d\d:\d\d)?)?)?)?")

_Test = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class _Page:
    limit: int
    offset: int
    sort: str | None


class Finder:
    """Answers searches from the index."""

    def __init__(self, catalogue: Catalogue, index: SearchIndex, settings: Settings) -> None:
        self._catalogue = catalogue
        self._index = index
        self._settings = settings
        self._kept: dict[tuple[Any, ...], list[str]] = {}
        self._kept_generation = -1

    def find(self, request: Request) -> Response:
        """Answer ``/find``."""
        self._index.catch_up()
        page = _read_page(request)
        if page.offset + page.limit > self._settings.max_items:
            raise ApiError(400, "Result window is too large")
        hits = self._hits(request, page.sort)
        shown = hits[page.offset : page.offset + page.limit] if page.limit else []
        return json_response(
            200, self._view(request, page, hits, shown), content_type="application/json"
        )

    def _view(
        self, request: Request, page: _Page, hits: list[str], shown: list[str]
    ) -> dict[str, Any]:
        window = min(len(hits), self._settings.max_items)
        view: dict[str, Any] = {
            "@type": "PartialCollectionView",
            "@id": _address(request, page.offset, page.limit),
            "itemOffset": page.offset,
            "itemsPerPage": page.limit,
            "totalItems": len(hits),
            "maxItems": str(self._settings.max_items),
            "search": {"mapping": [{"variable": key, "value": v} for key, v in request.query]},
            "first": {"@id": _address(request, 0, page.limit)},
            "items": [self._item(short_id) for short_id in shown],
        }
        if page.limit:
            last = max(0, (window - 1) // page.limit * page.limit)
            view["last"] = {"@id": _address(request, last, page.limit)}
            if page.offset + page.limit < window:
                following = page.offset + page.limit
                view["next"] = {"@id": _address(request, following, page.limit)}
            if page.offset > 0:
                before = max(0, page.offset - page.limit)
                view["previous"] = {"@id": _address(request, before, page.limit)}
        if hits:
            view["stats"] = {"@id": "#stats", "sliceByDimension": {}}
        return view

    def _item(self, short_id: str) -> dict[str, Any]:
        document = self._index.document(short_id)
        record, thing = documents.node(document, 0), documents.node(document, 1)
        shown = {key: value for key, value in thing.items() if not _SYSTEM_FIELDS.fullmatch(key)}
        meta = {key: value for key, value in record.items() if key in _SHOWN_META}
        return {**shown, "meta": meta}

    # Matching

    def _hits(self, request: Request, sort: str | None) -> list[str]:
        if self._kept_generation != self._index.generation:
            self._kept, self._kept_generation = {}, self._index.generation
        key = (tuple(p for p in request.query if p[0] not in ("_limit", "_offset")), sort)
        if key not in self._kept:
            if len(self._kept) > 64:
                self._kept.clear()
            self._kept[key] = self._ordered(self._matching(request), sort)
        return self._kept[key]

    def _matching(self, request: Request) -> set[str]:
        sets: list[set[str]] = []
        tests: list[_Test] = []
        for name, values in _conditions(request).items():
            if name in _EXACT_SETS:
                sets.append(union([self._index.with_term(name, one) for one in values]))
            else:
                if name in NUMBER_FIELDS and (near := self._near(name, values)) is not None:
                    sets.append(near)
                tests.append(self._test(name, values))
        found = set.intersection(*sorted(sets, key=len)) if sets else self._index.short_ids()
        either = _conditions(request, of="or")
        if either:
            branches = [self._test(name, values) for name, values in either.items()]
            tests.append(lambda short_id: any(branch(short_id) for branch in branches))
        return {short_id for short_id in found if all(test(short_id) for test in tests)}

    def _near(self, name: str, values: list[str]) -> set[str] | None:
        """Return the records that can have one of the phrases; None where they are no phrases."""
        found: set[str] = set()
        for value in values:
            words = index.phrase(value)
            if not words:
                return None
            found |= set.intersection(*(self._index.with_term(name, word) for word in words))
        return found

    def _test(self, name: str, values: list[str]) -> _Test:
        match = _PREFIX.fullmatch(name)
        kind, field = match.groups() if match else ("", name)
        path = field.split(".")

        def at(short_id: str) -> list[Any]:
            if field == "q":
                return list(_strings(documents.node(self._index.document(short_id), 1)))
            return self._index.values(short_id, path)

        match kind:
            case "exists":
                wanted = values[-1].lower() != "false"
                return lambda short_id: bool(at(short_id)) == wanted
            case "not":
                return lambda short_id: not _any_equal(field, at(short_id), values)
            case "and":
                return lambda short_id: all(_any_equal(field, at(short_id), [v]) for v in values)
            case "min" | "max" | "minEx" | "maxEx":
                return lambda short_id: any(
                    _in_range(kind, found, values[-1]) for found in at(short_id)
                )
            case "matches":
                return lambda short_id: any(
                    str(found).startswith(values[-1]) for found in at(short_id)
                )
        return lambda short_id: _any_equal(field, at(short_id), values)

    def _ordered(self, found: set[str], sort: str | None) -> list[str]:
        if sort in (None, ""):
            # Relevance is no total order: it changes as the index does.
            return sorted(found, key=self._relevance)
        backwards = str(sort).startswith("-")
        path = str(sort).removeprefix("-").split(".")
        if path == ["_es_id"]:
            return sorted(found, reverse=backwards)

        def key(short_id: str) -> tuple[bool, str]:
            values = self._index.values(short_id, path)
            return (not values, str(values[0]) if values else "")

        return sorted(sorted(found), key=key, reverse=backwards)

    def _relevance(self, short_id: str) -> bytes:
        text = f"{self._index.generation}:{short_id}"
        return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _read_page(request: Request) -> _Page:
    newer = any(request.param(name) is not None for name in ("_q", "_r", "_o"))
    default, most = (_NEW_DEFAULT_LIMIT, _NEW_MOST) if newer else (_DEFAULT_LIMIT, _MOST)
    limit = _whole(request, "_limit", default)
    offset = _whole(request, "_offset", 0)
    if limit > most:
        limit = default
    return _Page(limit=limit, offset=offset, sort=request.param("_sort"))


def _whole(request: Request, name: str, default: int) -> int:
    text = request.param(name)
    if text is None or text == "":
        return default
    if not re.fullmatch(r"-?\d{1,9}", text):
        return default
    value = int(text)
    if value < 0:
        raise ApiError(400, f"Expected {name} to be a positive number.")
    return value


def _conditions(request: Request, *, of: str = "") -> dict[str, list[str]]:
    """Gather values by field: the ``or-`` group, or everything else."""
    found: dict[str, list[str]] = {}
    for name, value in request.query:
        if name.startswith("_") and name != "_q":
            continue
        name = "q" if name == "_q" else name  # noqa: PLW2901 (one word for both languages)
        in_or = name.startswith("or-")
        if in_or == (of == "or"):
            found.setdefault(name.removeprefix("or-"), []).append(value)
    return found


def _any_equal(field: str, found: list[Any], wanted: list[str]) -> bool:
    last = field.rsplit(".", 1)[-1]
    texts = [_as_text(value) for value in found]
    if last in ("@id", "@type"):
        return any(text in wanted for text in texts)
    return any(index.matches(query, texts) for query in wanted)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return str(value.get("@id", ""))
    return str(value)


def _in_range(kind: str, found: Any, limit: str) -> bool:
    left: Any
    right: Any
    try:
        left, right = float(found), float(limit)
    except (TypeError, ValueError):
        # A date that is cut short counts from its beginning; up to a date, and behind one, its end.
        left = _instant(str(found), end=False)
        right = _instant(limit, end=kind in ("max", "minEx"))
        if left is None or right is None:
            left, right = str(found), limit
    match kind:
        case "min":
            return bool(left >= right)
        case "minEx":
            return bool(left > right)
        case "max":
            return bool(left <= right)
    return bool(left < right)


def _instant(text: str, *, end: bool) -> datetime | None:
    """Return the first or the last moment of a date, which is in UTC where it has no zone."""
    if not _DATE.fullmatch(text):
        return None
    missing = "0001-01-01T00:00:00"[len(text) :]
    try:
        moment = datetime.fromisoformat(text + missing)
        if end and len(text) < len("2026-01-01"):
            months = 12 if len(text) == len("2026") else 1
            year, month = divmod(moment.month - 1 + months, 12)
            after = moment.replace(year=moment.year + year, month=month + 1)
        else:
            after = moment + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    if end and missing:
        moment = after - timedelta(microseconds=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not key.startswith("@"):
                yield from _strings(inner)


def _address(request: Request, offset: int, limit: int) -> str:
    kept = [(key, value) for key, value in request.query if key not in ("_offset", "_limit")]
    kept.append(("_limit", str(limit)))
    if offset:
        kept.append(("_offset", str(offset)))
    return "/find?" + urlencode(kept)


# A record at one end of a link, with the relation.
_Link = tuple[str, str]

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
        pairs = {(target, name) for name, target in entry.links}
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
    extra = reading.embellish(catalogue, entry, document)
    document["@graph"] += extra
    return document
