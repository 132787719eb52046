"""Orders to a running run: pause, resume, rate, stop; and what it says it waits for."""

import threading
from dataclasses import replace

import pytest

from bulkrunner.domain.run import RunState
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.executor import Executor
from bulkrunner.services.running.orders import RunOrders, WaitingNow
from tests.support.executing import before_it, setting
from tests.support.progress import NullProgress
from tests.support.sandbox import wait_until


def take(own, count):
    return [next(own) for _ in range(count)]


class Started:
    """A run in a thread of its own, and somebody at another terminal."""

    def __init__(self, rig, plan, *, hold=False, **changes):
        self.rig = rig
        self.progress = WaitingNow(NullProgress(), rig.clock)
        self.notes = []
        self.progress.note = lambda message, **_: self.notes.append(message)
        parts = rig.parts(progress=self.progress, **changes)
        if "set_rate" not in changes:
            parts = replace(parts, set_rate=parts.catalogue.set_rate)
        self.executor = Executor(parts)
        self.id = self.executor.start(plan, f"r-{plan.id}").id
        self.ended = None
        self.thread = threading.Thread(target=self._run, args=(hold,))
        self.orders = RunOrders(rig.ledger, rig.drivers(alive=True), by="ulla@desk")

    def _run(self, hold):
        self.ended = self.executor.run(self.id, hold=hold)

    def begin(self):
        self.thread.start()
        return self

    @property
    def stored(self):
        return self.rig.ledger.runs.get(self.id)

    @property
    def wait(self):
        return self.rig.ledger.orders.wait_of(self.id)

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.ended


def waits_for(started, words):
    wait_until(lambda: (wait := started.wait) is not None and words in wait.reason)


def paused_before_it_begins(rig, own, count=3, **changes):
    plan = rig.plan(*(setting(record, "He") for record in take(own, count)))
    started = Started(rig, plan, **changes)
    started.orders.pause(started.stored)
    return started.begin()


def test_a_paused_run_sends_nothing_until_it_is_resumed(rig, own):
    started = paused_before_it_begins(rig, own)
    waits_for(started, f"paused by ulla@desk; bulkrunner resume {started.id}")
    assert rig.sent() == []
    lifted = started.orders.lift(started.stored)
    assert lifted is not None
    assert not lifted.paused
    assert started.join().state is RunState.COMPLETED
    assert rig.sent() == [("PUT", 204)] * 3
    assert started.wait is None
    assert started.notes[0].startswith("paused by ulla@desk")
    assert "the pause is lifted" in started.notes


def test_a_paused_run_can_be_stopped_and_resumed(rig, own):
    started = paused_before_it_begins(rig, own)
    waits_for(started, "paused")
    rig.ledger.runs.request_stop(started.id, reason="stopped by ulla@desk")
    ended = started.join()
    assert (ended.state, ended.stop_reason) == (RunState.STOPPED, "stopped by ulla@desk")
    assert not ended.paused
    assert rig.sent() == []
    assert rig.resume(started.id).state is RunState.COMPLETED


def test_a_pause_comes_in_the_middle_of_a_run(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 12)))
    started = Started(rig, plan)

    def put(real, *given, **named):
        # Somebody pauses it when the first change is sent; the pace gives out no second one.
        started.orders.pause(started.stored)
        wait_until(lambda: started.executor._control.paused_by is not None)
        return real(*given, **named)

    catalogue = started.executor._parts.catalogue
    real_put = catalogue.put
    catalogue.put = lambda *given, **named: put(real_put, *given, **named)
    started.begin()
    waits_for(started, "paused by")
    sent = len(rig.sent())
    assert sent <= rig.environment.concurrency
    catalogue.put = real_put
    started.orders.lift(started.stored)
    assert started.join().state is RunState.COMPLETED
    assert rig.sent() == [("PUT", 204)] * 12


