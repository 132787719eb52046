"""Queries of the catalogue: by what the index of ``/find`` can answer, and by the numbers records bear."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from bulkrunner.domain.canonical import listed
from bulkrunner.domain.expressions import parse_span
from bulkrunner.domain.identifiers import Identifier, Scheme, compact, isbn10, isbn13, issn
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.records import Document, record_part, sigel_of_iri, thing_part
from bulkrunner.domain.stored_form import in_words, kind_of, stored_text
from bulkrunner.vocabulary import is_subclass_of

HELD_BY = "heldBy.@id"
ITEM = "Item"

_RELATION = re.compile(r"(not|and|exists|minEx|maxEx|min|max|matches)-(.+)", re.DOTALL)
_UNTESTED = ("q", "matches")
_DATES = ("meta.created", "meta.modified")
_RANGES = ("min", "minEx", "max", "maxEx")
_SMALLEST = timedelta(milliseconds=1)  # what the index tells apart in time

# Keys of a holding that the index holds, as a real server does; of a shelf mark a link alone.
INDEXED = frozenset(
    {
        *("@id", "@type", "sameAs", "meta", "heldBy", "itemOf", "hasComponent"),
        *("physicalLocation", "shelfControlNumber", "immediateAcquisition", "availability"),
        *("cataloguersNote", "language", "genreForm", "classification", "subject", "summary"),
    }
)

# Keys that mean holdings, or holdings too, where a query does not say what it is for.
_OF_HOLDINGS = frozenset(
    {
        *("shelfLabel", "callNumberPrefix", "callNumberSuffix", "copyNumber"),
        *("formerShelfLocation", "itemCondition", "inventoryLevel", "organizationalUnit"),
        *("hasNote", "usageAndAccessPolicy", "associatedMedia"),
    }
)

_HOLDINGS_STATEMENTS = "marc:hasTextualHoldings"


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a condition of a query; ``either``: one of a group of which any is enough."""

    either: bool
    relation: str
    field: str

    @property
    def last(self) -> str:
        """The last key of the path."""
        return self.field.rpartition(".")[2]


def parse_name(name: str) -> Name:
    """Take the name of a condition apart."""
    plain = name.removeprefix("or-")
    found = _RELATION.fullmatch(plain)
    relation, field = (found[1], found[2]) if found else ("", plain)
    return Name(either=plain != name, relation=relation, field=field)


def localised(query: Mapping[str, Any], iris: IriMap) -> dict[str, Any]:
    """Return a query whose ``@id`` values are those of the environment planned for."""
    return {name: _local(name, value, iris) for name, value in query.items()}


def _local(name: str, value: Any, iris: IriMap) -> Any:
    if isinstance(value, list):
        return [_local(name, one, iris) for one in value]
    if isinstance(value, str) and parse_name(name).last == "@id":
        return iris.localise_iri(value)
    return value


