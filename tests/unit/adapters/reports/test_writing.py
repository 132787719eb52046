"""Files are whole or not there, and long reports are streamed."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkrunner.adapters.reports import FORMATS, write_report
from bulkrunner.adapters.reports.json_report import json_chunks
from bulkrunner.adapters.reports.language import Language, language
from bulkrunner.adapters.reports.page import html_chunks
from bulkrunner.adapters.reports.sheets import csv_chunks
from bulkrunner.domain.plan import BibSummary
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import ReportedChange
from bulkrunner.errors import UsageError
from tests.support import reports

Chunks = Callable[[ReportData, Language], Iterator[bytes]]


@pytest.mark.parametrize("form", FORMATS)
def test_replaces_an_older_report_and_leaves_nothing_else(tmp_path: Path, form: str) -> None:
    data = reports.report_data(tmp_path / "ledger")
    out = tmp_path / "out"
    out.mkdir()
    path = out / f"report.{form}"
    path.write_text("older")
    assert write_report(data, path, form=form) == path
    assert path.read_bytes() != b"older"
    assert list(out.iterdir()) == [path]


@pytest.mark.parametrize("form", ["html", "json", "md"])
def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path, form: str) -> None:
    """As a device would, which nothing may replace."""
    data = reports.report_data(tmp_path / "ledger")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert write_report(data, pipe, form=form) == pipe
    reader.join()
    assert pipe.is_fifo()
    assert write_report(data, tmp_path / "file", form=form).stat().st_size == len(read[0]) > 0


def test_a_device_that_is_full_is_told(tmp_path: Path) -> None:
    device = tmp_path / "full"
    device.symlink_to("/dev/full")
    with pytest.raises(UsageError) as refused:
        write_report(reports.report_data(tmp_path / "ledger"), device, form="json")
    assert "No space left" in refused.value.message
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "md"])  # md lists none
def test_a_failure_half_way_leaves_the_older_report(tmp_path: Path, form: str) -> None:
    class Broken(Exception):
        pass

    def changes() -> Iterator[ReportedChange]:
        yield ReportedChange(change=reports.a_reported(1))
        raise Broken

    data = reports.report_data(tmp_path / "ledger")
    out = tmp_path / "out"
    out.mkdir()
    path = out / f"report.{form}"
    path.write_text("older")
    with pytest.raises(Broken):
        write_report(reports.with_changes(data, changes), path, form=form)
    assert path.read_text() == "older"
    assert list(out.iterdir()) == [path]


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path)
    with pytest.raises(UsageError, match="cannot be written") as caught:
        write_report(data, tmp_path / "no" / "report.html", form="html")
    assert "--out" in caught.value.hint


@pytest.mark.parametrize("chunks", [html_chunks, json_chunks, csv_chunks])
def test_a_long_report_is_written_as_it_is_read(tmp_path: Path, chunks: Chunks) -> None:
    read = 0

    def changes() -> Iterator[ReportedChange]:
        nonlocal read
        change = reports.a_reported(1)
        for number in range(12_000):
            read += 1
            title = hashlib.sha512(str(number).encode()).hexdigest()
            yield ReportedChange(change=replace(change, bib=BibSummary(id="bib", title=title)))

    data = reports.with_changes(reports.report_data(tmp_path, changes=[]), changes)
    largest = ahead = written = 0
    for chunk in chunks(data, language("sv")):
        largest = max(largest, len(chunk))
        written += len(chunk)
        ahead = max(ahead, read) if written < 600_000 else ahead
    assert read == 12_000
    assert largest < 600_000
    assert ahead < 9000
