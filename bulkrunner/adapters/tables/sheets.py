"""Tables in spreadsheets (XLSX, ODS); a formula counts as the value stored with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import BinaryIO, TypeAlias

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from bulkrunner.adapters.tables.faults import BadFile
from bulkrunner.adapters.tables.packed import look

Cell: TypeAlias = int | float | str | bool | time | date | datetime | timedelta


class Sheet:
    """One sheet of a spreadsheet."""

    def __init__(self, file: BinaryIO, name: str | None) -> None:
        """Open the named sheet, or the only one that holds anything.

        Raises:
            BadFile: the spreadsheet is damaged, too large, or has not that sheet.
        """
        looked = look(file)
        self.kind = looked.kind
        try:
            self._book = CalamineWorkbook.from_filelike(file)
            self._sheet = self._named(name) if name is not None else self._only()
        except (CalamineError, OSError, ValueError) as error:
            raise BadFile(
                "bad_spreadsheet",
                f"the spreadsheet cannot be read: {str(error)[:120]}",
                "save it anew, or as CSV",
            ) from None
        self.name = self._sheet.name
        self._errors = looked.errors_in(self.name)

    def rows(self) -> Iterator[tuple[int, list[str], int]]:
        """Yield each row's number, its cells, and the number of its first cell with an error or 0.

        Numbers count from 1, and cells begin with the sheet's first column.
        """
        margin = [""] * (self._sheet.start[1] if self._sheet.start else 0)
        erroneous: dict[int, int] = {}
        for row, column in self._errors:
            erroneous[row] = min(column, erroneous.get(row, column))
        for number, cells in enumerate(self._sheet.iter_rows()):
            texts = [*margin, *map(text_of, cells)]
            yield number + 1, texts, erroneous.get(number, -1) + 1

    def _named(self, name: str) -> CalamineSheet:
        if name not in self._book.sheet_names:
            names = ", ".join(self._book.sheet_names[:10])
            raise BadFile(
                "missing_sheet", f"there is no sheet `{name}`", f"the sheets are: {names[:300]}"
            )
        return self._book.get_sheet_by_name(name)

    def _only(self) -> CalamineSheet:
        names = [
            sheet.name
            for sheet in self._book.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]
        sheets = [self._book.get_sheet_by_name(name) for name in names]
        filled = [sheet for sheet in sheets if sheet.end is not None]
        if len(filled) == 1:
            return filled[0]
        if not filled:
            raise BadFile("empty", "no sheet holds anything")
        listed = ", ".join(sheet.name for sheet in filled[:10])
        raise BadFile(
            "several_sheets",
            f"{len(filled)} sheets hold something",
            f"say which one: sheet: one of {listed[:300]}",
        )


def text_of(cell: Cell) -> str:
    """Return what a cell shows: 123.0 as ``123``, dates as in ISO 8601, true and false in words."""
    match cell:
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
        case datetime():
            midnight = cell.time() == time()
            return cell.date().isoformat() if midnight else cell.isoformat()
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)
