"""Finds out how a text file is encoded, by rules that are the same on every machine."""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

UTF8, UTF16_LE, UTF16_BE = "utf-8", "utf-16-le", "utf-16-be"
WINDOWS, LATIN1 = "windows-1252", "iso-8859-1"
MACINTOSH, DOS = "macintosh", "ibm850"
KNOWN = (UTF8, UTF16_LE, UTF16_BE, WINDOWS, LATIN1, MACINTOSH, DOS)

_CHUNK = 1 << 16
# Characters of a line that are looked at.
_LONGEST = 1_000_000

_NOT_IN_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_MAGIC = {
    b"PK\x03\x04": Sentence("file_is_packed"),
    b"\xd0\xcf\x11\xe0": Sentence("file_is_old_excel"),
    b"%PDF": Sentence("file_is_pdf"),
    b"\x1f\x8b": Sentence("file_is_packed_file"),
    b"\xff\xfe\0\0": Sentence("file_is_utf32"),
    b"\0\0\xfe\xff": Sentence("file_is_utf32"),
}
_MARKUP = {
    ("<!doctype html", "<html", "<head", "<body", "<meta", "<table", "<div", "<style"): (
        Sentence("file_is_html")
    ),
    ("mime-version:",): Sentence("file_is_mhtml"),
    ("<?xml", "<workbook", "<office:"): Sentence("file_is_xml"),
    ("{\\rtf",): Sentence("file_is_rtf"),
}

# Those that Swedish texts have beside ASCII; the frequent ones weigh more.
_LETTERS = {**dict.fromkeys("åäöÅÄÖ", 2), **dict.fromkeys("éÉüÜ", 1)}

# Within a word or at its beginning Windows-1252 has hardly any of these.
_WITHIN = re.compile(
    rb"(?<=[A-Za-z])[\x80-\x9f](?=[A-Za-z])|(?<![A-Za-z\x80-\xff])[\x80-\x9f](?=[a-z]{2})"
)

# What letters of UTF-8 become where it is taken for Windows-1252 or Macintosh, and saved again.
_READ_WRONGLY = re.compile("Ã[\u0080-\u00bf€-™]|Â[\u00a0-\u00bf]|â€|√[•§∂Öñ©]")

# What a program writes for a letter that it could not read.
_LOST = "\ufffd"

_SPOILT_BYTES = re.compile(b"|".join(text.encode() for text in ("Ã", "Â", "â€", "√", _LOST)))

_WORD = re.compile(r"[^\W\d_]*[^\x00-\x7f][^\W\d_]*")


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line without its end; ``whole`` is False where it was longer than the limit and cut."""

    number: int
    text: str
    whole: bool


def detect(file: BinaryIO, given: str | None = None) -> str:
    """Return the encoding of a text; the file is read to its end and stands at its beginning again.

    A byte order mark decides; else UTF-8 where every byte fits it; else Windows-1252, unless its
    words show that it is another.

    In neither may letters have been spoilt by whoever saved it.

    Args:
        file: to be read.
        given: the encoding that it is said to have; then only its beginning is looked at.

    Raises:
        Fault: it is no text, or what it is in cannot be told.
    """
    file.seek(0)
    start = file.read(_CHUNK)
    for magic, name in _MAGIC.items():
        if start.startswith(magic):
            raise _no_text(name)
    found = given or _of_start(start)
    _refuse_markup(start[:2000].decode(_python_name(found or WINDOWS), "replace"))
    if found is None:
        found = _of_bytes(start, file)
    if given is None and found != WINDOWS:
        _refuse_spoilt(file, found)
    file.seek(0)
    return found


def _no_text(name: Sentence) -> Fault:
    return Fault(
        Sentence("table_not_text", name=name), code="not_text", hint=Sentence("table_not_text_hint")
    )


def _refuse_markup(start: str) -> None:
    head = start.lstrip("\ufeff \t\r\n").lower()
    for beginnings, name in _MARKUP.items():
        if head.startswith(beginnings):
            raise Fault(
                Sentence("table_markup", name=name),
                code="not_text",
                hint=Sentence("table_markup_hint"),
            )


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
    raise Fault(
        Sentence("table_zero_bytes"),
        code="not_text",
        hint=Sentence("table_zero_bytes_hint"),
        source=Source(line=start[: start.index(0)].count(b"\n") + 1),
    )


def _of_bytes(start: bytes, file: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder(UTF8)()
    chunk = start
    while True:
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            return _of_one_byte_each(file)
        if not chunk:
            return UTF8
        chunk = file.read(_CHUNK)


def _refuse_spoilt(file: BinaryIO, encoding: str) -> None:
    """Go on unless the text shows that it was read in a wrong encoding when it was saved.

    Raises:
        Fault: ``doubtful_encoding``.
    """
    file.seek(0)
    if encoding == UTF8 and not any(_SPOILT_BYTES.search(line) for line in file):
        return
    file.seek(0)
    for line in text_lines(file, encoding, _LONGEST):
        spoilt = _READ_WRONGLY.search(line.text)
        if _LOST in line.text:
            word = _word_at(line.text, line.text.index(_LOST))
            said = Sentence("table_letters_lost", number=line.number, word=word)
        elif spoilt:
            word = _word_at(line.text, spoilt.start())
            said = Sentence("table_read_wrongly", number=line.number, word=word)
        else:
            continue
        hint = Sentence("table_spoilt_hint", encoding=encoding)
        raise Fault(said, code="doubtful_encoding", hint=hint, source=Source(line=line.number))


def _of_one_byte_each(file: BinaryIO) -> str:
    """Return Windows-1252, if the words of the file do not speak against it."""
    letters: Counter[int] = Counter()
    strange: Counter[tuple[int, bool]] = Counter()
    unknown = False
    for _, line in _lines_of_bytes(file):
        letters.update(line.translate(None, _ASCII))
        strange.update(
            (found[0][0], line[: found.start()][-1:].islower()) for found in _WITHIN.finditer(line)
        )
        unknown = unknown or _NOT_IN_WINDOWS.search(line) is not None
    as_windows = sum(weight * letters[ord(letter)] for letter, weight in _LETTERS.items())
    scores = {
        page: sum(_weight(*sign, page) * times for sign, times in strange.items())
        for page in (MACINTOSH, DOS)
    }
    best = max(scores, key=lambda page: scores[page])
    if not unknown and scores[best] <= as_windows:
        return WINDOWS
    raise _doubtful(file, best if scores[best] else "", _NOT_IN_WINDOWS if unknown else _WITHIN)


_ASCII = bytes(range(0x80))


def _weight(byte: int, after_small: bool, page: str) -> int:  # noqa: FBT001
    """Return how much a byte speaks for an encoding; no capital follows a small letter."""
    letter = bytes([byte]).decode(_python_name(page))
    return 0 if after_small and letter.isupper() else _LETTERS.get(letter, 0)


def _lines_of_bytes(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield lines and their numbers, from the beginning."""
    file.seek(0)
    for line in text_lines(file, LATIN1, _LONGEST):
        yield line.number, line.text.encode("latin-1")


