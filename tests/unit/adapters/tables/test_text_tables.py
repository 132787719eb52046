"""Text tables as libraries hand them in: encodings, separators, headers, quotes."""

from __future__ import annotations

import io
from typing import Any

import pytest

from bulkrunner.adapters.tables import Form, Row, Table, open_table
from bulkrunner.adapters.tables.encoding import detect
from bulkrunner.errors import Fault
from tests.support.paths import ID_LISTS
from tests.support.tables import code_of, column_of, message_of, xlsx_of


def opened(data: str | bytes, **form: object) -> Table:
    content = data.encode() if isinstance(data, str) else data
    return open_table(io.BytesIO(content), Form(**form))  # type: ignore[arg-type]


def rows(table: Table) -> list[Row]:
    return list(table.rows())


def cells(table: Table) -> list[dict[str, str]]:
    return [dict(row.cells) for row in table.rows() if not code_of(row)]


@pytest.mark.parametrize("separator", ["\t", ";", "|", ","])
def test_each_separator_is_found_out(separator: str) -> None:
    text = "\r\n".join(["Bibid;Signum;År", "12;Hc å;2001", "13;Hce, öppen hylla;2002"])
    text = (
        text.replace(";", separator)
        if separator != ","
        else text.replace(", ", " ").replace(";", ",")
    )
    table = opened(text)
    assert table.facts.separator == separator
    assert table.facts.columns == ("Bibid", "Signum", "År")
    found = rows(table)
    assert [row.line for row in found] == [2, 3]
    assert found[0].cells == {"Bibid": "12", "Signum": "Hc å", "År": "2001"}


@pytest.mark.parametrize(
    ("encoding", "mark", "found"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("cp1252", b"", "windows-1252"),
    ],
)
def test_each_encoding_is_found_out_and_stated(encoding: str, mark: bytes, found: str) -> None:
    data = mark + "Bibid;Namn\r\n1;Åsa – hyllan “Å”\r\n2;Örjan\r\n".encode(encoding)
    table = opened(data)
    assert table.facts.encoding == found
    assert cells(table) == [
        {"Bibid": "1", "Namn": "Åsa – hyllan “Å”"},
        {"Bibid": "2", "Namn": "Örjan"},
    ]


@pytest.mark.parametrize("encoding", ["macintosh", "ibm850"])
@pytest.mark.parametrize(
    "text",
    [
        "Småland",
        "SMÅLAND",
        "Löpnr",
        "hylla på översta våningen",
        "Ängelholm",
        "Åmål",
        "idé i Örebro",
    ],
)
def test_an_encoding_that_the_words_speak_against_is_doubted(text: str, encoding: str) -> None:
    page = {"macintosh": "mac_roman", "ibm850": "cp850"}[encoding]
    data = f"Id;Ort\r1;{text}\r".encode(page)
    with pytest.raises(Fault) as fault:
        opened(data)
    assert (fault.value.code, fault.value.source.line) == ("doubtful_encoding", 2)
    told = [word for word in text.split() if f"as {encoding} `{word}`" in fault.value.message]
    assert len(told) == 1
    assert f"encoding: {encoding}" in fault.value.hint
    assert cells(opened(data, encoding=encoding)) == [{"Id": "1", "Ort": text}]


@pytest.mark.parametrize(
    "text",
    [
        "Åsa – hyllan “Å”…",
        "Škoda, Dušan i Malmö på två våningar, också över gården",
        "don’t",
        "kostar 5 €",
        "…och så vidare",
        "œuvre på svenska är många ord på hög nivå",
    ],
)
def test_windows_1252_is_not_doubted_where_its_words_look_right(text: str) -> None:
    data = f"Id;Ort\n1;{text}\n".encode("cp1252")
    assert opened(data).facts.encoding == "windows-1252"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "F\ufffdrr\ufffdd",
        "Förråd".encode().decode("cp1252"),
        "Förråd".encode().decode("mac_roman"),
        "“Malmö” – så".encode().decode("cp1252", "replace"),
        "idé".encode().decode("latin-1"),
    ],
)
def test_a_text_that_was_spoilt_before_it_was_saved_is_doubted(text: str, encoding: str) -> None:
    data = f"Id;Ort\n1;Umeå\n2;{text}\n".encode(encoding)
    with pytest.raises(Fault) as fault:
        opened(data)
    assert (fault.value.code, fault.value.source.line) == ("doubtful_encoding", 3)
    stated = "utf-16-le" if encoding == "utf-16" else "utf-8"
    assert f"encoding: {stated}" in fault.value.hint
    assert cells(opened(data, encoding=stated))[1] == {"Id": "2", "Ort": text}


