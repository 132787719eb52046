"""Which plan or run a command means."""

from datetime import timedelta

import pytest

from bulkrunner.domain.run import RunState
from bulkrunner.errors import GateClosed, NothingToResume, UsageError
from bulkrunner.sentences import Sentence, verbatim
from bulkrunner.services.running.lease import Drivers
from bulkrunner.services.targets import Targets
from tests.support.ledgers import (
    OWNER,
    START,
    SetClock,
    a_change,
    a_plan,
    new_ledger,
    start_run,
    store_plan,
)


class Manifest:
    id = "marks"


@pytest.fixture
def ledger(tmp_path):
    store = new_ledger(tmp_path)
    yield store
    store.close()


def starting(ledger, *, alive=False, after=timedelta()):
    clock = SetClock(START + after)
    return Targets(ledger, Drivers(ledger, clock, OWNER, alive=lambda owner: alive))


def complete(ledger, plan, **values):
    return store_plan(ledger, a_plan(plan, **values), [a_change(1)])


def begun(ledger, plan, **values):
    ledger.plans.begin(a_plan(plan, **values))


def test_without_a_plan_the_gate_plan_is_closed(ledger):
    with pytest.raises(GateClosed) as caught:
        starting(ledger).choose(Manifest, "staging", None)
    assert [(gate.name, gate.open) for gate in caught.value.gates] == [("plan", False)]


def test_the_newest_plan_is_meant_even_if_it_is_not_complete(ledger):
    complete(ledger, "p1")
    begun(ledger, "p2")
    assert starting(ledger).choose(Manifest, "staging", None).id == "p2"


def test_a_plan_that_has_a_run_means_that_run(ledger):
    start_run(ledger, complete(ledger, "p1"))
    assert starting(ledger).choose(Manifest, "staging", None).id == "r1"


@pytest.mark.parametrize("values", [{"job": "other"}, {"environment": "qa"}])
def test_a_plan_of_another_job_or_environment_cannot_be_given(ledger, values):
    complete(ledger, "p1", **values)
    with pytest.raises(UsageError):
        starting(ledger).choose(Manifest, "staging", "p1")


def test_nothing_is_left(ledger):
    complete(ledger, "p1")
    with pytest.raises(NothingToResume):
        starting(ledger).to_resume(None)


def test_an_unfinished_plan_that_a_newer_one_replaced_is_not_taken_up(ledger):
    begun(ledger, "p1")
    complete(ledger, "p2")
    with pytest.raises(NothingToResume):
        starting(ledger).to_resume(None)
    assert starting(ledger).to_resume("p1").id == "p1"


def test_a_replaced_plan_of_one_job_does_not_hide_an_unfinished_one_of_another(ledger):
    begun(ledger, "p1", job="other")
    begun(ledger, "p2")
    complete(ledger, "p3")
    assert starting(ledger).to_resume(None).id == "p1"


@pytest.mark.parametrize("state", [RunState.INTERRUPTED, RunState.STOPPED])
def test_an_unfinished_run_is_taken_up(ledger, state):
    start_run(ledger, complete(ledger, "p1"))
    ledger.runs.move("r1", state, at=START + timedelta(minutes=5))
    assert starting(ledger).to_resume(None).id == "r1"
    assert starting(ledger).to_resume("p1").id == "r1"


@pytest.mark.parametrize(("alive", "found"), [(False, True), (None, False), (True, False)])
def test_a_running_run_is_taken_up_only_where_nobody_may_drive_it(ledger, alive, found):
    """Of a process on another machine nobody can tell; its lease counts."""
    start_run(ledger, complete(ledger, "p1"))
    if found:
        assert starting(ledger, alive=alive).to_resume(None).id == "r1"
    else:
        with pytest.raises(NothingToResume):
            starting(ledger, alive=alive).to_resume(None)


def test_a_running_run_whose_process_gives_no_sign_is_taken_up(ledger):
    start_run(ledger, complete(ledger, "p1"))
    silent = starting(ledger, alive=True, after=timedelta(minutes=11))
    assert silent.to_resume(None).id == "r1"


def test_a_run_that_was_put_away_is_taken_up_by_its_id_only(ledger):
    start_run(ledger, complete(ledger, "p1"))
    ledger.runs.move("r1", RunState.STOPPED, at=START, reason=Sentence("put_away_by", by="me@desk"))
    with pytest.raises(NothingToResume):
        starting(ledger).to_resume(None)
    assert starting(ledger).to_resume("r1").id == "r1"


def three_left(ledger):
    for number, job in enumerate(("one", "two", "three"), start=1):
        start_run(ledger, complete(ledger, f"p{number}", job=job), f"r{number}")
        ledger.runs.move(f"r{number}", RunState.INTERRUPTED, at=START + timedelta(minutes=number))


def test_what_cannot_go_on_is_passed_over_and_told(ledger):
    three_left(ledger)
    told = []
    why = {"r3": "its folder is gone", "r2": "a gate is closed"}
    found = starting(ledger).to_resume(
        None, stuck=lambda one: verbatim(why[one.id]) if one.id in why else None, tell=told.append
    )
    assert found.id == "r1"
    assert [str(text).partition(";")[0] for text in told] == [
        "run r3 cannot go on: its folder is gone",
        "run r2 cannot go on: a gate is closed",
    ]


def test_where_none_can_go_on_the_newest_says_why_itself(ledger):
    three_left(ledger)
    told = []
    found = starting(ledger).to_resume(None, stuck=lambda one: verbatim("x"), tell=told.append)
    assert (found.id, len(told)) == ("r3", 3)


def test_where_there_is_no_choice_nothing_is_asked_beforehand(ledger):
    start_run(ledger, complete(ledger, "p1"))
    assert starting(ledger).to_resume(None, stuck=lambda one: 1 / 0).id == "r1"


def test_whichever_is_newer_is_taken_up(ledger):
    start_run(ledger, complete(ledger, "p1"))
    ledger.runs.move("r1", RunState.INTERRUPTED, at=START + timedelta(minutes=5))
    begun(ledger, "p2", environment="qa", created_at=START + timedelta(minutes=4))
    assert starting(ledger).to_resume(None).id == "r1"
    begun(ledger, "p3", environment="production", created_at=START + timedelta(minutes=6))
    assert starting(ledger).to_resume(None).id == "p3"


def test_a_complete_plan_without_a_run_cannot_be_resumed(ledger):
    complete(ledger, "p1")
    with pytest.raises(NothingToResume) as caught:
        starting(ledger).to_resume("p1")
    assert "bulkrunner run" in caught.value.hint


def test_an_ambiguous_beginning_is_told(ledger):
    complete(ledger, "p11")
    complete(ledger, "p12", environment="qa")
    with pytest.raises(UsageError) as caught:
        starting(ledger).find("p1")
    assert caught.value.code == "ambiguous_id"
    assert starting(ledger).find("p12").id == "p12"
