"""Looks into a spreadsheet before it is read: packed bombs, vast sheets, cells with errors.

A few bytes can unpack to gigabytes, and two cells in opposite corners span billions. The sizes in a
packed file may be false, so every part is unpacked once and its checksum compared.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from bulkrunner.adapters.tables.faults import BadFile

MAX_PARTS = 2_000
MAX_UNPACKED = 600_000_000
"""Bytes of all parts together."""

MAX_STRINGS = 60_000_000
"""Bytes of the texts that an XLSX keeps apart from its sheets; all of them are held in memory."""

MAX_CELLS = 4_000_000
"""Cells of the rectangles around everything in each sheet, all sheets together."""

MAX_ERRORS = 10_000
MAX_SHEETS = 200

_CHUNK = 1 << 18
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_STRINGS = "sst"


@dataclass(kw_only=True)
class Looked:
    """What was seen.

    Attributes:
        errors: by name of the part, or name of the sheet of an ODS: (row, column) from 0 of cells
            that show an error.
        sheets: of an XLSX, the relation of each sheet by its name.
        parts: of an XLSX, the part of each relation.
        cells: of the sheets that were looked at to their end.
    """

    kind: str
    errors: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    sheets: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    cells: int = 0

    def errors_in(self, sheet: str) -> set[tuple[int, int]]:
        """Return (row, column) from 0 of the cells of a sheet that show an error."""
        name = self.parts.get(self.sheets.get(sheet, ""), "") if self.kind == "xlsx" else sheet
        return self.errors.get(name, set())


def look(file: BinaryIO) -> Looked:
    """Look into a spreadsheet; the file stands at its beginning again.

    Raises:
        BadFile: it is none, is damaged, or holds more than is read.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as packed:
            looked = _look(packed)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadFile(
            "bad_spreadsheet", f"the spreadsheet is damaged: {str(error)[:120]}", "save it anew"
        ) from None
    file.seek(0)
    return looked


def _look(packed: zipfile.ZipFile) -> Looked:
    parts = packed.infolist()
    names = [part.filename for part in parts]
    if len(parts) > MAX_PARTS or len(set(names)) != len(names):
        raise BadFile("bad_spreadsheet", "the spreadsheet has too many parts, or one part twice")
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise BadFile(
            "too_large",
            f"the spreadsheet unpacks to more than {MAX_UNPACKED // 1_000_000} MB",
            "save the sheet as CSV",
        )
    looked = Looked(kind=_kind(names))
    for part in parts:
        if part.flag_bits & 1:
            raise BadFile("password", "the spreadsheet has a password", "save it without one")
        _look_at(packed, part, looked)
    return looked


def _kind(names: list[str]) -> str:
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "content.xml" in names:
        return "ods"
    raise BadFile(
        "not_a_table", "the packed file is neither XLSX nor ODS", "save the table as .xlsx or .csv"
    )


def _look_at(packed: zipfile.ZipFile, part: zipfile.ZipInfo, looked: Looked) -> None:
    is_xml = part.filename.endswith((".xml", ".rels"))
    scan = _Scan(part, looked) if is_xml else None
    with packed.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            if scan is not None:
                scan.feed(chunk)
    if scan is not None:
        scan.end()


class _Scan:
    """One pass over one part of a spreadsheet."""

    def __init__(self, part: zipfile.ZipInfo, looked: Looked) -> None:
        self._part = part
        self._looked = looked
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._root
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._sheet: _XlsxSheet | _OdsSheets | None = None

    def feed(self, chunk: bytes) -> None:
        self._parse(chunk, final=False)

    def end(self) -> None:
        self._parse(b"", final=True)
        if self._sheet is not None:
            self._sheet.close()

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise BadFile(
                "bad_spreadsheet",
                f"part {self._part.filename[:80]} of the spreadsheet is damaged: {error}",
                "save it anew",
            ) from None

    def _doctype(self, *_: object) -> None:
        raise BadFile("bad_spreadsheet", "the spreadsheet declares a document type", "save it anew")

    def _root(self, name: str, _: Mapping[str, str]) -> None:
        self._parser.StartElementHandler = None
        root = name.rpartition(":")[2]
        name = self._part.filename
        if root == _STRINGS and self._part.file_size > MAX_STRINGS:
            raise BadFile(
                "too_large",
                f"the texts of the spreadsheet take more than {MAX_STRINGS // 1_000_000} MB",
                "save the sheet as CSV",
            )
        if root == "worksheet":
            found = self._looked.errors.setdefault(name, set())
            self._sheet = _XlsxSheet(self._looked, found)
            self._parser.StartElementHandler = self._sheet.start
        elif root in ("document-content", "document"):
            self._sheet = sheets = _OdsSheets(self._looked)
            self._parser.StartElementHandler = sheets.start
            self._parser.EndElementHandler = sheets.end
        elif name == "xl/_rels/workbook.xml.rels":
            self._parser.StartElementHandler = self._relationship
        elif name == "xl/workbook.xml":
            self._parser.StartElementHandler = self._named_sheet

    def _relationship(self, _: str, attributes: Mapping[str, str]) -> None:
        kind, target = attributes.get("Type", ""), attributes.get("Target", "")
        if not kind.endswith("/worksheet"):
            return
        if not target.endswith(".xml"):
            # Such a part was not looked at.
            raise BadFile("bad_spreadsheet", "a sheet lies in a part that is no XML")
        part = target[1:] if target.startswith("/") else f"xl/{target}"
        self._looked.parts[attributes.get("Id", "")] = part

    def _named_sheet(self, name: str, attributes: Mapping[str, str]) -> None:
        if name.rpartition(":")[2] == "sheet":
            relation = next((attributes[key] for key in attributes if key.endswith(":id")), "")
            self._looked.sheets[attributes.get("name", "")] = relation
            if len(self._looked.sheets) > MAX_SHEETS:
                raise _too_many_sheets()


