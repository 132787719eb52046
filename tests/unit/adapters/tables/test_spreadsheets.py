"""Spreadsheets: cells as they show, formulas as values, and bombs refused before they go off."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.tables import Form, Table, grid, open_table
from bulkrunner.errors import Fault
from tests.support.sizes import sized
from tests.support.tables import code_of, column_of, ods, ods_sheet, repacked, xlsx, xlsx_of


def opened(data: bytes, **form: object) -> Table:
    return open_table(io.BytesIO(data), Form(**form))  # type: ignore[arg-type]


def cells(table: Table) -> list[dict[str, str]]:
    return [dict(row.cells) for row in table.rows() if not code_of(row)]


def test_a_formula_counts_as_its_value_and_is_never_run() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Id", "Not"])
        page.write_formula(1, 0, '=CMD|"/c calc"!A1', None, "fzr8v1sn2k3m4p5")
        page.write_string(1, 1, '=HYPERLINK("http://x")')
        page.write_string(2, 0, "h1x2c3v4b5n6m7k")
        page.write_formula(2, 1, "=1/0", None, "#DIV/0!")

    data = xlsx_of(write)
    found = list(opened(data).rows())
    assert found[0].cells == {"Id": "fzr8v1sn2k3m4p5", "Not": '=HYPERLINK("http://x")'}
    assert (found[1].line, code_of(found[1]), column_of(found[1])) == (3, "cell_error", 2)


def test_rows_keep_their_number_wherever_the_table_begins() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(3, 2, ["Id", "Not"])
        page.write_row(4, 2, ["a", "x"])
        page.write_row(7, 2, ["b", "y"])

    table = opened(xlsx_of(write))
    assert table.facts.columns == ("1", "2", "Id", "Not")
    found = [(row.line, code_of(row), row.cells.get("Id", "")) for row in table.rows()]
    assert found == [(5, "", "a"), (6, "blank", ""), (7, "blank", ""), (8, "", "b")]


def test_the_sheet_is_the_only_one_with_content_or_the_named_one() -> None:
    assert opened(xlsx([["Id"], ["a"]], more=["Blad2"])).facts.sheet == "Blad1"
    both = ods(ods_sheet([["Id"], ["a"]], name="Ett") + ods_sheet([["Id"], ["b"]], name="Två"))
    with pytest.raises(Fault) as fault:
        opened(both)
    assert fault.value.code == "several_sheets"
    assert "Ett, Två" in fault.value.hint
    assert cells(opened(both, sheet="Två")) == [{"Id": "b"}]
    with pytest.raises(Fault) as fault:
        opened(both, sheet="Tre")
    assert fault.value.code == "missing_sheet"


def test_a_sheet_with_a_chart_is_no_table() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_column(0, 0, ["Id", 1, 2])
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=Blad1!$A$2:$A$3"})
        book.add_chartsheet("Diagram").set_chart(chart)

    assert cells(opened(xlsx_of(write))) == [{"Id": "1"}, {"Id": "2"}]


def test_an_ods_as_office_programs_write_it() -> None:
    rest = (
        '<table:table-row table:number-rows-repeated="1048570">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    table = opened(ods(ods_sheet([["Id", "Signum"], ["a", "Hc &amp; Hd"]], tail=rest)))
    assert table.facts.kind == "ods"
    assert cells(table) == [{"Id": "a", "Signum": "Hc & Hd"}]


def test_an_error_in_an_ods_spoils_its_row() -> None:
    bad = (
        '<table:table-row><table:table-cell office:value-type="string"><text:p>b</text:p>'
        '</table:table-cell><table:table-cell office:value-type="string"'
        ' calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell></table:table-row>'
    )
    table = opened(ods(ods_sheet([["Id", "Not"], ["a", "x"]], tail=bad)))
    assert [(row.line, code_of(row), column_of(row)) for row in table.rows()] == [
        (2, "", 0),
        (3, "cell_error", 2),
    ]


def corner_bomb(name: str, content: bytes) -> bytes:
    if name.endswith("sheet1.xml"):
        cell = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        return content.replace(b"</sheetData>", cell + b"</sheetData>")
    return content


def entity_bomb(name: str, content: bytes) -> bytes:
    if name.endswith("sharedStrings.xml"):
        return b'<!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa">]>' + content.partition(b"?>")[2]
    return content


def broken_part(name: str, content: bytes) -> bytes:
    return content[:-20] if name.endswith("sheet1.xml") else content


def without_workbook(name: str, content: bytes) -> bytes | None:
    return None if name == "xl/workbook.xml" else content


def unknown_encoding(name: str, content: bytes) -> bytes:
    if name.endswith("styles.xml"):
        return content.replace(b"UTF-8", b"x-no-such")
    return content


def endless_tag(name: str, content: bytes) -> bytes:
    if name.endswith("sheet1.xml"):
        return content.replace(b"<sheetData>", b"<sheetData " + b" " * 20_000_000 + b">")
    return content


def hidden_part(name: str, content: bytes) -> bytes:
    return content.replace(b"sheet1.xml", b"sheet1.bin") if name.endswith(".rels") else content


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (corner_bomb, "too_large", "table_sheet_too_large"),
        (entity_bomb, "bad_spreadsheet", "table_doctype"),
        (broken_part, "bad_spreadsheet", "table_part_damaged"),
        (without_workbook, "not_a_table", "table_not_a_table"),
        (hidden_part, "bad_spreadsheet", "table_part_lacking"),
        (unknown_encoding, "bad_spreadsheet", "table_part_damaged"),
        (endless_tag, "bad_spreadsheet", "table_endless_tag"),
    ],
)
def test_hostile_and_broken_spreadsheets_are_refused(change: Any, code: str, said: str) -> None:
    data = repacked(xlsx([["Id"], ["a"]]), change)
    with pytest.raises(Fault) as fault:
        opened(data)
    assert (fault.value.code, fault.value.said.key) == (code, said)


def test_what_unpacks_to_hundreds_of_megabytes_is_refused() -> None:
    out = io.BytesIO(xlsx([["Id"], ["a"]]))
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/worksheets/sheet2.xml", "w") as part,
    ):
        for _ in range(700):
            part.write(b" " * 1_000_000)
    assert len(out.getvalue()) < 2_000_000
    with pytest.raises(Fault) as fault:
        opened(out.getvalue())
    assert fault.value.code == "too_large"


def test_a_false_size_in_the_packed_file_is_found_out() -> None:
    data = bytearray(xlsx([["Id"], *[[f"a{n}"] for n in range(500)]]))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as packed:
        size = packed.getinfo("xl/worksheets/sheet1.xml").file_size
    where = data.rindex(size.to_bytes(4, "little"))
    data[where : where + 4] = (100).to_bytes(4, "little")
    with pytest.raises(Fault) as fault:
        opened(bytes(data))
    assert fault.value.code == "bad_spreadsheet"


def test_rows_repeated_a_billion_times_are_refused() -> None:
    bomb = (
        '<table:table-row table:number-rows-repeated="999999999">'
        '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>'
        "</table:table-row>"
    )
    with pytest.raises(Fault) as fault:
        opened(ods(ods_sheet([["Id"]], tail=bomb)))
    assert fault.value.code == "too_large"


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_large_sheet_is_refused_and_one_beside_it_read(kind: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(grid, "MAX_CELLS", 1000)
    rows = [[f"{row}-{column}" for column in range(10)] for row in range(60)]
    large = [[f"{row}-{column}" for column in range(10)] for row in range(160)]

    def write(book: Any) -> None:
        for name, cells in (("Ett", rows), ("Två", large)):
            page = book.add_worksheet(name)
            for number, row in enumerate(cells):
                page.write_row(number, 0, row)

    both = ods_sheet(rows, name="Ett") + ods_sheet(large, name="Två")
    data = xlsx_of(write) if kind == "xlsx" else ods(both)
    with pytest.raises(Fault) as fault:
        opened(data, sheet="Två")
    assert fault.value.code == "too_large"
    assert opened(data, sheet="Ett").facts.sheet == "Ett"


def test_a_cut_file_is_refused() -> None:
    data = xlsx([["Id"], ["a"]])
    with pytest.raises(Fault) as fault:
        opened(data[: len(data) // 2])
    assert fault.value.code == "bad_spreadsheet"


MEASURE = """
import sys
from pathlib import Path
from bulkrunner.adapters.tables import Form, open_table
with open(sys.argv[1], "rb") as file:
    table = open_table(file, Form())
    print(sum(1 for row in table.rows() if not (row.fault or row.left_out)))
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.size
def test_a_hundred_thousand_rows_are_read_in_little_memory(tmp_path: Path) -> None:
    path, count = tmp_path / "lista.xlsx", sized(100_000)
    path.write_bytes(
        xlsx([["Id", "Signum", "Not"], *[[n, f"Hc {n}", f"not {n}"] for n in range(count)]])
    )
    made = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    rows, kilobytes = made.stdout.split()
    assert int(rows) == count
    assert int(kilobytes) < 50_000 + sized(100_000)
