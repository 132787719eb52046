"""The CSV: one line a change, and no cell that a spreadsheet would calculate."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.sheets import COLUMNS, cell
from bulkrunner.adapters.tables.table import Form, open_table
from bulkrunner.domain.report import ReportData
from tests.support import reports
from tests.support.paths import ROOT

WORDS = language("sv")
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\n=1", "  =1", "＝1+1", "＠x", '=HYPERLINK("x")')


def rows_of(data: ReportData, folder: Path) -> list[dict[str, str]]:
    path = write_report(data, folder / "report.csv", form="csv")
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_has_one_line_for_each_change_deletions_first(tmp_path: Path) -> None:
    rows = rows_of(reports.report_data(tmp_path), tmp_path)
    assert tuple(rows[0]) == COLUMNS
    assert [row["number"] for row in rows[:3]] == ["16", "17", "1"]
    assert sorted(int(row["number"]) for row in rows) == list(range(1, 25))


def test_says_what_a_change_is(tmp_path: Path) -> None:
    rows = rows_of(reports.report_data(tmp_path), tmp_path)
    row = next(row for row in rows if row["number"] == "1")
    assert row["plan"] == "p1"
    assert row["action"] == "update"
    assert row["sigel"] == "Ylm"
    assert row["title"] == "Gösta Berlings saga"
    assert row["differences"] == "shelfMark.label: Hc → Hce"
    assert row["source"] == "ids.txt:1"
    assert row["link"] == f"https://libris.kb.se/{reports.record_id(1)}"
    assert row["outcome"] == ""


def test_says_how_a_run_ended(tmp_path: Path) -> None:
    rows = rows_of(reports.report_data(tmp_path, run=True), tmp_path)
    refused = next(row for row in rows if row["number"] == "4")
    assert refused["run"] == "r1"
    assert refused["outcome"] == "refused"
    assert refused["status"] == "400"
    assert refused["server_words"] == "Invalid JsonLd, got errors: <b>x</b>"
    assert refused["attempts"] == "1"


def test_begins_with_a_byte_order_mark_for_spreadsheets(tmp_path: Path) -> None:
    path = write_report(reports.report_data(tmp_path), tmp_path / "r.csv", form="csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfplan,")


@pytest.mark.parametrize("text", [*FORMULAS, "\t=1", "\r=1"])
def test_a_formula_is_only_text(text: str) -> None:
    shown = cell(text, WORDS)
    assert isinstance(shown, str)
    assert shown.startswith(("'", "⟨"))


def test_a_formula_in_a_record_is_only_text(tmp_path: Path) -> None:
    change = reports.a_reported(1, given="=HYPERLINK(1)", sigel="-2+3")
    (row,) = rows_of(reports.report_data(tmp_path, changes=[change]), tmp_path)
    assert row["given"] == "'=HYPERLINK(1)"
    assert row["sigel"] == "'-2+3"


def test_an_ordinary_text_stays_as_it_is() -> None:
    assert cell('Hc, Hce; "x"', WORDS) == 'Hc, Hce; "x"'
    assert cell("0123", WORDS) == "0123"


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_no_cell_begins_a_formula_and_all_can_be_written(text: str) -> None:
    shown = str(cell(text, WORDS))
    assert not shown.lstrip(" ").startswith(tuple("=+-@\t\r\n＝＋－＠"))
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([shown, "next"])
    assert list(csv.reader(io.StringIO(buffer.getvalue(), newline=""))) == [[shown, "next"]]
    assert buffer.getvalue().encode().decode() == buffer.getvalue()


def test_a_cell_is_no_longer_than_spreadsheets_take() -> None:
    shown = str(cell("\u202e" * 100_000, WORDS))
    assert len(shown) < 32_767
    assert shown.endswith("tecken)")


def test_the_manual_names_every_column_in_order() -> None:
    manual = (ROOT / "docs" / "reference" / "report.md").read_text(encoding="utf-8")
    table = manual.partition("## CSV")[2].partition("|---|---|")[2].partition("\n## ")[0]
    named = [
        column
        for line in table.splitlines()
        if line.startswith("| `")
        for column in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert tuple(named) == COLUMNS


def test_for_a_swedish_excel_the_same_cells_stand_between_semicolons(tmp_path: Path) -> None:
    evil = reports.a_reported(1, given="=1+1;2", bib=None)
    data = reports.report_data(tmp_path, changes=[evil, reports.a_reported(2)])
    plain = rows_of(data, tmp_path)
    path = write_report(data, tmp_path / "s.csv", form="csv", semicolons=True)
    mark, rest = path.read_bytes().decode("utf-8-sig").split("\r\n", 1)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfsep=;\r\nplan;run;")
    assert mark == "sep=;"
    rows = list(csv.DictReader(io.StringIO(rest, newline=""), delimiter=";"))
    assert rows == plain
    assert rows[0]["given"] == "'=1+1;2"
    table = open_table(io.BytesIO(path.read_bytes()), Form())
    assert [row.cells["record"] for row in table.rows()] == [row["record"] for row in plain]
