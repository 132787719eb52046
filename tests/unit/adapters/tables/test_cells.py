"""A cell of a spreadsheet is what the sheet shows, whatever the file; else its row is refused."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from bulkrunner.adapters.tables import Form, Row, Table, open_table
from bulkrunner.errors import Fault
from tests.support.tables import (
    code_of,
    column_of,
    message_of,
    ods,
    ods_cell,
    ods_row,
    ods_sheet,
    ods_style,
    repacked,
    xlsx_of,
)

ID = "fzr8v1sn2k3m4p5"


def opened(data: bytes, **form: Any) -> Table:
    return open_table(io.BytesIO(data), Form(**form))


def rows(data: bytes, **form: Any) -> list[Row]:
    return list(opened(data, **form).rows())


def refused(data: bytes, **form: Any) -> Fault:
    with pytest.raises(Fault) as fault:
        rows(data, **form)
    return fault.value


def xlsx_cell(value: Any, code: str | None = None) -> bytes:
    """A sheet with one value below the header."""

    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["Id", "Nytt"])
        page.write_string(1, 0, ID)
        given = book.add_format({"num_format": code}) if code else None
        if isinstance(value, date):
            page.write_datetime(1, 1, value, given)
        elif isinstance(value, str):
            page.write_string(1, 1, value, given)
        else:
            page.write(1, 1, value, given)

    return xlsx_of(write)


def with_xml(cell: str, *, sheet: Callable[[str], str] = str) -> bytes:
    """A sheet in which the cell below the header is written so."""

    def change(name: str, content: bytes) -> bytes:
        if name != "xl/worksheets/sheet1.xml":
            return content
        text = re.sub(r'<c r="B2".*?</c>', lambda _: cell, content.decode())
        return sheet(text).encode()

    return repacked(xlsx_cell("x"), change)


SHOWN = [
    (42, "0000", "0042"),
    (3_470_508, "0000-0000", "0347-0508"),
    (3_470_509, "00000000", "03470509"),
    (2, '"Vol. "0', "Vol. 2"),
    (0.5, "0%", "50%"),
    (1.5, "[h]:mm", "36:00"),
    (-5, "0;(0)", "(5)"),
    (7, "[>100]0;000", "007"),
    (1999, None, "1999"),
    (9_789_170_000_591, "0", "9789170000591"),
    (date(2026, 11, 2), "yyyy-mm-dd", "2026-11-02"),
    (datetime(2026, 11, 2, 9, 30), "yyyy-mm-dd hh:mm", "2026-11-02 09:30"),  # noqa: DTZ001
    ("2", '"Vol. "@', "Vol. 2"),
    (" 0123 ", "@", "0123"),
]


@pytest.mark.parametrize(("value", "code", "text"), SHOWN)
def test_a_cell_of_xlsx_is_what_it_shows(value: Any, code: str | None, text: str) -> None:
    (row,) = rows(xlsx_cell(value, code))
    assert (code_of(row), row.cells) == ("", {"Id": ID, "Nytt": text})


@pytest.mark.parametrize(
    ("value", "code", "stored", "likely"),
    [
        (1 / 3, "0.00", "0.3333333333333333", "0,33 or 0.33"),
        (12.5, None, "12.5", "12,5 or 12.5"),
        (1.234567890123457e19, None, "E+19", "1,23457E+19 or 1.23457E+19"),
        (9_789_170_000_591, None, "9789170000591", "9,78917E+12 or 9.78917E+12"),
        (1234567, "#,##0", "1234567", "1 234 567 or 1,234,567"),
        (1234.5, '# ##0,00 "kr"'.replace(",", "."), "1234.5", ""),
        (0.25, "# ?/?", "0.25", "1/4"),
        (12345, "0.00E+00", "12345", "1,23E+04 or 1.23E+04"),
        (date(2026, 11, 2), "d mmmm yyyy", "46328", "2026-11-02"),
        (date(2026, 11, 2), "dd/mm/yyyy", "46328", "2026-11-02"),
        (True, None, "true", "SANT or TRUE"),
        (False, None, "false", "FALSKT or FALSE"),
        (5, ";;;", "5", ""),
        ("gömd", ";;;", "gömd", ""),
    ],
)
def test_where_the_look_is_not_certain_both_forms_are_told(
    value: Any, code: str | None, stored: str, likely: str
) -> None:
    (row,) = rows(xlsx_cell(value, code))
    assert (code_of(row), column_of(row)) == ("cell_error", 2)
    assert stored in message_of(row)
    assert likely in message_of(row)
    assert not re.search(r"e\+19|True|False|nan|00:00:00", message_of(row))


@pytest.mark.parametrize(
    ("cell", "text", "message"),
    [
        ('<c r="B2"><f>A2</f><v/></c>', "", "not calculated"),
        ('<c r="B2"><f>A2</f></c>', "", "not calculated"),
        ('<c r="B2" t="str"><f>A2</f></c>', "", "not calculated"),
        ('<c r="B2"><f>1-1</f><v>0</v></c>', "", "not calculated"),
        ('<c r="B2" t="str"><f>A2&amp;""</f><v></v></c>', "", ""),
        ('<c r="B2" t="str"><f>A2</f><v>Hce</v></c>', "Hce", ""),
        ('<c r="B2"><f>A2</f><v>7</v></c>', "7", ""),
        ('<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "", "shows an error: #DIV/0!"),
        ('<c r="B2" t="inlineStr"><is><t>Hc</t></is></c>', "Hc", ""),
        ('<c r="B2" t="inlineStr"><is><r><t>H</t></r><r><t>c å</t></r></is></c>', "Hc å", ""),
        (
            '<c r="B2" t="inlineStr"><is><t>東</t><rPh sb="0" eb="1"><t>ひ</t></rPh></is></c>',
            "東",
            "",
        ),
        ('<c r="B2" t="str"><v>a_x000D_\nb_x005F_x</v></c>', "a\nb_x", ""),
        ('<c r="B2" t="d"><v>2026-11-02</v></c>', "", "holds 2026-11-02"),
        ('<c r="B2"><v>NaN</v></c>', "", "NaN"),
        ('<c r="B2"><v>1 000</v></c>', "", "no value that can be read"),
        ('<c r="B2" s="99"><v>7</v></c>', "", "look is not certain"),
        ('<c r="B2"><v>42</v></c>', "42", ""),
        ('<c r="B2"><v>42.0</v></c>', "42", ""),
        ('<c r="B2"/>', "", ""),
    ],
)
def test_each_way_to_store_a_cell(cell: str, text: str, message: str) -> None:
    (row,) = rows(with_xml(cell))
    assert (code_of(row), row.cells["Nytt"]) == ("cell_error" if message else "", text)
    assert message in message_of(row)


def test_the_strict_form_of_xlsx_is_read_alike() -> None:
    def strict(name: str, content: bytes) -> bytes:
        text = content.decode() if name.endswith((".xml", ".rels")) else ""
        for old, new in (
            ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "spreadsheetml/main"),
            (
                "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                "officeDocument/relationships",
            ),
        ):
            text = text.replace(old, f"http://purl.oclc.org/ooxml/{new}")
        return text.encode() or content

    (row,) = rows(repacked(xlsx_cell(42, "0000"), strict))
    assert row.cells["Nytt"] == "0042"


def test_days_counted_from_1904_are_the_same_days() -> None:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(b"<workbookPr ", b'<workbookPr date1904="1" ')

    (row,) = rows(repacked(xlsx_cell(44866, "yyyy-mm-dd"), change))
    assert row.cells["Nytt"] == "2026-11-02"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('<row r="2"', '<row r="1"'),
        lambda text: text.replace('r="A2"', 'r="C2"'),
        lambda text: text.replace('r="A2"', 'r="A7"'),
        lambda text: text.replace("<v>2</v>", "<v>200</v>"),
        lambda text: text.replace("<v>2</v>", "<v>-1</v>"),
    ],
)
def test_a_sheet_out_of_order_is_damaged(change: Callable[[str], str]) -> None:
    assert refused(with_xml('<c r="B2" t="s"><v>2</v></c>', sheet=change)).code == "bad_spreadsheet"


def test_a_conditional_format_may_change_what_is_shown() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Id", "Nytt"])
        for at in range(1, 4):
            page.write_string(at, 0, f"{ID[:-1]}{at}")
            page.write_number(at, 1, at)
        given = book.add_format({"num_format": "0000"})
        page.conditional_format(
            "B3:B4", {"type": "cell", "criteria": ">", "value": 2, "format": given}
        )

    found = rows(xlsx_of(write))
    assert [code_of(row) for row in found] == ["", "cell_error", "cell_error"]
    assert "conditional format" in message_of(found[1])


# Merged cells


def merged_sheet(*ranges: str) -> Callable[[Any], None]:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Id", "Nytt", "Not"])
        for at in range(1, 6):
            page.write_row(at, 0, [f"{ID[:-1]}{at}", f"Hc {at}", "x"])
        for one in ranges:
            page.merge_range(one, "sammanslagen")

    return write


@pytest.mark.parametrize(
    ("ranges", "spoilt"),
    [
        (["B3:B4"], [3, 4]),
        (["A5:C5"], [5]),
        (["A2:A3", "B5:C6"], [2, 3, 5, 6]),
        (["B2:B6"], [2, 3, 4, 5, 6]),
        ([], []),
    ],
)
def test_merged_cells_spoil_each_of_their_rows(ranges: list[str], spoilt: list[int]) -> None:
    found = rows(xlsx_of(merged_sheet(*ranges)))
    assert [row.line for row in found if code_of(row) == "cell_error"] == spoilt
    assert all(
        any(one in message_of(row) for one in ranges)
        for row in found
        if code_of(row) == "cell_error"
    )


def test_merged_cells_of_ods_are_told_alike() -> None:
    first = ods_row(
        ods_cell("a"),
        '<table:table-cell office:value-type="string" table:number-rows-spanned="2"'
        ' table:number-columns-spanned="1"><text:p>Hc</text:p></table:table-cell>',
    )
    second = ods_row(ods_cell("b"), "<table:covered-table-cell/>")
    data = ods(ods_sheet([["Id", "Nytt"]], tail=first + second + ods_row(ods_cell("c"))))
    found = rows(data)
    assert [(row.line, code_of(row)) for row in found] == [
        (2, "cell_error"),
        (3, "cell_error"),
        (4, ""),
    ]
    assert "B2:B3" in message_of(found[0])


def test_a_title_of_merged_cells_is_left_above_the_header() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.merge_range("A1:B1", "Gallring våren 2026")
        page.write_row(2, 0, ["Id", "Nytt"])
        page.write_row(3, 0, [ID, "Hc"])

    data = xlsx_of(write)
    fault = refused(data)
    assert (fault.code, fault.source.line) == ("title_row", 1)
    assert "header: 3" in fault.hint
    found = rows(data, header=3)
    assert [(row.line, code_of(row)) for row in found] == [(1, "above_header"), (4, "")]
    assert found[1].cells == {"Id": ID, "Nytt": "Hc"}


def test_a_header_of_merged_cells_is_a_fault() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.merge_range("A1:B1", "Bok")
        page.merge_range("C1:D1", "Hylla")
        page.write_row(1, 0, ["Id", "Titel", "Nytt", "Gammalt"])
        page.write_row(2, 0, [ID, "x", "Hc", "Hd"])

    data = xlsx_of(write)
    fault = refused(data)
    assert fault.code == "bad_header"
    assert "A1:B1" in fault.message
    assert "header: N" in fault.hint
    assert rows(data, header=2)[-1].cells["Nytt"] == "Hc"


# Hidden rows, columns, sheets


def by_hand(page: Any, at: int) -> None:
    page.set_row(at, None, None, {"hidden": True})


def by_group(page: Any, at: int) -> None:
    page.set_row(at, None, None, {"level": 1, "hidden": True})


def by_height(page: Any, at: int) -> None:
    page.set_row(at, 0)


@pytest.mark.parametrize("hide", [by_hand, by_group, by_height])
def test_hidden_rows_are_a_fault_until_it_is_said_what_is_meant(
    hide: Callable[[Any, int], None],
) -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["Id", "Nytt"])
        for at in range(1, 6):
            page.write_row(at, 0, [f"{ID[:-1]}{at}", "Hc"])
        hide(page, 2)
        hide(page, 4)
        hide(page, 40)

    data = xlsx_of(write)
    fault = refused(data)
    assert (fault.code, fault.source.line) == ("hidden_rows", 3)
    assert "2 rows are hidden" in fault.message
    assert ": 3, 5" in fault.message
    assert "hidden: skip" in fault.hint
    assert "hidden: use" in fault.hint
    skipped = rows(data, hidden="skip")
    assert [(row.line, code_of(row)) for row in skipped if code_of(row)] == [
        (3, "hidden"),
        (5, "hidden"),
    ]
    assert all(not code_of(row) for row in rows(data, hidden="use"))
    assert opened(data, hidden="use").facts.hidden_rows == 2


def test_a_filter_hides_rows() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["Id", "Gallras"])
        page.autofilter("A1:B3")
        page.filter_column("B", "x == ja")
        page.write_row(1, 0, [ID, "nej"])
        page.set_row(1, options={"hidden": True})
        page.write_row(2, 0, [ID, "ja"])

    assert refused(xlsx_of(write)).code == "hidden_rows"
    assert [code_of(row) for row in rows(xlsx_of(write), hidden="skip")] == ["hidden", ""]


def test_a_hidden_header_is_no_header_where_hidden_rows_are_left_out() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["f1", "f2"])
        page.set_row(0, None, None, {"hidden": True})
        page.write_row(1, 0, ["Id", "Nytt"])
        page.write_row(2, 0, [ID, "Hc"])

    data = xlsx_of(write)
    assert opened(data, hidden="skip").facts.columns == ("Id", "Nytt")
    assert opened(data, hidden="use").facts.columns == ("f1", "f2")
    assert opened(data, header=2).facts.columns == ("Id", "Nytt")


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("", ' table:visibility="collapse"'),
        ("", ' table:visibility="filter"'),
        ("", ' table:style-name="ro0"'),
        ('<table:table-row-group table:display="false">', ""),
    ],
)
def test_hidden_rows_of_ods_are_told_alike(head: str, row: str) -> None:
    style = (
        '<style:style style:name="ro0" style:family="table-row">'
        '<style:table-row-properties style:row-height="0cm"/></style:style>'
    )
    hidden = f"{head}{ods_row(ods_cell('b'), ods_cell('y'), attributes=row)}"
    hidden += "</table:table-row-group>" if head else ""
    tail = hidden + ods_row(ods_cell("c"), ods_cell("z"))
    data = ods(ods_sheet([["Id", "Nytt"], ["a", "x"]], tail=tail), styles=style)
    assert refused(data).source.line == 3
    assert [code_of(row) for row in rows(data, hidden="skip")] == ["", "hidden", ""]


def test_hidden_columns_and_sheets_are_stated() -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["Id", "Nytt", "Not"])
        page.write_row(1, 0, [ID, "Hc", "x"])
        page.set_column(1, 1, None, None, {"hidden": True})
        page.set_column(2, 2, 0)
        other = book.add_worksheet("Gammalt")
        other.write_string(0, 0, "x")
        other.hide()
        secret = book.add_worksheet("Ännu äldre")
        secret.write_string(0, 0, "x")
        secret.very_hidden()
        book.add_worksheet("Tomt").hide()

    data = xlsx_of(write)
    facts = opened(data).facts
    assert facts.sheet == "Blad1"
    assert facts.hidden_columns == ("Nytt", "Not")
    assert facts.hidden_sheets == ("Gammalt", "Ännu äldre")
    assert opened(data, sheet="Gammalt").facts.sheet == "Gammalt"


def test_a_hidden_sheet_is_read_only_where_it_is_named() -> None:
    style = (
        '<style:style style:name="ta0" style:family="table">'
        '<style:table-properties table:display="false"/></style:style>'
    )
    sheet = ods_sheet([["Id"], ["a"]], name="Dold", attributes=' table:style-name="ta0"')
    fault = refused(ods(sheet, styles=style))
    assert fault.code == "hidden_sheet"
    assert "Dold" in fault.message
    data = ods(sheet, styles=style)
    assert rows(data, sheet="Dold")[0].cells == {"Id": "a"}
    assert opened(data, sheet="Dold").facts.hidden_sheets == ("Dold",)


def test_hidden_columns_of_ods_are_stated() -> None:
    columns = (
        '<table:table-column/><table:table-column-group table:display="false">'
        '<table:table-column table:number-columns-repeated="1"/></table:table-column-group>'
        '<table:table-column table:visibility="collapse" table:number-columns-repeated="1000"/>'
    )
    data = ods(ods_sheet([["Id", "A", "B"], ["a", "x", "y"]], head=columns))
    assert opened(data).facts.hidden_columns == ("A", "B")


# OpenDocument

LITERAL = "<number:text>{}</number:text>"
YEAR = '<number:year number:style="long"/>'
MONTH, DAY = '<number:month number:style="long"/>', '<number:day number:style="long"/>'
DIGITS = '<number:number number:decimal-places="0" number:min-integer-digits="{}"/>'
DATE = f"{YEAR}{LITERAL.format('-')}{MONTH}{LITERAL.format('-')}{DAY}"
HOURS = '<number:hours/><number:text>:</number:text><number:minutes number:style="long"/>'


def ods_value(value: str, shown: str | None, kind: str, inner: str, **given: str) -> bytes:
    """A sheet with one value below the header, in a number style."""
    style = ods_style(kind, inner, **given)
    cell = f"<table:table-cell table:style-name='ce1' {value}>"
    cell += "" if shown is None else f"<text:p>{shown}</text:p>"
    tail = ods_row(ods_cell(ID), f"{cell}</table:table-cell>")
    return ods(ods_sheet([["Id", "Nytt"]], tail=tail), styles=style)


def number(value: float, kind: str = "float") -> str:
    return f'office:value-type="{kind}" office:value="{value}"'


@pytest.mark.parametrize(
    ("value", "shown", "kind", "inner", "text"),
    [
        (number(42), "0042", "number", DIGITS.format(4), "0042"),
        (number(42), None, "number", DIGITS.format(4), "0042"),
        (number(2), "Vol. 2", "number", LITERAL.format("Vol. ") + DIGITS.format(1), "Vol. 2"),
        (
            number(0.5, "percentage"),
            "50 %",
            "percentage",
            DIGITS.format(1) + LITERAL.format(" %"),
            "50 %",
        ),
        (
            number(3_470_508),
            "0347-0508",
            "number",
            (
                '<number:number number:decimal-places="0" number:min-integer-digits="8">'
                '<number:embedded-text number:position="4">-</number:embedded-text></number:number>'
            ),
            "0347-0508",
        ),
        (
            number(1 / 3),
            "0,33",
            "number",
            '<number:number number:decimal-places="2" number:min-integer-digits="1"/>',
            "0,33",
        ),
        (
            number(1234567),
            "1\u00a0234\u00a0567",
            "number",
            (
                '<number:number number:decimal-places="0" number:min-integer-digits="1"'
                ' number:grouping="true"/>'
            ),
            "1\u00a0234\u00a0567",
        ),
        (
            'office:value-type="date" office:date-value="2026-11-02"',
            "2026-11-02",
            "date",
            DATE,
            "2026-11-02",
        ),
        (
            'office:value-type="boolean" office:boolean-value="true"',
            "SANT",
            "boolean",
            "<number:boolean/>",
            "SANT",
        ),
        (number(7), "7", "number", '<number:number number:min-integer-digits="1"/>', "7"),
    ],
)
def test_a_cell_of_ods_is_what_it_shows(
    value: str, shown: str | None, kind: str, inner: str, text: str
) -> None:
    (row,) = rows(ods_value(value, shown, kind, inner))
    assert (code_of(row), row.cells) == ("", {"Id": ID, "Nytt": text}), message_of(row)


def test_a_span_of_time_in_ods_is_shown_in_hours() -> None:
    value = 'office:value-type="time" office:time-value="PT36H00M00S"'
    data = ods_value(value, "36:00", "time", HOURS, truncate="false")
    assert rows(data)[0].cells["Nytt"] == "36:00"
    midnight = ods_value(value.replace("36H", "09H"), "9:00", "time", HOURS)
    assert rows(midnight)[0].cells["Nytt"] == "9:00"


@pytest.mark.parametrize(
    ("value", "shown", "kind", "inner", "told"),
    [
        (number(42), "42", "number", DIGITS.format(4), ["42", "0042"]),
        (
            number(0.5, "percentage"),
            "0.5",
            "percentage",
            DIGITS.format(1) + LITERAL.format("%"),
            ["0.5", "50%"],
        ),
        (number(12.5), None, "number", '<number:number number:decimal-places="1"/>', ["12.5"]),
        (
            'office:value-type="date" office:date-value="2026-11-02"',
            "2 november 2026",
            "date",
            f"<number:day/> <number:month number:textual='true' number:style='long'/>{YEAR}",
            ["2026-11-02", "2 november 2026"],
        ),
        (
            'office:value-type="boolean" office:boolean-value="true"',
            "True",
            "boolean",
            "<number:boolean/>",
            ["true", "True"],
        ),
        ('table:formula="of:=[.A2]"', None, "number", DIGITS.format(1), ["not calculated"]),
        (
            'office:value-type="string" calcext:value-type="error"',
            "Err:502",
            "number",
            DIGITS.format(1),
            ["Err:502"],
        ),
        (number(float("nan")), "nan", "number", DIGITS.format(1), ["nan"]),
        ('office:value-type="date" office:date-value="igår"', "x", "date", DATE, ["no value"]),
    ],
)
def test_what_is_not_certain_in_ods(
    value: str, shown: str | None, kind: str, inner: str, told: list[str]
) -> None:
    (row,) = rows(ods_value(value, shown, kind, inner))
    assert code_of(row) == "cell_error"
    assert [word for word in told if word not in message_of(row)] == []


def test_conditions_of_ods_choose_how_a_number_looks() -> None:
    inner = (
        DIGITS.format(3)
        + '<style:map style:condition="value()&gt;100" style:apply-style-name="N1P0"/>'
    )
    other = ods_style("number", DIGITS.format(1), name="N1P0", cell="ce0")
    for value, text in ((7, "007"), (101, "101")):
        data = ods_value(number(value), text, "number", inner)
        both = repacked(
            data,
            lambda _, content: content.replace(
                b"<number:number-style", other.encode() + b"<number:number-style", 1
            ),
        )
        assert rows(both)[0].cells["Nytt"] == text


def test_texts_of_ods_are_read_whole_and_nothing_else() -> None:
    cell = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>anm</text:p>'
        "</office:annotation><text:p>a<text:s text:c='2'/>b <text:span>c</text:span></text:p>"
        "<text:p>d<text:line-break/>e</text:p></table:table-cell>"
    )
    data = ods(ods_sheet([["Id", "Nytt"]], tail=ods_row(ods_cell(ID), cell)))
    assert rows(data)[0].cells["Nytt"] == "a  b c\nd\ne"


def test_repeated_cells_and_rows_of_ods_stand_where_they_are_repeated() -> None:
    tail = (
        '<table:table-row table:number-rows-repeated="2"><table:table-cell'
        ' office:value-type="string" table:number-columns-repeated="2"><text:p>a</text:p>'
        "</table:table-cell></table:table-row>"
        '<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>'
        + ods_row(ods_cell("b"))
    )
    found = rows(ods(ods_sheet([["Id", "Nytt"]], tail=tail)))
    assert [(row.line, code_of(row)) for row in found] == [
        (2, ""),
        (3, ""),
        (4, "blank"),
        (5, "blank"),
        (6, "blank"),
        (7, ""),
    ]
    assert found[1].cells == {"Id": "a", "Nytt": "a"}


def test_an_ods_with_a_password_is_told() -> None:
    def change(name: str, content: bytes) -> bytes:
        mark = b"<manifest:encryption-data/></manifest:manifest>"
        return content.replace(b"/>", b">" + mark) if name.startswith("META-INF") else content

    assert refused(repacked(ods(ods_sheet([["Id"]])), change)).code == "password"


# Whatever the file


@pytest.mark.parametrize(("value", "code", "text"), SHOWN)
def test_one_cell_gives_one_text_whatever_the_file(value: Any, code: str | None, text: str) -> None:
    as_text = f"Id;Nytt\n{ID};{text}\n".encode()
    as_ods = ods(ods_sheet([["Id", "Nytt"], [ID, text]]))
    found = [rows(data)[0].cells for data in (as_text, as_ods, xlsx_cell(value, code))]
    assert found == [{"Id": ID, "Nytt": text}] * 3
