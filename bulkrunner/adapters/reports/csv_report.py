"""The report as CSV: one line for each change (docs/reference/report.md)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from bulkrunner.adapters.reports.showing import as_text, shorten, visible
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.report import ReportData, ReportedChange
from bulkrunner.domain.steps import InputLine

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
)

MAX_CELL = 32_000
"""Characters of a cell; spreadsheets take 32,767."""

MAX_VALUE = 500
"""Characters of one value among the differences."""

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What spreadsheets read as the beginning of a formula."""

_BATCH = 200


def csv_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the lines; UTF-8 with a byte order mark, so that spreadsheets read å, ä and ö."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow(COLUMNS)
    for count, item in enumerate(data.changes(), start=1):
        writer.writerow([cell(value, words) for value in _row(item, data)])
        if count % _BATCH == 0:
            yield _taken(buffer)
    for count, line in enumerate(data.left_out(), start=1):
        writer.writerow([cell(value, words) for value in _left_out(line, data)])
        if count % _BATCH == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _left_out(line: InputLine, data: ReportData) -> Sequence[Any]:
    known = {
        "plan": data.plan.id,
        "run": data.run.id if data.run else "",
        "environment": data.plan.environment,
        "action": "left_out",
        "given": line.given,
        "source": str(line.source),
        "code": line.code,
        "message": line.message,
    }
    return [known.get(column, "") for column in COLUMNS]


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
    text, cut = shorten(visible(str(value)), MAX_CELL)
    if cut:
        text += words.text("cut", n=words.number(cut))
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) else text


def _row(item: ReportedChange, data: ReportData) -> Sequence[Any]:
    change, bib, result = item.change, item.change.bib, item.result
    return (
        data.plan.id,
        data.run.id if data.run else "",
        data.plan.environment,
        change.number,
        change.action.value,
        result.outcome.value if result else "",
        change.record,
        change.given,
        str(change.source),
        change.kind,
        change.sigel,
        bib.id if bib else "",
        bib.title if bib else "",
        bib.author if bib else "",
        bib.year if bib else "",
        change.pattern,
        change.code,
        change.message,
        "\n".join(_difference(d) for d in item.differences),
        "\n".join(change.cleanups),
        "\n".join(f"{code}: {message}" for code, message in change.notes),
        result.record if result else "",
        result.code if result else "",
        result.message if result else "",
        as_text(dict(result.detail)) if result and result.detail else "",
        len(item.attempts) if result else "",
        item.status,
        item.words,
        item.error_id,
        item.link,
    )


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
