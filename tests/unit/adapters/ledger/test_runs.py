"""Runs, attempts, outcomes and leases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import (
    IllegalTransition,
    Lease,
    Outcome,
    Result,
    RunState,
    empty_outcomes,
)
from bulkrunner.errors import LeaseLost, UsageError
from tests.support.ledgers import (
    OWNER,
    START,
    a_change,
    a_document,
    a_plan,
    a_run,
    an_attempt,
    new_ledger,
    send,
    start_run,
    store_plan,
)

LATER = START + timedelta(hours=1)


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


@pytest.fixture
def plan(ledger):
    changes = [
        a_change(1),
        a_change(2, Action.UNCHANGED),
        a_change(3, Action.DELETE),
        a_change(4, Action.CREATE),
        a_change(5, Action.REFUSED, code="x"),
        a_change(6),
    ]
    return store_plan(ledger, a_plan(), changes)


def test_a_run_comes_back_as_it_was_started(ledger, plan):
    run = start_run(ledger, plan)
    assert ledger.runs.get("r1") == run
    assert ledger.runs.get("r") == run
    assert ledger.runs.all(plan="p1") == ledger.runs.all(job="marks") == ledger.runs.all() == [run]
    assert ledger.runs.all(plan="p2") == ledger.runs.all(job="other") == []
    with pytest.raises(UsageError):
        ledger.runs.get("p1")


def test_only_one_run_of_a_job_and_environment_is_running(ledger, plan):
    start_run(ledger, plan)
    with pytest.raises(UsageError, match="r1") as raised:
        start_run(ledger, plan, "r2")
    assert raised.value.code == "already_running"
    assert [run.id for run in ledger.runs.all()] == ["r1"]
    ledger.runs.move("r1", RunState.INTERRUPTED, at=LATER)
    start_run(ledger, plan, "r2")
    with pytest.raises(UsageError, match="r2"):
        ledger.runs.move("r1", RunState.RUNNING, at=LATER)
    assert ledger.runs.get("r1").state is RunState.INTERRUPTED


def test_other_environments_run_at_the_same_time(ledger, plan):
    start_run(ledger, plan)
    other = store_plan(ledger, a_plan("p2", environment="production"), [a_change(1)])
    start_run(ledger, other, "r2")
    assert {run.state for run in ledger.runs.all()} == {RunState.RUNNING}


def test_states_move_by_the_table(ledger, plan):
    start_run(ledger, plan)
    stopped = ledger.runs.move("r1", RunState.STOPPED, at=LATER, reason="too many", requests=4)
    assert (stopped.state, stopped.stop_reason, stopped.requests) == (
        RunState.STOPPED,
        "too many",
        4,
    )
    assert stopped.finished_at is None
    again = ledger.runs.move("r1", RunState.RUNNING, at=LATER)
    assert again.stop_reason == ""
    done = ledger.runs.move("r1", RunState.COMPLETED, at=LATER, requests=3)
    assert (done.requests, done.finished_at, done.active_at) == (7, LATER, LATER)
    assert ledger.runs.get("r1") == done
    with pytest.raises(IllegalTransition):
        ledger.runs.move("r1", RunState.RUNNING, at=LATER)


def test_what_is_left_are_the_writing_changes_without_outcome(ledger, plan):
    start_run(ledger, plan)
    assert [item.change.number for item in ledger.runs.pending("r1")] == [1, 3, 4, 6]
    assert [item.change.number for item in ledger.runs.pending("r1", after=1, limit=2)] == [3, 4]
    send(ledger, "r1", 3)
    assert [item.change.number for item in ledger.runs.pending("r1")] == [1, 4, 6]
    assert ledger.runs.pending("r1")[0].change == a_change(1)


def test_attempts_are_handed_back_with_what_is_left(ledger, plan):
    start_run(ledger, plan)
    first = an_attempt(4, method="POST", known_ids=("a", "b"))
    answered = replace(
        first,
        answer="server_error",
        status=500,
        answered_at=LATER,
        words="<html>\udc80",
        error_id="e1",
        server_date=START,
    )
    second = an_attempt(4, 2)
    ledger.runs.intend("r1", first).result()
    ledger.runs.answered("r1", answered).result()
    ledger.runs.intend("r1", second).result()
    by_number = {item.change.number: item.attempts for item in ledger.runs.pending("r1")}
    assert by_number == {1: (), 3: (), 4: (answered, second), 6: ()}


def test_open_sends_are_those_without_an_outcome(ledger, plan):
    start_run(ledger, plan)
    assert ledger.runs.open_sends("r1") == []
    for number, count in ((6, 1), (1, 2), (4, 1)):
        for attempt in range(1, count + 1):
            ledger.runs.intend("r1", an_attempt(number, attempt)).result()
    ledger.runs.conclude("r1", 4, Result(outcome=Outcome.APPLIED)).result()
    assert ledger.runs.open_sends("r1") == [1, 6]
    for number in (1, 3, 6):
        ledger.runs.conclude("r1", number, Result(outcome=Outcome.APPLIED)).result()
    assert ledger.runs.open_sends("r1") == []


def test_outcomes_add_up(ledger, plan):
    start_run(ledger, plan)
    assert ledger.runs.outcomes("r1") == {**empty_outcomes(), "pending": 4}
    send(ledger, "r1", 1)
    send(ledger, "r1", 3, outcome=Outcome.CONFLICT, code="edited")
    assert ledger.runs.outcomes("r1") == {
        **empty_outcomes(),
        "applied": 1,
        "conflict": 1,
        "pending": 2,
    }


def test_results_come_back_as_they_were_stored(ledger, plan):
    start_run(ledger, plan)
    result = Result(
        outcome=Outcome.APPLIED,
        code="changed_since",
        message="by somebody",
        record="rec000001",
        etag="456",
        stored_modified="2026-03-02T10:00:00+01:00",
        detail={"changed_since": {"by": "S", "when": None}},
        stored=a_document("rec000001", "other"),
        decided_at=LATER,
    )
    ledger.runs.intend("r1", an_attempt(1)).result()
    ledger.runs.conclude("r1", 1, result).result()
    first, *rest = ledger.runs.ended("r1")
    assert (first.change, first.result, first.attempts) == (a_change(1), result, (an_attempt(1),))
    assert {item.result.outcome for item in rest} == {Outcome.PENDING}
    (bare,) = ledger.runs.ended("r1", outcomes=[Outcome.APPLIED], documents=False)
    assert bare.result == replace(result, stored=None)
    assert bare.change.after is None
    pending = ledger.runs.ended("r1", outcomes=[Outcome.PENDING, Outcome.UNKNOWN])
    assert [item.change.number for item in pending] == [3, 4, 6]
    assert [item.change.number for item in ledger.runs.ended("r1", after=3)] == [4, 6]


def test_an_unknown_outcome_can_be_decided_later(ledger, plan):
    start_run(ledger, plan)
    send(ledger, "r1", 1, outcome=Outcome.UNKNOWN)
    ledger.runs.conclude("r1", 1, Result(outcome=Outcome.APPLIED, code="settled")).result()
    assert ledger.runs.outcomes("r1")["applied"] == 1
    assert ledger.chain.verify() is None


def test_work_keeps_a_run_active(ledger, plan):
    start_run(ledger, plan)
    send(ledger, "r1", 1)
    assert START < ledger.runs.get("r1").active_at < LATER


def test_more_ended_changes_than_a_page(ledger):
    plan = store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 1102)])
    start_run(ledger, plan)
    send(ledger, "r1", 1, outcome=Outcome.APPLIED)
    assert [item.change.number for item in ledger.runs.ended("r1")] == list(range(1, 1102))
    backwards = list(ledger.runs.ended_backwards("r1"))
    assert [item.change.number for item in backwards] == list(range(1101, 0, -1))
    assert [len(item.attempts) for item in backwards[-2:]] == [0, 1]
    (only,) = ledger.runs.ended_backwards("r1", outcomes=[Outcome.APPLIED])
    assert only == backwards[-1]


class TestWrongEntries:
    def test_an_attempt_twice(self, ledger, plan):
        start_run(ledger, plan)
        ledger.runs.intend("r1", an_attempt(1)).result()
        with pytest.raises(IntegrityError, match=r"(?i)unique"):
            ledger.runs.intend("r1", an_attempt(1)).result()
        ledger.runs.intend("r1", an_attempt(1, 2)).result()
        assert ledger.chain.verify() is None

    def test_an_answer_without_attempt(self, ledger, plan):
        start_run(ledger, plan)
        with pytest.raises(ValueError, match="no attempt"):
            ledger.runs.answered("r1", an_attempt(1, answer="stored")).result()
        assert ledger.chain.verify() is None

    def test_an_unknown_run(self, ledger):
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
            ledger.runs.intend("r9", an_attempt(1)).result()
        assert ledger.chain.verify() is None

    def test_pending_is_no_outcome(self, ledger, plan):
        start_run(ledger, plan)
        with pytest.raises(Exception, match="ck_results_outcome"):
            ledger.runs.conclude("r1", 1, Result(outcome=Outcome.PENDING)).result()


class TestStopRequests:
    def test_are_kept_until_obeyed(self, ledger, plan):
        start_run(ledger, plan)
        assert ledger.runs.stop_requested("r1") is None
        ledger.runs.request_stop("r1", reason="rejected")
        assert ledger.runs.stop_requested("r1") == "rejected"
        ledger.runs.move("r1", RunState.STOPPED, at=LATER, reason="rejected")
        assert ledger.runs.stop_requested("r1") is None

    def test_nobody_is_asked_where_nobody_drives(self, ledger, plan):
        start_run(ledger, plan)
        ledger.runs.move("r1", RunState.INTERRUPTED, at=LATER)
        ledger.runs.request_stop("r1", reason="late")
        assert ledger.runs.stop_requested("r1") is None


class TestLeases:
    def test_the_starter_holds_it(self, ledger, plan):
        start_run(ledger, plan)
        expected = Lease(run="r1", owner=OWNER, token=1, expires_at=START + timedelta(minutes=5))
        assert ledger.leases.of("r1") == expected

    def test_one_of_two_takers_gets_it(self, ledger, plan):
        start_run(ledger, plan)
        other = replace(OWNER, pid=1)
        taken = ledger.leases.take("r1", other, expires_at=LATER, replaces=1)
        assert taken == Lease(
            run="r1", owner=other, token=2, expires_at=LATER, taken_at=taken.taken_at
        )
        assert taken.taken_at > START
        assert ledger.leases.take("r1", OWNER, expires_at=LATER, replaces=1) is None
        assert ledger.leases.take("r1", OWNER, expires_at=LATER, replaces=None) is None
        assert ledger.leases.of("r1") == taken

    def test_the_earlier_owner_is_fenced_off(self, ledger, plan):
        start_run(ledger, plan)
        old = ledger.leases.of("r1")
        new = ledger.leases.take("r1", OWNER, expires_at=LATER, replaces=1)
        assert ledger.leases.renew(old, expires_at=LATER + timedelta(days=1)) is False
        ledger.leases.drop(old)
        assert ledger.leases.of("r1") == new

    def test_tokens_go_on_rising_after_the_lease_was_given_back(self, ledger, plan):
        start_run(ledger, plan)
        ledger.leases.drop(ledger.leases.of("r1"))
        assert ledger.leases.of("r1") is None
        assert ledger.leases.take("r1", OWNER, expires_at=LATER, replaces=1) is None
        assert ledger.leases.take("r1", OWNER, expires_at=LATER, replaces=None).token == 2

    def test_an_earlier_owner_enters_nothing_more(self, ledger, plan, tmp_path):
        """Two processes; the first one does not know that it was replaced."""
        start_run(ledger, plan)
        send(ledger, "r1", 1)
        with new_ledger(tmp_path) as other:
            other.leases.take("r1", replace(OWNER, pid=1), expires_at=LATER, replaces=1)
            late = [
                ledger.runs.intend("r1", an_attempt(3)),
                ledger.runs.answered("r1", an_attempt(1, answer="done")),
                ledger.runs.conclude("r1", 3, Result(outcome=Outcome.CONFLICT)),
            ]
            assert [type(one.exception()) for one in late] == [LeaseLost] * 3
            with pytest.raises(LeaseLost, match="another process has taken up run r1"):
                ledger.runs.move("r1", RunState.INTERRUPTED, at=LATER)
            send(other, "r1", 3)
            other.runs.move("r1", RunState.COMPLETED, at=LATER)
            assert other.runs.outcomes("r1")["applied"] == 2
        assert ledger.chain.check() == []

    def test_who_has_given_the_run_back_may_settle_it(self, ledger, plan):
        start_run(ledger, plan)
        send(ledger, "r1", 1, outcome=Outcome.UNKNOWN)
        ledger.runs.move("r1", RunState.COMPLETED, at=LATER)
        ledger.leases.drop(ledger.leases.of("r1"))
        ledger.runs.conclude("r1", 1, Result(outcome=Outcome.APPLIED, code="settled")).result()
        assert ledger.runs.outcomes("r1")["applied"] == 1

    def test_renewing_moves_the_end(self, ledger, plan):
        start_run(ledger, plan)
        assert ledger.leases.renew(ledger.leases.of("r1"), expires_at=LATER) is True
        assert ledger.leases.of("r1").expires_at == LATER

    def test_a_run_that_is_not_there_has_none(self, ledger):
        assert ledger.leases.of("r9") is None
        assert ledger.leases.take("r9", OWNER, expires_at=LATER, replaces=None) is None


def test_a_run_of_a_plan_that_is_not_there_is_no_run(ledger, plan):
    with pytest.raises(UsageError):
        ledger.runs.start(
            a_run(a_plan("p9")), lease=Lease(run="r1", owner=OWNER, token=1, expires_at=LATER)
        )
    assert ledger.runs.all() == []
    assert ledger.chain.verify() is None


# What is verified before its use


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE results SET outcome = 'unchanged' WHERE change = 1",
        "UPDATE attempts SET etag = 'x' WHERE change = 1",
        "UPDATE attempts SET status = 200 WHERE change = 1",
        "UPDATE results SET event = 99 WHERE change = 1",
    ],
)
def test_an_edit_of_what_a_run_stored_is_found_in_its_block_and_by_the_walk(
    ledger, plan, statement
):
    start_run(ledger, plan)
    send(ledger, "r1", 1)
    ledger.runs.move("r1", RunState.INTERRUPTED, at=START)
    sound = ledger.chain.seals()
    assert (sound.fault, sound.block(plan.id, "r1", 1)) == (None, None)
    assert [fault for fault in sound.rest(plan.id) if fault] == []
    with ledger._database.write() as connection:
        connection.exec_driver_sql(statement)
    seals = ledger.chain.seals()
    assert seals.fault is None
    assert seals.block(plan.id, "r1", 1) is not None
    assert [fault for fault in seals.rest(plan.id) if fault] != []


def unproven(ledger, patterns, results=(), **options):
    """What is to be proven of a run with one change for each letter, some of which ended."""
    changes = [a_change(number, pattern=one) for number, one in enumerate(patterns, start=1)]
    run = start_run(ledger, store_plan(ledger, a_plan(), changes)).id
    for number, result in results:
        ledger.runs.conclude(run, number, result).result()
    return ledger.runs.unproven(run, tries=3, **options)


APPLIED = Result(outcome=Outcome.APPLIED)
OTHERWISE = Result(outcome=Outcome.APPLIED, detail={"not_as_predicted": ["x"]})


def test_to_be_proven_are_the_first_of_each_pattern(ledger):
    found = unproven(ledger, "baabbaba")
    assert list(found.items()) == [("b", [1, 4, 5]), ("a", [2, 3, 6])]


def test_what_an_earlier_process_has_proven_is_not_proven_again(ledger):
    edited = Result(outcome=Outcome.CONFLICT)
    found = unproven(ledger, "abcabcd", [(1, APPLIED), (2, edited), (3, OTHERWISE), (7, edited)])
    assert found == {"b": [5], "c": [6]}


def test_of_a_part_of_a_run_only_that_part_is_looked_at(ledger):
    assert unproven(ledger, "abab", [(3, APPLIED)], until=2) == {"a": [1], "b": [2]}


def test_what_does_not_count_proves_nothing_and_is_not_tried(ledger):
    found = unproven(ledger, "abab", [(1, APPLIED)], leaves_out=lambda number: number in (1, 2))
    assert found == {"a": [3], "b": [4]}


def test_what_is_planned_and_not_written_has_no_pattern_to_prove(ledger):
    changes = [a_change(1, pattern="a"), a_change(2, action=Action.UNCHANGED, pattern="b")]
    run = start_run(ledger, store_plan(ledger, a_plan(), changes)).id
    assert ledger.runs.unproven(run, tries=3) == {"a": [1]}
