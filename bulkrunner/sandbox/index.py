"""The search index, a view of the records that lags behind: text matching, and names."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.entries import Catalogue
from bulkrunner.sandbox.store import Version
from bulkrunner.sandbox.wire import Clock

_WORD = re.compile(r"\w+")

_PART = re.compile(r'-?"[^"]*"|\S+')


def words(text: str) -> list[str]:
    """Return the words of a text as the analyser cuts and folds them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(folded)


def phrase(query: str) -> list[str]:
    """Return the words of a query that is one phrase in quotes, nothing where it is not."""
    quoted = len(query) > 2 and query[0] == query[-1] == '"' and '"' not in query[1:-1]
    return words(query) if quoted and "|" not in query else []


def matches(query: str, texts: Iterable[str]) -> bool:
    """Return True if a query string matches a field's values: ``|`` is or, all words otherwise."""
    fields = [words(text) for text in texts]
    return any(_all_parts(branch, fields) for branch in query.split("|"))


def _all_parts(query: str, fields: list[list[str]]) -> bool:
    parts = _PART.findall(query.replace("(", " ").replace(")", " ").replace("+", " "))
    return bool(parts) and all(_part(part, fields) for part in parts)


def _part(part: str, fields: list[list[str]]) -> bool:
    if part.startswith("-") and len(part) > 1:
        return not _part(part[1:], fields)
    if part.endswith("*"):
        stem = words(part)
        return not stem or any(word.startswith(stem[-1]) for field in fields for word in field)
    wanted = words(part)
    if not wanted:
        return True
    if part.startswith('"'):
        return any(_has_phrase(field, wanted) for field in fields)
    return all(any(word in field for field in fields) for word in wanted)


def _has_phrase(field: list[str], wanted: list[str]) -> bool:
    size = len(wanted)
    return any(field[at : at + size] == wanted for at in range(len(field) - size + 1))


_LINK_FIELDS = ("heldBy", "itemOf")

# Fields that are looked up by word, with the place in the graph where they stand.
NUMBER_FIELDS = {"identifiedBy.value": 1, "meta.identifiedBy.value": 0}

# Keys of an item that the index holds, besides its components; the record is held whole.
_SEARCH_CARD = frozenset(
    {
        *("@id", "@type", "sameAs", "heldBy", "itemOf", "physicalLocation", "shelfControlNumber"),
        *("language", "genreForm", "classification", "subject", "summary"),
        *("immediateAcquisition", "availability", "cataloguersNote"),
    }
)

_MANUAL = -1

_MOST_HOPS = 4


class SearchIndex:
    """What ``/find`` sees: every record as it was when it was last indexed."""

    def __init__(self, catalogue: Catalogue, *, clock: Clock, lag_ms: int) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._lag_ms = lag_ms
        self._pending: deque[tuple[datetime | None, str]] = deque()
        self._shown: dict[str, Version] = {}
        self._terms: dict[tuple[str, str], set[str]] = {}
        self._unfilled: set[str] = set()
        self._own_terms: dict[str, list[tuple[str, str]]] = {}
        self.generation = 0
        self.show_everything()

    def changed(self, short_id: str) -> None:
        """Note that a record was written; it shows when the lag is over."""
        due = None
        if self._lag_ms != _MANUAL:
            due = self._clock.now() + timedelta(milliseconds=self._lag_ms)
        self._pending.append((due, short_id))

    def show_everything(self) -> None:
        """Show all records as they are now, in an index that has shown none yet."""
        self._shown = {
            entry.short_id: entry.newest for entry in self._catalogue.entries() if not entry.deleted
        }
        self._unfilled = set(self._shown)

    def refresh(self) -> None:
        """Show every write now."""
        while self._pending:
            self._show(self._pending.popleft()[1])

    def catch_up(self) -> None:
        """Show the writes whose lag is over."""
        now = self._clock.now()
        while self._pending and (due := self._pending[0][0]) is not None and due <= now:
            self._show(self._pending.popleft()[1])

    def short_ids(self) -> set[str]:
        """Return every record in the index."""
        return set(self._shown)

    def with_term(self, field: str, value: str) -> set[str]:
        """Return records by an exact field: ``@type`` (subclasses too), ``heldBy.@id`` and so on.

        Of ``NUMBER_FIELDS`` by a word.

        The set is the index's own and must not be changed.
        """
        self._fill_terms()
        if field == "@type":
            kinds = vocabulary.classes_under(value)
            return union([self._terms.get((field, kind), set()) for kind in kinds])
        return self._terms.get((field, value), set())

    def document(self, short_id: str) -> Document:
        """Return a record as indexed: of a holding no more than its search card."""
        entry = self._catalogue.entry(short_id)
        version = self._shown.get(short_id)
        if entry is None or version is None:
            return {}
        document = entry.document(version)
        if documents.is_holding(document):
            document["@graph"][1] = _search_card(document["@graph"][1])
        return document

    def values(self, short_id: str, path: list[str]) -> list[Any]:
        """Return the values at a path of a record, links followed as embellishing does."""
        document = self.document(short_id)
        if path and path[0] == "meta":
            return list(self._walk(documents.node(document, 0), path[1:], short_id, 0))
        return list(self._walk(documents.node(document, 1), path, short_id, 0))

    def _walk(self, value: Any, path: list[str], short_id: str, hops: int) -> Iterator[Any]:
        if isinstance(value, list):
            for item in value:
                yield from self._walk(item, path, short_id, hops)
        elif not path:
            yield value
        elif path[0] == "@reverse" and len(path) > 1:
            for source in self._reverse(short_id, path[1]):
                yield from self.values(source, path[2:])
        elif isinstance(value, dict):
            yield from self._walk_node(value, path, short_id, hops)

    def _walk_node(
        self, value: Document, path: list[str], short_id: str, hops: int
    ) -> Iterator[Any]:
        if path[0] in value:
            yield from self._walk(value[path[0]], path[1:], short_id, hops)
        elif len(value) == 1 and isinstance(value.get("@id"), str) and hops < _MOST_HOPS:
            owner = self._catalogue.owner(value["@id"])
            if owner is not None:
                thing = documents.node(self.document(owner.short_id), 1)
                yield from self._walk(thing, path, owner.short_id, hops + 1)

    def _reverse(self, short_id: str, relation: str) -> list[str]:
        return [
            source
            for source, name in self._catalogue.linked_from(short_id)
            if name == relation and source in self._shown
        ]

    def _show(self, short_id: str) -> None:
        self.generation += 1
        for term in self._own_terms.pop(short_id, ()):
            self._terms[term].discard(short_id)
        entry = self._catalogue.entry(short_id)
        if entry is None or entry.deleted:
            self._shown.pop(short_id, None)
            self._unfilled.discard(short_id)
        else:
            self._shown[short_id] = entry.newest
            self._unfilled.add(short_id)

    def _fill_terms(self) -> None:
        while self._unfilled:
            short_id = self._unfilled.pop()
            own = list(_exact_terms(self.document(short_id)))
            self._own_terms[short_id] = own
            for term in own:
                self._terms.setdefault(term, set()).add(short_id)


