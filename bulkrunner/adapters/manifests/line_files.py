"""Input files read line by line, lists of ids and JSON Lines; and a manifest in JSON, with places."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bulkrunner.adapters.machine import Line, lines_of
from bulkrunner.adapters.manifests.problems import FORBIDDEN, Problems, shown
from bulkrunner.adapters.manifests.tree import (
    MAX_DEPTH,
    WORDS,
    Builder,
    Tree,
    control_message,
    number,
    position,
)
from bulkrunner.adapters.tables.encoding import TextLine, detect, text_lines
from bulkrunner.adapters.tables.grid import error_of
from bulkrunner.domain.identifiers import Identifier, Number, identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, Source, UsageError, why_of
from bulkrunner.sentences import Sentence, joined

# Characters of one line; a longer one names no record.
MAX_LINE = 1_000

_GIVEN = 200

# How a line of a report begins; the rest of it may be of any length.
_FIRST_KEY = re.compile(r'\{"record":\s*"([^"\\\s]{1,200})"\s*[,}]')

# How a line of a report begins that tells of an input line without a record.
_NO_RECORD = re.compile(r'\{"record":\s*null\s*,')

BLANK, COMMENT, OTHER_OUTCOME = "blank", "comment", "other_outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """One line, row or id of an input.

    Attributes:
        given: what names the record, as written.
        ref: canonical form of the id; None where nothing is named.
        left_out: why it is no id and need not be one. note: more of that.
        fault: why it cannot be used; it may name a record all the same.
        row: the row's columns where the input is a table.
    """

    source: Source
    given: str = ""
    ref: str | None = None
    left_out: str = ""
    note: str = ""
    fault: Fault | None = None
    row: Mapping[str, str] | None = None


def read_ids(
    file: BinaryIO,
    iris: IriMap,
    meanings: Sequence[Number] = (),
    *,
    name: str = "",
    encoding: str | None = None,
) -> Iterator[Selected]:
    """Yield every line of a file.

    Args:
        file: that can be read again from its beginning.
        iris: known environments.
        meanings: what bare numbers are.
        name: of the file, for places.
        encoding: None: it is found out.

    Raises:
        Fault: the file is no text, or not in this encoding.
    """
    for line in text_lines(file, detect(file, encoding), MAX_LINE):
        yield _read(line, Source(file=name, line=line.number), iris, meanings)


def _read(line: TextLine, source: Source, iris: IriMap, meanings: Sequence[Number]) -> Selected:
    text = line.text.strip()
    # A column copied from a spreadsheet: its errors begin as comments do.
    if error := error_of(text):
        fault = Fault(Sentence("cell_line", said=error), code="cell_error")
        return Selected(source=source, given=_shown(text), fault=fault)
    if line.text.startswith("#"):
        return Selected(source=source, given=_shown(line.text), left_out=COMMENT)
    if _NO_RECORD.match(text):
        return Selected(source=source, left_out=OTHER_OUTCOME)
    if text.startswith("{"):
        text = _record_of(text, whole=line.whole)
    if not text:
        return Selected(source=source, left_out=BLANK)
    return named(text, source, iris, meanings)


def read_id_file(path: Path, iris: IriMap) -> list[str]:
    """Return every id of a list that stands anywhere, each once.

    Raises:
        UsageError: the file cannot be read, or a line of it names no record.
    """
    ids: dict[str, None] = {}
    try:
        with path.open("rb") as file:
            for found in read_ids(file, iris):
                if found.ref is not None:
                    ids[found.ref] = None
                elif found.fault is not None:
                    raise found.fault.at(Source(file=str(path), line=found.source.line))
    except Fault as bad:
        line, said = bad.source.line, bad.said
        raise UsageError(
            Sentence("at_line", file=str(path), line=line, message=said), hint=bad.hint
        ) from None
    except OSError as error:
        raise UsageError(Sentence("file_unreadable", path=str(path), why=why_of(error))) from None
    if not ids:
        raise UsageError(Sentence("ids_empty", path=str(path)))
    return list(ids)


def named(text: str, source: Source, iris: IriMap, meanings: Sequence[Number] = ()) -> Selected:
    """Return what a text of a list names."""
    found = identify(text, iris, meanings)
    if isinstance(found, Identifier):
        return Selected(source=source, given=_shown(text), ref=found.text)
    fault = Fault(harmless(joined((found.message, found.hint))), code=found.code)
    return Selected(source=source, given=_shown(text), fault=fault)


def _shown(text: str) -> str:
    given = harmless(text[: _GIVEN + 1])
    return given if len(text) <= _GIVEN else given[:_GIVEN] + "…"


def _record_of(text: str, *, whole: bool) -> str:
    """Return what a line of a report in JSON Lines names; the line itself where it is no such."""
    if found := _FIRST_KEY.match(text):
        return found[1]
    if not whole:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    record = value.get("record") if isinstance(value, dict) else None
    return record.strip() or text if isinstance(record, str) else text


# Bytes of one line.
MAX_JSON_LINE = 10_000_000

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def read_lines(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """Yield for each line that is not empty its number and its value, or the ``Fault`` it has.

    Lines after one that shows another encoding are not read.
    """
    for line in lines_of(file, MAX_JSON_LINE):
        if line.number == 1 and line.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            yield 1, Fault(Sentence("line_utf16"), code="not_utf8", hint=Sentence("save_as_utf8"))
            return
        if not line.whole:
            yield (
                line.number,
                Fault(Sentence("line_too_long", most=MAX_JSON_LINE), code="line_too_long"),
            )
        elif line.data.strip():
            yield line.number, _value(line)


def _value(line: Line) -> Any:
    try:
        return _parse(line.data)
    except Fault as fault:
        return fault


def _parse(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None
    # A text can hold many brackets without being deep; only then is a closer look needed.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise Fault(Sentence("too_deep", most=MAX_DEPTH), code="too_deep")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Fault(
            Sentence("not_json", msg=harmless(error.msg)),
            code="not_json",
            source=Source(column=error.colno),
        ) from None
    if "\\u" in text or "\x7f" in text:
        _check_texts(value)
    return value


def _not_utf8(error: UnicodeDecodeError) -> Fault:
    return Fault(
        Sentence("line_not_utf8", byte=f"{error.object[error.start]:02X}"),
        code="not_utf8",
        hint=Sentence("save_file_as_utf8"),
        source=Source(column=error.start + 1),
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
            raise Fault(control_message(found[0]), code="control_character")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Fault(Sentence("line_key_twice", name=shown(key)), code="duplicate_key")
            seen.add(key)
    return made


def _constant(word: str) -> Any:
    raise Fault(Sentence("line_no_number", word=word), code="bad_number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=number, parse_float=number
)


_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<sign>[{}\[\],:])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s,\]}]+))'
)


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
        raise builder.stop(at, "not_json", Sentence("not_json", msg=harmless(error.msg))) from None
    except RecursionError:
        raise builder.stop(0, "too_deep", Sentence("too_deep_to_read")) from None
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
    if token in WORDS:
        return WORDS[token]
    try:
        return number(token)
    except Fault as error:
        builder.problem(at, "bad_number", error.said)
        return 0