@pytest.mark.parametrize("text", ["São Tomé, SÃO TOMÉ", "Âge, ÂGÉ", "√2", "Ångström, Œuvre", "5 €"])
def test_letters_that_stand_so_in_a_language_are_not_doubted(text: str) -> None:
    assert cells(opened(f"Id;Ort\n1;{text}\n".encode())) == [{"Id": "1", "Ort": text}]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\u00ad", "\u202a", "\u200e", "\u2060\u00a0"])
def test_what_cannot_be_seen_around_a_cell_is_no_part_of_it(mark: str, name: str) -> None:
    lines = [["Id", "Nytt"], ["12", mark], ["13", f"{mark}Hc\u202c "], ["14", f"H{mark}c"]]
    if name == "a.csv":
        table = opened("\n".join(";".join(one) for one in lines).encode())
    else:
        table = open_table(io.BytesIO(xlsx_of(lambda book: as_texts(book, lines))), Form())
    assert [cell["Nytt"] for cell in cells(table)] == ["", "Hc", f"H{mark}c"]


def test_a_byte_that_windows_has_not_is_no_letter_of_latin_1() -> None:
    with pytest.raises(Fault) as fault:
        detect(io.BytesIO(b"b\n\xe5\x9d;\n"))
    assert (fault.value.code, fault.value.source.line) == ("doubtful_encoding", 2)
    assert "iso-8859-1" in fault.value.hint
    found = rows(opened(b"Id;Ort\n1;\xe5\x9d\n", encoding="iso-8859-1"))
    assert code_of(found[0]) == "control_character"


def test_a_letter_beyond_the_first_megabyte_decides_too() -> None:
    assert detect(io.BytesIO(b"a" * (2 << 20) + "å".encode())) == "utf-8"
    assert detect(io.BytesIO(b"a" * (2 << 20) + "å".encode("cp1252"))) == "windows-1252"
    assert detect(io.BytesIO("å".encode() + b"a" * (2 << 20) + b"\xc3")) == "windows-1252"


def test_a_given_encoding_counts() -> None:
    assert cells(opened("a;b\n1;ö\n".encode("latin-1"), encoding="iso-8859-1")) == [
        {"a": "1", "b": "ö"}
    ]
    with pytest.raises(Fault) as fault:
        opened("a;b\n1;2\n1;ö\n".encode("latin-1"), encoding="utf-8")
    assert (fault.value.code, "0xF6" in fault.value.message) == ("not_in_encoding", True)


def test_a_header_with_other_separators_than_its_rows() -> None:
    table = opened("librisCN librisID url\r\n24\t;\thz\t;\thttps://x\r\n25\t;\thy\t;\t\r\n")
    assert (table.facts.separator, table.facts.header_separator) == (";", " ")
    assert cells(table) == [
        {"librisCN": "24", "librisID": "hz", "url": "https://x"},
        {"librisCN": "25", "librisID": "hy", "url": ""},
    ]


def test_without_a_header_columns_are_numbered_or_named() -> None:
    assert cells(opened("a\tb\nc\td\n", header=False)) == [
        {"1": "a", "2": "b"},
        {"1": "c", "2": "d"},
    ]
    assert cells(opened("a\tb\n", header=False, columns=("Id", "Mark"))) == [
        {"Id": "a", "Mark": "b"}
    ]


