"""Reads lists of ids as they come: any encoding, byte order marks, CRLF, blanks, every dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkrunner.adapters.files import BadFile
from bulkrunner.adapters.tables.encoding import TextLine, detect, text_lines
from bulkrunner.adapters.tables.grid import error_of
from bulkrunner.adapters.tables.table import ABOVE, HIDDEN
from bulkrunner.domain.identifiers import Identifier, Number, identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.text import harmless
from bulkrunner.errors import UsageError, why_of
from bulkrunner.sentences import Sentence, as_sentence, joined

MAX_LINE = 1_000
"""Characters of one line; a longer one names no record."""

_GIVEN = 200

_FIRST_KEY = re.compile(r'\{"record":\s*"([^"\\\s]{1,200})"\s*[,}]')
"""How a line of a report begins; the rest of it may be of any length."""

_NO_RECORD = re.compile(r'\{"record":\s*null\s*,')
"""How a line of a report begins that tells of an input line without a record."""

BLANK, COMMENT, OTHER_OUTCOME = "blank", "comment", "other_outcome"
LEFT_OUT = frozenset({BLANK, COMMENT, OTHER_OUTCOME, HIDDEN, ABOVE})
"""Codes of lines that are no ids and need not be."""


@dataclass(frozen=True, slots=True)
class IdEntry:
    """One line of a list.

    Attributes:
        line: from 1; in a list in the manifest, the place in the list.
        ref: canonical form of the id; None where the text names no record.
        code: why the line cannot be used; it may name a record all the same.
    """

    line: int
    given: str
    ref: str | None
    code: str = ""
    message: str = ""

    @property
    def is_left_out(self) -> bool:
        """Whether the line is no id and need not be one."""
        return self.code in LEFT_OUT


def read_ids(
    file: BinaryIO, iris: IriMap, meanings: Sequence[Number] = (), *, encoding: str | None = None
) -> Iterator[IdEntry]:
    """Yield every line of a file.

    Args:
        file: that can be read again from its beginning.
        iris: known environments.
        meanings: what bare numbers are.
        encoding: None: it is found out.

    Raises:
        BadFile: the file is no text, or not in this encoding.
    """
    for line in text_lines(file, detect(file, encoding), MAX_LINE):
        yield _read(line, iris, meanings)


def _read(line: TextLine, iris: IriMap, meanings: Sequence[Number]) -> IdEntry:
    text = line.text.strip()
    # A column copied from a spreadsheet: its errors begin as comments do.
    if error := error_of(text):
        return IdEntry(
            line.number, _shown(text), None, "cell_error", Sentence("cell_line", said=error)
        )
    if line.text.startswith("#"):
        return IdEntry(line.number, _shown(line.text), None, COMMENT)
    if _NO_RECORD.match(text):
        return IdEntry(line.number, "", None, OTHER_OUTCOME)
    if text.startswith("{"):
        text = _record_of(text, whole=line.whole)
    if not text:
        return IdEntry(line.number, "", None, BLANK)
    return entry(line.number, text, iris, meanings)


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
                elif not found.is_left_out:
                    raise UsageError(
                        Sentence(
                            "at_line",
                            file=str(path),
                            line=found.line,
                            message=as_sentence(found.message),
                        )
                    )
    except BadFile as bad:
        raise UsageError(
            Sentence("at_line", file=str(path), line=bad.line, message=bad.message), hint=bad.hint
        ) from None
    except OSError as error:
        raise UsageError(Sentence("file_unreadable", path=str(path), why=why_of(error))) from None
    if not ids:
        raise UsageError(Sentence("ids_empty", path=str(path)))
    return list(ids)


def entry(line: int, text: str, iris: IriMap, meanings: Sequence[Number] = ()) -> IdEntry:
    """Return what a text of a list names."""
    found = identify(text, iris, meanings)
    if isinstance(found, Identifier):
        return IdEntry(line, _shown(text), found.text)
    message = harmless(joined((found.message, found.hint)))
    return IdEntry(line, _shown(text), None, found.code, message)


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
