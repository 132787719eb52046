"""What runs under a standing approval may have sent, and how they claim it: also two at once."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import Lease, RunState
from bulkrunner.errors import GateClosed
from tests.support.ledgers import (
    OWNER,
    PRODUCTION_ADDRESSES,
    RULE,
    START,
    SetClock,
    a_change,
    a_claim,
    a_plan,
    a_run,
    an_attempt,
    bounds,
    new_ledger,
    send,
    store_plan,
)
from tests.support.sizes import examples

SIX = bounds(
    per_run={"update": 5, "create": 0, "delete": 0},
    per_day={"records": 6, "update": 6, "create": 0, "delete": 0},
)


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def ledger(tmp_path, clock):
    store = new_ledger(tmp_path, clock)
    yield store
    store.close()


def night(ledger, number, changes, **values):
    head = {"job": f"j{number}", "environment": "production", "addresses": PRODUCTION_ADDRESSES}
    plan = a_plan(f"p{number}", **{**head, **values})
    return store_plan(ledger, plan, [a_change(n) for n in range(1, changes + 1)])


def begin(ledger, plan, run, given=SIX):
    lease = Lease(run=run, owner=OWNER, token=1, expires_at=START + timedelta(minutes=5))
    ledger.runs.start(a_run(plan, run), lease=lease, claim=a_claim(plan, run, bounds=given))


def used(ledger, clock, but=""):
    since = clock.now() - timedelta(hours=24)
    return ledger.standing.used(RULE, PRODUCTION_ADDRESSES, since, but=but)


def test_what_a_run_has_left_counts_from_its_first_moment(ledger, clock):
    begin(ledger, night(ledger, 1, 4), "r1")
    assert used(ledger, clock) == {"update": 4}
    send(ledger, "r1", 1)
    assert used(ledger, clock) == {"update": 4}
    assert used(ledger, clock, but="r1") == {}


def test_a_run_that_does_not_fit_is_not_begun(ledger, clock):
    begin(ledger, night(ledger, 1, 4), "r1")
    second = night(ledger, 2, 3)
    with pytest.raises(GateClosed) as closed:
        begin(ledger, second, "r2")
    assert "4 more are used" in closed.value.gates[0].reason
    assert [run.id for run in ledger.runs.all()] == ["r1"]
    begin(ledger, night(ledger, 3, 2), "r3")
    assert ledger.chain.check() == []


def test_what_was_not_sent_is_free_once_the_run_is_complete(ledger, clock):
    begin(ledger, night(ledger, 1, 4), "r1")
    for change in (1, 2):
        send(ledger, "r1", change)
    for change in (3, 4):
        ledger.runs.conclude("r1", change, _unsent()).result()
    ledger.runs.move("r1", RunState.COMPLETED, at=clock.now())
    assert used(ledger, clock) == {"update": 2}


def _unsent():
    from bulkrunner.domain.run import Outcome, Result

    return Result(outcome=Outcome.UNCHANGED)


def test_a_run_that_stopped_counts_whole_for_a_day_and_claims_anew(ledger, clock):
    plan = night(ledger, 1, 4)
    begin(ledger, plan, "r1")
    send(ledger, "r1", 1)
    ledger.runs.move("r1", RunState.STOPPED, at=clock.now())
    assert used(ledger, clock) == {"update": 4}
    clock.sleep(25 * 3600)
    assert used(ledger, clock) == {}
    begin(ledger, night(ledger, 2, 5), "r2")
    with pytest.raises(GateClosed):
        ledger.standing.claim(a_claim(plan, "r1", bounds=SIX))
    clock.sleep(25 * 3600)
    for change in range(1, 6):
        send(ledger, "r2", change)
    ledger.runs.move("r2", RunState.COMPLETED, at=clock.now())
    assert [one.run for one in ledger.standing.claims(RULE)] == ["r1", "r2"]


def test_a_request_that_may_have_been_sent_counts_though_nobody_knows(ledger, clock):
    begin(ledger, night(ledger, 1, 2), "r1")
    ledger.runs.intend("r1", an_attempt(1, intent_at=clock.now())).result()
    ledger.runs.intend("r1", an_attempt(1, 2, intent_at=clock.now())).result()
    ledger.runs.move("r1", RunState.STOPPED, at=clock.now())
    since = clock.now() - timedelta(hours=24)
    assert ledger.standing.of_run("r1", since) == {"update": 2}


@pytest.mark.parametrize("hours", [-1, -30, -24 * 400])
def test_a_clock_that_is_set_back_frees_nothing(ledger, clock, hours):
    clock.sleep(3600 * 24 * 401)
    first = night(ledger, 1, 1)
    begin(ledger, first, "r0")
    clock.sleep(3600 * hours)
    begin(ledger, night(ledger, 2, 3), "r1")
    for change in (1, 2, 3):
        send(ledger, "r1", change)
    ledger.runs.move("r1", RunState.COMPLETED, at=clock.now())
    with pytest.raises(GateClosed) as closed:
        begin(ledger, night(ledger, 3, 3), "r2")
    assert "4 more are used" in closed.value.gates[0].reason


def test_another_rule_and_another_place_count_apart(ledger, clock):
    begin(ledger, night(ledger, 1, 4), "r1")
    elsewhere = {**PRODUCTION_ADDRESSES, "base_url": "http://127.0.0.1:5009"}
    begin(ledger, night(ledger, 2, 4, addresses=elsewhere), "r2")
    other = night(ledger, 3, 4)
    lease = Lease(run="r3", owner=OWNER, token=1, expires_at=START + timedelta(minutes=5))
    claim = a_claim(other, "r3", bounds=SIX, rule="sha256:" + "9" * 64)
    ledger.runs.start(a_run(other, "r3"), lease=lease, claim=claim)
    assert used(ledger, clock) == {"update": 4}


def test_of_two_that_begin_at_once_one_does(tmp_path, clock):
    """Two environments of one address do not shut each other out by name."""
    with new_ledger(tmp_path) as one, new_ledger(tmp_path) as other:
        plans = [night(one, 1, 4), night(one, 2, 4, environment="produktion")]
        gate, ended = threading.Barrier(2), []

        def go(store, plan, run):
            gate.wait()
            try:
                begin(store, plan, run)
            except GateClosed:
                ended.append("closed")
            else:
                ended.append("begun")

        threads = [
            threading.Thread(target=go, args=(store, plan, run))
            for store, plan, run in zip((one, other), plans, ("r1", "r2"), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ended) == ["begun", "closed"]
        assert len(one.runs.all()) == 1
        assert one.chain.check() == []


@settings(max_examples=examples(15), deadline=None)
@given(
    nights=st.lists(
        st.tuples(
            st.floats(0, 30),  # hours until it begins
            st.integers(1, 5),  # changes
            st.integers(0, 5),  # of which so many are sent at once
            st.sampled_from(["completed", "stopped", "running", "resumed"]),
            st.floats(0, 30),  # hours until a stopped one goes on
        ),
        min_size=2,
        max_size=7,
    )
)
def test_no_window_of_a_day_ever_holds_more_than_was_given(tmp_path_factory, nights):
    clock, sent = SetClock(), []
    with new_ledger(tmp_path_factory.mktemp("any"), clock) as ledger:
        for number, (wait, changes, at_once, how, later) in enumerate(nights):
            clock.sleep(wait * 3600)
            plan, run = night(ledger, number, changes), f"r{number}"
            try:
                begin(ledger, plan, run)
            except GateClosed:
                continue
            left = list(range(1, changes + 1))
            _send(ledger, clock, run, left, at_once, sent)
            if how == "running":
                continue  # whoever drives it may send the rest at any time
            if left:
                ledger.runs.move(run, RunState.STOPPED, at=clock.now())
            if how == "resumed" and left:
                clock.sleep(later * 3600)
                try:
                    ledger.standing.claim(a_claim(plan, run, bounds=SIX))
                except GateClosed:
                    continue
                ledger.runs.move(run, RunState.RUNNING, at=clock.now())
                _send(ledger, clock, run, left, len(left), sent)
        for moment in sent:
            window = [one for one in sent if moment <= one < moment + timedelta(hours=24)]
            assert len(window) <= SIX.per_day["records"]
        assert ledger.chain.check() == []


def _send(ledger, clock, run, left, count, sent):
    for change in left[:count]:
        now = clock.now()
        _sent(ledger, run, change, now)
        sent.append(now)
    del left[:count]


def _sent(ledger, run, change, now):
    ledger.runs.intend(run, an_attempt(change, intent_at=now)).result()
    ledger.runs.conclude(run, change, _unsent()).result()


def test_kinds_of_changes_are_those_that_were_not_left_out(ledger):
    changes = [a_change(1), a_change(2, pattern="set note"), a_change(3, Action.DELETE)]
    plan = store_plan(ledger, a_plan(), changes)
    assert ledger.standing.patterns(plan.id) == {
        ("update", "holding", "set shelfMark"),
        ("update", "holding", "set note"),
        ("delete", "holding", "set shelfMark"),
    }
    assert len(ledger.standing.patterns(plan.id, without=[2, 3])) == 1