def test_a_paused_run_whose_process_died_goes_on_with_resume(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    run = rig.run_until_killed(plan, catalogue={"put": before_it})
    rig.ledger.orders.pause(run, paused=True, by="ulla@desk")
    dead = RunOrders(rig.ledger, rig.drivers(alive=False), by="ulla@desk")
    assert dead.lift(rig.ledger.runs.get(run)) is None
    assert rig.resume(run).state is RunState.COMPLETED
    assert not rig.ledger.runs.get(run).paused


def test_an_order_to_a_dead_process_does_not_stop_the_next_one(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    run = rig.run_until_killed(plan, catalogue={"put": before_it})
    rig.ledger.runs.request_stop(run, reason="stopped by ulla@desk")  # obeyed by nobody
    assert rig.resume(run).state is RunState.COMPLETED
    assert rig.ledger.chain.check() == []


def test_a_no_to_the_plan_outlives_the_process(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    run = rig.run_until_killed(plan, catalogue={"put": before_it})
    rig.ledger.runs.request_stop(run, reason=Sentence("rejected_by", by="Ulla"))
    ended = rig.resume(run)
    assert (ended.state, ended.stop_reason) == (RunState.STOPPED, "rejected by Ulla")


def test_no_order_is_left_where_nobody_drives_the_run(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    run = rig.ledger.runs.get(rig.run_until_killed(plan, catalogue={"put": before_it}))
    dead = RunOrders(rig.ledger, rig.drivers(alive=False), by="ulla@desk")
    with pytest.raises(UsageError, match="no process drives run") as refused:
        dead.pause(run)
    assert f"go on with: bulkrunner resume {run.id}" in refused.value.hint
    assert dead.rate(run, 3, most=None).rate == 3
    orders = rig.ledger.orders.of(run.id)
    assert (orders.stop, orders.paused, orders.rate) == (None, False, 3)
    unknown = RunOrders(rig.ledger, rig.drivers(alive=None), by="ulla@desk")
    assert unknown.pause(run).paused  # on another host it may live, as long as its lease does


def test_another_rate_is_obeyed_and_kept_over_an_interruption(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    given = []
    started = Started(rig, plan, set_rate=given.append)
    assert started.orders.rate(started.stored, 7, most=None).rate == 7
    started.orders.pause(started.stored)
    started.begin()
    waits_for(started, "paused")
    started.orders.rate(started.stored, 3, most=5)
    wait_until(lambda: given == [7, 3])
    rig.ledger.runs.request_stop(started.id, reason="enough")
    assert started.join().rate == 3
    rig.resume(started.id, set_rate=given.append)
    assert given == [7, 3, 3]


def test_no_more_than_is_agreed(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    started = Started(rig, plan)
    with pytest.raises(UsageError, match="more than the 5") as raised:
        started.orders.rate(started.stored, 6, most=5)
    assert raised.value.code == "rate_not_agreed"
    assert started.stored.rate is None


def test_orders_are_for_running_runs(rig, own):
    run = rig.run(rig.plan(setting(next(own), "He")))
    orders = RunOrders(rig.ledger, rig.drivers(alive=True), by="ulla@desk")
    with pytest.raises(UsageError, match="completed; there is nothing to pause"):
        orders.pause(run)
    with pytest.raises(UsageError, match="completed"):
        orders.rate(run, 3, most=None)
    assert orders.lift(run) is None


def test_hold_after_the_first_changes_waits_for_a_person(production, own):
    plan = production.plan(*(setting(record, "He") for record in take(own, 6)))
    started = Started(production, plan, hold=True).begin()
    waits_for(started, "the first changes are verified")
    assert production.sent() == [("PUT", 204)]
    assert started.stored.paused
    assert production.ledger.runs.outcomes(started.id)["applied"] == 1
    started.orders.lift(started.stored)
    assert started.join().state is RunState.COMPLETED
    assert production.sent() == [("PUT", 204)] * 6


def test_a_hold_that_was_not_reached_is_not_forgotten(production, own):
    plan = production.plan(*(setting(record, "He") for record in take(own, 4)))
    started = Started(production, plan, hold=True)
    production.ledger.runs.request_stop(started.id, reason="stopped at once")
    started.begin().join()
    assert started.stored.hold
    parts = production.parts()
    resumed = threading.Thread(target=Executor(parts).run, args=(started.id,))
    resumed.start()
    waits_for(started, "the first changes are verified")
    assert not started.stored.hold
    started.orders.lift(started.stored)
    resumed.join(60)
    assert production.ledger.runs.get(started.id).state is RunState.COMPLETED


def test_what_is_ordered_stands_in_the_chain(rig, own):
    started = paused_before_it_begins(rig, own)
    started.orders.rate(started.stored, 3, most=None)
    started.orders.lift(started.stored)
    started.join()
    assert rig.ledger.chain.check() == []
    with rig.ledger._database.read() as connection:
        kinds = connection.exec_driver_sql(
            "SELECT kind FROM events WHERE chain = ? ORDER BY position", (started.id,)
        ).fetchall()
    ordered = [kind for (kind,) in kinds if kind in ("paused", "rate_set", "pause_lifted")]
    assert ordered == ["paused", "rate_set", "pause_lifted"]
