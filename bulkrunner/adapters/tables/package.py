"""The parts of a packed spreadsheet, read as they stream and within bounds.

A few bytes can unpack to gigabytes, sizes in a packed file may be false, and XML can hold entities:
what is read is counted, checksums are compared, and a document type is refused.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, Protocol
from xml.parsers import expat

from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MAX_PARTS = 2_000
MAX_UNPACKED = 600_000_000
"""Bytes of all parts together."""

MAX_TAG = 1_000_000
"""Bytes of one tag with its attributes."""

_CHUNK = 1 << 18

Attributes = Mapping[str, str]


class Handler(Protocol):
    """Takes the elements of a part; names are ``namespace}name``."""

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Take the beginning of an element."""

    def end(self, name: str, /) -> None:
        """Take its end."""

    def text(self, text: str, /) -> None:
        """Take a piece of text."""


class Package:
    """A packed file whose directory was found sound."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the directory.

        Raises:
            Fault: it is damaged, encrypted, or unpacks to more than is read.
        """
        file.seek(0)
        with damage_told():
            self._packed = zipfile.ZipFile(file)
        parts = self._packed.infolist()
        self.names = [part.filename for part in parts]
        if len(parts) > MAX_PARTS or len(set(self.names)) != len(parts):
            raise Fault(Sentence("table_many_parts"), code="bad_spreadsheet")
        if sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise Fault(
                Sentence("table_unpacks_to_much", most=MAX_UNPACKED // 1000000),
                code="too_large",
                hint=Sentence("table_save_csv"),
            )
        if any(part.flag_bits & 1 for part in parts):
            raise has_password()
        self._by_lower_case = {name.lower(): name for name in self.names}

    def named(self, path: str, beside: str = "") -> str | None:
        """Return the part that another names, None where there is none."""
        whole = path.lstrip("/") if path.startswith("/") else posixpath.join(beside, path)
        return self._by_lower_case.get(posixpath.normpath(whole).lower())

    def size(self, name: str) -> int:
        """Return the bytes of a part."""
        return self._packed.getinfo(name).file_size

    def read(self, name: str, handler: Handler) -> None:
        """Read a part to its end.

        Raises:
            Fault: it is damaged.
        """
        for _ in self.stream(name, handler):
            pass

    def stream(self, name: str, handler: Handler) -> Iterator[None]:
        """Read a part, pausing after each piece of it.

        Raises:
            Fault: it is damaged.
        """
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.CharacterDataHandler = handler.text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        with damage_told(), self._packed.open(name) as stream:
            fed = 0
            while chunk := stream.read(_CHUNK):
                _parsed(name, parser.Parse, chunk, False)  # noqa: FBT003
                fed += len(chunk)
                if fed - parser.CurrentByteIndex > MAX_TAG + _CHUNK:
                    raise Fault(Sentence("table_endless_tag"), code="bad_spreadsheet")
                yield
            _parsed(name, parser.Parse, b"", True)  # noqa: FBT003
        yield

    def holds(self, name: str, word: bytes) -> bool:
        """Return True if the beginning of a part holds a word."""
        with damage_told(), self._packed.open(name) as stream:
            return word in stream.read(_CHUNK)


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn what is raised over a damaged file into a fault of it."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        ValueError,
    ) as error:
        words = str(error)[:120]
        no_zip = Sentence("no_zip")
        raise Fault(
            Sentence("table_damaged", error=no_zip if words == no_zip else words),
            code="bad_spreadsheet",
            hint=Sentence("table_save_anew"),
        ) from None


def has_password() -> Fault:
    """Return the fault of an encrypted file."""
    return Fault(Sentence("table_password"), code="password", hint=Sentence("table_password_hint"))


def _parsed(name: str, parse: Callable[[bytes, bool], object], chunk: bytes, final: bool) -> None:  # noqa: FBT001
    try:
        parse(chunk, final)
    except (expat.ExpatError, LookupError) as error:
        # An encoding that nobody knows is told so; what else lacks is a fault of the program.
        if isinstance(error, KeyError | IndexError):
            raise
        raise Fault(
            Sentence("table_part_damaged", name=name[:80], error=str(error)),
            code="bad_spreadsheet",
            hint=Sentence("table_save_anew"),
        ) from None


def _refuse_doctype(*_: object) -> None:
    raise Fault(Sentence("table_doctype"), code="bad_spreadsheet", hint=Sentence("table_save_anew"))
