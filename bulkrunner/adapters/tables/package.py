"""The parts of a packed spreadsheet, read as they stream; those of an XLSX beside its sheets.

A few bytes can unpack to gigabytes, sizes in a packed file may be false, and XML can hold entities:
what is read is counted, checksums are compared, and a document type is refused.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol
from xml.parsers import expat

from bulkrunner.adapters.tables.grid import MAX_SHEETS, MAX_TEXT, SheetName, too_many_sheets
from bulkrunner.adapters.tables.number_formats import BUILT_IN, NumberFormat, format_of
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MAX_PARTS = 2_000

# Bytes of all parts together.
MAX_UNPACKED = 600_000_000

# Bytes of one tag with its attributes.
MAX_TAG = 1_000_000

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
        """Read a part to its end. Fault: it is damaged."""
        for _ in self.stream(name, handler):
            pass

    def stream(self, name: str, handler: Handler) -> Iterator[None]:
        """Read a part, pausing after each piece of it. Fault: it is damaged."""
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
    except Fault:
        raise  # what reads the file says more of it
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


_MAX_STYLES = 70_000

SPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)

_RELATED = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)

TEXT = {f"{space}}}t" for space in SPACES}

PHONETIC = {f"{space}}}rPh" for space in SPACES}

# What stands for no, in attributes.
OFF = ("", "0", "false")


class Ignoring:
    """Takes elements by local name; what it does not know is passed over."""

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Take the beginning of an element."""
        handler = getattr(self, f"on_{name.rpartition('}')[2]}", None)
        if handler is not None:
            handler(attributes)

    def end(self, name: str, /) -> None:
        """Take its end."""

    def text(self, text: str, /) -> None:
        """Take a piece of text."""


@dataclass
class Relations(Ignoring):
    """Which part each relation of the workbook is, and its kind."""

    targets: dict[str, tuple[str, str]] = field(default_factory=dict)

    def on_Relationship(self, attributes: Attributes) -> None:  # noqa: N802
        """Take a relation."""
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.targets[attributes.get("Id", "")] = kind, attributes.get("Target", "")


@dataclass
class Names(Ignoring):
    """The sheets of a workbook, each with its relation, and how its dates and formulas are meant."""

    sheets: list[tuple[SheetName, str]] = field(default_factory=list)
    since_1904: bool = False
    recalculated: bool = False

    def on_sheet(self, attributes: Attributes) -> None:
        """Take a sheet."""
        relation = next(
            (attributes[key] for key in map("{}}}id".format, _RELATED) if key in attributes), ""
        )
        hidden = attributes.get("state", "visible") != "visible"
        name = attributes.get("name", "")
        self.sheets.append((SheetName(name=name, hidden=hidden), relation))
        if len(self.sheets) > MAX_SHEETS:
            raise too_many_sheets()

    def on_workbookPr(self, attributes: Attributes) -> None:  # noqa: N802
        """Take how dates are meant."""
        self.since_1904 = attributes.get("date1904", "") not in OFF

    def on_calcPr(self, attributes: Attributes) -> None:  # noqa: N802
        """Take how formulas are meant."""
        self.recalculated = attributes.get("fullCalcOnLoad", "") not in OFF


class Styles(Ignoring):
    """The format of each style, and which conditional formats change one."""

    def __init__(self) -> None:
        self.formats: list[NumberFormat] = []
        self.reformatting: set[int] = set()
        self._codes: dict[str, str] = {}
        self._within = ""
        self._conditional = -1

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Take the beginning of an element."""
        local = name.rpartition("}")[2]
        if local in ("numFmts", "cellXfs", "cellStyleXfs", "dxfs"):
            self._within = local
        elif local == "dxf":
            self._conditional += 1
        elif local == "numFmt" and self._within == "dxfs":
            self.reformatting.add(self._conditional)
        elif local == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif local == "xf" and self._within == "cellXfs":
            self.formats.append(self._format(attributes.get("numFmtId", "0")))
            if len(self.formats) > _MAX_STYLES:
                raise Fault(Sentence("table_many_styles"), code="bad_spreadsheet")

    def _format(self, number: str) -> NumberFormat:
        if number in self._codes:
            return format_of(self._codes[number])
        return format_of(BUILT_IN.get(int(number)) if number.isdecimal() else None)


class Strings(Ignoring):
    """The texts that sheets refer to by number, packed tightly."""

    def __init__(self) -> None:
        self._packed = bytearray()
        self._ends = array("Q")
        self._reading = False
        self._skipped = False
        self._kept = 0

    def start(self, name: str, _: Attributes, /) -> None:
        """Take the beginning of an element."""
        if name in TEXT:
            self._reading = not self._skipped
        elif name in PHONETIC:
            self._skipped = True

    def end(self, name: str, /) -> None:
        """Take its end."""
        if name in TEXT:
            self._reading = False
        elif name in PHONETIC:
            self._skipped = False
        elif name.endswith("}si"):
            self._ends.append(len(self._packed))
            self._kept = 0

    def text(self, text: str, /) -> None:
        """Take a piece of text."""
        if self._reading and self._kept < MAX_TEXT:
            self._kept += len(text)
            self._packed += text.encode("utf-8", "surrogatepass")

    def __getitem__(self, number: int) -> str:
        start = self._ends[number - 1] if number else 0
        return self._packed[start : self._ends[number]].decode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return len(self._ends)
