"""Reports as files: HTML to read, JSON and CSV to work with; written whole, zipped where asked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from bulkrunner.adapters.machine import written_whole
from bulkrunner.adapters.reports.json_report import json_chunks, jsonl_chunks
from bulkrunner.adapters.reports.language import LANGUAGES, STOCKHOLM, Language, language
from bulkrunner.adapters.reports.markdown import markdown_chunks
from bulkrunner.adapters.reports.page import html_chunks
from bulkrunner.adapters.reports.sheets import csv_chunks, write_xlsx
from bulkrunner.domain.report import ReportData


def write_zip(data: ReportData, words: Language, file: BinaryIO) -> None:
    """Write a zip file with the page in it, named after the plan or run."""
    name = f"{(data.run or data.plan).id}.html"
    made = data.generated_at.astimezone(STOCKHOLM)
    entry = zipfile.ZipInfo(name, date_time=made.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with zipfile.ZipFile(file, "w") as archive, archive.open(entry, "w", force_zip64=True) as page:
        for chunk in html_chunks(data, words):
            page.write(chunk)


_Chunks = Callable[[ReportData, Language], Iterator[bytes]]

_Write = Callable[[ReportData, Language, BinaryIO], None]


def _streamed(chunks: _Chunks) -> _Write:
    def write(data: ReportData, words: Language, file: BinaryIO) -> None:
        file.writelines(chunks(data, words))

    return write


_FORMS: dict[str, _Write] = {
    "html": _streamed(html_chunks),
    "json": _streamed(json_chunks),
    "jsonl": _streamed(jsonl_chunks),
    "csv": _streamed(csv_chunks),
    "xlsx": write_xlsx,
    "md": _streamed(markdown_chunks),
    "zip": write_zip,
}


def json_report(data: ReportData) -> Iterator[bytes]:
    """Yield the JSON form of a report."""
    return json_chunks(data, language("sv"))


FORMATS = tuple(_FORMS)


def write_report(
    data: ReportData, path: Path, *, form: str, lang: str = "sv", semicolons: bool = False
) -> Path:
    """Write a report to a file, whole or not at all.

    Args:
        data: what it says.
        path: replaced where it exists.
        form: one of ``FORMATS``.
        lang: one of ``LANGUAGES``; of the page, and of the texts to send back.
        semicolons: between the cells of CSV, as a Swedish Excel expects them.

    Returns:
        The path.

    Raises:
        UsageError: the file cannot be written.
    """
    with written_whole(path) as file:
        if semicolons:
            file.writelines(csv_chunks(data, language(lang), semicolons=True))
        else:
            _FORMS[form](data, language(lang), file)
    return path


__all__ = ["FORMATS", "LANGUAGES", "json_report", "write_report"]
