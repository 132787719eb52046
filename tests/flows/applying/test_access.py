"""When the login is asked what the client may do, and what a run does with the answer."""

import pytest

from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import AccessLost, Interrupted
from bulkrunner.sandbox import seed
from bulkrunner.services.running.executor import Executor
from tests.support.executing import Rig, creating_bib, deleting, setting, somebodys_holding
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox


@pytest.fixture
def alone(tmp_path):
    """A sandbox of its own, whose clients and tokens may be changed."""
    folder = tmp_path / "alone"
    folder.mkdir()
    with running_sandbox() as control:
        rig = Rig(control.staging, folder, concurrency=1)
        yield rig
        rig.close()


def holdings(count):
    return seed.example_ids(
        kind="holding", sigel="Ylm", shelf_mark="Hc", n=count, bibs=BIBS, holdings=HOLDINGS
    )


def conversation(rig):
    """What was asked, reads of records left out."""
    return [
        entry["path"].removeprefix("/oauth/") if "/oauth/" in entry["path"] else entry["method"]
        for entry in rig.control.log()
        if "/oauth/" in entry["path"] or entry["method"] != "GET"
    ]


def labelled(rig, count=3):
    return rig.plan(*(setting(record, "He") for record in holdings(count)))


def test_verify_is_asked_before_the_first_write(alone):
    run = alone.run(labelled(alone))
    assert run.state is RunState.COMPLETED
    assert conversation(alone) == ["token", "verify", "PUT", "PUT", "PUT"]


def test_verify_is_asked_after_a_token_was_refused_and_renewed(alone):
    plan = labelled(alone)
    alone.control.fault("expire_token", method="PUT", nth=2)
    assert alone.run(plan).state is RunState.COMPLETED
    assert conversation(alone) == [
        "token", "verify", "PUT", "PUT", "token", "verify", "PUT", "PUT",
    ]  # fmt: skip


def test_verify_is_asked_after_a_token_was_renewed_ahead_of_its_end(alone):
    plan = labelled(alone)
    catalogue = alone.catalogue()

    class Ageing:
        """Every write makes the token old enough to be renewed."""

        def __getattr__(self, name):
            return getattr(catalogue, name)

        def put(self, *given, **named):
            answer = catalogue.put(*given, **named)
            alone.waits.sleep(36000 - 100)
            return answer

    run = alone.run(plan, catalogue=Ageing(), gate=catalogue.write_gate)
    assert run.state is RunState.COMPLETED
    assert conversation(alone) == ["token", "verify", "PUT"] * 3


def test_a_renewed_token_with_fewer_rights_sends_nothing_more(alone):
    plan = labelled(alone)
    alone.control.fault("expire_token", method="PUT", nth=2)
    alone.control.fault("drop_permission", path="/oauth/token", nth=2, client="supplier")
    executor = Executor(alone.parts())
    run = executor.start(plan, "r-fewer").id
    with pytest.raises(AccessLost) as caught:
        executor.run(run)
    assert (caught.value.code, caught.value.exit_code) == ("rights_lost", 7)
    assert alone.ledger.runs.get(run).state is RunState.STOPPED
    assert conversation(alone) == ["token", "verify", "PUT", "PUT", "token", "verify"]
    alone.control.set_permissions("supplier", {"code": "Ylm", "registrant": True})
    assert alone.resume(run).state is RunState.COMPLETED
    assert [status for _, status in alone.sent()].count(204) == 3


def test_a_login_that_does_not_tell_the_rights_sends_nothing_more(alone):
    plan = labelled(alone)
    alone.control.fault("login_down", path="/oauth/verify")
    executor = Executor(alone.parts(patience=20.0))
    run = executor.start(plan, "r-silent").id
    with pytest.raises(Interrupted) as caught:
        executor.run(run)
    assert caught.value.code == "login_stays_down"
    assert alone.sent() == []
    alone.control.clear_faults()
    assert alone.resume(run).state is RunState.COMPLETED


def test_a_bib_that_got_a_holding_since_is_no_reason_to_stop(alone):
    client_id, secret = alone.control.credentials("cataloguer")
    alone.credentials = type(alone.credentials)(client_id=client_id, client_secret=secret)
    made = alone.run(alone.plan(creating_bib("En"), creating_bib("En annan")))
    first, second = [ended.result.record for ended in alone.ended(made)]
    plan = alone.plan(deleting(first), deleting(second))
    somebodys_holding(alone, first)
    alone.control.clear_log()
    run = alone.run(plan)
    ended = [(e.result.outcome, e.result.code) for e in alone.ended(run)]
    assert run.state is RunState.COMPLETED
    assert [outcome for outcome, _ in ended] == [Outcome.REFUSED, Outcome.APPLIED]
    assert conversation(alone) == ["token", "verify", "DELETE", "verify", "DELETE"]
