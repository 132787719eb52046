"""Bodies of the catalogue's answers: JSON, bounded and exact, and words without mark-up."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal
from math import isinf
from typing import Any, NoReturn

from bulkrunner.adapters.libris.http import Reply
from bulkrunner.domain.records import Document
from bulkrunner.sentences import Sentence

# Levels of a record; real ones have about ten.
MAX_DEPTH = 100

JSON_TYPES = frozenset({"application/ld+json", "application/json"})


class _Unfit(Exception):
    def __init__(self, said: Sentence) -> None:
        super().__init__(said)
        self.said = said


class Unreadable(_Unfit):
    """The body is not JSON; the text says what it is instead."""


class Misshapen(_Unfit):
    """The body is JSON, but not what was asked for; asking again would not mend it."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise Misshapen(Sentence("answer_number_large", number=text[:40]))
    return number


def _exact(text: str) -> float:
    number = _finite(text)
    if Decimal(repr(number)) != Decimal(text):
        raise Misshapen(Sentence("answer_number_long", number=text[:40]))
    return number


class LongNumber(float):
    """A number of a record, among others, that could not be written back as it stands."""


def _marked(text: str) -> float:
    try:
        return _exact(text)
    except Misshapen:
        return LongNumber(text)


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)

_MANY = json.JSONDecoder(parse_constant=_no_constant, parse_float=_marked)

_RECORDS = json.JSONDecoder(parse_constant=_no_constant, parse_float=_exact)

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_json(media_type: str, body: bytes, *, record: bool = False, records: bool = False) -> Any:
    """Return the data of a JSON body.

    Args:
        media_type: of the answer.
        body: of the answer.
        record: it is one, which may be written back: every digit of its numbers counts.
        records: it holds many of them; a number that could not be written back is ``LongNumber``.

    Raises:
        Unreadable: another type, not JSON, not UTF-8, or text that could not be written back.
        Misshapen: a number that is too large, or of a record one that could not be written back.
    """
    if media_type not in JSON_TYPES:
        if not media_type:
            raise Unreadable(Sentence("answer_type_unknown"))
        raise Unreadable(Sentence("answer_type", type=media_type[:80]))
    try:
        text = body.decode("utf-8")
        data = (_RECORDS if record else _MANY if records else _DECODER).decode(text)
        if "\\ud" in text or "\\uD" in text:
            _ENCODER.encode(data).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Unreadable(Sentence("answer_no_json", why=str(error)[:120])) from None
    return data


def read_document(data: Any) -> Document:
    """Return a flat, unembellished document without its ``@context``.

    Raises:
        Misshapen: it has another shape; nothing is guessed.
    """
    if not isinstance(data, dict):
        raise Misshapen(Sentence("answer_no_record"))
    graph = data.get("@graph")
    if not isinstance(graph, list) or len(graph) < 2 or data.keys() - {"@graph", "@context"}:
        raise Misshapen(Sentence("answer_no_graph"))
    for node in graph:
        if not isinstance(node, dict):
            raise Misshapen(Sentence("record_graph_odd"))
        if "@graph" in node:
            raise Misshapen(Sentence("record_embellished"))
    record, thing = graph[0], graph[1]
    entity = record.get("mainEntity")
    if not isinstance(record.get("@id"), str) or not isinstance(thing.get("@id"), str):
        raise Misshapen(Sentence("record_without_ids"))
    if not isinstance(entity, dict) or entity.get("@id") != thing["@id"]:
        raise Misshapen(Sentence("record_entity_odd"))
    if _deeper_than(graph, MAX_DEPTH):
        raise Misshapen(Sentence("record_deep", most=MAX_DEPTH))
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


def is_exact(value: Any) -> bool:
    """Return True if no number of a record read among others is ``LongNumber``."""
    if isinstance(value, (dict, list)):
        return all(map(is_exact, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, LongNumber)


def write_document(document: Document) -> bytes:
    """Return the body of a write: compact UTF-8 JSON, never with ``@context``.

    Raises:
        ValueError: a value that JSON cannot hold.
    """
    if "@context" in document:
        document = {key: value for key, value in document.items() if key != "@context"}
    return _ENCODER.encode(document).encode("utf-8")


# Characters kept of a server's message.
MOST = 500

_ENOUGH = 64 * 1024

_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)

_TAG = re.compile(r"<[^<>]*>")


def words_of(reply: Reply) -> str:
    """Return the message of an answer: of its JSON, or what its page says in plain text."""
    if reply.media_type.endswith("json") and (message := _json_message(reply.body)) is not None:
        return plain(message)
    text = reply.body[:_ENOUGH].decode("utf-8", "replace")
    if reply.media_type == "text/html" or text.lstrip()[:1] == "<":
        text = html.unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", text)))
    return plain(text)


def _json_message(body: bytes) -> str | None:
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    said = [answer.get(key) for key in ("message", "error", "error_description")]
    texts = [value for value in said if isinstance(value, str) and value]
    if not texts and isinstance(answer.get("status"), str):
        texts = [answer["status"]]
    return ": ".join(texts) if texts else None


def plain(text: str) -> str:
    """Return the text on one line, without control and direction characters, bounded."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:_ENOUGH])
    line = " ".join(shown.split())
    return line if len(line) <= MOST else line[: MOST - 1] + "…"