def _doubtful(file: BinaryIO, better: str, sign: re.Pattern[bytes]) -> Fault:
    """Return the fault of a file whose encoding is found by elimination, and looks wrong."""
    number, line = next(one for one in _lines_of_bytes(file) if sign.search(one[1]))
    at = next(found.start() for found in sign.finditer(line))
    as_windows = _word(line, at, WINDOWS)
    others = [f"`{one}`" for one in (WINDOWS, LATIN1, MACINTOSH, DOS) if one != better]
    if better:
        said = Sentence(
            "table_not_utf8_but",
            number=number,
            as_windows=as_windows,
            better=better,
            as_better=_word(line, at, better),
        )
        hint = Sentence("table_not_utf8_but_hint", better=better, others=others)
    else:
        said = Sentence("table_not_utf8", number=number, as_windows=as_windows)
        hint = Sentence("table_not_utf8_hint", others=others)
    return Fault(said, code="doubtful_encoding", hint=hint, source=Source(line=number))


def _word(line: bytes, at: int, encoding: str) -> str:
    """Return the word around a byte, as an encoding reads it."""
    text = line[max(0, at - 40) : at + 40].decode(_python_name(encoding), "replace")
    return _word_at(text, min(at, 40))


def _word_at(text: str, place: int) -> str:
    """Return the word around a place of a text."""
    text, place = text[max(0, place - 40) : place + 40], min(place, 40)
    found = next((one for one in _WORD.finditer(text) if one.start() <= place < one.end()), None)
    word = found[0] if found else text[place : place + 1]
    return f"`{''.join(letter if letter.isprintable() else '?' for letter in word)}`"


def text_lines(file: BinaryIO, encoding: str, limit: int) -> Iterator[TextLine]:
    """Yield the lines of a text, each read up to a limit; a byte order mark is dropped.

    Args:
        file: at its beginning; it is left open.
        encoding: one of ``KNOWN``.
        limit: characters of a line.

    Raises:
        Fault: the file is not in this encoding.
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
        raise Fault(
            Sentence(
                "table_not_in_encoding", encoding=encoding, byte=f"{error.object[error.start]:02X}"
            ),
            code="not_in_encoding",
            hint=Sentence("table_not_in_encoding_hint"),
            source=Source(line=number + 1),
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
    pages = {WINDOWS: "cp1252", LATIN1: "latin-1", MACINTOSH: "mac_roman", DOS: "cp850"}
    return pages.get(encoding, encoding)
