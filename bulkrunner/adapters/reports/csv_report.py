"""The report as CSV: one line for each change (docs/reference/report.md)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bulkrunner.adapters.reports.cells import COLUMNS, cell_text, left_out_row, row_of
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.report import ReportData

__all__ = ["COLUMNS", "cell", "csv_chunks"]

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
