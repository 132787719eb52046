"""The Markdown for a ticket: what is decided on, and no mark of a record that means anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.markdown import plain
from bulkrunner.domain.report import ReportData
from tests.support import reports


def text_of(data: ReportData, folder: Path, lang: str = "sv") -> str:
    path = write_report(data, folder / "report.md", form="md", lang=lang)
    return path.read_text(encoding="utf-8")


def unescaped(text: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace("\u00a0", " ")


def test_says_what_is_decided_on(tmp_path: Path) -> None:
    text = unescaped(text_of(reports.report_data(tmp_path, policy=reports.LOOSE_POLICY), tmp_path))
    for told in (
        "# Hyllsignum Hc blir Hce på Ylm",
        "| Överenskommelse med KB | KB 2026-0412 |",
        "`min_staging_coverage = 0.5`",
        "radera 2 beståndsposter, ändra 15 beståndsposter och skapa 1 beståndspost",
        "| raderas | 2 |",
        "- **14 ×** Ändra beståndspost: hyllkod: ”Hc” → ”Hce”",
        "- Provat i testmiljö: **inte uppfyllt**.",
        "- **2 ×** `foreign_sigel` Beståndet tillhör ett bibliotek som jobbet inte får röra.",
        "Raderade poster får nya id: 2 ändringar.",
    ):
        assert told in text
    assert re.search(r"\| Planens kontrollsumma \| `sha256:[0-9a-f]{64}` \|", text)


def test_names_samples_with_bib_library_and_link(tmp_path: Path) -> None:
    text = unescaped(text_of(reports.report_data(tmp_path), tmp_path))
    record = reports.record_id(1)
    assert (
        f"Gösta Berlings saga, Lagerlöf, Selma, 1891, Ylm [{record}](https://libris.kb.se/{record})"
    ) in text


def test_says_how_a_run_went_with_the_servers_words(tmp_path: Path) -> None:
    text = unescaped(text_of(reports.report_data(tmp_path, run=True), tmp_path, "en"))
    assert "| applied | 15 |" in text
    assert "`Invalid JsonLd, got errors: <b>x</b>`" in text


def test_an_empty_plan_says_so(tmp_path: Path) -> None:
    assert "Planen innehåller inga ändringar" in text_of(
        reports.report_data(tmp_path, changes=[]), tmp_path
    )


@given(st.text(st.characters(exclude_categories=()), max_size=100))
def test_no_mark_in_a_text_means_anything(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert isinstance(shown.encode(), bytes)
    if shown.startswith("`"):
        inner = re.fullmatch(r"(`+) ?(.*?) ?\1", shown)
        assert inner is not None
        assert inner[1] not in re.findall("`+", inner[2])
    else:
        assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|@#!]", shown)


@pytest.mark.parametrize(
    "text", ["@org/team", "[x](javascript:alert(1))", "<img src=x>", "a|b", "``"]
)
def test_what_ticket_systems_act_upon_is_only_text(tmp_path: Path, text: str) -> None:
    change = reports.a_reported(1, sigel=text, record=text)
    told = text_of(reports.report_data(tmp_path, changes=[change]), tmp_path)
    bare = re.sub(r"\\.", "", re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", told))
    assert not re.search(r"@|<img|\]\((?!https://libris)", bare)
