"""The rows of a sheet as they are shown, its errors, and what is known before they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

# Cells of the rectangle around everything in a sheet.
MAX_CELLS = 4_000_000


# Characters of one cell that are kept; a longer one is refused where the row is read.
MAX_TEXT = 200_000


MAX_RANGES = 100_000

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")

MAX_SHEETS = 200


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row that holds something, or lies between such.

    Attributes:
        number: from 1. texts: from the sheet's first column.
        fault: column, from 1, of the first cell whose text is not certain, and why; 0 for none.
    """

    number: int
    texts: list[str]
    fault: tuple[int, str] = (0, "")
    hidden: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A rectangle of cells; rows and columns from 1, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def place(self) -> str:
        """What a spreadsheet calls it: ``A2:A4``."""
        return f"{letters(self.left)}{self.top}:{letters(self.right)}{self.bottom}"


@dataclass(kw_only=True)
class Survey:
    """What a sheet holds.

    Attributes:
        rows: number of the last one that holds something. columns: the same.
        hidden_rows: those of them that are hidden; the first few, and how many.
        hidden_columns: first and last of each group.
        merged: cells that are one. reformatted: cells that a condition may show otherwise.
    """

    rows: int = 0
    columns: int = 0
    hidden_rows: list[int] = field(default_factory=list)
    hidden_count: int = 0
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    merged: list[Range] = field(default_factory=list)
    reformatted: list[Range] = field(default_factory=list)

    def fill(self, row: int, column: int) -> None:
        """Note a cell that holds something."""
        self.rows = max(self.rows, row)
        self.columns = max(self.columns, column)

    def demand_bounds(self) -> None:
        """Refuse a sheet that is too large to be read. Fault: it is."""
        if self.rows * self.columns > MAX_CELLS:
            raise Fault(
                Sentence(
                    "table_sheet_too_large", most=MAX_CELLS, rows=self.rows, columns=self.columns
                ),
                code="too_large",
                hint=Sentence("table_sheet_too_large_hint"),
            )

    def hide(self, row: int, times: int = 1) -> None:
        """Note hidden rows that hold something."""
        if len(self.hidden_rows) < 20:
            self.hidden_rows += range(row, row + min(times, 20))
        self.hidden_count += times

    def hidden_below(self, header: int) -> int:
        """Return how many hidden rows that hold something follow the header's."""
        return self.hidden_count - sum(number <= header for number in self.hidden_rows)

    def add(self, ranges: list[Range], one: Range) -> None:
        """Note a range."""
        ranges.append(one)
        if len(ranges) > MAX_RANGES:
            raise Fault(Sentence("table_many_ranges", most=MAX_RANGES), code="too_large")


@dataclass(frozen=True, kw_only=True)
class SheetName:
    """A sheet that can hold a table."""

    name: str
    hidden: bool


class Book(Protocol):
    """An opened spreadsheet."""

    @property
    def kind(self) -> str:
        """Of the file."""

    @property
    def sheets(self) -> Sequence[SheetName]:
        """The sheets that can hold a table."""

    def is_filled(self, name: str, /) -> bool:
        """Return True if a sheet holds anything."""

    def survey(self, name: str, /) -> Survey:
        """Return what is known of a sheet."""

    def rows(self, name: str, /) -> Iterator[SheetRow]:
        """Yield the rows that hold something, and those between."""


class Gaps:
    """Numbers rows that have nothing in them, up to the next one that has."""

    def __init__(self) -> None:
        self._last = 0

    def before(self, number: int) -> Iterator[SheetRow]:
        """Yield the empty rows before a row."""
        for missing in range(self._last + 1, number):
            yield SheetRow(missing, [])
        self._last = number


def letters(column: int) -> str:
    """Return what a spreadsheet calls a column: A, B … Z, AA."""
    named = ""
    while column:
        column, rest = divmod(column - 1, 26)
        named = chr(ord("A") + rest) + named
    return named


def range_of(reference: str) -> Range:
    """Return the cells that ``A2:B4`` names."""
    first, _, last = reference.partition(":")
    corners = [_REFERENCE.fullmatch(corner) for corner in (first, last or first)]
    if corners[0] is None or corners[1] is None:
        return Range(1, 1, 1_048_576, 16_384)  # whole rows or columns
    left, right = (column_number(corner[1]) for corner in corners if corner)
    top, bottom = (int(corner[2]) for corner in corners if corner)
    return Range(top, left, bottom, right)


def column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def too_many_sheets() -> Fault:
    """Return the fault of a spreadsheet with more sheets than are looked at."""
    return Fault(Sentence("table_many_sheets", most=MAX_SHEETS), code="too_large")


# Excel's words differ with its language, all in one form: #SAKNAS!, #VÄRDEFEL!, #NAMN?, #DIV/0!.
_ERROR = re.compile(
    r"#[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ0-9_/.]{0,30}[!?]|#N/[A-Z]{1,2}|#SAKNAS|#I/T|#NV|#GETTING_DATA"
    r"|(?:Err|Fel|Feil|Fejl|Virhe) ?: ?[0-9]{3}"
)

_TOO_NARROW = re.compile("#{3,}")

_ROUNDED = re.compile(r"-?[0-9]+[.,][0-9]+[eE]\+[0-9]{1,3}|-?[0-9][eE]\+[0-9]{2,3}")

_FORMULA = re.compile(r"=\s*\S")

NOT_CALCULATED = Sentence("cell_not_calculated")

LOST = Sentence("cell_lost")

REFORMATTED = Sentence("cell_reformatted")


def error_of(text: str) -> Sentence | None:
    """Return what a text says instead of a value, to follow ``the cell``; None for a value."""
    if _ERROR.fullmatch(text):
        return Sentence("cell_error", text=text)
    if _FORMULA.match(text):
        return NOT_CALCULATED
    return None


def error_of_cell(text: str) -> Sentence | None:
    """Return the same of a table's cell, where a row of # is a column that was too narrow."""
    if _ROUNDED.fullmatch(text):
        return Sentence("cell_rounded", text=text)
    if _TOO_NARROW.fullmatch(text):
        return Sentence("cell_too_narrow")
    return error_of(text)


def uncertain(stored: str, likely: Sequence[str]) -> Sentence:
    """Return why a cell whose look is not certain has no value, to follow ``the cell``."""
    kept = _short(stored)
    if not likely:
        return Sentence("cell_uncertain", kept=kept)
    forms = [_short(form) for form in dict.fromkeys(likely[:2])]
    return Sentence("cell_probable", kept=kept, forms=forms)


def contradicted(stored: str, shown: str, kept: str) -> Sentence:
    """Return why a cell is not used whose format and whose stored look differ."""
    return Sentence(
        "cell_contradicted", stored=_short(stored), shown=_short(shown), kept=_short(kept)
    )


def merged(place: str) -> Sentence:
    """Return why a cell that is one with others has no value of its own."""
    return Sentence("cell_merged", place=place)


def _short(text: str) -> str:
    """Return a text of a file on one line, harmless and short."""
    plain = " ".join(text[:61].split())
    shown = "".join(letter if letter.isprintable() else "·" for letter in plain)
    return f"{shown[:60]}…" if len(text) > 60 else shown


def uncertain_told(rows: Iterator[SheetRow], survey: Survey) -> Iterator[SheetRow]:
    """Yield rows, each with the fault of its first cell that is not one by itself, or not as shown."""
    joined, otherwise = _Over(survey.merged), _Over(survey.reformatted)
    for row in rows:
        yield _told(row, joined.over(row.number), otherwise.over(row.number))


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
