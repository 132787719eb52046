"""Gathering a report from the ledger."""

from itertools import islice
from pathlib import Path

import pytest

from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.errors import UsageError
from bulkrunner.services.report.groups import MAX_GROUPS
from bulkrunner.services.report.service import ReportService, differences_of
from tests.support import reports
from tests.support.ledgers import SetClock, new_ledger, start_run


def test_finds_a_plan_and_a_run_by_unique_prefixes(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    plan = reports.stored_plan(ledger, reports.some_changes())
    start_run(ledger, plan)
    service = ReportService(ledger, SetClock())
    assert service.find("p") == (plan, None)
    found, run = service.find("r")
    assert found == plan
    assert run is not None
    assert run.id == "r1"


def test_an_unknown_id_is_a_clear_error(tmp_path: Path) -> None:
    service = ReportService(new_ledger(tmp_path), SetClock())
    with pytest.raises(UsageError, match="no plan or run x9"):
        service.report("x9")


def test_an_exact_id_comes_before_a_prefix(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    plan = reports.stored_plan(ledger, reports.some_changes())
    start_run(ledger, plan, run="p12")
    assert ReportService(ledger, SetClock()).find("p1") == (plan, None)


def test_a_prefix_of_both_a_plan_and_a_run_is_refused(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    plan = reports.stored_plan(ledger, [reports.a_reported(1)])
    start_run(ledger, plan, run="p2")
    with pytest.raises(UsageError, match="beginning of"):
        ReportService(ledger, SetClock()).find("p")


def test_a_change_without_outcome_is_pending(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    plan = reports.stored_plan(ledger, [reports.a_reported(n) for n in (1, 2, 3)])
    run = start_run(ledger, plan)
    ledger.runs.conclude(run.id, 2, Result(outcome=Outcome.APPLIED)).result()
    data = ReportService(ledger, SetClock()).report(run.id)
    ends = {item.change.number: item.result.outcome for item in data.changes() if item.result}
    assert ends == {1: Outcome.PENDING, 2: Outcome.APPLIED, 3: Outcome.PENDING}
    assert data.outcomes is not None
    assert data.outcomes["pending"] == 2


def test_streams_can_be_started_again(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path)
    first = [item.change.number for item in data.changes()]
    assert [item.change.number for item in data.changes()] == first
    assert [item.change.number for item in islice(data.changes(), 2)] == [16, 17]


def test_problems_begin_with_remarks_then_conflicts(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, run=True)
    assert [item.change.number for item in data.problems()] == [16, 3, 5, 4]


def test_a_plan_has_no_problems(tmp_path: Path) -> None:
    assert list(reports.report_data(tmp_path).problems()) == []


def test_counts_kinds_and_lists_texts_in_bounded_memory(tmp_path: Path) -> None:
    changes = [
        reports.a_reported(n, cleanups=(f"x{n}: trimmed", "every: trimmed"))
        for n in range(1, MAX_GROUPS + 12)
    ]
    changes = list({c.record: c for c in changes}.values())
    grouped = reports.report_data(tmp_path, changes=[*changes]).grouped
    assert len(grouped.cleanups) <= MAX_GROUPS
    assert (grouped.cleanups[0].text, grouped.cleanups[0].count) == ("every: trimmed", len(changes))
    shown = sum(group.count for group in grouped.cleanups)
    assert shown + grouped.beyond_cleanups == 2 * len(changes)
    assert grouped.kinds[(Action.UPDATE, "holding")] == len(changes)


def test_accepted_refusals_are_told_from_the_others(tmp_path: Path) -> None:
    reasons = {group.code: group for group in reports.report_data(tmp_path).grouped.reasons}
    assert reasons["duplicate"].accepted
    assert reasons["duplicate"].at_most == 2
    assert not reasons["foreign_sigel"].accepted
    assert reasons["gone"].action is Action.NOT_FOUND


def test_samples_are_the_changes_themselves(tmp_path: Path) -> None:
    groups = [
        group
        for group in reports.report_data(tmp_path).grouped.patterns
        if group.action is Action.UPDATE
    ]
    assert [group.count for group in groups] == [14, 1]
    assert [item.change.number for item in groups[0].samples] == [1, 2, 5]
    assert [item.change.number for item in groups[1].samples] == [13]
    assert all(item.differences for group in groups for item in group.samples)


def test_a_test_plan_has_no_evidence_and_no_answer(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, addresses={**reports.ADDRESSES, "kind": "test"})
    assert data.evidence is None
    assert not data.answerable


def test_refusals_have_no_differences() -> None:
    assert differences_of(reports.a_reported(1, Action.REFUSED)) == ()
    assert differences_of(reports.a_reported(1, Action.UNCHANGED)) == ()


def test_reading_changes_nothing_in_the_ledger(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    reports.stored_plan(ledger, reports.some_changes())
    head = ledger.chain.head()
    list(ReportService(ledger, SetClock()).report("p1").changes())
    assert ledger.chain.head() == head