def union(sets: list[set[str]]) -> set[str]:
    """Return the records that are in any of the sets; one set alone is not copied."""
    filled = [one for one in sets if one]
    return filled[0] if len(filled) == 1 else set().union(*filled)


def _search_card(item: Document) -> Document:
    """Return what the index holds of an item or a component: a shelf mark only where it is a link."""
    shown: Document = {}
    for key, value in item.items():
        if key == "hasComponent":
            parts = value if isinstance(value, list) else [value]
            shown[key] = [_search_card(one) for one in parts if isinstance(one, dict)]
        elif key in _SEARCH_CARD or (key == "shelfMark" and _is_link(value)):
            shown[key] = value
    return shown


def _is_link(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"@id"}


def _exact_terms(document: Document) -> Iterator[tuple[str, str]]:
    thing = documents.node(document, 1)
    for field, value in (
        ("@type", documents.text(thing, "@type")),
        ("@id", documents.text(thing, "@id")),
        ("meta.@id", documents.text(documents.node(document, 0), "@id")),
        *((f"{name}.@id", documents.link(thing, name)) for name in _LINK_FIELDS),
    ):
        if value is not None:
            yield field, value
    for field, place in NUMBER_FIELDS.items():
        numbers = documents.node(document, place).get("identifiedBy")
        for number in numbers if isinstance(numbers, list) else [numbers]:
            value = number.get("value") if isinstance(number, dict) else None
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield from ((field, word) for word in words(text))


_CLASSES = frozenset({"Language", "Role", "Country", "Frequency", "DescriptionConventions"})

_NAMES = ("code", "langCode", "prefLabel", "label", "altLabel")


class NamesIndex:
    """Labels and codes of the few classes whose blank nodes the server links."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._found: dict[tuple[str, str], str] = {}
        self._stale = True

    def changed(self, short_id: str) -> None:
        """Note that a record changed."""
        entry = self._catalogue.entry(short_id)
        if entry is not None and entry.collection not in ("hold", "bib"):
            self._stale = True

    def find(self, kind: str, name: str) -> str | None:
        """Return the IRI of the thing of this class that has this label or code."""
        if self._stale:
            self._rebuild()
        return self._found.get((kind, name.casefold()))

    def _rebuild(self) -> None:
        self._found = {}
        for entry in self._catalogue.entries():
            if entry.deleted or entry.collection in ("hold", "bib"):
                continue
            thing = documents.node(entry.document(), 1)
            kind, iri = thing.get("@type"), thing.get("@id")
            if kind in _CLASSES and isinstance(iri, str):
                for name in _names(thing):
                    self._found.setdefault((kind, name.casefold()), iri)
        self._stale = False


def _names(thing: dict[str, Any]) -> Iterator[str]:
    for key in _NAMES:
        yield from _strings(thing.get(key))
        by_lang = thing.get(key + "ByLang")
        if isinstance(by_lang, dict):
            for value in by_lang.values():
                yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item
