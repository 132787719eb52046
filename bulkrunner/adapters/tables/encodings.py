"""Finds out how a text file is encoded, by rules that are the same on every machine."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bulkrunner.adapters.tables.faults import BadFile

UTF8, UTF16_LE, UTF16_BE = "utf-8", "utf-16-le", "utf-16-be"
WINDOWS, LATIN1 = "windows-1252", "iso-8859-1"
KNOWN = (UTF8, UTF16_LE, UTF16_BE, WINDOWS, LATIN1)

_CHUNK = 1 << 16
_NOT_IN_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_MAGIC = {
    b"PK\x03\x04": "a spreadsheet or another packed file",
    b"\xd0\xcf\x11\xe0": "an old Excel file, or one with a password",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a packed file",
}


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line without its end; ``whole`` is False where it was longer than the limit and cut."""

    number: int
    text: str
    whole: bool


def detect(file: BinaryIO) -> str:
    """Return the encoding of a text; the file is read to its end and stands at its beginning again.

    A byte order mark decides; else UTF-8 where every byte fits it; else Windows-1252, or
    ISO-8859-1 where a byte is not in Windows-1252.

    Raises:
        BadFile: it is no text.
    """
    file.seek(0)
    start = file.read(_CHUNK)
    for magic, name in _MAGIC.items():
        if start.startswith(magic):
            raise BadFile(
                "not_text",
                f"the file is {name}, not text",
                "save a list as text; a table may be .xlsx or .ods and is named under `rows`",
            )
    found = _of_start(start)
    if found is None:
        found = _of_bytes(start, file)
    file.seek(0)
    return found


def _of_start(start: bytes) -> str | None:
    if start.startswith(codecs.BOM_UTF8):
        return UTF8
    if start.startswith(codecs.BOM_UTF16_LE):
        return UTF16_LE
    if start.startswith(codecs.BOM_UTF16_BE):
        return UTF16_BE
    if b"\0" not in start:
        return None
    # Western text in UTF-16 has a zero in every other byte.
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 > len(start):
        return UTF16_LE if odd > even else UTF16_BE
    raise BadFile(
        "not_text",
        "the file holds zero bytes, so it is no text",
        "save it as text (CSV, UTF-8) or as .xlsx",
        line=start[: start.index(0)].count(b"\n") + 1,
    )


def _of_bytes(start: bytes, file: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder(UTF8)()
    windows = True
    fits = True
    chunk = start
    while chunk or fits:
        if fits:
            fits = _fits(decoder, chunk)
        if not fits and _NOT_IN_WINDOWS.search(chunk):
            windows = False
        if not chunk:
            break
        chunk = file.read(_CHUNK)
    if fits:
        return UTF8
    return _windows_or_latin(file) if windows else LATIN1


def _fits(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError:
        return False
    return True


def _windows_or_latin(file: BinaryIO) -> str:
    """Look at the whole file: bytes before the first that is not UTF-8 were not looked at."""
    file.seek(0)
    while chunk := file.read(_CHUNK):
        if _NOT_IN_WINDOWS.search(chunk):
            return LATIN1
    return WINDOWS


def text_lines(file: BinaryIO, encoding: str, limit: int) -> Iterator[TextLine]:
    """Yield the lines of a text, each read up to a limit; a byte order mark is dropped.

    Args:
        file: at its beginning; it is left open.
        encoding: one of ``KNOWN``.
        limit: characters of a line.

    Raises:
        BadFile: the file is not in this encoding.
    """
    reader = io.TextIOWrapper(file, encoding=_python_name(encoding), newline="")
    pieces = _Pieces(reader)
    number = 0
    try:
        while text := pieces.next(limit + 2):
            number += 1
            if number == 1:
                text = text.removeprefix("\ufeff")
            whole = text.endswith(("\n", "\r")) or len(text) < limit + 2
            if not whole:
                whole = pieces.skip_line()
            text = text.removesuffix("\n").removesuffix("\r")
            yield TextLine(number, text, whole and len(text) <= limit)
    except UnicodeDecodeError as error:
        raise BadFile(
            "not_in_encoding",
            f"the file is not {encoding} (byte 0x{error.object[error.start]:02X})",
            "correct `encoding`, or leave it out to have it found out",
            line=number + 1,
        ) from None
    finally:
        # Whoever stops in the middle may have closed the file already.
        if not file.closed:
            reader.detach()


class _Pieces:
    """Lines in pieces of a bounded size; never takes the halves of one line end for two."""

    def __init__(self, reader: io.TextIOWrapper) -> None:
        self._reader = reader
        self._halved = False

    def next(self, size: int) -> str:
        """Return the next piece, with the line's end where it reaches that; empty at the end."""
        text = self._reader.readline(size)
        if self._halved and text == "\n":
            text = self._reader.readline(size)
        self._halved = len(text) == size and text.endswith("\r")
        return text

    def skip_line(self) -> bool:
        """Read on to the end of the line; True where nothing but the line's end was left."""
        nothing = True
        while text := self.next(1 << 16):
            nothing = nothing and not text.strip("\r\n")
            if text.endswith(("\n", "\r")):
                break
        return nothing


def _python_name(encoding: str) -> str:
    return {WINDOWS: "cp1252", LATIN1: "latin-1"}.get(encoding, encoding)
