"""Reads JSON text strictly, with places."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from bulkrunner.adapters.manifests.problems import Problems, harmless
from bulkrunner.adapters.manifests.scalars import BadNumber, number
from bulkrunner.adapters.manifests.tree import Builder, Tree, position

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<sign>[{}\[\],:])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s,\]}]+))'
)
_WORDS = {"true": True, "false": False, "null": None}


def read_json(text: str, file: str, problems: Problems) -> Tree | None:
    """Return the tree of a JSON text; None where it is blank.

    Raises:
        Stop: it cannot be read; the reason is among the problems.
    """
    builder = Builder(file, problems)
    if not text.strip(" \t\r\n"):
        return None
    try:
        json.loads(text, parse_constant=str, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        at = position(error.lineno - 1, error.colno - 1)
        raise builder.stop(at, "not_json", f"this is not JSON: {harmless(error.msg)}") from None
    except RecursionError:
        raise builder.stop(0, "too_deep", "lists and objects are nested too deep") from None
    _build(text, builder)
    return builder.tree()


def _build(text: str, builder: Builder) -> None:
    for kind, token, at in _tokens(text):
        if kind == "sign":
            _sign(token, at, builder)
        elif kind == "text" and builder.awaits_key:
            builder.key(json.loads(token), at)
        elif kind == "text":
            builder.scalar(json.loads(token), at)
        else:
            builder.scalar(_word(token, at, builder), at)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        begin = found.start(kind)
        line = bisect_right(starts, begin) - 1
        yield kind, found[kind], position(line, begin - starts[line])


def _sign(token: str, at: int, builder: Builder) -> None:
    match token:
        case "{":
            builder.begin({}, at)
        case "[":
            builder.begin([], at)
        case "}" | "]":
            builder.end()
        case _:
            pass


def _word(token: str, at: int, builder: Builder) -> Any:
    if token in _WORDS:
        return _WORDS[token]
    try:
        return number(token)
    except BadNumber as error:
        builder.problem(at, "bad_number", str(error))
        return 0
