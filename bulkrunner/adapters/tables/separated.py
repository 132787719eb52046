"""Tables in text files: cells between separators, some of them in quotes."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bulkrunner.adapters.tables.encoding import TextLine
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

_DECLARED = re.compile(r'"?sep=(\t|[;|,])"?', re.IGNORECASE)

SEPARATORS = ("\t", ";", "|", ",")
# Separator of a header whose names are divided by blanks.
BLANK = " "

# Characters of one line.
MAX_LINE = 1_000_000

_SAMPLE = 60
_STEADY = 0.8


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a table is laid out; ``header`` is the separator of its first row, "" without one."""

    separator: str
    header: str


def declared_separator(text: str) -> str | None:
    """Return what a first line ``sep=;`` says, as Excel writes and reads it."""
    found = _DECLARED.fullmatch(text.strip(" \ufeff"))
    return found[1] if found else None


def layout_of(lines: Iterable[TextLine], *, separator: str | None, header: bool) -> Layout:
    """Return the layout that fits the first lines best.

    Args:
        lines: from the first.
        separator: where it is known; the header's may still be another.
        header: whether the first line names the columns.
    """
    sample = [line.text for line in islice(lines, _SAMPLE) if line.text.strip()]
    first, rest = (sample[0], sample[1:]) if header and sample else ("", sample)
    candidates = [separator] if separator else list(SEPARATORS)
    best = min((_weigh(each, first, rest or [first]) for each in candidates), default=None)
    chosen = best.separator if best is not None else ","
    return Layout(
        separator=chosen,
        header=best.header if best is not None and header else "",
    )


@dataclass(frozen=True, order=True)
class _Weight:
    """How badly a separator fits; the least weighs best."""

    misfit: int
    unsteady: float
    fewness: int
    place: int
    separator: str
    header: str


def _weigh(separator: str, first: str, rest: Sequence[str]) -> _Weight:
    rows = list(_cells(rest, separator))
    widths = Counter(map(len, rows))
    width, times = widths.most_common(1)[0] if widths else (1, 1)
    share = times / max(1, sum(widths.values()))
    # A separator at the end of every row makes no column.
    filled = max((_filled(row) for row in rows), default=1)
    header, misfit = _header(first, width, filled, separator) if first else ("", 0)
    if width == 1:
        misfit = 5
    elif share < _STEADY:
        misfit += 2
    place = SEPARATORS.index(separator) if separator in SEPARATORS else 0
    return _Weight(misfit, 1 - share, -width, place, separator, header)


def _filled(cells: Sequence[str]) -> int:
    """Return the number of cells up to the last that holds something."""
    return max((at for at, cell in enumerate(cells, 1) if cell.strip()), default=0)


def _header(first: str, width: int, filled: int, separator: str) -> tuple[str, int]:
    """Return the header's separator, and 0 where it is the rows', 1 where another fits, else 2."""
    names = _names(first, separator)
    if len(names) == width or (width > 1 and _filled(names) == filled):
        return separator, 0
    for other in (*SEPARATORS, BLANK):
        if width > 1 and other != separator and len(_names(first, other)) == width:
            return other, 1
    return separator, 2


def _names(first: str, separator: str) -> list[str]:
    return first.split() if separator == BLANK else next(_cells([first], separator), [])


def _cells(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=separator)
    except csv.Error:
        return


def header_cells(text: str, layout: Layout) -> list[str]:
    """Return the names in a table's first line."""
    return _names(text, layout.header or layout.separator)


def rows_of(
    lines: Iterator[TextLine], layout: Layout, *, quotes: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row's first line, and its cells.

    Raises:
        Fault: quotes that do not close, or a line or cell that is too long.
    """
    feed = _Feed(lines)
    reader = csv.reader(
        feed,
        delimiter=layout.separator,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        feed.start = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _refused(error, feed.start or feed.number) from None
        yield feed.start, cells


class _Feed:
    """Gives lines to the reader and remembers where the row at hand began."""

    def __init__(self, lines: Iterator[TextLine]) -> None:
        self._lines = lines
        self.start = 0
        self.number = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        self.start = self.start or line.number
        if not line.whole:
            raise Fault(
                Sentence("table_line_too_long", most=MAX_LINE),
                code="line_too_long",
                hint=Sentence("table_line_too_long_hint"),
                source=Source(line=line.number),
            )
        return line.text + "\n"


def _refused(error: csv.Error, line: int) -> Fault:
    words = str(error)
    if "field limit" in words:
        return Fault(
            Sentence("table_cell_too_long", most=csv.field_size_limit()),
            code="cell_too_long",
            hint=Sentence("table_cell_too_long_hint"),
            source=Source(line=line),
        )
    is_open = "unexpected end" in words
    return Fault(
        Sentence("table_quote_open" if is_open else "table_text_after_quote"),
        code="bad_quotes",
        hint=Sentence("table_bad_quotes_hint"),
        source=Source(line=line),
    )