class _XlsxSheet:
    """The extent of a sheet, and its cells with errors."""

    def __init__(self, looked: Looked, errors: set[tuple[int, int]]) -> None:
        self._looked = looked
        self._errors = errors
        self._row = self._column = -1
        self._first: tuple[int, int] | None = None
        self._rows = self._columns = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "row":
            given = attributes.get("r", "")
            self._row = int(given) - 1 if given.isdecimal() else self._row + 1
            self._column = -1
        elif local == "c":
            self._cell(attributes)

    def _cell(self, attributes: Mapping[str, str]) -> None:
        self._column += 1
        if found := _REFERENCE.fullmatch(attributes.get("r", "")):
            self._column = _column_number(found[1])
            self._row = int(found[2]) - 1
        self._rows = max(self._rows, self._row + 1)
        self._columns = max(self._columns, self._column + 1)
        _bound(self._looked, self._rows, self._columns)
        if attributes.get("t") == "e":
            _note(self._errors, self._row, self._column)

    def close(self) -> None:
        self._looked.cells += self._rows * self._columns


class _OdsSheets:
    """The same for ODS, where rows and cells say how often they are repeated."""

    def __init__(self, looked: Looked) -> None:
        self._looked = looked
        self._all = looked.errors
        self._errors: set[tuple[int, int]] = set()
        self._row = self._column = self._repeated = 0
        self._rows = self._columns = 0
        self._filled = False
        self._handlers: dict[str, Callable[[Mapping[str, str]], None]] = {
            "table": self._table,
            "table-row": self._table_row,
            "table-cell": self._cell,
            "covered-table-cell": self._cell,
            "p": self._text,
        }

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        handler = self._handlers.get(name.rpartition(":")[2])
        if handler is not None:
            handler(attributes)

    def end(self, name: str) -> None:
        if name.rpartition(":")[2] == "table-row":
            if self._filled:
                self._rows = self._row + self._repeated
                _bound(self._looked, self._rows, self._columns)
            self._row += self._repeated

    def close(self) -> None:
        self._looked.cells += self._rows * self._columns

    def _table(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("table:name", "")
        self._errors = self._all.setdefault(name, set())
        if len(self._all) > MAX_SHEETS:
            raise _too_many_sheets()
        self.close()
        self._row = self._rows = self._columns = 0

    def _table_row(self, attributes: Mapping[str, str]) -> None:
        self._repeated = _times(attributes, "table:number-rows-repeated")
        self._column, self._filled = 0, False

    def _cell(self, attributes: Mapping[str, str]) -> None:
        self._column += _times(attributes, "table:number-columns-repeated")
        if "office:value-type" in attributes:
            self._text(attributes)
        if attributes.get("calcext:value-type") == "error":
            _note(self._errors, self._row, self._column - 1)

    def _text(self, _: Mapping[str, str]) -> None:
        self._filled = True
        self._columns = max(self._columns, self._column)
        _bound(self._looked, max(self._rows, self._row + self._repeated), self._columns)


def _too_many_sheets() -> BadFile:
    return BadFile("too_large", f"the spreadsheet has more than {MAX_SHEETS} sheets")


def _times(attributes: Mapping[str, str], name: str) -> int:
    given = attributes.get(name, "1")
    return int(given) if given.isdecimal() and len(given) < 10 else 10**9


def _bound(looked: Looked, rows: int, columns: int) -> None:
    if looked.cells + rows * columns > MAX_CELLS:
        raise BadFile(
            "too_large",
            f"the sheets span more than {MAX_CELLS:,} cells; this one {rows:,} rows and "
            f"{columns:,} columns",
            "remove cells far from the table and other sheets, or save the sheet as CSV",
        )


def _note(errors: set[tuple[int, int]], row: int, column: int) -> None:
    errors.add((row, column))
    if len(errors) > MAX_ERRORS:
        raise BadFile(
            "cell_error",
            f"more than {MAX_ERRORS:,} cells show an error such as #N/A",
            "mend the formulas, or paste their values",
        )


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
