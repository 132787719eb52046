"""What is sent was verified before, and a run ends well only when everything was."""

import sqlite3
import threading
from contextlib import closing

import pytest

from bulkrunner.adapters.ledger.seals import Seals
from bulkrunner.domain import ledger_port
from bulkrunner.domain.run import RunState
from bulkrunner.errors import GateClosed
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Control
from bulkrunner.services.running.executor import Executor
from bulkrunner.services.running.watch import Watch
from tests.support.executing import Rig, setting


@pytest.fixture
def rig(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_port, "BLOCK", 2)
    rig = Rig(sandbox.staging, tmp_path, concurrency=1)
    yield rig
    rig.close()


def edit(rig, statement):
    """Edit the file as somebody would who knows SQL."""
    with closing(sqlite3.connect(rig.ledger._database.url.database, isolation_level=None)) as raw:
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA foreign_keys=OFF")
        assert raw.execute(statement).rowcount > 0


def planned(rig, own, count):
    records = [next(own) for _ in range(count)]
    return records, rig.plan(*(setting(record, "He") for record in records))


def written(rig):
    return {entry["path"].rpartition("/")[2].partition("?")[0] for entry in rig.control.writes()}


@pytest.fixture
def no_walk(monkeypatch):
    """The walk comes late: what is found, is found by who hands out the changes."""
    may_walk = threading.Event()
    may_walk.all_is_sent = lambda: False
    walk = Seals.rest

    def later(self, *arguments):
        while not may_walk.wait(0.01) and not may_walk.all_is_sent():
            yield None
        yield from walk(self, *arguments)

    monkeypatch.setattr(Seals, "rest", later)
    yield may_walk
    may_walk.set()


OF_CHANGE_3 = {
    "its record": "UPDATE planned_changes SET record = 'bcdfghjk' WHERE number = 3",
    "its document": "UPDATE documents SET content = x'00' WHERE digest = "
    "(SELECT after FROM planned_changes WHERE number = 3)",
    "an attempt put in": "INSERT INTO attempts (run, change, number, intent_at, method, event) "
    "SELECT id, 3, 1, started_at, 'PUT', 1 FROM runs",
    "an outcome put in": "INSERT INTO results (run, change, outcome, decided_at, event) "
    "SELECT id, 4, 'applied', started_at, 1 FROM runs",
}


@pytest.mark.parametrize("statement", OF_CHANGE_3.values(), ids=OF_CHANGE_3)
def test_a_block_that_was_edited_is_found_before_anything_of_it_is_sent(
    rig, own, no_walk, statement
):
    records, plan = planned(rig, own, 6)
    run = rig.begin(plan)
    edit(rig, statement)
    no_walk.all_is_sent = lambda: not rig.ledger.runs.outcomes(run)["pending"]
    with pytest.raises(GateClosed, match="ledger"):
        rig.resume(run)
    assert rig.ledger.runs.get(run).state is RunState.STOPPED
    assert written(rig) <= set(records[:2])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE planned_changes SET after = before WHERE number = 3",
        "UPDATE planned_changes SET etag = '1' WHERE number = 3",
        "UPDATE planned_changes SET action = 'delete', after = NULL WHERE number = 3",
    ],
)
def test_what_is_edited_after_its_block_was_verified_is_never_sent(
    rig, own, no_walk, monkeypatch, statement
):
    records, plan = planned(rig, own, 4)
    verified = Seals.block

    def edited_at_once(self, plan, run, change):
        fault = verified(self, plan, run, change)
        if change == 3:
            edit(rig, statement)
        return fault

    monkeypatch.setattr(Seals, "block", edited_at_once)
    with pytest.raises(GateClosed, match="change 3 is not as it was"):
        rig.run(plan)
    assert written(rig) <= set(records[:2])


def test_an_edit_of_what_was_done_before_keeps_a_run_from_being_complete(rig, own):
    _, plan = planned(rig, own, 4)
    run = rig.run(plan, limit=2)
    edit(rig, "UPDATE planned_changes SET etag = 'x' WHERE number = 1")
    with pytest.raises(GateClosed, match="change 1 of plan"):
        rig.resume(run.id)
    assert rig.ledger.runs.get(run.id).state is RunState.STOPPED
    with pytest.raises(GateClosed):  # nor is it when nothing is left to be sent
        rig.resume(run.id)
    assert rig.ledger.runs.get(run.id).state is RunState.STOPPED


def test_an_edit_of_another_plan_that_the_run_rests_on_stops_it(rig, own):
    _, other = planned(rig, own, 1)
    _, plan = planned(rig, own, 2)
    rig.run(other)
    edit(rig, "UPDATE results SET outcome = 'unchanged' WHERE run LIKE 'r-%'")
    with pytest.raises(GateClosed, match="was changed afterwards"):
        rig.run(plan)


def test_a_run_is_complete_when_the_walk_is_done_and_not_before(rig, own, no_walk):
    _, plan = planned(rig, own, 3)
    executor = Executor(rig.parts())
    run = executor.start(plan, "r-walked").id
    thread = threading.Thread(target=executor.run, args=(run,))
    thread.start()
    try:
        while rig.ledger.runs.outcomes(run)["applied"] < 3:
            rig.clock.sleep(0.01)
        assert rig.ledger.runs.get(run).state is RunState.RUNNING
        executor.request_stop()
    finally:
        thread.join(10)
    assert rig.ledger.runs.get(run).state is RunState.INTERRUPTED
    no_walk.set()
    rig.control.clear_log()
    assert rig.resume(run).state is RunState.COMPLETED
    assert rig.sent() == []


def test_a_walk_that_found_a_fault_is_over_but_not_done(rig, own):
    _, plan = planned(rig, own, 3)
    run = rig.begin(plan)
    control = Control(rig.clock)
    watch = Watch(rig.ledger, plan, run, control, rig.clock, recheck=lambda: None)
    edit(rig, "UPDATE planned_changes SET etag = 'x' WHERE number = 3")
    watch.start()
    assert any(watch.wait(1.0) for _ in range(60))
    watch.close()
    assert not watch.is_done
    assert control.ending.state is RunState.STOPPED


def test_gates_that_are_tested_meanwhile_hold_nothing_up(rig, own, monkeypatch):
    _, plan = planned(rig, own, 5)
    monkeypatch.setattr("bulkrunner.services.running.watch.RECHECK_EVERY", 0.0)
    tested, may_go = threading.Event(), threading.Event()

    def recheck():
        tested.set()
        may_go.wait(20)
        raise GateClosed(Sentence("gates_closed_hint"))

    executor = Executor(rig.parts(recheck=recheck))
    run = executor.start(plan, "r-tested").id
    ended = []

    def drive():
        with pytest.raises(GateClosed):
            executor.run(run)
        ended.append(run)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        assert tested.wait(10)
        while rig.ledger.runs.outcomes(run)["applied"] < 5:
            rig.clock.sleep(0.01)
    finally:
        may_go.set()
        thread.join(10)
    assert ended == [run]
    assert rig.ledger.runs.get(run).state is RunState.STOPPED
