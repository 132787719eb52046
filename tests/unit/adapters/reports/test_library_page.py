"""The page for one library: its own rows, in its own words, and nobody else's."""

import re
from pathlib import Path

import pytest

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.library_page import LibraryPage, file_names, library_chunks
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.plan import Action, BibSummary, Plan
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.run import Outcome, Result, Run
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.report.service import ReportService
from tests.support import reports
from tests.support.ledgers import SetClock, new_ledger, start_run

SV, EN = language("sv"), language("en")
LIBRARIES = {"Ylm": "Ylms stadsbibliotek", "NO": "Norrbottens bibliotek", "Gbg": "Göteborg"}


def of(number: int, sigel: str, action: Action = Action.UPDATE, **values: object) -> object:
    """A change that can be told by its words from another library's."""
    record = reports.record_id(number)
    return reports.a_reported(
        number,
        action,
        sigel=sigel,
        library=LIBRARIES[sigel],
        bib=BibSummary(id=f"b{number}", title=f"Boken {sigel}-{number}"),
        before=reports.holding(record, f"Hc-{sigel}"),
        notes=((f"note_{sigel}", f"said of {sigel}"),),
        **values,
    )


def everybody() -> list[object]:
    none = {"pattern": "", "target_key": None}
    told = Sentence("duplicate", sigel="NO", records=reports.record_id(2))
    return [
        of(1, "Ylm"),
        of(2, "NO"),
        of(3, "Ylm", Action.DELETE),
        of(4, "NO", Action.DELETE),
        of(5, "NO"),
        of(6, "Ylm", Action.REFUSED, code="duplicate", message=told, **none),
        of(7, "Gbg", Action.REFUSED, code="foreign_sigel", message="x", **none),
    ]


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerStore:
    return new_ledger(tmp_path)


@pytest.fixture
def plan(ledger: LedgerStore) -> Plan:
    return reports.stored_plan(ledger, everybody())


def ended(ledger: LedgerStore, plan: Plan, **ends: Result) -> Run:
    """A run in which the changes of these numbers ended so, all others well, but for the last."""
    run = start_run(ledger, plan)
    for number in (1, 2, 3, 4):
        result = ends.get(f"n{number}", Result(outcome=Outcome.APPLIED))
        ledger.runs.conclude(run.id, number, result).result()
    return run


def told(ledger: LedgerStore, plan: Plan, sigel: str, run: Run | None = None) -> ReportData:
    return ReportService(ledger, SetClock()).report_to(plan, run, sigel)


def text_of(data: ReportData, lang: str = "sv") -> str:
    page = b"".join(library_chunks(data, language(lang))).decode()
    return re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("sigel", LIBRARIES)
@pytest.mark.parametrize("with_run", [False, True])
def test_a_page_has_the_librarys_rows_and_nobody_elses(
    ledger: LedgerStore, plan: Plan, sigel: str, *, with_run: bool
) -> None:
    run = ended(ledger, plan) if with_run else None
    page = text_of(told(ledger, plan, sigel, run))
    for change in everybody():
        mine = change.sigel == sigel
        assert (change.bib.title in page) is mine
        assert (change.record in page) is mine
        assert (LIBRARIES[change.sigel] in page) is mine
        if not mine:
            assert f"Hc-{change.sigel}" not in page
        assert f"said of {change.sigel}" not in page
        assert f"note_{change.sigel}" not in page


def test_what_moves_to_another_library_is_told_without_its_record(ledger: LedgerStore) -> None:
    plan = reports.stored_plan(ledger, reports.moved(1))
    mine, other = (text_of(told(ledger, plan, sigel)) for sigel in ("Ylm", "NO"))
    assert reports.record_id(2) in mine
    assert reports.record_id(1) not in mine
    assert reports.record_id(1) in other
    assert reports.record_id(2) not in other


@pytest.mark.parametrize("lang", ["sv", "en"])
def test_a_page_has_nothing_of_the_operators_matters(
    ledger: LedgerStore, plan: Plan, lang: str
) -> None:
    page = text_of(told(ledger, plan, "Ylm", ended(ledger, plan)), lang)
    assert plan.plan_digest not in page
    assert ledger.chain.head() not in page
    assert "bulkrunner" not in page
    assert "<script" not in page
    for word in ("sha256", "libris@example.org", "KB 2026-0412", "policy", "ids.txt", "liggare"):
        assert word not in page.replace("&#39;sha256-", "")
    assert not [name for name in language(lang)._data["gate"].values() if name in page]


