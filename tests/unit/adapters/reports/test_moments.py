"""What happened to a run: pauses, stops with their reasons, long waits, and when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.adapters.reports import write_report
from bulkrunner.domain.report import Moment
from bulkrunner.domain.run import RunState, Wait
from bulkrunner.sentences import Sentence
from bulkrunner.services.report.service import ReportService
from bulkrunner.services.running.control import Control
from bulkrunner.services.running.orders import Listener, WaitingNow
from tests.support import reports
from tests.support.ledgers import OWNER, START, SetClock, new_ledger, send, start_run
from tests.support.pages import Page
from tests.support.progress import NullProgress

WINDOW = Sentence("hours_closed", hours="22:00-06:00")
LIMIT = Sentence("limit_reached", limit=2)


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerStore:
    return new_ledger(tmp_path)


def lived(ledger: LedgerStore) -> str:
    """A run that was paused, slowed, made to wait, stopped, taken up again and finished."""
    plan = reports.stored_plan(ledger, [reports.a_reported(n) for n in (1, 2)])
    run = start_run(ledger, plan).id
    ledger.orders.pause(run, paused=True, by="ulla@desk")
    ledger.orders.pause(run, paused=False, by="eva@desk")
    ledger.orders.set_rate(run, rate=2.5, by="eva@desk")
    ledger.orders.log_wait(run, Wait(reason=WINDOW, until=START + timedelta(hours=9)))
    ledger.orders.log_wait(run, None)
    for change in (1, 2):
        send(ledger, run, change)
    ledger.runs.move(run, RunState.STOPPED, at=START, reason=LIMIT)
    ledger.runs.move(run, RunState.RUNNING, at=START)
    ledger.runs.move(run, RunState.COMPLETED, at=START)
    return run


def test_everything_that_happened_to_the_run_is_in_the_report(ledger: LedgerStore) -> None:
    moments = ReportService(ledger, SetClock()).report(lived(ledger)).moments
    assert [(one.kind, one.by, one.reason, one.rate) for one in moments] == [
        ("started", "", "", None),
        ("paused", "ulla@desk", "", None),
        ("pause_lifted", "eva@desk", "", None),
        ("rate_set", "eva@desk", "", 2.5),
        ("waiting", "", WINDOW, None),
        ("went_on", "", "", None),
        ("stopped", "", LIMIT, None),
        ("resumed", "", "", None),
        ("completed", "", "", None),
    ]
    assert moments[4].until == START + timedelta(hours=9)
    assert [one.at for one in moments] == sorted(one.at for one in moments)
    assert ledger.chain.check() == []


def test_the_page_tells_it_in_swedish_with_the_reasons(ledger: LedgerStore, tmp_path: Path) -> None:
    data = ReportService(ledger, SetClock()).report(lived(ledger))
    page = Page(write_report(data, tmp_path / "r.html", form="html").read_text("utf-8"), "sv")
    (table,) = page.all("table", "moments")
    for text in (
        "Körningen började.",
        "Pausad av ulla@desk.",
        "Pausen hävdes av eva@desk.",
        "Högsta hastigheten sattes till 2,5 skrivningar i sekunden av eva@desk.",
        "Väntar: Skrivning tillåts bara 22.00–06.00.",
        "Stoppades. Gränsen på 2 ändringar är nådd.",
        "Återupptogs.",
        "Klar.",
    ):
        assert text in table.text, text


def test_a_plan_has_none(tmp_path: Path) -> None:
    assert reports.report_data(tmp_path).moments == ()


# --- which waits are entered ---------------------------------------------------------------------


def listener(ledger: LedgerStore, run: str, clock: SetClock) -> tuple[Listener, WaitingNow]:
    progress = WaitingNow(NullProgress(), clock)
    return Listener(run, ledger, clock, progress, Control(clock), set_rate=None), progress


def kinds(ledger: LedgerStore, run: str) -> list[str]:
    return [event.kind for event in ledger.orders.events(run, limit=100)][1:]


def test_a_long_wait_is_entered_once_and_so_is_its_end(ledger: LedgerStore) -> None:
    clock = SetClock()
    run = start_run(ledger, reports.stored_plan(ledger, [reports.a_reported(1)])).id
    listening, progress = listener(ledger, run, clock)
    for left in (3600, 3570, 20):  # reckoned anew, and at last short
        progress.waiting(WINDOW, left)
        listening.listen()
    assert kinds(ledger, run) == ["waiting"]
    progress.waiting("", None)
    listening.listen()
    assert kinds(ledger, run) == ["waiting", "went_on"]


def test_a_short_wait_is_not_entered(ledger: LedgerStore) -> None:
    clock = SetClock()
    run = start_run(ledger, reports.stored_plan(ledger, [reports.a_reported(1)])).id
    listening, progress = listener(ledger, run, clock)
    progress.waiting("the server asks for a rest", 5)
    listening.listen()
    progress.waiting("", None)
    listening.listen()
    assert kinds(ledger, run) == []


def test_a_takeover_is_told(ledger: LedgerStore) -> None:
    run = start_run(ledger, reports.stored_plan(ledger, [reports.a_reported(1)])).id
    ledger.leases.take(run, OWNER, expires_at=START + timedelta(hours=1), replaces=1)
    moments = ReportService(ledger, SetClock()).report(run).moments
    assert moments[-1] == Moment(at=moments[-1].at, kind="taken_over", by=OWNER.host)
