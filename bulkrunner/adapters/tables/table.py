"""A table of any kind as named cells, row by row, every row accounted for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from bulkrunner.adapters.tables import encoding as encodings
from bulkrunner.adapters.tables.grid import (
    Book,
    SheetRow,
    Survey,
    error_of_cell,
    uncertain_told,
)
from bulkrunner.adapters.tables.separated import (
    MAX_LINE,
    Layout,
    declared_separator,
    header_cells,
    layout_of,
    rows_of,
)
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

MAX_COLUMNS = 1_000
# Characters of one cell.
MAX_CELL = 100_000

# Codes of rows that are left out because the manifest says so.
HIDDEN, ABOVE = "hidden", "above_header"

# Rows that are looked at to see where the header is.
_AHEAD = 20

_PACKED = b"PK\x03\x04"
_INVISIBLE = "\u00ad\u061c\u180e\u2060\ufeff" + "".join(
    map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + _INVISIBLE
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the manifest says of a table; None or empty: it is found out.

    Attributes:
        header: whether the first row that is not blank names the columns; or the number of the
            row that does.
        columns: names where there is no header; else the columns are called 1, 2, 3 …
        quotes: whether quotation marks enclose cells of a text file.
        hidden: ``use`` or ``skip``: what becomes of rows that a spreadsheet does not show.
    """

    encoding: str | None = None
    separator: str | None = None
    header: bool | int = True
    columns: tuple[str, ...] = ()
    quotes: bool = True
    sheet: str | None = None
    hidden: str | None = None

    @property
    def header_row(self) -> int:
        """The number of the header's row, 0 where it is not given."""
        return 0 if isinstance(self.header, bool) else self.header


@dataclass(frozen=True, kw_only=True)
class Facts:
    """How a list or table was read, for people to see and for the plan to keep.

    Attributes:
        kind: ``ids``, ``text`` (a table), ``xlsx``, ``ods``, ``report``.
        header_row: where the manifest names it.
        hidden: what becomes of hidden rows, where there are any.
        hidden_rows: how many hold something. hidden_columns: their names.
        hidden_sheets: those that hold something.
    """

    kind: str
    encoding: str = ""
    separator: str = ""
    header_separator: str = ""
    sheet: str = ""
    columns: tuple[str, ...] = ()
    header_row: int = 0
    hidden: str = ""
    hidden_rows: int = 0
    hidden_columns: tuple[str, ...] = ()
    hidden_sheets: tuple[str, ...] = ()

    @property
    def hides(self) -> bool:
        """Whether something of the file is not shown by whoever opens it."""
        return bool(self.hidden_rows or self.hidden_columns or self.hidden_sheets)


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: of the file or row of the sheet where it begins, from 1.
        left_out: why it holds no data: ``blank``, ``hidden``, ``above_header``.
        fault: why it cannot be used, with its line and the column of the cell that is meant.
    """

    line: int
    cells: Mapping[str, str]
    left_out: str = ""
    fault: Fault | None = None


class Table:
    """An opened table."""

    def __init__(
        self, facts: Facts, above: Sequence[Row], rows: Iterator[SheetRow], *, skips_hidden: bool
    ) -> None:
        self.facts = facts
        self._above = above
        self._rows = rows
        self._skips_hidden = skips_hidden

    def rows(self) -> Iterator[Row]:
        """Yield every row but the header, blank ones too; can be asked for once.

        Raises:
            Fault: the rest cannot be read.
        """
        yield from self._above
        columns = self.facts.columns
        for row in self._rows:
            if row.hidden and self._skips_hidden:
                yield Row(row.number, {}, HIDDEN)
            else:
                yield _row(row, columns)

    def header_with(self, names: Sequence[str]) -> int:
        """Return the number of one of the next rows that holds all these names, else 0."""
        for row in islice(self._rows, _AHEAD):
            if {_name(text) for text in row.texts}.issuperset(names):
                return row.number
        return 0


def open_table(file: BinaryIO, form: Form) -> Table:
    """Open a table; the file stays open while its rows are read.

    Raises:
        Fault: it cannot be read as a table, or holds hidden rows of which the manifest says
            nothing.
    """
    file.seek(0)
    packed = file.read(4) == _PACKED
    source = Sheet(file, form.sheet) if packed else _Text(file, form)
    if isinstance(source, Sheet) and form.hidden is None:
        _refuse_hidden(source.survey, form.header_row)
    rows = source.rows()
    skips = form.hidden == "skip"
    above, columns, rows = _columns(rows, form, skips_hidden=skips)
    return Table(_facts(source, columns, form), above, rows, skips_hidden=skips)


class _Text:
    """A text file with separators."""

    kind = "text"

    def __init__(self, file: BinaryIO, form: Form) -> None:
        if form.sheet is not None:
            raise Fault(Sentence("table_no_spreadsheet"), code="not_a_table")
        self.encoding = encodings.detect(file, form.encoding)
        self._file = file
        self._quotes = form.quotes
        first = next(self._lines(), None)
        declared = declared_separator(first.text) if first is not None else None
        self._skipped = max(form.header_row - 1, 1 if declared else 0)
        self.layout: Layout = layout_of(
            self._table_lines(),
            separator=form.separator or declared,
            header=bool(form.header),
        )

    def _lines(self) -> Iterator[encodings.TextLine]:
        self._file.seek(0)
        return encodings.text_lines(self._file, self.encoding, MAX_LINE)

    def _table_lines(self) -> Iterator[encodings.TextLine]:
        return islice(self._lines(), self._skipped, None)

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows, those above the table as one cell each."""
        lines = self._lines()
        for line in islice(lines, self._skipped):
            if declared_separator(line.text) is None:
                yield SheetRow(line.number, header_cells(line.text, self.layout) or [""])
        if self.layout.header and self.layout.header != self.layout.separator:
            # The header is read by itself; the first line that is not blank is it.
            for line in lines:
                if line.text.strip():
                    yield SheetRow(line.number, header_cells(line.text, self.layout))
                    break
        for number, cells in rows_of(lines, self.layout, quotes=self._quotes):
            yield SheetRow(number, cells)


