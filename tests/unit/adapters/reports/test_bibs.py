"""Holdings and then their bibs: whose records they are, and lines that several steps read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report import ReportData
from tests.support import reports
from tests.support.pages import Page

INPUT: dict[str, Any] = {"file": "titlar.txt", "kind": "ids", "encoding": "utf-8", "lines": 4}
BIBS = {"sv": "Bibliografiska poster", "en": "Bibs"}


def in_step(change: PlannedChange, step: int) -> PlannedChange:
    return replace(change, step=step)


def bib(number: int, action: Action = Action.DELETE, **values: Any) -> PlannedChange:
    pattern = "delete bib" if action is Action.DELETE else ""
    given = {"kind": "bib", "sigel": None, "pattern": pattern, **values}
    return in_step(reports.a_reported(number, action, **given), 2)


def titles() -> list[PlannedChange]:
    """Return three holdings and two bibs that are deleted, and a bib that is refused."""
    return [
        *(
            in_step(reports.a_reported(n, Action.DELETE, sigel="Ylm", pattern="delete holding"), 1)
            for n in (1, 2, 3)
        ),
        *(bib(n) for n in (4, 5)),
        bib(6, Action.REFUSED, code="linked", message="1 record links to it: k1", target_key=None),
    ]


def data_of(folder: Path, changes: list[PlannedChange] | None = None) -> ReportData:
    data = reports.report_data(folder, changes=titles() if changes is None else changes)
    return replace(data, inputs=({"step": 1, **INPUT}, {"step": 2, **INPUT}))


def text_of(data: ReportData, folder: Path, form: str, lang: str = "sv") -> str:
    return write_report(data, folder / f"r.{form}", form=form, lang=lang).read_text("utf-8")


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "sv",
            "bestånd som hör till sigel Ylm samt 2 bibliografiska poster, som alla bibliotek delar",
        ),
        ("en", "holdings of Ylm and 2 bibs, which all libraries share"),
    ],
)
@pytest.mark.parametrize("form", ["html", "md"])
def test_bibs_are_not_said_to_be_the_librarys(
    tmp_path: Path, form: str, lang: str, said: str
) -> None:
    text = text_of(data_of(tmp_path), tmp_path, form, lang)
    assert said in " ".join(text.split())
    assert "rör bara poster" not in text


def test_bibs_alone_are_said_to_be_everybodys(tmp_path: Path) -> None:
    text = text_of(data_of(tmp_path, [bib(1)]), tmp_path, "md")
    assert "rör bara 1 bibliografisk post, som alla bibliotek delar" in text


@pytest.mark.parametrize("lang", ["sv", "en"])
def test_bibs_have_a_row_of_their_own(tmp_path: Path, lang: str) -> None:
    data = data_of(tmp_path)
    page = Page(text_of(data, tmp_path, "html", lang), lang)
    (table,) = [n for n in page.within("what", "table") if "counts" in n.classes]
    rows = [row.text for row in page.within("what", "tr")][1:]
    assert [row.startswith(BIBS[lang]) for row in rows] == [False, True]
    assert rows[-1] == f"{BIBS[lang]}200100"
    assert language(lang).text("sigel_unknown") not in table.text
    assert f"{BIBS[lang]}: 2 " in text_of(data, tmp_path, "md", lang)
    assert page.tables["bibs"] in page.tables["sigels"]


def test_what_is_counted_for_each_step_is_said_to_be(tmp_path: Path) -> None:
    page = Page(text_of(data_of(tmp_path), tmp_path, "html"), "sv")
    assert "räknat i varje steg för sig" in page.section("what").text
    left_out = page.section("left-out").text
    assert "Dessa rader i underlaget leder inte till någon ändring" not in left_out
    assert "Samma rad i underlaget kan leda till en ändring i ett annat steg." in left_out
    assert "ids.txt rad 6, steg 2" in left_out
    rows = [row.text for row in page.within("inputs", "tr")]
    assert [row[:4] for row in rows] == ["Steg", "1tit", "2tit"]


def test_one_step_is_not_spoken_of_as_several(tmp_path: Path) -> None:
    data = replace(data_of(tmp_path), inputs=({"step": 1, **INPUT},))
    page = Page(text_of(data, tmp_path, "html"), "sv")
    assert "Dessa rader i underlaget leder inte till någon ändring" in page.section("left-out").text
    assert "varje steg" not in page.section("what").text


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("sv", "5 raderas (varav 2 bibliografiska poster), 0 ändras"),
        ("en", "5 deleted (of which 2 bibs), 0 changed"),
    ],
)
def test_the_answer_says_how_many_of_the_deletions_are_bibs(
    tmp_path: Path, lang: str, said: str
) -> None:
    page = Page(text_of(data_of(tmp_path), tmp_path, "html", lang), lang)
    assert said in page.section("answer").text
