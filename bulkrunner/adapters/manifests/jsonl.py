"""Reads JSON Lines: one strict JSON object per line, in constant memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from bulkrunner.adapters.manifests.faults import FORBIDDEN, shown
from bulkrunner.adapters.manifests.folder import Line, lines_of
from bulkrunner.adapters.manifests.source import MAX_DEPTH, BadNumber, control_message, number
from bulkrunner.domain.text import harmless
from bulkrunner.sentences import Sentence

MAX_LINE = 10_000_000
"""Bytes of one line."""

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    code: str
    message: Sentence
    column: int = 0
    hint: str = ""


class _Refused(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read_lines(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """Yield for each line that is not empty its number and its value, or the ``Fault`` it has.

    Lines after one that shows another encoding are not read.
    """
    for line in lines_of(file, MAX_LINE):
        if line.number == 1 and line.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            yield 1, Fault("not_utf8", Sentence("line_utf16"), hint=Sentence("save_as_utf8"))
            return
        if not line.whole:
            yield line.number, Fault("line_too_long", Sentence("line_too_long", most=MAX_LINE))
        elif line.data.strip():
            yield line.number, _value(line)


def _value(line: Line) -> Any:
    try:
        return _parse(line.data)
    except _Refused as refused:
        return refused.fault


def _parse(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Refused(_not_utf8(error)) from None
    # A text can hold many brackets without being deep; only then is a closer look needed.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise _Refused(Fault("too_deep", Sentence("too_deep", most=MAX_DEPTH)))
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        fault = Fault("not_json", Sentence("not_json", msg=harmless(error.msg)), column=error.colno)
        raise _Refused(fault) from None
    except BadNumber as error:
        raise _Refused(Fault("bad_number", error.said)) from None
    if "\\u" in text or "\x7f" in text:
        _check_texts(value)
    return value


def _not_utf8(error: UnicodeDecodeError) -> Fault:
    return Fault(
        "not_utf8",
        Sentence("line_not_utf8", byte=f"{error.object[error.start]:02X}"),
        column=error.start + 1,
        hint=Sentence("save_file_as_utf8"),
    )


def _depth(data: bytes) -> int:
    depth = deepest = 0
    for found in _BRACKETS.finditer(data):
        if found[0] in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in (b"}", b"]"):
            depth -= 1
    return deepest


def _check_texts(value: Any) -> None:
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str) and (found := FORBIDDEN.search(node)):
            raise _Refused(Fault("control_character", control_message(found[0])))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                fault = Fault("duplicate_key", Sentence("line_key_twice", name=shown(key)))
                raise _Refused(fault)
            seen.add(key)
    return made


def _constant(word: str) -> Any:
    raise BadNumber(Sentence("line_no_number", word=word))


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=number, parse_float=number
)
