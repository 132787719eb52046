"""Bodies of the catalogue's answers and requests, to and from plain data."""

from __future__ import annotations

import json
from decimal import Decimal
from math import isinf
from typing import Any, NoReturn

from bulkrunner.domain.records import Document

MAX_DEPTH = 100
"""Levels of a record; real ones have about ten."""

JSON_TYPES = frozenset({"application/ld+json", "application/json"})


class Unreadable(Exception):
    """The body is not JSON; the text says what it is instead."""


class Misshapen(Exception):
    """The body is JSON, but not what was asked for; asking again would not mend it."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise Misshapen(f"the number {text[:40]} is too large")
    return number


def _exact(text: str) -> float:
    number = _finite(text)
    if Decimal(repr(number)) != Decimal(text):
        raise Misshapen(f"the number {text[:40]} has more digits than could be written back")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_RECORDS = json.JSONDecoder(parse_constant=_no_constant, parse_float=_exact)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_json(media_type: str, body: bytes, *, record: bool = False) -> Any:
    """Return the data of a JSON body.

    Args:
        media_type: of the answer.
        body: of the answer.
        record: it is one, which may be written back: every digit of its numbers counts.

    Raises:
        Unreadable: another type, not JSON, not UTF-8, or text that could not be written back.
        Misshapen: a number that is too large, or of a record one that could not be written back.
    """
    if media_type not in JSON_TYPES:
        raise Unreadable(f"the answer is of type {media_type[:80] or 'unknown'}, not JSON")
    try:
        text = body.decode("utf-8")
        data = (_RECORDS if record else _DECODER).decode(text)
        if "\\ud" in text or "\\uD" in text:
            _ENCODER.encode(data).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the answer is not JSON: {str(error)[:120]}") from None
    return data


def read_document(data: Any) -> Document:
    """Return a flat, unembellished document without its ``@context``.

    Raises:
        Misshapen: it has another shape; nothing is guessed.
    """
    if not isinstance(data, dict):
        raise Misshapen("the answer is no record")
    graph = data.get("@graph")
    if not isinstance(graph, list) or len(graph) < 2 or data.keys() - {"@graph", "@context"}:
        raise Misshapen("the answer is no flat record with a @graph")
    for node in graph:
        if not isinstance(node, dict):
            raise Misshapen("the record's @graph holds something that is no object")
        if "@graph" in node:
            raise Misshapen("the record is embellished, which was not asked for")
    record, thing = graph[0], graph[1]
    entity = record.get("mainEntity")
    if not isinstance(record.get("@id"), str) or not isinstance(thing.get("@id"), str):
        raise Misshapen("the record or its thing has no @id")
    if not isinstance(entity, dict) or entity.get("@id") != thing["@id"]:
        raise Misshapen("the record's mainEntity is not its thing")
    if _deeper_than(graph, MAX_DEPTH):
        raise Misshapen(f"the record is nested more than {MAX_DEPTH} levels deep")
    data.pop("@context", None)
    return data


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        inner: list[Any] = []
        for node in level:
            children = node.values() if isinstance(node, dict) else node
            inner += [child for child in children if isinstance(child, (dict, list))]
        if not inner:
            return False
        level = inner
    return True


def write_document(document: Document) -> bytes:
    """Return the body of a write: compact UTF-8 JSON, never with ``@context``.

    Raises:
        ValueError: a value that JSON cannot hold.
    """
    if "@context" in document:
        document = {key: value for key, value in document.items() if key != "@context"}
    return _ENCODER.encode(document).encode("utf-8")