def test_one_column_needs_no_separator() -> None:
    assert cells(opened("Id\nx\ny\n")) == [{"Id": "x"}, {"Id": "y"}]


def test_quotes_hold_separators_and_line_ends_and_rows_keep_their_line() -> None:
    table = opened('Id;Not\n1;"a;b ""c""\nd"\n\n2;e\n')
    found = rows(table)
    assert [(row.line, code_of(row)) for row in found] == [(2, ""), (4, "blank"), (5, "")]
    assert found[0].cells["Not"] == 'a;b "c"\nd'


def test_quotes_can_be_ordinary_characters() -> None:
    text = 'Id\tTitel\n1\t"Hamlet" och andra\n'
    with pytest.raises(Fault) as fault:
        rows(opened(text))
    assert (fault.value.code, fault.value.source.line) == ("bad_quotes", 2)
    assert "quotes: false" in fault.value.hint
    assert cells(opened(text, quotes=False)) == [{"Id": "1", "Titel": '"Hamlet" och andra'}]


def test_a_quote_that_never_closes_names_its_row() -> None:
    with pytest.raises(Fault) as fault:
        rows(opened('Id;Not\n1;a\n2;"b\n3;c\n'))
    assert (fault.value.code, fault.value.source.line) == ("bad_quotes", 3)


def test_a_cell_of_ten_megabytes_is_refused_with_its_line() -> None:
    with pytest.raises(Fault) as fault:
        rows(opened("Id;Not\n1;a\n2;" + "x" * 10_000_000 + "\n"))
    assert (fault.value.code, fault.value.source.line) == ("line_too_long", 3)
    with pytest.raises(Fault) as fault:
        rows(opened('Id;Not\n1;"' + "x\n" * 5_000_000))
    assert (fault.value.code, fault.value.source.line) == ("cell_too_long", 2)


def test_a_long_cell_spoils_its_row_alone() -> None:
    found = rows(opened("Id;Not\n1;" + "x" * 100_001 + "\n2;b\n"))
    assert [(row.line, code_of(row), column_of(row)) for row in found] == [
        (2, "cell_too_long", 2),
        (3, "", 0),
    ]


def test_rows_with_too_many_or_too_few_cells() -> None:
    found = rows(opened("Id;Not\n1;a;extra\n2\n3;c;;\n"))
    assert [(code_of(row), column_of(row)) for row in found] == [
        ("too_many_cells", 3),
        ("", 0),
        ("", 0),
    ]
    assert found[1].cells == {"Id": "2", "Not": ""}


def test_control_characters_spoil_their_row() -> None:
    found = rows(opened("Id;Not\n1;a\x1bb\n2;c\n"))
    assert [(code_of(row), column_of(row)) for row in found] == [("control_character", 2), ("", 0)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"Id;Id\n1;2\n", "duplicate_column"),
        (b"\xd0\xcf\x11\xe0rest", "not_text"),
        (b"%PDF-1.7", "not_text"),
        (b"<html><table><tr><td>Id</td></tr></table></html>", "not_text"),
        ("\ufeff\n<!DOCTYPE HTML>".encode(), "not_text"),
        ("<html>".encode("utf-16"), "not_text"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "not_text"),
        (b"MIME-Version: 1.0\nContent-Type: multipart/related", "not_text"),
        (b"{\\rtf1 Id}", "not_text"),
        ("Id;Ort\n1;2\n".encode("utf-32"), "not_text"),
        (b"a;b\n\0\0\0\0bcdefghijklmnopqrstuvxyz123", "not_text"),
        (b";".join(str(n).encode() for n in range(2000)) + b"\n", "too_large"),
        (b"x" * 300 + b";b\n1;2\n", "bad_header"),
    ],
)
def test_what_is_no_table(data: bytes, code: str) -> None:
    with pytest.raises(Fault) as fault:
        rows(opened(data))
    assert fault.value.code == code


def test_a_text_has_no_sheets() -> None:
    with pytest.raises(Fault):
        opened("a;b\n", sheet="Blad1")