def _facts(source: Sheet | _Text, columns: tuple[str, ...], form: Form) -> Facts:
    if isinstance(source, _Text):
        return Facts(
            kind=source.kind,
            columns=columns,
            encoding=source.encoding,
            separator=source.layout.separator,
            header_separator=source.layout.header,
            header_row=form.header_row,
        )
    survey = source.survey
    numbers = range(1, (len(columns) or survey.columns) + 1)
    columns_hidden = [n for n in numbers if any(a <= n <= b for a, b in survey.hidden_columns)]
    rows_hidden = survey.hidden_below(form.header_row)
    return Facts(
        kind=source.kind,
        columns=columns,
        sheet=source.name,
        header_row=form.header_row,
        hidden=form.hidden or "" if rows_hidden else "",
        hidden_rows=rows_hidden,
        hidden_columns=tuple(columns[n - 1] if columns else str(n) for n in columns_hidden),
        hidden_sheets=source.hidden_sheets,
    )


def _refuse_hidden(survey: Survey, header: int) -> None:
    count = survey.hidden_below(header)
    if not count:
        return
    first = [number for number in survey.hidden_rows if number > header]
    listed = ", ".join(map(str, first[:10]))
    if count > 10:
        said = Sentence("table_hidden_rows_many", count=count, listed=listed, rest=count - 10)
    else:
        said = Sentence("table_hidden_rows", count=count, listed=listed)
    hint = Sentence("table_hidden_rows_hint")
    raise Fault(said, code="hidden_rows", hint=hint, source=Source(line=first[0] if first else 0))


def _columns(
    rows: Iterator[SheetRow], form: Form, *, skips_hidden: bool
) -> tuple[list[Row], tuple[str, ...], Iterator[SheetRow]]:
    """Return the rows above the header, the names of the columns, and the rows below."""
    if form.header is False:
        return [], form.columns, rows
    above: list[Row] = []
    for row in rows:
        if form.header_row:
            if row.number < form.header_row:
                if any(text.strip() for text in row.texts):
                    above.append(Row(row.number, {}, ABOVE))
                continue
            if row.number > form.header_row or not any(text.strip() for text in row.texts):
                break
            return above, _names(row), rows
        if row.hidden and skips_hidden:
            above.append(Row(row.number, {}, HIDDEN))
        elif row.fault[0] or any(text.strip() for text in row.texts):
            ahead = list(islice(rows, _AHEAD))
            _refuse_title(row, ahead)
            return above, _names(row), chain(ahead, rows)
    if form.header_row:
        raise Fault(
            Sentence("table_no_header", header_row=form.header_row),
            code="no_header",
            hint=Sentence("table_no_header_hint"),
            source=Source(line=form.header_row),
        )
    raise Fault(Sentence("table_empty"), code="empty")


def _refuse_title(first: SheetRow, ahead: Sequence[SheetRow]) -> None:
    """Refuse a first row that stands alone above a wider table."""
    filled = [text for text in first.texts if text.strip()]
    wider = [row for row in ahead if _filled(row) > 1]
    if len(filled) > 1 or not wider or 2 * len(wider) < sum(_filled(row) > 0 for row in ahead):
        return
    title = " ".join(filled[0].split())[:60] if filled else ""
    raise Fault(
        Sentence("table_title_row", number=first.number, title=title),
        code="title_row",
        hint=Sentence("table_title_row_hint", other=wider[0].number, this=first.number),
        source=Source(line=first.number),
    )


def _filled(row: SheetRow) -> int:
    return sum(bool(text.strip()) for text in row.texts)


def _name(text: str) -> str:
    """Return the name in a cell: composed, on one line, without what cannot be seen."""
    seen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFC", seen).split())


