"""Chooses the form of a report and writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bulkrunner.adapters.reports.csv_report import csv_chunks
from bulkrunner.adapters.reports.files import written_whole
from bulkrunner.adapters.reports.html import html_chunks
from bulkrunner.adapters.reports.json_report import json_chunks, jsonl_chunks
from bulkrunner.adapters.reports.wording import Language, language
from bulkrunner.domain.report import ReportData

_Chunks = Callable[[ReportData, Language], Iterator[bytes]]

_FORMS: dict[str, _Chunks] = {
    "html": html_chunks,
    "json": json_chunks,
    "jsonl": jsonl_chunks,
    "csv": csv_chunks,
}


def json_report(data: ReportData, *, lang: str = "sv") -> Iterator[bytes]:
    """Yield the JSON form of a report."""
    return json_chunks(data, language(lang))


FORMATS = tuple(_FORMS)


def write_report(data: ReportData, path: Path, *, form: str, lang: str = "sv") -> Path:
    """Write a report to a file, whole or not at all.

    Args:
        data: what it says.
        path: replaced where it exists.
        form: one of ``FORMATS``.
        lang: one of ``LANGUAGES``; of the page, and of the texts to send back.

    Returns:
        The path.

    Raises:
        UsageError: the file cannot be written.
    """
    chunks = _FORMS[form](data, language(lang))
    with written_whole(path) as file:
        for chunk in chunks:
            file.write(chunk)
    return path