def test_a_plan_is_told_by_what_becomes_of_the_holdings(ledger: LedgerStore, plan: Plan) -> None:
    page = LibraryPage(told(ledger, plan, "Ylm"), SV)
    assert (
        page.sentence()
        == "Planen är att radera 1 beståndspost och ändra 1 beståndspost hos Ylm (Ylms stadsbibliotek)."
    )
    assert [(mark, count) for mark, count, _ in page.tiles()] == [
        ("delete", 1),
        ("update", 1),
        ("create", 0),
        ("left", 1),
    ]
    rows = list(page.rows())
    assert [(row.mark, row.state) for row in rows] == [
        ("delete", "Radera"),
        ("update", "Ändra"),
        ("left", "Lämnas som den är"),
    ]
    assert rows[2].why == "Biblioteket har redan ett bestånd på posten."
    assert [line.place for line in rows[1].lines] == ["shelfMark.label"]
    assert not [line for line in rows[0].lines if line.place.startswith("@record")]


def test_a_run_is_told_by_what_was_done_what_was_not_first(ledger: LedgerStore, plan: Plan) -> None:
    failed = Result(outcome=Outcome.CONFLICT, code="edited", detail={"by": "Gbg"})
    run = ended(ledger, plan, n2=failed)
    page = LibraryPage(told(ledger, plan, "NO", run), SV)
    assert page.sentence() == "Klart: 1 av 3 beståndsposter hos NO (Norrbottens bibliotek)."
    assert page.outcomes() == {"done": 1, "already": 0, "not_done": 1, "excluded": 0, "waits": 1}
    assert [(row.mark, row.state) for row in page.rows()] == [
        ("not_done", "Ändra: blev inte gjort"),
        ("waits", "Ändra: återstår"),
        ("done", "Raderad"),
    ]
    assert next(page.rows()).why.startswith("Posten ändrades av någon annan")
    assert "Gbg" not in text_of(told(ledger, plan, "NO", run))
    mine = LibraryPage(told(ledger, plan, "Ylm", run), EN)
    assert mine.sentence() == (
        "Done: 2 holdings of Ylm (Ylms stadsbibliotek). All that the plan said is done."
    )


def test_what_kb_left_out_was_not_done_by_its_wish(ledger: LedgerStore, plan: Plan) -> None:
    run = ended(ledger, plan, n1=Result(outcome=Outcome.REFUSED, code=EXCLUDED))
    page = LibraryPage(told(ledger, plan, "Ylm", run), SV)
    assert page.outcomes()["excluded"] == 1
    assert next(page.rows()).state == "Ändra: undantagen av KB"
    assert ledger.runs.count_sigels(run.id) == {
        "Ylm": {EXCLUDED: 1, "applied": 1},
        "NO": {"applied": 2, "pending": 1},
    }


@pytest.mark.parametrize("sigel", ["Xyz", "", "ylm"])
def test_a_sigel_without_rows_is_told_with_those_there_are(
    ledger: LedgerStore, plan: Plan, sigel: str
) -> None:
    with pytest.raises(UsageError) as caught:
        told(ledger, plan, sigel)
    assert repr(sigel) in caught.value.message
    assert str(caught.value.hint) == "it has rows of: Gbg, NO and Ylm"


def test_of_bibs_alone_there_is_no_page(ledger: LedgerStore) -> None:
    plan = reports.stored_plan(ledger, [reports.a_reported(1, kind="bib", sigel=None)])
    with pytest.raises(UsageError, match="nothing of p1") as caught:
        told(ledger, plan, "Ylm")
    assert "no library" in str(caught.value.hint)


def test_names_of_files_are_safe_and_never_alike(tmp_path: Path) -> None:
    sigels = ["../x", "S", "S 62", "S/62", "s", "Ö", "Å", "a" * 200, "<b>"]
    names = file_names("r-1", sigels, tmp_path / "new" / "folder")
    assert list(names) == sigels
    assert {path.parent for path in names.values()} == {tmp_path / "new" / "folder"}
    assert len({path.name.casefold() for path in names.values()}) == len(sigels)
    assert all(re.fullmatch(r"r-1-\w{1,45}\.html", path.name) for path in names.values())
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError):
        file_names("r-1", sigels, blocked / "in")


def test_words_of_records_stay_words(ledger: LedgerStore) -> None:
    evil = BibSummary(id="b", title="<script>alert(1)</script>\u202e")
    plan = reports.stored_plan(ledger, [reports.a_reported(1, bib=evil)])
    page = text_of(told(ledger, plan, "Ylm"))
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
