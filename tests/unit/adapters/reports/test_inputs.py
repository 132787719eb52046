"""Lines that came to nothing stand in the page with place and reason, in Swedish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.page import MAX_LINES
from bulkrunner.domain.plan import Action, BibSummary, Part
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence
from bulkrunner.services.report.risks import searched
from tests.support import reports
from tests.support.pages import Page

READ = {"step": 1, "file": "ids.txt", "kind": "ids", "lines": 9}
SV, EN = language("sv"), language("en")


def over(line: int, code: str, given: str = "", message: str = "") -> InputLine:
    source = Source(file="ids.txt", line=line)
    return InputLine(source=source, code=code, given=given, message=message)


def page_of(data: ReportData, folder: Path, lang: str = "sv") -> Page:
    path = write_report(data, folder / "p.html", form="html")
    return Page(path.read_text("utf-8"), lang)


def test_each_line_that_gives_no_change_stands_with_its_reason(tmp_path: Path) -> None:
    lines = (
        over(1, "comment", "# gallrat"),
        over(2, "blank"),
        over(3, "repeat", "h1", "ids.txt:1"),
        over(4, "other_outcome", "h2", "failed"),
        over(5, "new_code", "h3", "says why"),
    )
    data = replace(reports.report_data(tmp_path), left_out=lambda: iter(lines), inputs=(READ,))
    (table,) = page_of(data, tmp_path).all("table", "over")
    for text in (
        "ids.txt rad 1 # gallrat kommentar",
        "ids.txt rad 2 tom rad",
        "ids.txt rad 3 h1 upprepar ids.txt:1",
        "ids.txt rad 4 h2 har ett annat utfall",
        "ids.txt rad 5 h3 inte med. says why",
    ):
        assert text.replace(" ", "") in table.text.replace(" ", ""), text
    (english,) = page_of(data, tmp_path, "en").all("table", "over")
    assert "ids.txt line 3" in english.text


def test_many_of_them_are_counted(tmp_path: Path) -> None:
    data = replace(
        reports.report_data(tmp_path),
        left_out=lambda: (over(n, "blank") for n in range(1, MAX_LINES + 11)),
        inputs=(READ,),
    )
    page = page_of(data, tmp_path)
    assert len(page.within("inputs", "tr")) == 2 + 1 + MAX_LINES
    assert (
        "… och 10 till. Alla står i rapportens CSV, XLSX och JSON." in page.section("inputs").text
    )


def test_a_refusal_names_its_line_and_says_why_in_swedish(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path), tmp_path)
    text = page.section("left-out").text
    assert "Beståndet tillhör Gbg, som inte hör till jobbet." in text
    assert "ids.txt rad 19" in text
    english = page_of(reports.report_data(tmp_path / "2"), tmp_path, "en").section("en-left-out")
    assert "the holding belongs to Gbg, which the job may not touch" in english.text


def test_the_list_has_the_reason_in_both_languages_and_every_line_of_a_record(
    tmp_path: Path,
) -> None:
    parts = tuple(
        Part(
            step=1,
            source=Source(file="ids.txt", line=n),
            given=f"h{n}",
            action=Action.UPDATE,
            code="repeated" if n > 1 else "",
        )
        for n in (1, 2)
    )
    changes = [
        reports.a_reported(1, parts=parts),
        reports.a_reported(
            2,
            Action.REFUSED,
            code="foreign_sigel",
            message=Sentence("foreign_sigel", sigel="Gbg"),
        ),
    ]
    page = page_of(reports.report_data(tmp_path, changes=changes), tmp_path)
    tables = page.tables
    assert tables["messages"][page.row(2)["message"]] == [
        ["Beståndet tillhör Gbg, som inte hör till jobbet.", "sv"],
        ["the holding belongs to Gbg, which the job may not touch", "en"],
    ]
    assert page.row(2)["given"][1] == "ids.txt:2"
    (first, second) = page.row(1)["inputs"]
    assert (first[0], second[0], tables["codes"][second[2]][0]) == ("h1", "h2", "repeated")


def test_what_to_look_at_leads_to_the_staged_result(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, run=True, tried=12)
    problems = {item.change.number: item for item in data.problems()}
    assert problems[3].tried is not None
    assert problems[16].tried is None
    page = page_of(data, tmp_path)
    staged = [a for a in page.within("outcomes", "a") if "libris-stg" in a.attributes["href"]]
    assert {a.attributes["href"] for a in staged} == {
        f"https://libris-stg.kb.se/{reports.record_id(n)}" for n in (3, 4, 5)
    }


def test_what_the_server_stored_otherwise_is_told_by_its_places(tmp_path: Path) -> None:
    from bulkrunner.adapters.reports.page import Page as Model
    from bulkrunner.domain.run import Outcome, Result

    data = reports.report_data(tmp_path, run=True)
    item = next(iter(data.problems()))
    result = Result(outcome=Outcome.APPLIED, detail={"not_as_predicted": ["shelfMark.label"]})
    (remark,) = Model(data, SV).outcomes.remarks(replace(item, result=result))
    assert remark.text.startswith("Servern sparade något annat än planen förutsåg")
    assert remark.who == "hyllkod"


def test_a_new_bib_and_a_holding_on_it_are_named_by_its_title(tmp_path: Path) -> None:
    body = {"@type": "Print", "hasTitle": [{"@type": "Title", "mainTitle": "Ny bok"}]}
    after = {"@graph": [{"@id": "TEMPID", "@type": "Record"}, {"@id": "TEMPID#it", **body}]}
    change = reports.a_reported(1, Action.CREATE, kind="bib", bib=None, after=after)
    held = reports.a_reported(
        2, Action.CREATE, bib=BibSummary(id="new:1"), prerequisites=(1,), after=reports.holding("T")
    )
    other = reports.a_reported(3, Action.CREATE, bib=BibSummary(id="new:9"), prerequisites=(2,))
    data = reports.report_data(tmp_path, changes=[change, held, other])
    page = page_of(data, tmp_path)
    assert [page.row(number)["title"] for number in (1, 2, 3)] == ["Ny bok", "Ny bok", ""]
    samples = {item.change.number: item for g in data.grouped.patterns for item in g.samples}
    assert samples[2].change.bib == samples[1].change.bib


def test_a_search_is_held_against_the_servers_list(tmp_path: Path) -> None:
    note = {
        "index_total": 6,
        "compared": {
            "Ylm": {
                "index_total": 178,
                "dump_listed": 1181,
                "dump_started": "2026-11-30T05:01:38.531835Z",
            },
            "NO": {
                "index_total": 13,
                "dump_listed": 12,
                "dump_started": "2026-11-30T05:01:38Z",
                "since_created": 3,
                "since_deleted": 2,
            },
            "S": {"index_total": 3, "unread": "no answer"},
        },
    }
    chosen = ({"step": 1, "count": 6, "note": note},)
    data = replace(reports.report_data(tmp_path), selections=chosen)
    text = page_of(data, tmp_path).section("inputs").text
    assert "Ylm har 178 bestånd enligt sökindexet och 1 181 enligt serverns lista från" in (
        text.replace("\xa0", " ")
    )
    assert text.count("Antalen skiljer sig: indexet har kvar raderade poster") == 1
    assert "NO har 13 bestånd enligt sökindexet och 12 enligt" in text
    assert text.count("Sedan dess har 3 skapats och 2 raderats.") == 1
    assert text.count("Vad som har ändrats sedan dess är för mycket för att räknas.") == 1
    assert "S har 3 bestånd enligt sökindexet. Serverns egen lista gick inte att läsa" in text
    english = page_of(data, tmp_path, "en").section("en-inputs").text
    assert "The numbers differ: the index keeps deleted records and lacks live ones" in english


def test_a_librarys_sources_are_told_with_the_lag_of_the_index(tmp_path: Path) -> None:
    facts = {
        "dump_started": "2026-11-30T05:01:38Z",
        "dump_listed": 12,
        "dump_shown": 12,
        "since_created": 0,
        "since_deleted": 0,
        "index_total": 12,
    }
    lag = "Indexet släpar efter: det har kvar raderade poster och saknar levande."
    made = reports.report_data(tmp_path)
    for index_only, dump_only in ((0, 0), (1, 0), (0, 2)):
        found = {**facts, "index_only": index_only, "dump_only": dump_only}
        chosen = ({"step": 1, "count": 12, "note": {"libraries": {"Ylm": found}}},)
        data = replace(made, selections=chosen)
        text = page_of(data, tmp_path).section("inputs").text
        assert (lag in text) == bool(index_only or dump_only)
    short = {"step": 1, "count": 12, "note": {"libraries": {"Ylm": {**facts, "dump_shown": 9}}}}
    reads = {"dump": 1200, "": 1, "changed": 2, "form": 1, "unlisted": 3}
    data = replace(made, selections=(short,), reads=reads)
    text = page_of(data, tmp_path).section("inputs").text
    assert "3 poster på listan visades inte" in text
    assert (
        "200 ur serverns utdrag, 7 lästa en och en (2 ändrade sedan dess, 1 som"
        " kan vara lagrade i en annan form, 3 som inte står i utdraget)." in text
    )


def test_what_a_search_lacks_is_to_be_looked_at_twice() -> None:
    def searched_with(**facts: object) -> list[tuple[str, int]]:
        note = {"compared": {"Ylm": facts}}
        return [(one.code, one.count) for one in searched([{"step": 1, "note": note}])]

    assert searched_with(index_total=9, dump_listed=9, dump_started="x") == []
    assert searched_with(index_total=9, dump_listed=12) == [("index_differs", 3)]
    assert searched_with(index_total=9, dump_listed=0) == [("index_differs", 9)]
    since = {"since_created": 1, "since_deleted": 4}
    assert searched_with(index_total=9, dump_listed=12, **since) == []
    assert searched_with(index_total=12, dump_listed=12, **since) == [("index_differs", 3)]
    assert searched_with(index_total=9, unread="x") == [("index_unchecked", 1)]
    assert list(searched([{"step": 1, "note": None}, {"step": 2, "note": {"libraries": {}}}])) == []
