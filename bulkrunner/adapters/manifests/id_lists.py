"""Reads lists of ids as they come: any encoding, byte order marks, CRLF, blanks, every dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkrunner.adapters.manifests.problems import harmless
from bulkrunner.adapters.tables.cell_errors import error_of
from bulkrunner.adapters.tables.encoding import TextLine, detect, text_lines
from bulkrunner.domain.identifiers import Identifier, Number, identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.errors import Fault, Source, UsageError, why_of
from bulkrunner.sentences import Sentence, joined

MAX_LINE = 1_000
"""Characters of one line; a longer one names no record."""

_GIVEN = 200

_FIRST_KEY = re.compile(r'\{"record":\s*"([^"\\\s]{1,200})"\s*[,}]')
"""How a line of a report begins; the rest of it may be of any length."""

_NO_RECORD = re.compile(r'\{"record":\s*null\s*,')
"""How a line of a report begins that tells of an input line without a record."""

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
