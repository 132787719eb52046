"""Reads lists of ids as they come: byte order marks, CRLF, blanks, IRIs of any environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkrunner.adapters.manifests.files import FileRefused, Line, lines_of
from bulkrunner.adapters.manifests.problems import harmless
from bulkrunner.domain.iris import IriMap
from bulkrunner.errors import UsageError

MAX_LINE = 1_000
"""Bytes of one line; a longer one names no record."""

_GIVEN = 200

_FIRST_KEY = re.compile(r'\{"record":\s*"([^"\\\s]{1,200})"\s*[,}]')
"""How a line of a report begins; the rest of it may be of any length."""


@dataclass(frozen=True, slots=True)
class IdEntry:
    """One id of a list.

    Attributes:
        line: from 1; in a list in the manifest, the place in the list.
        ref: short id or legacy IRI; None where the text names no record.
    """

    line: int
    given: str
    ref: str | None


class BadLine(FileRefused):
    """A line that shows that the file is no list of ids in UTF-8."""

    def __init__(self, line: int, column: int, message: str, hint: str) -> None:
        super().__init__("not_utf8", message, hint)
        self.line = line
        self.column = column


def read_ids(file: BinaryIO, iris: IriMap) -> Iterator[IdEntry]:
    """Yield every id of a file; empty lines and lines that begin with ``#`` are left out.

    Raises:
        BadLine: the file is not UTF-8.
    """
    for line in lines_of(file, MAX_LINE):
        if line.data.startswith(b"#"):
            continue
        text = _text(line).strip()
        if text.startswith("{"):
            text = _record_of(text, whole=line.whole)
        if text:
            yield entry(line.number, text, iris)


def read_id_file(path: Path, iris: IriMap) -> list[str]:
    """Return every id of a list that stands anywhere, each once.

    Raises:
        UsageError: the file cannot be read, or a line of it names no record.
    """
    ids: dict[str, None] = {}
    try:
        with path.open("rb") as file:
            for found in read_ids(file, iris):
                if found.ref is None:
                    raise UsageError(f"{path}:{found.line}: `{found.given}` is no id")
                ids[found.ref] = None
    except BadLine as bad:
        raise UsageError(f"{path}:{bad.line}: {bad.message}", hint=bad.hint) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if not ids:
        raise UsageError(f"{path} names no record")
    return list(ids)


def entry(line: int, text: str, iris: IriMap) -> IdEntry:
    """Return what a text of a list names."""
    if ref := normal_ref(text, iris):
        return IdEntry(line, text, ref)
    given = harmless(text[: _GIVEN + 1])
    return IdEntry(line, given if len(text) <= _GIVEN else given[:_GIVEN] + "…", None)


def normal_ref(text: str, iris: IriMap) -> str | None:
    """Return the short id or legacy IRI that a text stands for; None where it is no id."""
    ref = iris.parse(text.strip())
    return ref.value if ref else None


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


def _text(line: Line) -> str:
    if line.number == 1 and line.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadLine(1, 1, "the file is UTF-16", "save it as UTF-8")
    try:
        return line.data.decode("utf-8")
    except UnicodeDecodeError as error:
        if not line.whole:
            return line.data.decode("utf-8", "replace")
        raise BadLine(
            line.number,
            error.start + 1,
            f"the line is not UTF-8 (byte 0x{line.data[error.start]:02X})",
            "save the file as UTF-8",
        ) from None