@pytest.mark.parametrize(
    ("name", "form", "columns"),
    [
        ("spaced-semicolons.csv", {}, ("librisCN", "librisID", "url")),
        ("marked-utf8.csv", {}, ("Titel", "LibrisId", "URN:NBN")),
        ("three-columns.tsv", {"header": False}, ()),
    ],
)
def test_tables_as_they_come(name: str, form: dict[str, object], columns: object) -> None:
    path = ID_LISTS / name
    with path.open("rb") as file:
        table = open_table(file, Form(**form))  # type: ignore[arg-type]
        found = rows(table)
    assert table.facts.columns == columns
    assert all(not code_of(row) or code_of(row) == "blank" for row in found), [
        row for row in found if code_of(row) not in ("", "blank")
    ][:3]
    assert all(len(row.cells) == 3 for row in found if not code_of(row))
    lines = path.read_bytes().decode("utf-8-sig").splitlines()
    assert len(found) == len(lines) - bool(columns)


def as_texts(book: Any, lines: list[list[str]]) -> None:
    page = book.add_worksheet()
    for row, one in enumerate(lines):
        for column, cell in enumerate(one):
            page.write_string(row, column, cell)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize(
    "error",
    [
        *("#SAKNAS!", "#VÄRDEFEL!", "#N/A", "#REFERENS!", "#NAMN?", "#DIVISION/0!", "#OGILTIGT!"),
        *("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SAKNAS", "Err:502"),
        *("#N/D", "#NV", "#N/B", "#GETTING_DATA", "#SPILL!", "Fel:502", "Virhe: 508", "1E+12"),
        *("#GETTING_DATA?", "########", "=VLOOKUP(A2;B:C;2)", '="0012"', "= A1"),
    ],
)
def test_an_error_or_a_formula_as_text_refuses_its_row(error: str, name: str) -> None:
    lines = [["Id", "Nytt"], ["12", "Hce"], ["13", error], [error, "Hce"]]
    if name == "a.csv":
        quoted = (
            ";".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in one) for one in lines
        )
        table = opened("\n".join(quoted))
    else:
        table = open_table(io.BytesIO(xlsx_of(lambda book: as_texts(book, lines))), Form())
    found = rows(table)
    assert [(row.line, code_of(row), column_of(row)) for row in found] == [
        (2, "", 0),
        (3, "cell_error", 2),
        (4, "cell_error", 1),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "#1",
        "C#",
        "# 12!",
        "#N/1",
        "Fel: ja",
        "1E+2",
        "5E-07",
        "=",
        "a=b",
        "#nytt!",
        "N/A",
        "Nr #5?",
        "##",
    ],
)
def test_a_text_that_only_looks_like_an_error_counts(text: str) -> None:
    assert cells(opened(f"Id;Nytt\n12;{text}\n")) == [{"Id": "12", "Nytt": text}]


