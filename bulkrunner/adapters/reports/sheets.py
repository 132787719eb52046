"""The report as a workbook and as CSV, with cells that no program takes for formulas.

What comes from records is written as text, never as a formula, whatever it begins with; numbers
and times have their own types. Excel takes 65,530 links in a sheet, so that the changes go on in
another sheet before that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any, BinaryIO

from bulkrunner.adapters.reports.language import STOCKHOLM, Language, as_text, shorten, visible
from bulkrunner.adapters.reports.page import Page
from bulkrunner.adapters.reports.page_summary import GroupLine
from bulkrunner.adapters.reports.phrasing import distinct_effects
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.plan import Part
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import PatternGroup, ReportedChange
from bulkrunner.domain.steps import InputLine

# Columns are added at the end only.
COLUMNS = (
    "plan",
    "run",
    "environment",
    "number",
    "action",
    "outcome",
    "record",
    "given",
    "source",
    "kind",
    "sigel",
    "bib",
    "title",
    "author",
    "year",
    "pattern",
    "code",
    "message",
    "differences",
    "cleanups",
    "notes",
    "result_record",
    "result_code",
    "result_message",
    "result_detail",
    "attempts",
    "status",
    "server_words",
    "error_id",
    "link",
    "library",
    "decided_at",
    "tried_in",
    "tried_outcome",
    "tried_link",
    "inputs",
)

# Characters of a cell; spreadsheets take 32,767.
MAX_CELL = 32_000

# Characters of one value among the differences.
MAX_VALUE = 500


def cell_text(value: Any, words: Language) -> str:
    """Return a cell's text, bounded and visible."""
    text, cut = shorten(visible(str(value)), MAX_CELL)
    return text + words.text("cut", n=words.number(cut)) if cut else text


def row_of(item: ReportedChange, data: ReportData) -> Sequence[Any]:
    """Return the cells of a change in the order of ``COLUMNS``; None where there is nothing."""
    change, bib, result, tried = item.change, item.change.bib, item.result, item.tried
    return (
        data.plan.id,
        data.run.id if data.run else None,
        data.plan.environment,
        change.number,
        change.action.value,
        result.outcome.value if result else None,
        change.record,
        change.given,
        str(change.source),
        change.kind,
        change.sigel,
        bib.id if bib else None,
        bib.title if bib else None,
        bib.author if bib else None,
        bib.year if bib else None,
        change.pattern,
        change.code,
        change.message,
        "\n".join(_difference(d) for d in item.differences),
        "\n".join(change.cleanups),
        "\n".join(f"{code}: {message}" for code, message in change.notes),
        result.record if result else None,
        result.code if result else None,
        result.message if result else None,
        as_text(dict(result.detail)) if result and result.detail else None,
        len(item.attempts) if result else None,
        item.status,
        item.words,
        item.error_id,
        item.link,
        change.library,
        result.decided_at if result else None,
        tried.counterpart.environment if tried else None,
        tried.counterpart.outcome if tried else None,
        tried.link if tried else None,
        "\n".join(_input(part) for part in change.parts) if len(change.parts) > 1 else None,
    )


def left_out_row(line: InputLine, data: ReportData) -> Sequence[Any]:
    """Return the cells of a line of an input that gives no change."""
    known = {
        "plan": data.plan.id,
        "run": data.run.id if data.run else None,
        "environment": data.plan.environment,
        "action": "left_out",
        "given": line.given,
        "source": str(line.source),
        "code": line.code,
        "message": line.message,
    }
    return [known.get(column) for column in COLUMNS]


def _input(part: Part) -> str:
    return f"{part.source} {part.given}: {part.code or part.action.value}"


def _difference(item: Difference) -> str:
    match item.kind:
        case "added":
            return f"{item.place}: + {_value(item.after)}"
        case "removed":
            return f"{item.place}: − {_value(item.before)}"
        case _:
            return f"{item.place}: {_value(item.before)} → {_value(item.after)}"


def _value(value: Any) -> str:
    text, cut = shorten(as_text(value), MAX_VALUE)
    return f"{text}… (+{cut})" if cut else text


# Changes in one sheet: one link each.
ROWS = 65_000

_SAFE = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "constant_memory": True,
}

_WIDE = {"title": 40, "differences": 60, "message": 40, "pattern": 30, "library": 30, "link": 34}

# Of the first sheet: counts and labels, what is said, and the example of a group.
_SCREEN = (34, 70, 34, 22, 22, 22, 6)

_RECORD = COLUMNS.index("record")


