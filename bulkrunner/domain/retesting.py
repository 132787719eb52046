"""Whether a record is what a search was for: the index lags, and finds words where a text is meant.

A query is tested on the record itself as far as that can be done without reading other records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.records import Document, record_part, thing_part
from bulkrunner.domain.stored_form import in_words, kind_of, stored_text
from bulkrunner.vocabulary import is_subclass_of

_RELATION = re.compile(r"(not|or|and|exists|minEx|maxEx|min|max|matches)-(.+)", re.DOTALL)
_UNTESTED = ("q", "matches")


class _Elsewhere(Exception):
    """The value stands in another record, or only the index has it."""


def localised(query: Mapping[str, Any], iris: IriMap) -> dict[str, Any]:
    """Return a query whose ``@id`` values are those of the environment planned for."""
    return {name: _local(name, value, iris) for name, value in query.items()}


def _local(name: str, value: Any, iris: IriMap) -> Any:
    if isinstance(value, list):
        return [_local(name, one, iris) for one in value]
    if isinstance(value, str) and name.rpartition(".")[2].rpartition("-")[2] == "@id":
        return iris.localise({"@id": value})["@id"]
    return value


def unmet(document: Document, query: Mapping[str, Any]) -> str | None:
    """Return the first name of a query that the record does not fit, None where it fits.

    What cannot be told from the record alone counts as fitting.
    """
    either: list[str] = []
    fits_either = False
    for name, value in query.items():
        relation, field = _parts(name)
        fits = _fits(document, relation, field, _listed(value))
        if relation == "or":
            either.append(name)
            fits_either = fits_either or fits
        elif not fits:
            return name
    return None if fits_either or not either else either[0]


def _parts(name: str) -> tuple[str, str]:
    found = _RELATION.fullmatch(name)
    return (found[1], found[2]) if found else ("", name)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _fits(document: Document, relation: str, field: str, wanted: Sequence[Any]) -> bool:
    if relation in _UNTESTED or field in _UNTESTED:
        return True
    try:
        there = list(_values(document, field))
    except _Elsewhere:
        return True
    match relation:
        case "exists":
            return bool(there) == (wanted[-1] not in (False, "false"))
        case "not":
            return not any(_equal(field, there, one) for one in wanted)
        case "and":
            return all(_equal(field, there, one) for one in wanted)
        case "min" | "minEx" | "max" | "maxEx":
            return any(_in_range(relation, one, wanted[-1]) for one in there)
    return any(_equal(field, there, one) for one in wanted)


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


def _equal(field: str, there: Sequence[Any], wanted: Any) -> bool:
    last = field.rpartition(".")[2]
    if isinstance(wanted, str) and wanted.endswith("*") and last not in ("@id", "@type"):
        return True  # the beginning of a word, as the index cuts words
    for one in there:
        if isinstance(one, dict):
            one = one.get("@id")  # noqa: PLW2901 (a link stands for its id)
        if last == "@type" and isinstance(one, str) and is_subclass_of(one, str(wanted)):
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
        # Dates in ISO 8601 are compared as far as the limit goes: 2026-01 is all of January.
        left, right = str(there), str(limit)
        left = left[: len(right)] if relation in ("max", "minEx") else left
    match relation:
        case "min":
            return bool(left >= right)
        case "minEx":
            return bool(left > right)
        case "max":
            return bool(left <= right)
    return bool(left < right)
