"""The search index: a view of the records that lags behind the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents, text_query
from bulkrunner.sandbox.catalogue import Catalogue
from bulkrunner.sandbox.clock import Clock
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.store import Version

_LINK_FIELDS = ("heldBy", "itemOf")
NUMBER_FIELDS = {"identifiedBy.value": 1, "meta.identifiedBy.value": 0}
"""Fields that are looked up by word, with the place in the graph where they stand."""
_SEARCH_CARD = frozenset(
    {
        *("@id", "@type", "sameAs", "heldBy", "itemOf", "physicalLocation", "shelfControlNumber"),
        *("language", "genreForm", "classification", "subject", "summary"),
        *("immediateAcquisition", "availability", "cataloguersNote"),
    }
)
"""Keys of an item that the index holds, besides its components; the record is held whole."""
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

        The set is the index's own and must not be changed.
        """
        self._fill_terms()
        if field == "@type":
            kinds = vocabulary.classes_under(value)
            return union([self._terms.get((field, kind), set()) for kind in kinds])
        return self._terms.get((field, value), set())

    def with_word(self, field: str, word: str) -> set[str]:
        """Return records by a word of one of ``NUMBER_FIELDS``."""
        self._fill_terms()
        return self._terms.get((field, word), set())

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
                    yield from ((field, word) for word in text_query.words(text))
