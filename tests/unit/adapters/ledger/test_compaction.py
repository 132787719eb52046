"""Compaction drops contents that nobody else needs, tells the chain, and breaks nothing."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import ChainBroken, UsageError
from bulkrunner.services.compact import LedgerKeeper, refuse_compacted
from tests.support.ledgers import (
    START,
    a_change,
    a_document,
    a_plan,
    new_ledger,
    send,
    start_run,
    store_plan,
)

DAY = timedelta(days=1)


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def contents(folder):
    with closing(sqlite3.connect(folder / "ledger.db")) as raw:
        return dict(raw.execute("SELECT hex(digest), length(content) FROM documents"))


def ran(ledger, plan, run, *, at):
    start_run(ledger, plan, run)
    other = a_document("rec000001", "as somebody left it")
    send(ledger, run, 1, outcome=Outcome.APPLIED, stored=other)
    ledger.runs.move(run, RunState.COMPLETED, at=at)


def test_what_only_the_compacted_plan_has_goes_and_the_rest_stays(ledger, tmp_path):
    old = store_plan(ledger, a_plan("p1"), [a_change(1), a_change(2)])
    new = store_plan(ledger, a_plan("p2"), [a_change(2), a_change(3)])
    assert (
        ledger.compactions.compact([old.id]) == 2
    )  # before and after of change 1; after is also predicted
    first, second = ledger.plans.changes(old.id)
    assert (first.before, first.after) == (None, None)
    assert second.before == a_document("rec000002", "Hc")
    assert all(change.before for change in ledger.plans.changes(new.id))
    assert sorted(contents(tmp_path).values())[:2] == [0, 0]
    assert ledger.chain.check() == []
    assert ledger.chain.verify() is None
    assert ledger.chain.verify_plan(old.id) is None
    assert ledger.compactions.compacted() == {"p1"}


def test_what_two_compacted_plans_share_goes_with_the_second(ledger):
    plans = [store_plan(ledger, a_plan(name), [a_change(1)]) for name in ("p1", "p2")]
    assert [ledger.compactions.compact([plan.id]) for plan in plans] == [0, 2]
    assert ledger.chain.check() == []


def test_documents_that_a_run_kept_go_as_well(ledger):
    plan = store_plan(ledger, a_plan(), [a_change(1)])
    ran(ledger, plan, "r1", at=START)
    assert ledger.compactions.compact([plan.id]) == 3
    (ended,) = ledger.runs.ended("r1")
    assert (ended.result.outcome, ended.result.stored) == (Outcome.APPLIED, None)
    assert ledger.chain.check() == []


def test_a_dropped_document_comes_back_with_a_plan_that_has_it(ledger):
    store_plan(ledger, a_plan("p1"), [a_change(1)])
    ledger.compactions.compact(["p1"])
    store_plan(ledger, a_plan("p2"), [a_change(1)])
    assert [change.before for change in ledger.plans.changes("p2")] == [
        a_document("rec000001", "Hc")
    ]
    assert ledger.chain.check() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET content = x'' WHERE length(content) > 0",
        "UPDATE documents SET content = x'00' WHERE length(content) > 0",
        "UPDATE documents SET digest = zeroblob(32) WHERE length(content) = 0",
        "DELETE FROM documents",
        "DELETE FROM dropped",
        "UPDATE dropped SET event = 1",
        "DELETE FROM compactions",
    ],
)
def test_the_database_itself_refuses_to_drop_anything_else(ledger, tmp_path, statement):
    store_plan(ledger, a_plan("p1"), [a_change(1)])
    store_plan(ledger, a_plan("p2"), [a_change(2)])
    ledger.compactions.compact(["p1"])
    with (
        closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as raw,
        pytest.raises(sqlite3.IntegrityError, match="never"),
    ):
        raw.execute(statement)


def test_an_emptied_document_that_no_compaction_dropped_is_found(ledger, tmp_path):
    store_plan(ledger, a_plan("p1"), [a_change(1)])
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as raw:
        raw.execute("DROP TRIGGER documents_update")
        raw.execute("UPDATE documents SET content = x''")
    with pytest.raises(ChainBroken):
        list(ledger.plans.changes("p1"))
    assert "document of change 1 of plan p1) is not as it was stored" in ledger.chain.check()[0]
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as raw:
        raw.execute("INSERT INTO dropped SELECT digest, 2 FROM documents")
    assert "rows of dropped that no event stored" in ledger.chain.check()[0]


# --- which plans --------------------------------------------------------------------------------


def compact(ledger, before):
    return LedgerKeeper(ledger).compact(before)


def test_plans_and_runs_before_a_day(ledger):
    old = store_plan(ledger, a_plan("p1", created_at=START - 40 * DAY), [a_change(1)])
    ran(ledger, old, "r1", at=START - 39 * DAY)
    late = store_plan(ledger, a_plan("p2", created_at=START - 38 * DAY), [a_change(1)])
    ran(ledger, late, "r2", at=START)
    never = store_plan(ledger, a_plan("p3", created_at=START - 37 * DAY), [a_change(3)])
    store_plan(ledger, a_plan("p4", created_at=START), [a_change(4)])
    half = a_plan("p5", created_at=START - 50 * DAY)
    ledger.plans.begin(half)
    done = compact(ledger, (START - DAY).date().isoformat())
    assert done.plans == (old.id, never.id)
    assert done.kept == {"p2": "run r2 ended later", "p5": "is not complete"}
    assert done.before is not None
    assert compact(ledger, (START - DAY).date().isoformat()).plans == ()
    assert ledger.chain.check() == []


def test_everything_before_a_run_began(ledger):
    old = store_plan(ledger, a_plan("p1", created_at=START - DAY), [a_change(1)])
    ran(ledger, old, "r1", at=START - DAY)
    new = store_plan(ledger, a_plan("p2", created_at=START), [a_change(2)])
    start_run(ledger, new, "r2")
    assert compact(ledger, "r2").plans == ("p1",)


def test_an_unfinished_run_keeps_its_documents(ledger):
    plan = store_plan(ledger, a_plan("p1", created_at=START - 9 * DAY), [a_change(1)])
    start_run(ledger, plan, "r1")
    ledger.runs.move("r1", RunState.STOPPED, at=START - 8 * DAY)
    assert compact(ledger, START.date().isoformat()).kept == {"p1": "run r1 is stopped"}


def test_neither_a_day_nor_a_run(ledger):
    with pytest.raises(UsageError):
        compact(ledger, "last week")


def test_a_broken_ledger_is_not_compacted(ledger):
    store_plan(ledger, a_plan("p1"), [a_change(1, Action.DELETE)])
    with ledger._database.write() as connection:
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER events_{verb}")
        connection.exec_driver_sql("UPDATE events SET kind = 'x' WHERE position = 1")
    with pytest.raises(UsageError, match="does not fit its chain"):
        compact(ledger, "2099-01-01")


def test_what_needs_the_documents_says_so(ledger):
    store_plan(ledger, a_plan("p1"), [a_change(1)])
    refuse_compacted(ledger, "p1", "x")
    ledger.compactions.compact(["p1"])
    with pytest.raises(UsageError, match="dropped by ledger compact; run r1 cannot be undone") as e:
        refuse_compacted(ledger, "p1", "run r1 cannot be undone")
    assert e.value.code == "compacted"
