"""What the report says of a run as a whole: a no, exclusions that KB asked for, a broken ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.adapters.reports import write_report
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import Outcome, Result, RunEvent, RunState
from bulkrunner.sentences import Sentence
from bulkrunner.services.report.service import Decisions, ReportService, moments
from tests.support import reports
from tests.support.ledgers import START, SetClock, new_ledger, start_run
from tests.support.pages import Page

BROKEN = GateResult(name="ledger", open=False, reason="the chain main breaks at event 7")
SOUND = tuple(gate for gate in reports.GATES if gate.name != "ledger")


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerStore:
    return new_ledger(tmp_path)


def with_exclusions(ledger: LedgerStore, **ends: Result) -> ReportData:
    """Return the report of a run of four changes, of which the answer leaves two out."""
    plan = reports.stored_plan(ledger, [reports.a_reported(n) for n in (1, 2, 3, 4)])
    run = start_run(ledger, plan).id
    left = Result(outcome=Outcome.REFUSED, code=EXCLUDED, message="the approval leaves it out")
    for number in (1, 2):
        ledger.runs.conclude(run, number, left).result()
    for number in (3, 4):
        result = ends.get(f"c{number}", Result(outcome=Outcome.APPLIED))
        ledger.runs.conclude(run, number, result).result()
    ledger.runs.move(run, RunState.COMPLETED, at=START)
    return ReportService(ledger, SetClock()).report(run)


def text_of(data: ReportData, folder: Path, form: str, lang: str = "sv") -> str:
    path = write_report(data, folder / f"r.{form}", form=form, lang=lang)
    return path.read_text(encoding="utf-8")


def headline(data: ReportData, folder: Path, lang: str = "sv") -> tuple[str, list[str]]:
    (line,) = Page(text_of(data, folder, "html", lang), lang).all("p", "status")
    return line.text, list(line.classes)


# --- exclusions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "said"),
    [("sv", "utom 2 undantagna enligt svaret"), ("en", "but 2 left out, as the answer asks")],
)
def test_what_kb_asked_to_leave_out_is_no_failure(
    ledger: LedgerStore, tmp_path: Path, lang: str, said: str
) -> None:
    data = with_exclusions(ledger)
    text, classes = headline(data, tmp_path, lang)
    assert said in text
    assert "calm" in classes
    assert list(data.problems()) == []


def test_exclusions_are_an_outcome_of_their_own(ledger: LedgerStore, tmp_path: Path) -> None:
    data = with_exclusions(ledger)
    page = Page(text_of(data, tmp_path, "html"), "sv")
    tiles = {n.classes[1]: n.text for n in page.within("summary", "li", "out")}
    assert tiles["excluded"] == "2 undantagna enligt svaret"
    assert tiles["refused"] == "0 avvisade"
    outcomes = page.tables["outcomes"]
    assert [row["outcome"] for row in page.rows()].count("excluded") == 2
    assert [outcomes[n] for n in page.tables["used"]["outcomes"]] == ["applied", "excluded"]
    assert "| undantagna enligt svaret | 2 |" in text_of(data, tmp_path, "md")


def test_a_failure_beside_exclusions_is_counted_alone(ledger: LedgerStore, tmp_path: Path) -> None:
    data = with_exclusions(ledger, c4=Result(outcome=Outcome.FAILED))
    text, classes = headline(data, tmp_path)
    assert "1 ändring är inte genomförd" in text
    assert "stop" in classes
    assert [item.change.number for item in data.problems()] == [4]
    assert "till finns i listan" not in text_of(data, tmp_path, "md")


# --- a no ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["html", "md"])
def test_a_run_after_a_no_is_not_said_to_be_resumable(
    ledger: LedgerStore, tmp_path: Path, form: str
) -> None:
    plan = reports.stored_plan(ledger, [reports.a_reported(1)])
    run = start_run(ledger, plan).id
    reports.answered(ledger, plan, approved=False)
    ledger.runs.move(
        run, RunState.STOPPED, at=START, reason=Sentence("rejected_by", by="Anna Ek, KB")
    )
    data = ReportService(ledger, SetClock()).report(run)
    text = text_of(data, tmp_path, form)
    assert "kan återupptas" not in text.partition("<script")[0]
    assert "får inte återupptas" in text
    assert "Avslagen av Anna Ek, KB" in text
    english = text_of(data, tmp_path, form, "en")
    assert "must not be resumed" in english


def test_after_another_yes_it_can_be_resumed(ledger: LedgerStore, tmp_path: Path) -> None:
    plan = reports.stored_plan(ledger, [reports.a_reported(1)])
    run = start_run(ledger, plan).id
    reports.answered(ledger, plan, approved=False)
    reports.answered(ledger, plan)
    ledger.runs.move(
        run, RunState.STOPPED, at=START, reason=Sentence("rejected_by", by="Anna Ek, KB")
    )
    text, _ = headline(ReportService(ledger, SetClock()).report(run), tmp_path)
    assert "kan återupptas" in text


# --- a ledger that does not fit ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "sv",
            "Liggaren (leverantörens journal över planer och körningar) stämmer inte. Inget på den här sidan går att lita på.",
        ),
        ("en", "The ledger does not fit. Nothing in this report can be relied upon."),
    ],
)
@pytest.mark.parametrize("run", [False, True])
def test_a_broken_ledger_is_the_first_thing_said(
    tmp_path: Path, lang: str, said: str, *, run: bool
) -> None:
    data = reports.report_data(tmp_path, run=run, gates=(*SOUND, BROKEN))
    text, classes = headline(data, tmp_path, lang)
    assert text.startswith(said)
    assert "7" in text
    assert "stop" in classes
    markdown = text_of(data, tmp_path, "md", lang)
    assert f"**{said}" in markdown
    assert "7**" in markdown.partition("| | |")[0].replace(".**", "**")


# --- a wait that ended with the run --------------------------------------------------------------


def event(kind: str, second: int, **data: str) -> RunEvent:
    return RunEvent(at=START + timedelta(seconds=second), kind=kind, data=data)


def test_a_wait_that_ended_with_the_run_went_nowhere() -> None:
    events = [
        event("waiting", 0, reason="writing is allowed 22:00-06:00"),
        event("went_on", 60),
        event("moved", 60, to="interrupted", reason="stopped by a signal"),
    ]
    assert [one.kind for one in moments(events)] == ["waiting", "interrupted"]
    later = [*events[:2], replace(events[2], at=START + timedelta(hours=1))]
    decided = Decisions([(START + timedelta(minutes=30), Outcome.APPLIED)])
    assert [one.kind for one in moments(later, decided)] == ["waiting", "went_on", "interrupted"]


def test_a_run_says_in_a_sentence_how_its_changes_ended(
    ledger: LedgerStore, tmp_path: Path
) -> None:
    data = with_exclusions(ledger, c4=Result(outcome=Outcome.CONFLICT, code="edited"))
    told = Page(text_of(data, tmp_path, "html"), "sv").section("outcomes").text
    assert (
        "Av 4 ändringar i planen som skulle skrivas: 1 genomförda, 1 konflikter, "
        "2 undantagna enligt svaret." in told
    )


def test_per_sigel_a_run_counts_outcomes(ledger: LedgerStore, tmp_path: Path) -> None:
    data = with_exclusions(ledger, c4=Result(outcome=Outcome.CONFLICT, code="edited"))
    told = text_of(data, tmp_path, "html")
    page = Page(told, "sv")
    (table,) = page.within("what", "table", "counts")
    assert "konflikter" in table.text
    assert "genomförda" in table.text
    assert "raderas" not in table.text
    stored = json.loads(text_of(data, tmp_path, "json"))["run"]
    by_sigel = stored["outcomes_by_sigel"]
    assert sum(sum(counts.values()) for counts in by_sigel.values()) == sum(
        stored["outcomes"].values()
    )
    assert sum(counts.get("conflict", 0) for counts in by_sigel.values()) == 1
    assert sum(counts.get("excluded", 0) for counts in by_sigel.values()) == stored["excluded"]