def write_xlsx(data: ReportData, words: Language, file: BinaryIO) -> None:
    """Write the workbook."""
    import xlsxwriter  # noqa: PLC0415 — only this form needs it

    with xlsxwriter.Workbook(file, _SAFE) as book:
        book.set_properties({"title": data.plan.id, "created": _naive(data.generated_at)})
        sheets = _Sheets(book, words)
        sheets.add(words.text("sheet_overview"), (), _overview(data, words), widths=_SCREEN)
        sheets.add(
            words.text("sheet_patterns"), _heads(words), _patterns(data, words), widths=(10, 12, 90)
        )
        _write_changes(sheets, data, words)


def _write_changes(sheets: _Sheets, data: ReportData, words: Language) -> None:
    rows = _rows(data)
    widths = [_WIDE.get(name, 14) for name in COLUMNS]
    first = list(islice(rows, 1))
    for number in range(1, 10_000):
        name = words.text("sheet_changes")
        name = name if number == 1 else f"{name} {number}"
        sheets.add(name, COLUMNS, chain(first, islice(rows, ROWS - len(first))), widths=widths)
        first = list(islice(rows, 1))
        if not first:
            return


def _rows(data: ReportData) -> Iterator[Sequence[Any]]:
    for item in data.changes():
        cells = list(row_of(item, data))
        if item.link:
            cells[_RECORD] = _Link(item.link, str(cells[_RECORD]))
        yield cells
    for line in data.left_out():
        yield left_out_row(line, data)


class _Link:
    """A text that leads somewhere; addresses are the program's own, never a record's."""

    def __init__(self, url: str, text: str) -> None:
        self.url = url
        self.text = text


class _Head(str):
    """A heading among rows."""

    __slots__ = ()


class _Sheets:
    """Sheets written row by row, each cell with its own type."""

    def __init__(self, book: Any, words: Language) -> None:
        self._book = book
        self._words = words
        self._bold = book.add_format({"bold": True, "bottom": 1, "valign": "top"})
        self._text = book.add_format({"text_wrap": True, "valign": "top"})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "valign": "top"})
        self._link = book.add_format({"font_color": "#17556b", "underline": 1, "valign": "top"})

    def add(
        self,
        name: str,
        heads: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        widths: Sequence[int],
    ) -> None:
        """Write one sheet; ``heads`` stay in sight and can be filtered by."""
        sheet = self._book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, self._bold)
        last = 0
        for last, row in enumerate(rows, start=1 if heads else 0):
            for column, value in enumerate(row):
                self._write(sheet, last, column, value)
        if heads:
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, last, len(heads) - 1)

    def _write(self, sheet: Any, row: int, column: int, value: Any) -> None:
        match value:
            case None | "":
                return
            case bool():
                sheet.write_boolean(row, column, value)
            case int() | float():
                sheet.write_number(row, column, value)
            case datetime():
                sheet.write_datetime(row, column, _naive(value), self._time)
            case _Link():
                text = cell_text(value.text, self._words)
                sheet.write_url(row, column, value.url, self._link, text)
            case _Head():
                sheet.write_string(row, column, cell_text(value, self._words), self._bold)
            case _:
                text = cell_text(value, self._words)
                wrapped = self._text if "\n" in text else None
                sheet.write_string(row, column, text, wrapped)


def _naive(value: datetime) -> datetime:
    """Return a time by the Swedish clock; workbooks know no time zones."""
    return value.astimezone(STOCKHOLM).replace(tzinfo=None)


def _overview(data: ReportData, words: Language) -> Iterator[Sequence[Any]]:
    page = Page(data, words)
    yield from _first_screen(data, page, words)
    yield from _facts(data, page, words)


def _first_screen(data: ReportData, page: Page, words: Language) -> Iterator[Sequence[Any]]:
    """Yield what the page's first screen says, in its order."""
    first = page.summary
    yield (_Head(data.head_text("title") or data.plan.job),)
    if rests_on := page.head.rests_on():
        yield (rests_on,)
    yield (first.sentence(),)
    if asks := first.asks_standing():
        yield (asks,)
    yield (page.head.status().line(words),)
    for _, count, label in page.outcomes.outcome_tiles() if data.run else page.what.tiles():
        yield label, count
    yield from _under(
        words.text("s_causes"),
        ((cause.count, f"{cause.text} {cause.todo}".strip()) for cause in first.causes()),
    )
    yield from _under(
        words.text("s_changes_run" if data.run else "s_changes"),
        (_group(line, words) for line in first.groups()),
    )
    title = words.text("s_asked" if first.answers else "s_asked_none")
    yield from _under(title, ((None, text) for text in first.asked()))
    title = words.text("s_looks_run" if data.run else "s_looks")
    told = [look.text.text for look in first.looks()] or [words.text("s_nothing")]
    yield from _under(title, ((None, text) for text in told))


