"""Tables in spreadsheets (XLSX, ODS): which sheet is meant, and its rows as they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from bulkrunner.adapters.tables import ods, xlsx
from bulkrunner.adapters.tables.grid import REFORMATTED, Book, Range, SheetRow, merged
from bulkrunner.adapters.tables.package import Package
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence


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
        book = _book(Package(file))
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
        joined, otherwise = _Over(self.survey.merged), _Over(self.survey.reformatted)
        for row in self._book.rows(self.name):
            yield _told(row, joined.over(row.number), otherwise.over(row.number))

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


class _Over:
    """Finds the ranges that each row lies in, row after row."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        self._ahead = sorted(ranges, reverse=True)
        self._here: list[Range] = []

    def over(self, row: int) -> Sequence[Range]:
        """Return the ranges of a row that follows all those before it."""
        while self._ahead and self._ahead[-1].top <= row:
            self._here.append(self._ahead.pop())
        if self._here:
            self._here = [one for one in self._here if one.bottom >= row]
        return self._here


def _told(row: SheetRow, joined: Sequence[Range], otherwise: Sequence[Range]) -> SheetRow:
    """Return a row with the fault of its first cell that is not one by itself."""
    faults = [row.fault] if row.fault[0] else []
    is_empty = not any(row.texts)
    faults += [
        (one.left, merged(one.place))
        for one in joined
        if not (is_empty and one.top == one.bottom == row.number)
    ]
    faults += [
        (column, REFORMATTED)
        for one in otherwise
        for column in range(one.left, min(one.right, len(row.texts)) + 1)
        if row.texts[column - 1]
    ]
    if not faults or min(faults) == row.fault:
        return row
    return replace(row, fault=min(faults))


def _book(package: Package) -> Book:
    if xlsx.WORKBOOK in package.names:
        return xlsx.Workbook(package)
    if ods.CONTENT in package.names:
        return ods.Workbook(package)
    raise Fault(
        Sentence("table_not_a_table"), code="not_a_table", hint=Sentence("table_not_a_table_hint")
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10])[:300]
