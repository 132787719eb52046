"""Spreadsheets as libraries keep them, from check to report: what is hidden, uncertain, above."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Workplace
from tests.support.sandbox import SandboxControl, running_sandbox
from tests.support.tables import xlsx_of

SET = {"set": {"at": "shelfControlNumber", "to": {"$value": "@row.Nytt", "default": "MAG"}}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(index_lag_ms=-1) as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture
def own(sandbox: SandboxControl) -> list[str]:
    return sandbox.staging.records("hold", "Ylm")[:6]


def job(place: Workplace, data: bytes, rows: dict[str, Any], **step: Any) -> Path:
    folder = place.job("shown", steps=[{"rows": {"file": "lista.xlsx", **rows}, **(step or SET)}])
    (folder / "lista.xlsx").write_bytes(data)
    return folder


def weeded(own: list[str]) -> bytes:
    """A list of six records of which a filter hides four, with a hidden column and sheet."""

    def write(book: Any) -> None:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["Id", "Nytt", "Anm"])
        for at, record in enumerate(own, 1):
            page.write_row(at, 0, [record, f"{at:04}", "x"])
            if at not in (2, 5):
                page.set_row(at, None, None, {"hidden": True})
        page.set_column(2, 2, None, None, {"hidden": True})
        other = book.add_worksheet("Gammalt")
        other.write_string(0, 0, "x")
        other.hide()

    return xlsx_of(write)


def report_of(place: Workplace, plan: str, form: str) -> str:
    out = place.folder / f"{plan}.{form}"
    place("report", plan, "--format", form, "--out", out)
    return out.read_text(encoding="utf-8")


def test_hidden_rows_are_a_fault_and_nothing_is_planned(place: Workplace, own: list[str]) -> None:
    folder = job(place, weeded(own), {"key": "Id"}, delete=True)
    done = place("check", folder, expect=2)
    (problem,) = done.document["problems"]
    assert (problem["code"], problem["line"]) == ("hidden_rows", 2)
    assert problem["file"].endswith("lista.xlsx")
    assert "2, 4, 5, 7" in problem["message"]
    assert "hidden: skip" in problem["hint"]
    place("plan", folder, "--env", "staging", expect=2)


@pytest.mark.parametrize(("hidden", "planned"), [("skip", 2), ("use", 6)])
def test_what_becomes_of_hidden_rows_is_told_by_check_plan_and_report(
    place: Workplace, own: list[str], hidden: str, planned: int
) -> None:
    folder = job(place, weeded(own), {"key": "Id", "hidden": hidden})
    checked = place("check", folder)
    notes = Counter(note["code"] for note in checked.document["notes"])
    assert notes == {"hidden_rows": 1, "hidden_columns": 1, "hidden_sheets": 1}
    (read,) = checked.document["inputs"]
    assert (read["hidden"], read["hidden_rows"]) == (hidden, 4)
    assert (read["hidden_columns"], read["hidden_sheets"]) == (["Anm"], ["Gammalt"])
    plan = place("plan", folder, "--env", "staging")
    assert plan.document["counts"]["update"] == planned
    assert "4 hidden rows are" in plan.stderr
    report = json.loads(report_of(place, plan.document["plan"], "json"))
    assert [line["code"] for line in report["left_out"]] == ["hidden"] * (6 - planned)
    assert report["inputs"][0]["hidden_rows"] == 4
    page = report_of(place, plan.document["plan"], "html")
    for text in ("dolda rader som ", "dolda kolumner: Anm", "dolda blad med innehåll: Gammalt"):
        assert text in page
    assert ("rad som är dold i bladet" in page) == (hidden == "skip")


def test_a_formula_that_was_not_calculated_never_gives_way_to_a_default(
    place: Workplace, own: list[str]
) -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Id", "Nytt"])
        page.write_row(1, 0, [own[0], "A"])
        page.write_string(2, 0, own[1])
        page.write_formula(2, 1, '=A2&" x"', None, "")
        page.write_string(3, 0, own[2])

    folder = job(place, xlsx_of(write), {"key": "Id"})
    plan = place("plan", folder, "--env", "staging", expect=3).document
    assert plan["counts"]["update"] == 2
    (finding,) = plan["findings"]
    assert (finding["code"], finding["record"]) == ("cell_error", own[1])
    assert "formula that was not calculated" in finding["message"]


def test_a_row_that_cannot_be_used_refuses_the_record_that_it_names(
    place: Workplace, own: list[str]
) -> None:
    """Another step does nothing to it either, whether the refusal is accepted or not."""
    rows = f"Id;Nytt\n{own[0]};#N/A\n{own[1]};A\n{own[2]};B;C\n#N/A;A\n"
    accept = [
        {"code": code, "at_most": 9, "reason": "känt"} for code in ("cell_error", "too_many_cells")
    ]
    folder = place.job(
        "spoilt-rows",
        files={"rows.csv": rows},
        accept=accept,
        steps=[
            {
                "rows": {"file": "rows.csv", "key": "Id"},
                "set": {"at": "copyNumber", "to": {"$value": "@row.Nytt"}},
            },
            {"ids": own[:3], "append": {"at": "cataloguersNote", "value": "inv"}},
        ],
    )
    assert place("check", folder).document["operations"]["unreadable"] == 3
    plan = place("plan", folder, "--env", "staging").document
    assert (plan["counts"]["update"], plan["counts"]["refused"]) == (1, 3)
    assert [(one["code"], one["record"]) for one in plan["findings"]] == [
        ("cell_error", own[0]),
        ("too_many_cells", own[2]),
        ("cell_error", "#N/A"),
    ]


def test_a_table_of_which_no_row_can_be_used_says_why(place: Workplace, own: list[str]) -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Id", "Nytt"])
        page.write_row(1, 0, [own[0], 12.5])

    folder = job(place, xlsx_of(write), {"key": "Id"})
    problems = place("check", folder, expect=2).document["problems"]
    assert [problem["code"] for problem in problems] == ["no_readable_id", "cell_error"]
    assert "12.5 and is probably shown as 12,5 or 12.5" in problems[1]["message"]


def test_an_issn_shown_with_its_hyphen_is_no_number_of_a_bib(
    place: Workplace, own: list[str]
) -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Id", "Nytt"])
        page.write_number(1, 0, 3_470_508, book.add_format({"num_format": "0000-0000"}))
        page.write_number(2, 0, 3_470_547, book.add_format({"num_format": "00000000"}))
        page.write_number(3, 0, 3_470_547)
        page.write_string(4, 0, own[0])

    folder = job(place, xlsx_of(write), {"key": "Id", "as": ["issn", "bib"]})
    plan = place("plan", folder, "--env", "staging", expect=3).document
    codes = {finding["record"]: finding["code"] for finding in plan["findings"]}
    assert codes == {
        "0347-0508": "bad_check_digit",
        "03470547": "ambiguous_number",
        "3470547": "ambiguous_number",
    }
    assert plan["counts"]["update"] == 1


@pytest.mark.parametrize("kind", ["rows", "table"])
def test_a_header_below_others_is_proposed(place: Workplace, own: list[str], kind: str) -> None:
    text = f"Gallring;2026\n;\nId;Nytt\n{own[0]};A\n{own[1]};B\n"
    rows: dict[str, Any] = {"file": "lista.csv", "key": "Id"}
    table = {"file": "lista.csv", "from": "Id", "to": "Nytt"}
    wrong: dict[str, Any] = {"rows": rows, **SET}
    if kind == "table":
        wrong = {
            "ids": [own[0]],
            "replace_value": {"at": "shelfControlNumber", "table": table},
        }
    folder = place.job("shown", steps=[wrong], files={"lista.csv": text})
    problems = place("check", folder, expect=2).document["problems"]
    assert problems[0]["code"] == "missing_column"
    assert "header: 3" in problems[0]["hint"]
    rows["header"] = table["header"] = 3
    folder = place.job("shown", steps=[wrong], files={"lista.csv": text})
    place("check", folder)


def test_a_table_of_values_with_hidden_rows_is_held_to_the_same(
    place: Workplace, own: list[str]
) -> None:
    def write(book: Any) -> None:
        page = book.add_worksheet()
        page.write_row(0, 0, ["gammalt", "nytt"])
        page.write_row(1, 0, ["a", "b"])
        page.write_row(2, 0, ["c", "d"])
        page.set_row(2, None, None, {"hidden": True})

    def checked(expect: int = 0, **more: str) -> dict[str, Any]:
        table = {"file": "tabell.xlsx", **more}
        step = {
            "ids": [own[0]],
            "replace_value": {"at": "shelfControlNumber", "table": table},
        }
        folder = place.job("shown", steps=[step])
        (folder / "tabell.xlsx").write_bytes(xlsx_of(write))
        return place("check", folder, expect=expect).document

    (problem,) = checked(expect=2)["problems"]
    assert problem["code"] == "hidden_rows"
    assert "hidden: skip" in problem["hint"]
    document = checked(hidden="skip")
    assert [note["code"] for note in document["notes"]] == ["hidden_rows"]
    assert document["inputs"][0]["left_out"] == {"hidden": 1}
    for key, value in (("hidden", "show"), ("encoding", "ebcdic"), ("separator", "x")):
        (problem,) = checked(expect=2, **{key: value})["problems"]
        assert key in problem["message"]
