"""What a search asks for the records that an identifier may mean, and which of them bear it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bulkrunner.domain.identifiers import Identifier, Scheme, compact, isbn10, isbn13, issn
from bulkrunner.domain.records import Document, record_part, thing_part

THING = "identifiedBy.value"

RECORD = "meta.identifiedBy.value"

Query = tuple[tuple[str, str], ...]  # parameters of one search; the same name twice means either

# Tells whether an entry of ``identifiedBy`` with one of its values is the number.
Bears = Callable[[Mapping[str, Any], str], bool]

BTJ = "BTJ"  # its numbers stand with and without it

BIBS = ("Instance",)

# Holdings have numbers of LIBRIS III too; all other numbers are those of publications.
BOTH = ("Instance", "Item")


def queries(identifier: Identifier) -> tuple[Query, ...]:
    """Return the searches that together find all that has the number, as far as the index knows."""
    value = identifier.value
    match identifier.scheme:
        case Scheme.ISBN:
            forms = [form for form in (value, isbn10(value)) if form]
            return (_query(THING, *forms),)
        case Scheme.ISSN:
            return (_query(THING, value, compact(value)),)
        case Scheme.LIBRIS3:
            return (_query(RECORD, value, types=BOTH),)
        case Scheme.SYSTEM:
            forms = [form for form in (value, value.removeprefix(BTJ)) if form]
            return (_query(RECORD, *dict.fromkeys(forms)), _query(THING, *dict.fromkeys(forms)))
    raise ValueError(f"{identifier.text} needs no search")


def may_be(identifier: Identifier, kind: str) -> bool:
    """Return True if a ``holding`` or a ``bib`` may have such a number as its own."""
    return kind == "bib" or identifier.scheme is Scheme.LIBRIS3


def bears(document: Document, identifier: Identifier) -> bool:
    """Return True if a record has the number; the index alone proves nothing."""
    record, thing = record_part(document), thing_part(document)
    value = identifier.value
    match identifier.scheme:
        case Scheme.ISBN:
            return _any(thing, lambda entry, own: _typed(entry, "ISBN") and isbn13(own) == value)
        case Scheme.ISSN:
            return _any(thing, lambda entry, own: _typed(entry, "ISSN") and issn(own) == value)
        case Scheme.LIBRIS3:
            return _any(record, lambda entry, own: _is_libris3(entry) and compact(own) == value)
        case Scheme.SYSTEM:
            return any(_any(part, _system(value)) for part in (record, thing))
    return False


def _query(field: str, *values: str, types: tuple[str, ...] = BIBS) -> Query:
    phrases = ('"' + value.replace("\\", " ").replace('"', " ") + '"' for value in values)
    return (*(("@type", name) for name in types), *((field, phrase) for phrase in phrases))


def _any(node: Mapping[str, Any], bears_it: Bears) -> bool:
    return any(bears_it(entry, own) for entry, own in _numbers(node))


def _numbers(node: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    found = node.get("identifiedBy")
    for entry in found if isinstance(found, list) else [found]:
        if isinstance(entry, dict):
            value = entry.get("value")
            for own in value if isinstance(value, list) else [value]:
                if isinstance(own, str):
                    yield entry, own


def _typed(entry: Mapping[str, Any], kind: str) -> bool:
    return entry.get("@type") == kind


def _is_libris3(entry: Mapping[str, Any]) -> bool:
    return _typed(entry, "LibrisIIINumber")


def _system(value: str) -> Bears:
    wanted = _tidy(value)
    number = wanted.removeprefix(BTJ) if wanted.startswith(BTJ) else ""

    def test(entry: Mapping[str, Any], own: str) -> bool:
        if entry.get("@type") in ("ISBN", "ISSN", "LibrisIIINumber"):
            return False
        tidy = _tidy(own)
        if tidy == wanted:
            return True
        if not number:
            return False
        note = entry.get("typeNote")
        noted = isinstance(note, str) and note.strip().upper() == BTJ
        return tidy == f"(BTJ){number}" or (noted and tidy == number)

    return test


def _tidy(value: str) -> str:
    return "".join(value.split())