def in_moments(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return a query for the index, to which a day is one of UTC, with Swedish days as moments."""
    return {name: _moments(parse_name(name), value) for name, value in query.items()}


def _moments(name: Name, value: Any) -> Any:
    if isinstance(value, list):
        return [_moments(name, one) for one in value]
    span = parse_span(str(value)) if name.field in _DATES and name.relation in _RANGES else None
    if span is None:
        return value
    from_start = name.relation in ("min", "maxEx")
    moment = span.start if from_start else max(span.start, span.end - _SMALLEST)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


# What the index holds


def unindexed(query: Mapping[str, Any], *, of_bibs: bool) -> dict[str, str]:
    """Return the conditions that the index cannot answer, by name, each with what it lacks."""
    kind = _kind(query, of_bibs=of_bibs)
    found: dict[str, str] = {}
    for name in query:
        if (lacking := _lacking(parse_name(name).field.split("."), kind)) is not None:
            found[name] = lacking
    return found


def libraries_named(query: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sigels of the libraries whose holdings a query finds."""
    # Empty where it names none.
    if _kind(query, of_bibs=False) is not _Kind.HOLDING or HELD_BY not in query:
        return ()
    sigels = [sigel_of_iri(one) for one in listed(query[HELD_BY])]
    return tuple(dict.fromkeys(one for one in sigels if one)) if all(sigels) else ()


class _Kind(Enum):
    """What a key belongs to."""

    HOLDING = auto()
    UNSAID = auto()
    OTHER = auto()


def _kind(query: Mapping[str, Any], *, of_bibs: bool) -> _Kind:
    types = [
        one
        for name, value in query.items()
        if (parsed := parse_name(name)).field == "@type" and parsed.relation in ("", "and")
        for one in listed(value)
        if isinstance(one, str)
    ]
    if types:
        if all(is_subclass_of(one, ITEM) for one in types):
            return _Kind.HOLDING
        some = any(is_subclass_of(one, ITEM) or is_subclass_of(ITEM, one) for one in types)
        return _Kind.UNSAID if some else _Kind.OTHER
    first = {parse_name(name).field.partition(".")[0] for name in query}
    if not first.isdisjoint({"heldBy", "itemOf"}):
        return _Kind.HOLDING
    return _Kind.OTHER if of_bibs else _Kind.UNSAID


def _lacking(path: Sequence[str], kind: _Kind) -> str | None:
    """Return what the index lacks of a path from a thing of that kind, None where it has it."""
    if path == ["q"]:
        return "q" if kind is _Kind.HOLDING else None
    keys = iter(enumerate(path))
    for at, key in keys:
        if key == "@reverse":
            _, relation = next(keys, (0, ""))
            kind = _Kind.HOLDING if relation == "itemOf" else _Kind.OTHER
        elif key == "shelfMark" and kind is not _Kind.OTHER:
            return None if path[at + 1 :] == ["@id"] else key
        elif _is_unknown(key, kind):
            return key
        elif key != "hasComponent":
            # What a holding's bib has is a bib's; other links lead to neither.
            kind = _Kind.OTHER
    return None


def _is_unknown(key: str, kind: _Kind) -> bool:
    if kind is _Kind.HOLDING:
        return key not in INDEXED
    of_holdings = key in _OF_HOLDINGS or key.startswith(_HOLDINGS_STATEMENTS)
    return kind is _Kind.UNSAID and of_holdings


# Whether a record fits


class _Elsewhere(Exception):
    """The value stands in another record, or only the index has it."""


def unmet_part(document: Document, query: Mapping[str, Any]) -> str | None:
    """Return the first name of a query that the record does not fit, None where it fits."""
    # What cannot be told from the record alone counts as fitting.
    either: list[str] = []
    fits_either = False
    for text, value in query.items():
        name = parse_name(text)
        fits = _fits(document, name, listed(value))
        if name.either:
            either.append(text)
            fits_either = fits_either or fits
        elif not fits:
            return text
    return None if fits_either or not either else either[0]


def _fits(document: Document, name: Name, wanted: Sequence[Any]) -> bool:
    if name.relation in _UNTESTED or name.field in _UNTESTED:
        return True
    try:
        there = list(_values(document, name.field))
    except _Elsewhere:
        return True
    match name.relation:
        case "exists":
            return bool(there) == (wanted[-1] not in (False, "false"))
        case "not":
            return not any(_equal(name, there, one) for one in wanted)
        case "and":
            return all(_equal(name, there, one) for one in wanted)
        case one if one in _RANGES:
            return any(_in_range(name.relation, one, wanted[-1]) for one in there)
    return any(_equal(name, there, one) for one in wanted)


def _values(document: Document, field: str) -> Iterator[Any]:
    path = field.split(".")
    if path[0] == "meta":
        yield from _walk(record_part(document), path[1:])
    else:
        yield from _walk(thing_part(document), path)


def _walk(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif not path:
        yield value
    elif path[0].startswith("@reverse") or path[0].startswith("_"):
        raise _Elsewhere
    elif isinstance(value, dict):
        if path[0] in value:
            yield from _walk(value[path[0]], path[1:])
        elif value.keys() == {"@id"}:
            raise _Elsewhere  # the index follows links


def _equal(name: Name, there: Sequence[Any], wanted: Any) -> bool:
    if isinstance(wanted, str) and wanted.endswith("*") and name.last not in ("@id", "@type"):
        return True  # the beginning of a word, as the index cuts words
    for one in there:
        if isinstance(one, dict):
            one = one.get("@id")  # noqa: PLW2901 (a link stands for its id)
        if name.last == "@type" and isinstance(one, str) and is_subclass_of(one, str(wanted)):
            return True
        if _text(one) == _text(wanted):
            return True
    return False


def _text(value: Any) -> str:
    return str(value) if kind_of(value) is None else stored_text(in_words(value)).strip()


def _in_range(relation: str, there: Any, limit: Any) -> bool:
    left: Any
    right: Any
    try:
        left, right = float(there), float(limit)
    except (TypeError, ValueError):
        one, other = parse_span(str(there)), parse_span(str(limit))
        if one is not None and other is not None:
            # As far as the limit goes: 2026-01 is all of January.
            left = one.start
            right = other.start if relation in ("min", "maxEx") else other.end
            return bool(left >= right) if relation in ("min", "minEx") else bool(left < right)
        left, right = str(there), str(limit)
    match relation:
        case "min":
            return bool(left >= right)
        case "minEx":
            return bool(left > right)
        case "max":
            return bool(left <= right)
    return bool(left < right)


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
