"""Spreadsheets of Excel (XLSX, XLSM; ECMA-376, transitional and strict)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from bulkrunner.adapters.tables.grid import (
    LOST,
    MAX_TEXT,
    NOT_CALCULATED,
    Gaps,
    SheetRow,
    Survey,
    column_number,
    range_of,
    uncertain,
)
from bulkrunner.adapters.tables.number_formats import GENERAL, NumberFormat, format_of
from bulkrunner.adapters.tables.package import (
    OFF,
    PHONETIC,
    SPACES,
    TEXT,
    Attributes,
    Ignoring,
    Names,
    Package,
    Relations,
    Strings,
    Styles,
)
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

WORKBOOK = "xl/workbook.xml"

# Bytes of the texts that are kept apart from the sheets; all of them are held in memory.
MAX_STRINGS = 60_000_000

_MEMORY = 20_000
_SURE_DIGITS = 11

_ROW = {f"{space}}}row" for space in SPACES}
_CELL = {f"{space}}}c" for space in SPACES}
_VALUE = {f"{space}}}v" for space in SPACES}
_FORMULA = {f"{space}}}f" for space in SPACES}
_CONTENT = _VALUE | TEXT | _FORMULA

_DIGITS = "0123456789"
_LETTERS = re.compile("[A-Z]{1,3}")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURE_NUMBER = re.compile(rf"0|[1-9][0-9]{{0,{_SURE_DIGITS - 1}}}")


class Workbook:
    """A workbook; the sheets of it that hold cells."""

    kind = "xlsx"

    def __init__(self, package: Package) -> None:
        """Read everything but the sheets. Fault: it is damaged, or holds more than is read."""
        self._package = package
        relations = Relations()
        package.read(self._part("_rels/workbook.xml.rels"), relations)
        names = Names()
        package.read(WORKBOOK, names)
        self._since_1904, self._recalculated = names.since_1904, names.recalculated
        self._parts = {
            sheet.name: relations.targets[relation][1]
            for sheet, relation in names.sheets
            if relations.targets.get(relation, ("", ""))[0] == "worksheet"
        }
        self.sheets = [sheet for sheet, _ in names.sheets if sheet.name in self._parts]
        of_kind = dict(relations.targets.values())
        self._styles, self._strings = Styles(), Strings()
        self._memory: dict[tuple[str, NumberFormat], tuple[str, str]] = {}
        if "styles" in of_kind:
            package.read(self._part(of_kind["styles"]), self._styles)
        if "sharedStrings" in of_kind:
            part = self._part(of_kind["sharedStrings"])
            if package.size(part) > MAX_STRINGS:
                raise Fault(
                    Sentence("table_many_texts", most=MAX_STRINGS // 1000000),
                    code="too_large",
                    hint=Sentence("table_save_csv"),
                )
            package.read(part, self._strings)

    def is_filled(self, name: str, /) -> bool:
        """Return True if a sheet holds anything."""
        look = _Filled()
        return any(look.found for _ in self._package.stream(self._sheet(name), look))

    def survey(self, name: str, /) -> Survey:
        """Return what is known of a sheet."""
        look = _Survey(self._styles.reformatting)
        self._package.read(self._sheet(name), look)
        return look.found

    def rows(self, name: str, /) -> Iterator[SheetRow]:
        """Yield the rows that hold something, and those between."""
        ready: deque[SheetRow] = deque()
        reading = _Rows(self._shown, ready.append)
        gaps = Gaps()
        for _ in self._package.stream(self._sheet(name), reading):
            while ready:
                row = ready.popleft()
                yield from gaps.before(row.number)
                yield row

    def _sheet(self, name: str) -> str:
        return self._part(self._parts[name])

    def _part(self, target: str) -> str:
        found = self._package.named(target, "xl")
        if found is None:
            raise Fault(
                Sentence("table_part_lacking"),
                code="bad_spreadsheet",
                hint=Sentence("table_save_anew"),
            )
        return found

    def _shown(self, cell: _Cell) -> tuple[str, str]:
        """Return what a cell shows, and why that is not certain."""
        value = cell.value
        kind = cell.kind
        style = self._style(cell.style)
        if kind == "s" and value:
            return _text(self._string(value), style)
        if kind == "inlineStr":
            return _text(_unescaped(cell.inline), style)
        if cell.formula and not value and not (kind == "str" and cell.has_value):
            return "", NOT_CALCULATED
        if kind == "str":
            return _text(_unescaped(value), style)
        if not value:
            return "", ""
        if kind == "e":
            return "", Sentence("cell_error", text=value[:40])
        if kind == "b":
            return (
                ("", uncertain("true", ("SANT", "TRUE")))
                if value.strip() in ("1", "true")
                else ("", uncertain("false", ("FALSKT", "FALSE")))
            )
        if cell.formula and self._recalculated and value.strip() == "0":
            # Programs that do not calculate store 0 and ask for it to be done.
            return "", NOT_CALCULATED
        return self._number(value.strip(), style, is_date=kind == "d")

    def _number(self, value: str, style: NumberFormat, *, is_date: bool) -> tuple[str, str]:
        if style.zeros and not is_date and _SURE_NUMBER.fullmatch(value):
            return value.zfill(style.zeros), ""
        found = self._memory.get((value, style))
        if found is None:
            if len(self._memory) > _MEMORY:
                self._memory.clear()
            found = self._memory[value, style] = self._read(value, style, is_date=is_date)
        return found

    def _read(self, value: str, style: NumberFormat, *, is_date: bool) -> tuple[str, str]:
        if is_date and not style.is_date:
            return "", uncertain(value, (value,))
        try:
            number = _days(value, since_1904=self._since_1904) if is_date else float(value)
        except ValueError:
            return "", LOST
        shown = style.number(number, since_1904=self._since_1904)
        return (shown.text, "") if shown.text is not None else ("", uncertain(value, shown.likely))

    def _style(self, number: str) -> NumberFormat:
        formats = self._styles.formats
        if not number or (number == "0" and not formats):
            return formats[0] if formats else format_of(GENERAL)
        at = int(number) if number.isdecimal() else -1
        return formats[at] if 0 <= at < len(formats) else format_of(None)

    def _string(self, value: str) -> str:
        at = int(value) if value.isdecimal() else -1
        if not 0 <= at < len(self._strings):
            raise Fault(
                Sentence("table_text_lacking"),
                code="bad_spreadsheet",
                hint=Sentence("table_save_anew"),
            )
        return _unescaped(self._strings[at])


@dataclass(slots=True)
class _Cell:
    """A cell as it is stored."""

    column: int
    kind: str
    style: str
    value: str = ""
    inline: str = ""
    has_value: bool = False
    formula: bool = False


class _Sheet:
    """Where in a sheet its reading stands."""

    def __init__(self) -> None:
        self._row = self._column = 0
        self._row_text = ""
        self._hidden = False
        self._columns: dict[str, int] = {}

    def _begin_row(self, attributes: Attributes) -> None:
        given = attributes.get("r", "")
        row = int(given) if given.isdecimal() else self._row + 1
        if row <= self._row:
            raise _disordered()
        self._row, self._column, self._row_text = row, 0, str(row)
        self._hidden = attributes.get("hidden", "") not in OFF or _is_flat(attributes.get("ht"))

    def _begin_cell(self, attributes: Attributes) -> None:
        given = attributes.get("r", "")
        column = self._column + 1
        if given:
            named = given.rstrip(_DIGITS)
            at = self._columns.get(named)
            column = self._name_column(named) if at is None else at
            if column <= self._column or given[len(named) :] != self._row_text:
                raise _disordered()
        self._column = column

    def _name_column(self, named: str) -> int:
        if not _LETTERS.fullmatch(named):
            raise _disordered()
        column = self._columns[named] = column_number(named)
        return column


class _Filled(Ignoring):
    """Return True if a sheet holds anything."""

    found = False

    def start(self, name: str, _: Attributes, /) -> None:
        self.found = self.found or name in _CONTENT


class _Survey(_Sheet):
    """What a sheet holds, without its values."""

    def __init__(self, reformatting: set[int]) -> None:
        super().__init__()
        self.found = Survey()
        self._reformatting = reformatting
        self._ranges = ""
        self._told = self._widest = 0

    def start(self, name: str, attributes: Attributes, /) -> None:
        if name in _CELL:
            self._begin_cell(attributes)
        elif name in _CONTENT:
            if self._column and not (self._row == self._told and self._column <= self._widest):
                self._fill()
        elif name in _ROW:
            self._begin_row(attributes)
        else:
            self._other(name.rpartition("}")[2], attributes)

    def _fill(self) -> None:
        """Note a row that holds something, or holds more than those before it."""
        self.found.fill(self._row, self._column)
        self._widest = max(self._widest, self._column)
        if self._hidden and self._told != self._row:
            self.found.hide(self._row)
        self._told = self._row

    def _other(self, local: str, attributes: Attributes) -> None:
        if local == "col":
            hidden = attributes.get("hidden", "") not in OFF or _is_flat(attributes.get("width"))
            first, last = (attributes.get(key, "") for key in ("min", "max"))
            if hidden and first.isdecimal() and last.isdecimal():
                self.found.hidden_columns.append((int(first), int(last)))
        elif local == "mergeCell":
            self.found.add(self.found.merged, range_of(attributes.get("ref", "")))
        elif local == "conditionalFormatting":
            self._ranges = attributes.get("sqref", "")
        elif local == "cfRule":
            style = attributes.get("dxfId", "")
            if style.isdecimal() and int(style) in self._reformatting:
                for one in self._ranges.split():
                    self.found.add(self.found.reformatted, range_of(one))
        elif local == "sheetData":
            self._column = 0

    def end(self, name: str, /) -> None:
        if name in _ROW:
            self._column = 0

    def text(self, text: str, /) -> None:
        pass


class _Rows(_Sheet):
    """The rows of a sheet."""

    def __init__(
        self, shown: Callable[[_Cell], tuple[str, str]], ready: Callable[[SheetRow], None]
    ) -> None:
        super().__init__()
        self._shown = shown
        self._ready = ready
        self._cell: _Cell | None = None
        self._texts: list[str] = []
        self._fault = (0, "")
        self._pieces: list[str] | None = None
        self._kept = 0
        self._phonetic = False

    def start(self, name: str, attributes: Attributes, /) -> None:
        if name in _CELL:
            self._begin_cell(attributes)
            self._cell = _Cell(self._column, attributes.get("t", ""), attributes.get("s", ""))
        elif (cell := self._cell) is None:
            if name in _ROW:
                self._begin_row(attributes)
                self._texts, self._fault = [], (0, "")
        elif name in _VALUE:
            cell.has_value = True
            self._pieces, self._kept = [], 0
        elif name in TEXT:
            if not self._phonetic:
                self._pieces, self._kept = [], 0
        elif name in _FORMULA:
            cell.formula = True
        elif name in PHONETIC:
            self._phonetic = True

    def end(self, name: str, /) -> None:
        if (cell := self._cell) is None:
            if name in _ROW and (self._fault[0] or any(self._texts)):
                self._ready(SheetRow(self._row, self._texts, self._fault, self._hidden))
        elif name in _CELL:
            self._end_cell(cell)
        elif name in PHONETIC:
            self._phonetic = False
        elif self._pieces is not None:
            if name in _VALUE:
                cell.value = "".join(self._pieces)
            elif name in TEXT:
                cell.inline += "".join(self._pieces)
            self._pieces = None

    def text(self, text: str, /) -> None:
        if self._pieces is not None and self._kept < MAX_TEXT:
            self._pieces.append(text)
            self._kept += len(text)

    def _end_cell(self, cell: _Cell) -> None:
        self._cell = None
        text, fault = self._shown(cell)
        if fault and not self._fault[0]:
            self._fault = cell.column, fault
        if text:
            texts = self._texts
            if len(texts) < cell.column - 1:
                texts += [""] * (cell.column - 1 - len(texts))
            texts.append(text)


def _text(text: str, style: NumberFormat) -> tuple[str, str]:
    if not style.changes_text:
        return text, ""
    shown = style.text(text)
    return (shown.text, "") if shown.text is not None else ("", uncertain(text, shown.likely))


def _unescaped(text: str) -> str:
    if "_x" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _days(value: str, *, since_1904: bool) -> float:
    moment = datetime.fromisoformat(value).replace(tzinfo=None)
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
    return (moment - start).total_seconds() / 86_400


def _is_flat(size: str | None) -> bool:
    """Return True if a row or column is too low or narrow to be seen."""
    try:
        return size is not None and float(size) < 0.5
    except ValueError:
        return False


def _disordered() -> Fault:
    return Fault(
        Sentence("table_disordered"),
        code="bad_spreadsheet",
        hint=Sentence("table_save_spreadsheet_anew"),
    )