def _under(title: str, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield rows under their heading; nothing where there are none."""
    for number, row in enumerate(rows):
        if not number:
            yield ()
            yield (_Head(title),)
        yield row


def _group(group: GroupLine, words: Language) -> Sequence[Any]:
    bib, line = group.example.change.bib, group.line
    example = bib.title if bib else None
    if line is None:
        return group.count, group.effect, example
    before, after = (
        None if one is None else words.value(one.text) for one in (line.before, line.after)
    )
    more = words.text("s_more", n=words.number(group.more)) if group.more else None
    return group.count, group.effect, example, words.place(line.place), before, after, more


def _facts(data: ReportData, page: Page, words: Language) -> Iterator[Sequence[Any]]:
    head = data.head_text
    yield ()
    yield (_Head(words.text("facts_title")),)
    yield words.text("fact_job"), data.plan.job
    yield words.text("fact_purpose"), head("purpose")
    yield words.text("fact_library"), head("on_behalf_of")
    yield words.text("fact_agreement"), head("agreement", "reference") or words.text("no_agreement")
    yield words.text("fact_environment"), page.head.kind_name
    yield words.text("fact_plan"), data.plan.id
    yield words.text("fact_digest"), data.plan.plan_digest or words.text("fact_no_digest")
    yield words.text("fact_head"), data.head
    yield words.text("sheet_made"), data.generated_at
    yield (
        words.text("what_title_run" if data.run else "what_title"),
        " ".join(page.what.paragraph()),
    )
    if data.run is not None:
        yield words.text("fact_run"), data.run.id
        for _, count, label in page.what.tiles():
            yield label, count
    for row in page.what.sigel_rows():
        yield words.text("by_sigel"), page.what.sigel_line(row)
    for gate in data.gates:
        state = words.text("gate_open" if gate.open else "gate_closed")
        yield words.name_of("gate", gate.name), f"{state}: {words.reason(gate.reason).text}"
    for item in data.rules:
        state = words.text(item.state)
        yield page.head.rule_name(item.rule), f"{state}: {words.reason(item.said).text}"


def _heads(words: Language) -> Sequence[str]:
    names = ("number_of_changes", "ui_action", "ui_pattern", "by_sigel", "examples")
    return [words.text(name) for name in names]


def _sigel(sigel: str, group: PatternGroup, words: Language) -> str:
    unknown = "sigel_bibs" if group.kind == "bib" else "sigel_unknown"
    return sigel or words.text(unknown)


def _patterns(data: ReportData, words: Language) -> Iterator[Sequence[Any]]:
    groups = data.grouped.patterns
    for group, effect in zip(groups, distinct_effects(groups, words), strict=True):
        yield (
            group.joint.records if group.joint else group.count,
            words.name_of("action", group.action.value),
            effect,
            ", ".join(f"{_sigel(sigel, group, words)} {n}" for sigel, n in group.sigels.items()),
            ", ".join(str(item.change.number) for item in group.samples),
        )


__all__ = ["COLUMNS", "cell", "csv_chunks"]

# What spreadsheets read as the beginning of a formula.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")

_BATCH = 200


def csv_chunks(data: ReportData, words: Language, *, semicolons: bool = False) -> Iterator[bytes]:
    """Yield the lines; UTF-8 with a byte order mark, so that spreadsheets read å, ä and ö.

    ``semicolons``: between cells, and a first line that says so to Excel.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=";" if semicolons else ",")
    buffer.write("\ufeffsep=;\r\n" if semicolons else "\ufeff")
    writer.writerow(COLUMNS)
    for count, item in enumerate(data.changes(), start=1):
        writer.writerow([cell(value, words) for value in row_of(item, data)])
        if count % _BATCH == 0:
            yield _taken(buffer)
    for count, line in enumerate(data.left_out(), start=1):
        writer.writerow([cell(value, words) for value in left_out_row(line, data)])
        if count % _BATCH == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def cell(value: Any, words: Language) -> str | int:
    """Return a cell that no spreadsheet takes for a formula, bounded and visible."""
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    text = cell_text(value.isoformat() if isinstance(value, datetime) else value, words)
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) else text