def _names(row: SheetRow) -> tuple[str, ...]:
    line = row.number
    if row.fault[0]:
        raise Fault(
            Sentence("table_header_cell", at=row.fault[0], said=row.fault[1]),
            code="bad_header",
            hint=Sentence("table_header_cell_hint"),
            source=Source(line=line, column=row.fault[0]),
        )
    names = [_name(cell) for cell in row.texts]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise Fault(
            Sentence("table_many_columns", most=MAX_COLUMNS),
            code="too_large",
            source=Source(line=line),
        )
    named = [name or str(at) for at, name in enumerate(names, start=1)]
    for at, name in enumerate(named, start=1):
        if name in named[: at - 1]:
            raise Fault(
                Sentence("table_duplicate_column", name=name[:60]),
                code="duplicate_column",
                hint=Sentence("table_duplicate_column_hint"),
                source=Source(line=line, column=at),
            )
        if len(name) > 200 or _CONTROL.search(name):
            raise Fault(
                Sentence("table_bad_header"),
                code="bad_header",
                hint=Sentence("table_bad_header_hint"),
                source=Source(line=line, column=at),
            )
    return tuple(named)


def _row(row: SheetRow, columns: Sequence[str]) -> Row:
    texts = [cell.strip() if cell.isascii() else cell.strip(_BLANKS) for cell in row.texts]
    if not any(texts) and not row.fault[0]:
        return Row(row.number, {}, "blank")
    return Row(row.number, _named(texts, columns), fault=_fault(row, texts, len(columns)))


def _named(texts: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    named = {
        name: texts[at][:MAX_CELL] if at < len(texts) else "" for at, name in enumerate(columns)
    }
    if not columns:
        named = {str(at): text[:MAX_CELL] for at, text in enumerate(texts[:MAX_COLUMNS], start=1)}
    return named


def _fault(row: SheetRow, texts: Sequence[str], width: int) -> Fault | None:
    code, said, at = _wrong(texts, row.fault, width)
    return Fault(said, code=code, source=Source(line=row.number, column=at)) if code else None


def _wrong(texts: Sequence[str], fault: tuple[int, str], width: int) -> tuple[str, str, int]:
    if fault[0]:
        return "cell_error", Sentence("cell", at=fault[0], said=fault[1]), fault[0]
    most = width or MAX_COLUMNS
    for at, text in enumerate(texts, start=1):
        if len(text) > MAX_CELL:
            return "cell_too_long", Sentence("cell_too_long", at=at, most=MAX_CELL), at
        if _CONTROL.search(text):
            return "control_character", Sentence("cell_control_character", at=at), at
        if error := error_of_cell(text):
            return "cell_error", Sentence("cell", at=at, said=error), at
        if at > most and text:
            return "too_many_cells", Sentence("row_too_wide", most=most), at
    return "", "", 0


class Sheet:
    """One sheet of a spreadsheet.

    Attributes:
        hidden_sheets: those that hold something and are not shown, this one perhaps among them.
    """

    def __init__(self, file: BinaryIO, name: str | None) -> None:
        """Open the named sheet, or the only one that holds anything.

        Raises:
            Fault: the spreadsheet is damaged, too large, or has not that sheet.
        """
        book = _book(file)
        self._book = book
        self.kind = book.kind
        filled = [sheet for sheet in book.sheets if book.is_filled(sheet.name)]
        self.hidden_sheets = tuple(sheet.name for sheet in filled if sheet.hidden)
        if name is None:
            name = self._only([sheet.name for sheet in filled])
        elif name not in [sheet.name for sheet in book.sheets]:
            raise Fault(
                Sentence("table_missing_sheet", name=name),
                code="missing_sheet",
                hint=Sentence(
                    "table_missing_sheet_hint",
                    sheets=_listed([sheet.name for sheet in book.sheets]),
                ),
            )
        self.name = name
        self.survey = book.survey(name)
        self.survey.demand_bounds()

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows up to the last one that holds anything."""
        return uncertain_told(self._book.rows(self.name), self.survey)

    def _only(self, filled: Sequence[str]) -> str:
        shown = [name for name in filled if name not in self.hidden_sheets]
        if len(shown) == 1:
            return shown[0]
        if not filled:
            raise Fault(Sentence("table_sheets_empty"), code="empty")
        if not shown:
            raise Fault(
                Sentence("table_hidden_sheet", filled=_listed(filled)),
                code="hidden_sheet",
                hint=Sentence("table_hidden_sheet_hint"),
            )
        raise Fault(
            Sentence("table_several_sheets", count=len(shown)),
            code="several_sheets",
            hint=Sentence("table_several_sheets_hint", shown=_listed(shown)),
        )


def _book(file: BinaryIO) -> Book:
    from bulkrunner.adapters.tables import ods, xlsx
    from bulkrunner.adapters.tables.package import Package

    package = Package(file)
    if xlsx.WORKBOOK in package.names:
        return xlsx.Workbook(package)
    if ods.CONTENT in package.names:
        return ods.Workbook(package)
    raise Fault(
        Sentence("table_not_a_table"), code="not_a_table", hint=Sentence("table_not_a_table_hint")
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10])[:300]
