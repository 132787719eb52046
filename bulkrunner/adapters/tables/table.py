"""A table of any kind as named cells, row by row, every row accounted for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from bulkrunner.adapters.tables import encodings
from bulkrunner.adapters.tables.errors import error_of_cell
from bulkrunner.adapters.tables.faults import BadFile
from bulkrunner.adapters.tables.separated import (
    MAX_LINE,
    Layout,
    header_cells,
    layout_of,
    rows_of,
)
from bulkrunner.adapters.tables.sheets import Sheet

MAX_COLUMNS = 1_000
MAX_CELL = 100_000
"""Characters of one cell."""

_PACKED = b"PK\x03\x04"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the manifest says of a table; None or empty: it is found out.

    Attributes:
        header: whether the first row that is not blank names the columns.
        columns: names where there is no header; else the columns are called 1, 2, 3 …
        quotes: whether quotation marks enclose cells of a text file.
    """

    encoding: str | None = None
    separator: str | None = None
    header: bool = True
    columns: tuple[str, ...] = ()
    quotes: bool = True
    sheet: str | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """How a table was read, for people to see and for the plan to keep."""

    kind: str
    columns: tuple[str, ...]
    encoding: str = ""
    separator: str = ""
    header_separator: str = ""
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: of the file or row of the sheet where it begins, from 1.
        code: why the row cannot be used: ``blank``, ``cell_error``, ``too_many_cells``,
            ``cell_too_long``, ``control_character``; empty where it can.
        column: from 1, of the cell that is meant; 0 where none is.
    """

    line: int
    cells: Mapping[str, str]
    code: str = ""
    message: str = ""
    column: int = 0


class Table:
    """An opened table."""

    def __init__(self, facts: Facts, rows: Iterator[tuple[int, list[str], int]]) -> None:
        self.facts = facts
        self._rows = rows

    def rows(self) -> Iterator[Row]:
        """Yield every row after the header, blank ones too; can be asked for once.

        Raises:
            BadFile: the rest cannot be read.
        """
        columns = self.facts.columns
        for line, cells, erroneous in self._rows:
            yield _row(line, cells, erroneous, columns)


def open_table(file: BinaryIO, form: Form) -> Table:
    """Open a table; the file stays open while its rows are read.

    Raises:
        BadFile: it cannot be read as a table.
    """
    file.seek(0)
    packed = file.read(4) == _PACKED
    source = Sheet(file, form.sheet) if packed else _Text(file, form)
    rows = source.rows()
    columns = _columns(rows, form)
    return Table(_facts(source, columns), rows)


class _Text:
    """A text file with separators."""

    kind = "text"

    def __init__(self, file: BinaryIO, form: Form) -> None:
        if form.sheet is not None:
            raise BadFile("not_a_table", "the file is no spreadsheet, so it has no sheets")
        found = encodings.detect(file)
        self.encoding = form.encoding or found
        self._file = file
        self._quotes = form.quotes
        self.layout: Layout = layout_of(self._lines(), separator=form.separator, header=form.header)

    def _lines(self) -> Iterator[encodings.TextLine]:
        self._file.seek(0)
        return encodings.text_lines(self._file, self.encoding, MAX_LINE)

    def rows(self) -> Iterator[tuple[int, list[str], int]]:
        """Yield number and cells of each row."""
        lines = self._lines()
        if self.layout.header and self.layout.header != self.layout.separator:
            # The header is read by itself; the first line that is not blank is it.
            for line in lines:
                if line.text.strip():
                    yield line.number, header_cells(line.text, self.layout), 0
                    break
        for number, cells in rows_of(lines, self.layout, quotes=self._quotes):
            yield number, cells, 0


def _facts(source: Sheet | _Text, columns: tuple[str, ...]) -> Facts:
    if isinstance(source, Sheet):
        return Facts(kind=source.kind, columns=columns, sheet=source.name)
    return Facts(
        kind=source.kind,
        columns=columns,
        encoding=source.encoding,
        separator=source.layout.separator,
        header_separator=source.layout.header,
    )


def _columns(rows: Iterator[tuple[int, list[str], int]], form: Form) -> tuple[str, ...]:
    if not form.header:
        return form.columns
    for line, cells, _ in rows:
        if any(cell.strip() for cell in cells):
            return _names(line, cells)
    raise BadFile("empty", "the table holds nothing, not even a header")


def _names(line: int, cells: Sequence[str]) -> tuple[str, ...]:
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise BadFile("too_large", f"the table has more than {MAX_COLUMNS:,} columns", line=line)
    named = [name or str(at) for at, name in enumerate(names, start=1)]
    for at, name in enumerate(named, start=1):
        if name in named[: at - 1]:
            raise BadFile(
                "duplicate_column",
                f"two columns are called `{name[:60]}`",
                "give one of them another name",
                line=line,
                column=at,
            )
        if len(name) > 200 or _CONTROL.search(name):
            raise BadFile(
                "bad_header",
                "the name of a column is too long or holds control characters",
                "is there a header at all? Else write `header: false`",
                line=line,
                column=at,
            )
    return tuple(named)


def _row(line: int, cells: Sequence[str], erroneous: int, columns: Sequence[str]) -> Row:
    texts = [cell.strip() for cell in cells]
    if not any(texts) and not erroneous:
        return Row(line, {}, "blank")
    code, message, column = _fault(texts, erroneous, len(columns))
    named = _named(texts, columns)
    return Row(line, named, code, message, column)


def _named(texts: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    named = {
        name: texts[at][:MAX_CELL] if at < len(texts) else "" for at, name in enumerate(columns)
    }
    if not columns:
        named = {str(at): text[:MAX_CELL] for at, text in enumerate(texts[:MAX_COLUMNS], start=1)}
    return named


def _fault(texts: Sequence[str], erroneous: int, width: int) -> tuple[str, str, int]:
    if erroneous:
        return "cell_error", f"cell {erroneous} shows an error such as #N/A", erroneous
    most = width or MAX_COLUMNS
    for at, text in enumerate(texts, start=1):
        if len(text) > MAX_CELL:
            return "cell_too_long", f"cell {at} is longer than {MAX_CELL:,} characters", at
        if _CONTROL.search(text):
            return "control_character", f"cell {at} holds a control character", at
        if error := error_of_cell(text):
            return "cell_error", f"cell {at} {error}", at
        if at > most and text:
            return "too_many_cells", f"the row has more cells than the {most} columns", at
    return "", "", 0
