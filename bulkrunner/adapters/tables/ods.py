"""Spreadsheets in OpenDocument (ODS)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from bulkrunner.adapters.tables.grid import (
    LOST,
    MAX_CELLS,
    MAX_SHEETS,
    MAX_TEXT,
    NOT_CALCULATED,
    Gaps,
    Range,
    SheetName,
    SheetRow,
    Survey,
    contradicted,
    too_many_sheets,
    uncertain,
)
from bulkrunner.adapters.tables.number_formats import NumberFormat, Shown
from bulkrunner.adapters.tables.ods_styles import TABLE, Styles
from bulkrunner.adapters.tables.package import Attributes, Package, has_password
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

CONTENT = "content.xml"

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE = f"{_OASIS}office:1.0}}"
_TEXT = f"{_OASIS}text:1.0}}"
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"

_SPREADSHEET = f"{_OFFICE}spreadsheet"
_SHEET, _ROW = f"{TABLE}table", f"{TABLE}table-row"
_COLUMN = f"{TABLE}table-column"
_ROWS, _COLUMNS = f"{TABLE}table-row-group", f"{TABLE}table-column-group"
_CELL, _COVERED = f"{TABLE}table-cell", f"{TABLE}covered-table-cell"
_PARAGRAPH = f"{_TEXT}p"
_BLANKS = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
# Elements within a cell whose text is not the cell's.
_APART = frozenset(
    {
        f"{_OFFICE}annotation",
        f"{_TEXT}ruby-text",
        f"{_TEXT}note",
        f"{TABLE}shapes",
        f"{TABLE}detective",
        f"{_OASIS}drawing:1.0}}frame",
        f"{_OASIS}drawing:1.0}}custom-shape",
        f"{_OASIS}drawing:1.0}}text-box",
    }
)

_UNSEEN = ("collapse", "filter")
_SPAN = re.compile(
    r"(-?)P(?:([0-9]+)D)?T?(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:[.,][0-9]+)?)S)?"
)
_BOOLEANS = {"true": ("SANT", "TRUE"), "false": ("FALSKT", "FALSE")}


@dataclass(slots=True)
class _Cell:
    """A cell as it is stored."""

    attributes: Attributes
    style: str
    paragraphs: list[str] = field(default_factory=list)
    kept: int = 0

    @property
    def text(self) -> str:
        return "\n".join(self.paragraphs)


class Workbook:
    """A workbook and its sheets."""

    kind = "ods"

    def __init__(self, package: Package) -> None:
        """Look at every sheet. Fault: it is damaged, encrypted, or holds more than is read."""
        self._package = package
        manifest = package.named("META-INF/manifest.xml")
        if manifest is not None and package.holds(manifest, b"encryption-data"):
            raise has_password()
        self._styles = Styles()
        if (part := package.named("styles.xml")) is not None:
            package.read(part, self._styles)
        look = _Surveys(self._styles)
        package.read(CONTENT, look)
        self.sheets = [
            SheetName(name=name, hidden=("table", style) in self._styles.unseen)
            for name, style in look.styles.items()
        ]
        self._surveys = look.found

    def is_filled(self, name: str, /) -> bool:
        """Return True if a sheet holds anything."""
        return self._surveys[name].rows > 0

    def survey(self, name: str, /) -> Survey:
        """Return what is known of a sheet."""
        return self._surveys[name]

    def rows(self, name: str, /) -> Iterator[SheetRow]:
        """Yield the rows that hold something, and those between."""
        ready: deque[SheetRow] = deque()
        reading = _Rows(self._styles, name, self._surveys[name].columns, ready.append)
        gaps = Gaps()
        for _ in self._package.stream(CONTENT, reading):
            while ready:
                row = ready.popleft()
                yield from gaps.before(row.number)
                yield row


class _Reading:
    """Where in the content its reading stands; subclasses take cells and rows."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self.sheet = ""
        self._depth = 0
        self._row = self._times = self._column = 0
        self._row_style = ""
        self._unseen_row = False
        self._closed = {"row": [False], "column": [False]}
        self._column_styles: list[tuple[int, str]] = []
        self._columns = 0
        self._cell: _Cell | None = None
        self._apart = 0
        self._paragraph: list[str] | None = None
        closed = self._closed
        self._begins: dict[str, Callable[[Attributes], None]] = {
            _CELL: self._begin_cell,
            _COVERED: self._begin_cell,
            _PARAGRAPH: self._begin_paragraph,
            _ROW: self._begin_row,
            _COLUMN: self._begin_column,
            _ROWS: lambda attributes: _close(closed["row"], attributes),
            _COLUMNS: lambda attributes: _close(closed["column"], attributes),
        }
        self._ends: dict[str, Callable[[], object]] = {
            _CELL: self._end_cell,
            _COVERED: self._end_cell,
            _ROW: self._end_row,
            _ROWS: closed["row"].pop,
            _COLUMNS: closed["column"].pop,
        }

    def start(self, name: str, attributes: Attributes, /) -> None:
        if self._apart or name in _APART:
            self._apart += 1
        elif self._paragraph is not None:
            self._within_paragraph(name, attributes)
        elif name == _SHEET:
            self._begin_sheet(attributes)
        elif (begin := self._begins.get(name)) is None:
            self._styles.start(name, attributes)
        elif self._depth == 1:
            begin(attributes)

    def end(self, name: str, /) -> None:
        if self._apart:
            self._apart -= 1
        elif name == _PARAGRAPH:
            self._end_paragraph()
        elif self._paragraph is not None:
            return
        elif name == _SHEET:
            self._depth -= 1
        elif (finish := self._ends.get(name)) is None:
            self._styles.end(name)
        elif self._depth == 1:
            finish()

    def text(self, text: str, /) -> None:
        if self._apart:
            return
        if self._paragraph is None:
            self._styles.text(text)
        elif self._cell is not None and self._cell.kept < MAX_TEXT:
            self._cell.kept += len(text)
            self._paragraph.append(text)

    def _begin_paragraph(self, _: Attributes) -> None:
        if self._cell is not None:
            self._paragraph = []

    def _end_paragraph(self) -> None:
        if self._cell is not None and self._paragraph is not None:
            self._cell.paragraphs.append("".join(self._paragraph))
        self._paragraph = None

    def _within_paragraph(self, name: str, attributes: Attributes) -> None:
        if self._paragraph is None or self._cell is None:
            return
        if name == f"{_TEXT}s":
            given = attributes.get(f"{_TEXT}c", "1")
            times = min(int(given), MAX_TEXT) if given.isdecimal() and len(given) < 10 else 1
            self.text(" " * times)
        elif name in _BLANKS:
            self.text(_BLANKS[name])

    def _begin_sheet(self, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth == 1:
            self.sheet = attributes.get(f"{TABLE}name", "")
            self._row = self._columns = 0
            self._column_styles = []
            self.take_sheet(attributes.get(f"{TABLE}style-name", ""))

    def _begin_column(self, attributes: Attributes) -> None:
        times = _times(attributes, "columns-repeated")
        first, self._columns = self._columns + 1, self._columns + times
        self._column_styles.append(
            (self._columns, attributes.get(f"{TABLE}default-cell-style-name", ""))
        )
        if (
            self._closed["column"][-1]
            or attributes.get(f"{TABLE}visibility") in _UNSEEN
            or ("table-column", attributes.get(f"{TABLE}style-name", "")) in self._styles.unseen
        ):
            self.take_hidden_columns(first, self._columns)

    def _begin_row(self, attributes: Attributes) -> None:
        self._row += 1
        self._times = _times(attributes, "rows-repeated")
        self._column = 0
        self._row_style = attributes.get(f"{TABLE}default-cell-style-name", "")
        self._unseen_row = (
            self._closed["row"][-1]
            or attributes.get(f"{TABLE}visibility") in _UNSEEN
            or ("table-row", attributes.get(f"{TABLE}style-name", "")) in self._styles.unseen
        )

    def _begin_cell(self, attributes: Attributes) -> None:
        self._column += 1
        style = attributes.get(f"{TABLE}style-name") or self._row_style
        if not style:
            style = next((name for last, name in self._column_styles if self._column <= last), "")
        self._cell = _Cell(attributes, style)

    def _end_cell(self) -> None:
        cell, self._cell = self._cell, None
        if cell is None:
            return
        times = _times(cell.attributes, "columns-repeated")
        self.take_cell(cell, times)
        self._column += times - 1

    def _end_row(self) -> None:
        self.take_row()
        self._row += self._times - 1

    def take_sheet(self, style: str) -> None:
        """Take the beginning of a sheet."""

    def take_hidden_columns(self, first: int, last: int) -> None:
        """Take columns that are not shown."""

    def take_cell(self, cell: _Cell, times: int) -> None:
        """Take a cell that stands in its row so often."""

    def take_row(self) -> None:
        """Take the end of a row."""


class _Surveys(_Reading):
    """What is known of every sheet."""

    def __init__(self, styles: Styles) -> None:
        super().__init__(styles)
        self.found: dict[str, Survey] = {}
        self.styles: dict[str, str] = {}
        self._survey = Survey()
        self._filled = 0

    def take_sheet(self, style: str) -> None:
        if self.sheet in self.found or len(self.found) >= MAX_SHEETS:
            raise too_many_sheets()
        self._survey = self.found[self.sheet] = Survey()
        self.styles[self.sheet] = style

    def take_hidden_columns(self, first: int, last: int) -> None:
        self._survey.hidden_columns.append((first, last))

    def take_cell(self, cell: _Cell, times: int) -> None:
        if cell.paragraphs or _is_valued(cell):
            self._filled = self._column + times - 1
            self._survey.fill(self._row, self._filled)
        columns, rows = (_times(cell.attributes, f"{key}-spanned") for key in ("columns", "rows"))
        if columns > 1 or rows > 1:
            one = Range(self._row, self._column, self._row + rows - 1, self._column + columns - 1)
            self._survey.add(self._survey.merged, one)

    def take_row(self) -> None:
        if self._filled:
            self._survey.fill(self._row + self._times - 1, self._filled)
            if self._unseen_row:
                self._survey.hide(self._row, self._times)
        self._filled = 0


class _Rows(_Reading):
    """The rows of one sheet."""

    def __init__(
        self, styles: Styles, wanted: str, columns: int, ready: Callable[[SheetRow], None]
    ) -> None:
        super().__init__(styles)
        self._wanted = wanted
        self._widest = columns
        self._ready = ready
        self._texts: list[str] = []
        self._fault = (0, "")

    def take_cell(self, cell: _Cell, times: int) -> None:
        if self.sheet != self._wanted or not (cell.paragraphs or _is_valued(cell)):
            return
        text, fault = _shown(cell, self._styles)
        if fault and not self._fault[0]:
            self._fault = self._column, fault
        if text:
            self._texts += [""] * (self._column - 1 - len(self._texts))
            self._texts += [text] * min(times, self._widest)

    def take_row(self) -> None:
        if self._fault[0] or any(self._texts):
            for number in range(self._row, self._row + min(self._times, MAX_CELLS)):
                self._ready(SheetRow(number, self._texts, self._fault, self._unseen_row))
        self._texts, self._fault = [], (0, "")


def _close(groups: list[bool], attributes: Attributes) -> None:
    """Note a group of rows or columns: whether it is closed, or one around it."""
    groups.append(groups[-1] or attributes.get(f"{TABLE}display") == "false")


def _is_valued(cell: _Cell) -> bool:
    return f"{_OFFICE}value-type" in cell.attributes or f"{TABLE}formula" in cell.attributes


def _shown(cell: _Cell, styles: Styles) -> tuple[str, str]:
    """Return what a cell shows, and why that is not certain."""
    given = cell.attributes
    kind = given.get(f"{_OFFICE}value-type", "")
    if given.get(f"{_CALC}value-type") == "error":
        return "", Sentence("cell_error", text=cell.text[:40])
    if not kind and f"{TABLE}formula" in given:
        return "", NOT_CALCULATED
    if kind in ("", "string"):
        return _text(cell, styles.format_of(cell.style))
    if kind == "boolean":
        stored = given.get(f"{_OFFICE}boolean-value", "")
        return _agreed(Shown(None, _BOOLEANS.get(stored, ())), stored, cell.text)
    stored, number = _number(kind, given)
    if number is None:
        return "", LOST
    style = styles.format_of(cell.style)
    is_odd = kind in ("date", "time") and not style.is_date
    if is_odd or (kind != "float" and not styles.has_format(cell.style)):
        return "", uncertain(stored, [cell.text] if cell.text else [])
    return _agreed(style.number(number), stored, cell.text)


def _text(cell: _Cell, style: NumberFormat) -> tuple[str, str]:
    whole = cell.attributes.get(f"{_OFFICE}string-value")
    stored = whole if whole is not None else cell.text
    if not style.changes_text:
        if cell.paragraphs and stored != cell.text:
            return "", contradicted(stored, stored, cell.text)
        return stored, ""
    shown = style.text(stored)
    if shown.text is not None and cell.text in (stored, shown.text, ""):
        return shown.text, ""
    return "", uncertain(stored, [cell.text, *shown.likely])


def _agreed(shown: Shown, stored: str, kept: str) -> tuple[str, str]:
    """Return what a cell shows where its format and what the file keeps of its look agree."""
    if shown.text is not None:
        if not kept or _plain(kept) == _plain(shown.text):
            return shown.text, ""
        return "", contradicted(stored, shown.text, kept)
    if kept and _plain(kept) in [_plain(likely) for likely in shown.likely]:
        return kept.strip(), ""
    return "", uncertain(stored, [kept, *shown.likely] if kept else shown.likely)


def _plain(text: str) -> str:
    return " ".join(text.replace("\u2212", "-").split())


def _number(kind: str, given: Attributes) -> tuple[str, float | None]:
    """Return a value as it is stored, and as a number; dates as days since the end of 1899."""
    key = {"date": "date-value", "time": "time-value"}.get(kind, "value")
    stored = given.get(f"{_OFFICE}{key}", "")
    try:
        if kind == "date":
            moment = datetime.fromisoformat(stored).replace(tzinfo=None)
            return stored, (moment - datetime(1899, 12, 30)).total_seconds() / 86_400  # noqa: DTZ001
        if kind == "time":
            found = _SPAN.fullmatch(stored)
            return stored, _seconds(found) / 86_400 if found and stored[-1:] not in "PT" else None
        return stored, float(stored)
    except ValueError:
        return stored, None


def _seconds(found: re.Match[str]) -> float:
    days, hours, minutes = (int(found[at] or 0) for at in (2, 3, 4))
    seconds = float((found[5] or "0").replace(",", "."))
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if found[1] else total


def _times(attributes: Attributes, name: str) -> int:
    given = attributes.get(f"{TABLE}number-{name}", "1")
    if not given.isdecimal() or len(given) > 9 or given == "0":
        raise Fault(
            Sentence("table_endless_repeat"),
            code="bad_spreadsheet",
            hint=Sentence("table_save_anew"),
        )
    return int(given)
