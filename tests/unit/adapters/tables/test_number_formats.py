"""What a spreadsheet shows of numbers and texts, and where nobody can be sure of it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.tables.number_formats import BUILT_IN, Shown, format_of

NBSP = "\u00a0"


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1899, 12, 30)).days


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("General", 42, "42"),
        ("General", -7, "-7"),
        ("General", 12_345_678_901, "12345678901"),
        ('General" st"', 3, "3 st"),
        ("@", 42, "42"),
        ("0", 9_789_170_000_591, "9789170000591"),
        ("0", 41.7, "42"),
        ("0000", 42, "0042"),
        ("00000", 12345678, "12345678"),
        ("0000-0000", 3_470_508, "0347-0508"),
        ("0000-0000", 1_234_567, "0123-4567"),
        ("000\\-00\\-000", 12_345_678, "123-45-678"),
        ("##-##", 5, "-5"),
        ('"Vol. "0', 2, "Vol. 2"),
        ('"Vol. "0', -2, "-Vol. 2"),
        ("\\N\\r 0", 7, "Nr 7"),
        ("0%", 0.5, "50%"),
        ("0 %", 0.25, "25 %"),
        ("0_ ", 12, "12"),
        ("_-* #,##0_-;-* #,##0_-", 412, "412"),
        ("#,##0", 999, "999"),
        ('0 "kr"', 45, "45 kr"),
        ('#,##0\\ "kr"', 45, "45 kr"),
        ("[$kr-41D] 0", 45, "kr 45"),
        ("[Red]0", 5, "5"),
        ("0;(0)", -5, "(5)"),
        ("0;[Red]-0", -5, "-5"),
        ('0;-0;"inga"', 0, "inga"),
        ("[>100]0;000", 7, "007"),
        ("[>100]0;000", 101, "101"),
        ('[=1]"ja";[=0]"nej";0', 0, "nej"),
        ('"ja";;"nej"', 1, "ja"),
        ("yyyy-mm-dd", day("2026-11-02"), "2026-11-02"),
        ("yyyy\\-mm\\-dd;@", day("2026-11-02"), "2026-11-02"),
        ("YYYY-MM-DD", day("2026-11-02") + 0.75, "2026-11-02"),
        ("[$-41D]yyyy-mm-dd", day("2026-11-02"), "2026-11-02"),
        ("[$-0000041D]yyyy-mm-dd", day("2026-11-02"), "2026-11-02"),
        ("yyyymmdd", day("2026-11-02"), "20261102"),
        ("d.m.yy", day("2026-11-02"), "2.11.26"),
        ("yyyy", day("1999-12-31"), "1999"),
        ("yyyy-mm-dd hh:mm", day("2026-11-02") + 9.5 / 24, "2026-11-02 09:30"),
        ("yyyy-mm-dd hh:mm:ss", day("2026-11-02") + 1 / 86_400, "2026-11-02 00:00:01"),
        ("h:mm", 0.5, "12:00"),
        ("mm:ss", 61 / 86_400, "01:01"),
        ("yyyy-mm-dd hh:mm", day("2026-11-02"), "2026-11-02 00:00"),
        ("hh:mm:ss", 0, "00:00:00"),
        ("[h]:mm", 1.5, "36:00"),
        ("[hh]:mm:ss", 0.25, "06:00:00"),
        ("[m]", 1 / 24, "60"),
        ("[h]:mm", 10 / 24, "10:00"),
    ],
)
def test_what_is_certain(code: str, value: float, text: str) -> None:
    assert format_of(code).number(value) == Shown(text)


@pytest.mark.parametrize(
    ("code", "value", "likely"),
    [
        ("General", 1 / 3, ["0,333333333", "0.333333333"]),
        ("General", 12.5, ["12,5", "12.5"]),
        ("General", 1.234567890123457e19, ["1,23457E+19", "1.23457E+19"]),
        ("General", 9_789_170_000_591, ["9,78917E+12", "9.78917E+12"]),
        ("General", 1e-12, ["1E-12"]),
        ("0.00", 1 / 3, ["0,33", "0.33"]),
        ("0.00", 3, ["3,00", "3.00"]),
        ("0.##", 3, ["3,", "3."]),
        ("#,##0", 1234567, [f"1{NBSP}234{NBSP}567", "1,234,567", "1.234.567"]),
        ('#,##0.00\\ "kr"', 1234.5, [f"1{NBSP}234,50 kr", "1,234.50 kr", "1.234,50 kr"]),
        ("0.0%", 0.125, ["12,5%", "12.5%"]),
        ("0", 0.5, ["1"]),
        ("0%", 0.285, ["29%"]),
        ("0.00E+00", 12345678, ["1,23E+07", "1.23E+07"]),
        ("# ?/?", 1 / 3, ["1/3"]),
        ("# ?/?", 1.5, ["1 1/2"]),
        ("0.00;(0.00)", -1.5, ["(1,50)", "(1.50)"]),
        ("_-* #,##0.00_-", 5, ["5,00", "5.00"]),
        ("-* 0", 5, ["- 5"]),
        ("[>100]0;000;0", -5, None),
        ("0,", 1_234_567, []),
        (";;;", 42, []),
        ("#", 0, []),
        ("0", -0.2, []),
        ('"Vol. "@', 2, []),
        ("d mmmm yyyy", day("2026-11-02"), ["2026-11-02"]),
        ("[$-41D]d mmm", day("2026-11-02"), ["2026-11-02"]),
        ("dd/mm/yyyy", day("2026-11-02"), ["2026-11-02"]),
        ("yyyy-mm-dd", 59, []),
        ("yyyy-mm-dd", -1, []),
        ("yyyy-mm-dd", 3_000_000, []),
        ("h:mm AM/PM", 0.5, []),
        ("mm:ss.0", 0.5, []),
        ("h:mm:ss", 0.123456789, []),
        ("yyyy-mm-dd hh:mm:ss", day("2026-11-02"), ["2026-11-02 00:00:00", "2026-11-02"]),
        ("yyyy-mm-dd h:mm:ss", day("2026-11-02"), ["2026-11-02 0:00:00", "2026-11-02"]),
        ("0 kr", 5, None),
        ("Standard", 5, None),
        ("[DBNum1]0", 5, ["5"]),
        ("[$-2000000]0", 5, ["5"]),
        ("[$-107041E]yyyy-mm-dd", day("2026-11-02"), None),
        (None, 5, []),
        ("0" * 300, 5, []),
        (BUILT_IN[14], day("2026-11-02"), ["2026-11-02"]),
    ],
)
def test_what_is_not(code: str | None, value: float, likely: list[str] | None) -> None:
    found = format_of(code).number(value)
    assert found.text is None
    assert likely is None or list(found.likely) == likely


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        ("General", "2", "2"),
        ("0", "abc", "abc"),
        ("@", "0042", "0042"),
        ('"Vol. "@', "2", "Vol. 2"),
        ('0;-0;0;"Nr "@', "2", "Nr 2"),
        ('0;-0;0;@" "', "2", "2"),
        (";;;", "x", None),
        ("@*.", "x", None),
    ],
)
def test_texts_have_formats_too(code: str, text: str, shown: str | None) -> None:
    assert format_of(code).text(text).text == shown


def test_days_may_be_counted_from_1904() -> None:
    assert format_of("yyyy-mm-dd").number(0, since_1904=True) == Shown("1904-01-01")
    assert format_of("yyyy-mm-dd").number(day("2026-11-02") - 1462, since_1904=True) == Shown(
        "2026-11-02"
    )


@given(st.text(alphabet='0#?.,%;@"\\[]*_ E+-/hmsdyGeneral()<>=$1A', max_size=30), st.floats())
def test_any_format_and_number(code: str, value: float) -> None:
    found = format_of(code).number(value)
    assert found.text is None or found.text.strip() == found.text != ""
    assert found.text is None or not found.likely
    format_of(code).text("x")


@given(st.integers(min_value=0, max_value=10**11 - 1))
def test_a_whole_number_is_shown_as_it_is(value: int) -> None:
    assert (
        format_of("General").number(value).text == format_of("0").number(value).text == str(value)
    )
