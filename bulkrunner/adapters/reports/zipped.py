"""The report's page in a zip file, for mails that take no HTML or nothing large."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from bulkrunner.adapters.reports.html import html_chunks
from bulkrunner.adapters.reports.wording import STOCKHOLM, Language
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