@pytest.mark.parametrize("mark", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_that_names_the_separator_is_heeded(mark: str, encoding: str) -> None:
    table = opened(f"{mark}\r\nId;Löpnr, år\r\n12;1,2\r\n".encode(encoding))
    assert table.facts.separator == ";"
    assert [(row.line, dict(row.cells)) for row in rows(table)] == [
        (3, {"Id": "12", "Löpnr, år": "1,2"})
    ]


@pytest.mark.parametrize(
    ("head", "header"),
    [
        ("Gallring våren 2026;\n;\n", 3),
        ("Gallring våren 2026\n", 2),
        ("\n\nGallring; våren\n", 4),
        ("sep=;\nGallring;\n", 3),
    ],
)
def test_a_title_is_left_above_the_header(head: str, header: int) -> None:
    text = f"{head}Id;Löpnr\n12;1\n13;2\n"
    table = opened(text, header=header)
    assert table.facts.columns == ("Id", "Löpnr")
    found = rows(table)
    assert [row.line for row in found if not code_of(row)] == [header + 1, header + 2]
    assert [code_of(row) for row in found if code_of(row)] == ["above_header"]


@pytest.mark.parametrize("title", ["Gallring våren 2026;", "Gallring;;", '"Gallring; våren";'])
def test_a_title_row_is_a_fault_that_proposes_the_header(title: str) -> None:
    with pytest.raises(Fault) as fault:
        opened(f"{title}\n;\nId;Löpnr\n12;1\n13;2\n")
    assert (fault.value.code, fault.value.source.line) == ("title_row", 1)
    assert "`header: 3`" in fault.value.hint
    assert "`header: 1`" in fault.value.hint


def test_a_single_column_is_no_title() -> None:
    assert opened("Id\n12\n13;x\n14\n15\n").facts.columns == ("Id",)


@pytest.mark.parametrize("header", [2, 9])
def test_a_header_that_is_not_there_is_a_fault(header: int) -> None:
    with pytest.raises(Fault) as fault:
        opened("Id;Löpnr\n;\n12;1\n", header=header)
    assert (fault.value.code, fault.value.source.line) == ("no_header", header)


@pytest.mark.parametrize(
    "text",
    [
        "Id;Hyllkod ny\n12;Hc;\n13;Hd;\n",
        "Id;Hyllkod ny;\n12;Hc;\n13;Hd;\n",
        "Id;Hyllkod ny;;\n12;Hc\n13;Hd\n",
        "Id;Hyllkod ny\n12;Hc;;;\n13;Hd;;;\n",
    ],
)
def test_separators_at_the_end_of_a_row_make_no_column(text: str) -> None:
    assert cells(opened(text)) == [
        {"Id": "12", "Hyllkod ny": "Hc"},
        {"Id": "13", "Hyllkod ny": "Hd"},
    ]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_each_end_of_a_line(end: str) -> None:
    table = opened(end.join(["Id;Not", "1;a", '2;"b', 'c"', "", "3;d", ""]))
    assert [(row.line, code_of(row), row.cells.get("Not")) for row in rows(table)] == [
        (2, "", "a"),
        (3, "", "b\nc"),
        (5, "blank", None),
        (6, "", "d"),
    ]


@pytest.mark.parametrize(
    "name", ["Lo\u0308pnr", "L\u00f6p\u200bnr", " L\u00f6pnr\u00a0", "\u2060Löpnr"]
)
def test_a_name_is_what_is_seen_of_it(name: str) -> None:
    assert opened(f"Id;{name}\n1;2\n").facts.columns == ("Id", "Löpnr")


def test_names_that_look_the_same_are_the_same() -> None:
    with pytest.raises(Fault) as fault:
        opened("Löpnr;Lo\u0308pnr\n1;2\n")
    assert fault.value.code == "duplicate_column"


@pytest.mark.parametrize("text", ["9,78917E+12", "1.23e+19", "-1,5E+3"])
def test_a_number_that_a_spreadsheet_rounded_refuses_its_row(text: str) -> None:
    found = rows(opened(f"Id;Nytt\n12;{text}\n"))
    assert (code_of(found[0]), column_of(found[0])) == ("cell_error", 2)
    assert text in message_of(found[0])


@pytest.mark.parametrize("text", ["1E5", "1e+5", "12E+", "2,5E", "E+12"])
def test_a_text_that_only_looks_rounded_counts(text: str) -> None:
    assert cells(opened(f"Id;Nytt\n12;{text}\n")) == [{"Id": "12", "Nytt": text}]


def test_zero_bytes_spoil_a_text_or_their_row() -> None:
    with pytest.raises(Fault) as fault:
        opened(b"Id;Not\n1;a\n2;\0b" + b"x" * 200)
    assert (fault.value.code, fault.value.source.line) == ("not_text", 3)
    far = b"Id;Not\n" + b"1;abc\n" * 20_000 + b"2;a\0b\n"
    assert [row.line for row in rows(opened(far)) if code_of(row) == "control_character"] == [
        20_002
    ]
