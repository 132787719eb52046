"""The workbook: own types, links, and nothing of a record that Excel would calculate."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from bulkrunner.adapters.reports import sheets as xlsx_report
from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.page_summary import Summary
from bulkrunner.adapters.reports.sheets import COLUMNS
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import ReportedChange
from tests.support import reports
from tests.support.sizes import sized
from tests.unit.adapters.reports.test_csv import FORMULAS


def book_of(data: ReportData, folder: Path, lang: str = "sv") -> Path:
    return write_report(data, folder / "report.xlsx", form="xlsx", lang=lang)


def sheet(path: Path, name: str) -> list[list[Any]]:
    return CalamineWorkbook.from_path(path).get_sheet_by_name(name).to_python()


def rows_of(path: Path, name: str = "Ändringar") -> list[dict[str, Any]]:
    heads, *rows = sheet(path, name)
    assert tuple(heads) == COLUMNS
    return [dict(zip(heads, row, strict=True)) for row in rows]


def test_has_an_overview_the_patterns_and_every_change(tmp_path: Path) -> None:
    path = book_of(reports.report_data(tmp_path, run=True), tmp_path)
    assert CalamineWorkbook.from_path(path).sheet_names == ["Översikt", "Grupper", "Ändringar"]
    overview = {str(row[0]): row[1] for row in sheet(path, "Översikt")}
    assert overview["Plan"] == "p1"
    assert overview["raderas"] == 2
    assert overview["genomförda"] == 15
    patterns = sheet(path, "Grupper")
    assert patterns[3][:3] == [14, "Ändra", "Ändra beståndspost: hyllkod: ”Hc” → ”Hce”"]
    assert [row["number"] for row in rows_of(path)[:3]] == [16, 17, 1]


@pytest.mark.parametrize("lang", ["sv", "en"])
@pytest.mark.parametrize("run", [False, True])
def test_the_first_sheet_says_what_the_first_screen_says(
    tmp_path: Path, lang: str, *, run: bool
) -> None:
    data = reports.report_data(tmp_path, run=run, tried=12, policy=reports.LOOSE_POLICY)
    path, words = book_of(data, tmp_path, lang), language(lang)
    names = CalamineWorkbook.from_path(path).sheet_names
    assert names == [words.text(f"sheet_{name}") for name in ("overview", "patterns", "changes")]
    rows = [[cell for cell in row if cell != ""] for row in sheet(path, names[0])]
    first = Summary(data, words)
    assert rows[0] == [reports.HEAD["title"]]
    assert rows[1] == [first.sentence()]
    largest = first.groups()[0]
    assert largest.line is not None
    assert largest.line.before is not None
    (shown,) = (row for row in rows if row[1:2] == [largest.effect])
    assert shown[0] == largest.count
    assert largest.line.before.text in shown
    for told in (*first.asked(), *(look.text.text for look in first.looks())):
        assert [told] in rows
    for cause in first.causes():
        assert any(row[:1] == [cause.count] and cause.text in str(row[1:]) for row in rows)
    order = [rows.index([words.text(key)]) for key in ("s_asked_none" if run else "s_asked",)]
    assert order[0] < rows.index([words.text("facts_title")])


def test_numbers_and_times_have_their_own_types(tmp_path: Path) -> None:
    row = next(
        row
        for row in rows_of(book_of(reports.report_data(tmp_path, run=True), tmp_path))
        if row["number"] == 4
    )
    assert row["status"] == 400
    assert isinstance(row["decided_at"], datetime)
    assert row["decided_at"].hour == 10
    assert row["year"] == "2003"


@pytest.mark.parametrize("text", [*FORMULAS, "https://example.org/x", "12", "internal:A1"])
def test_what_comes_from_a_record_is_text(tmp_path: Path, text: str) -> None:
    change = reports.a_reported(
        1, bib=replace(reports.TITLES[0], title=text, year=text), sigel=text
    )
    path = book_of(reports.report_data(tmp_path, changes=[change]), tmp_path)
    (row,) = rows_of(path)
    assert row["title"] == text
    assert isinstance(row["title"], str)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert not [name for name, part in parts.items() if "<f>" in part or "<f " in part]
    relations = "".join(part for name, part in parts.items() if name.endswith("sheet3.xml.rels"))
    assert relations.count("Target=") == 1
    assert f'Target="https://libris.kb.se/{reports.record_id(1)}"' in relations


def test_goes_on_in_another_sheet_before_links_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert xlsx_report.ROWS < 65_530
    monkeypatch.setattr(xlsx_report, "ROWS", 10)
    path = book_of(reports.report_data(tmp_path), tmp_path)
    names = CalamineWorkbook.from_path(path).sheet_names[2:]
    assert names == ["Ändringar", "Ändringar 2", "Ändringar 3"]
    numbers = [row["number"] for name in names for row in rows_of(path, name)]
    assert sorted(numbers) == list(range(1, 25))
    with zipfile.ZipFile(path) as archive:
        links = [
            archive.read(f"xl/worksheets/_rels/sheet{n}.xml.rels").count(b"Target=")
            for n in (3, 4, 5)
        ]
    assert sum(links) == 23


def test_a_full_last_sheet_is_not_followed_by_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_report, "ROWS", 12)
    path = book_of(reports.report_data(tmp_path), tmp_path)
    assert len(CalamineWorkbook.from_path(path).sheet_names) == 4


def test_an_empty_plan_has_its_columns(tmp_path: Path) -> None:
    assert rows_of(book_of(reports.report_data(tmp_path, changes=[]), tmp_path)) == []


def test_a_sheet_has_no_more_links_than_a_reader_takes() -> None:
    assert xlsx_report.ROWS <= 65_530


@pytest.mark.size
def test_survives_a_hundred_thousand_rows_with_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_report, "ROWS", sized(65_000))
    one = ReportedChange(
        change=reports.a_reported(1), link=f"https://libris.kb.se/{reports.record_id(1)}"
    )

    def changes() -> Iterator[ReportedChange]:
        for number in range(1, sized(100_000) + 1):
            yield replace(one, change=replace(one.change, number=number))

    data = reports.with_changes(reports.report_data(tmp_path, changes=[]), changes)
    path = book_of(data, tmp_path)
    with zipfile.ZipFile(path) as archive:
        links = [
            archive.read(f"xl/worksheets/_rels/sheet{n}.xml.rels").count(b"Target=") for n in (3, 4)
        ]
    assert links == [sized(65_000), sized(35_000)]
