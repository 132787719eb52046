"""Finding the thing of a class by its label or code, for blank nodes that are linked on save."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.catalogue import Catalogue

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
