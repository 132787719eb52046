"""How a run goes as a whole: states, stops, limits, errors of others and of our own."""

from concurrent.futures import Future

import pytest

from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import (
    AccessLost,
    CatalogueUnreachable,
    GateClosed,
    Interrupted,
    LedgerUnavailable,
    LoginDown,
    LoginRefused,
    UsageError,
)
from bulkrunner.sandbox import seed
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.executor import Executor
from bulkrunner.services.running.lease import RunHeld
from tests.crashes.adversary.hooks import Hooked
from tests.support.executing import (
    Rig,
    setting,
)
from tests.support.progress import NullProgress
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox


def counts(rig, run):
    found = rig.ledger.runs.outcomes(run if isinstance(run, str) else run.id)
    return {name: count for name, count in found.items() if count}


def take(own, count):
    return [next(own) for _ in range(count)]


def begin(rig, plan, **changes):
    """An executor on a new run that has not begun to send."""
    executor = Executor(rig.parts(**changes))
    return executor, executor.start(plan, f"{plan.id}-run").id


class Hook:
    """A catalogue whose writes call a function first."""

    def __init__(self, catalogue, before):
        self._catalogue = catalogue
        self._before = before

    def __getattr__(self, name):
        real = getattr(self._catalogue, name)
        if name not in ("put", "post", "delete"):
            return real

        def call(*args, **kwargs):
            self._before()
            return real(*args, **kwargs)

        return call


def hooked(rig, before):
    catalogue = rig.catalogue()
    return {"catalogue": Hook(catalogue, before), "gate": catalogue.write_gate}


# States


def test_a_finished_run_is_left_alone(rig, own):
    run = rig.run(rig.plan(setting(next(own), "He")))
    assert (run.state, counts(rig, run)) == (RunState.COMPLETED, {"applied": 1})
    assert rig.ledger.leases.of(run.id) is None
    rig.control.clear_log()
    assert rig.resume(run.id).finished_at == run.finished_at
    assert rig.control.log() == []


def test_requests_are_counted(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    rig.control.clear_log()
    run = rig.run(plan)
    assert run.requests == len(rig.control.log()) == 3 * 3 + 2  # token and verify


def test_a_limit_takes_the_next_changes_in_plan_order(rig, own):
    records = take(own, 7)
    plan = rig.plan(*(setting(record, "He") for record in records))
    run = rig.run(plan, limit=3)
    assert (run.state, counts(rig, run)) == (RunState.STOPPED, {"applied": 3, "pending": 4})
    assert [e.change.record for e in rig.ended(run) if e.result.outcome is not Outcome.PENDING] == (
        records[:3]
    )
    run = rig.resume(run.id, limit=2)
    assert (run.state, counts(rig, run)) == (RunState.STOPPED, {"applied": 5, "pending": 2})
    run = rig.resume(run.id, limit=2)
    assert (run.state, counts(rig, run)) == (RunState.COMPLETED, {"applied": 7})


def test_asked_to_stop_it_finishes_what_is_in_flight(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 20)))
    sends = iter(range(100))

    def stop():
        if next(sends) == 4:
            executor.request_stop()

    executor, run_id = begin(rig, plan, **hooked(rig, stop))
    run = executor.run(run_id)
    done = counts(rig, run)
    assert run.state is RunState.INTERRUPTED
    assert done["applied"] == len(rig.sent())
    assert done["pending"] == 20 - len(rig.sent()) > 0
    assert all(ended.attempts[-1].answer for ended in rig.ended(run) if ended.attempts)
    assert rig.resume(run_id).state is RunState.COMPLETED
    assert len(rig.sent()) == 20


def test_a_stop_asked_for_through_the_ledger(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 5)))
    executor, run_id = begin(rig, plan)
    rig.ledger.runs.request_stop(run_id, reason=Sentence("rejected_by", by="Ulla"))
    executor._listened_at = float("-inf")
    run = executor.run(run_id)
    assert (run.state, run.stop_reason) == (RunState.STOPPED, "rejected by Ulla")
    assert rig.sent() == []


def test_a_gate_that_closes_meanwhile(rig, own, monkeypatch):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 5)))

    def recheck():
        raise GateClosed("approval: somebody said no")

    executor, run_id = begin(rig, plan, recheck=recheck)
    monkeypatch.setattr("bulkrunner.services.running.watch.RECHECK_EVERY", 0.0)
    with pytest.raises(GateClosed, match="said no"):
        executor.run(run_id)
    assert rig.ledger.runs.get(run_id).state is RunState.STOPPED


def test_only_one_run_at_a_time(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    begin(rig, plan)
    with pytest.raises(UsageError):
        rig.run(plan)


# Owners


def test_a_live_owner_is_named(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    executor, run_id = begin(rig, plan)
    with pytest.raises(RunHeld, match=r"process \d+ on desk") as caught:
        rig.resume(run_id, alive=lambda owner: True)
    assert caught.value.exit_code == 2
    assert executor.run(run_id).state is RunState.COMPLETED


def test_an_owner_elsewhere_keeps_the_run_until_its_time_is_over(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    _, run_id = begin(rig, plan)
    with pytest.raises(RunHeld, match="may still be driven"):
        rig.resume(run_id, alive=lambda owner: None)
    assert rig.sent() == []


def test_an_owner_whose_lease_was_taken_sends_nothing_more(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 4)))
    executor, run_id = begin(rig, plan)
    assert rig.resume(run_id, limit=2).state is RunState.STOPPED
    executor._lease._deadline = float("-inf")  # what the renewal in the background finds out
    rig.control.clear_log()
    with pytest.raises(Interrupted) as caught:
        executor.run(run_id)
    assert caught.value.code == "lease_lost"
    assert rig.sent() == []
    assert counts(rig, run_id) == {"applied": 2, "pending": 2}


def test_a_lease_that_somebody_took_cannot_be_renewed(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    executor, run_id = begin(rig, plan)
    executor._lease.renew()
    rig.resume(run_id)
    with pytest.raises(Interrupted, match="run out"):
        executor._lease.renew()
    with pytest.raises(Interrupted, match="run out"):
        executor._lease.require()


# Access


def test_an_expired_token_is_renewed(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 6)))
    rig.control.fault("expire_token", method="PUT", nth=3)
    run = rig.run(plan)
    assert counts(rig, run) == {"applied": 6}
    assert [status for _, status in rig.sent()].count(204) == 6


@pytest.fixture
def alone(tmp_path):
    """A rig on a sandbox of its own, whose clients may be changed, and holdings there."""
    folder = tmp_path / "alone"
    folder.mkdir()
    with running_sandbox() as control:
        rig = Rig(control.staging, folder)
        records = [
            record
            for mark in ("Hc", "Hce")
            for record in seed.example_ids(
                kind="holding", sigel="Ylm", shelf_mark=mark, bibs=BIBS, holdings=HOLDINGS
            )
        ][:8]
        yield rig, rig.plan(*(setting(record, "He") for record in records)), len(records)
        rig.close()


def test_a_client_that_is_shut_off(alone):
    rig, plan, total = alone
    rig.control.fault("revoke_client", method="PUT", nth=4)
    executor, run_id = begin(rig, plan)
    with pytest.raises(LoginRefused) as caught:
        executor.run(run_id)
    stored = [status for _, status in rig.sent()].count(204)
    assert caught.value.exit_code == 7
    assert rig.ledger.runs.get(run_id).state is RunState.STOPPED
    assert counts(rig, run_id) == {"applied": stored, "pending": total - stored}
    assert stored < total


def test_rights_that_are_gone_and_come_back(alone):
    rig, plan, total = alone
    rig.control.fault("drop_permission", method="PUT", nth=4, sigel="Ylm")
    executor, run_id = begin(rig, plan)
    with pytest.raises(AccessLost) as caught:
        executor.run(run_id)
    assert caught.value.code == "rights_lost"
    assert "Ylm" in caught.value.message
    assert rig.ledger.runs.get(run_id).state is RunState.STOPPED
    assert counts(rig, run_id).keys() == {"applied", "pending"}
    rig.control.set_permissions("supplier", {"code": "Ylm", "registrant": True})
    assert rig.resume(run_id).state is RunState.COMPLETED
    assert counts(rig, run_id) == {"applied": total}


def test_a_login_that_is_down_for_a_while(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    told = []

    class Listening(NullProgress):
        def waiting(self, reason, seconds):
            told.append(reason)

    rig.control.fault("expire_token", method="PUT", nth=2)
    rig.control.fault("login_down", path="/oauth/token", nth=[2, 3, 4, 5, 6])
    run = rig.run(plan, progress=Listening())
    assert counts(rig, run) == {"applied": 3}
    assert any("login does not answer" in reason for reason in told)


def test_a_login_that_stays_down(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    catalogue = rig.catalogue()
    catalogue.rights()
    executor, run_id = begin(rig, plan, catalogue=catalogue, gate=catalogue.write_gate)
    rig.control.fault("expire_token", method="PUT", nth=2)
    rig.control.fault("login_down", path="/oauth/token")
    with pytest.raises(Interrupted) as caught:
        executor.run(run_id)
    assert caught.value.code == "login_stays_down"
    assert rig.ledger.runs.get(run_id).state is RunState.INTERRUPTED
    rig.control.clear_faults()
    assert rig.resume(run_id).state is RunState.COMPLETED
    assert counts(rig, run_id) == {"applied": 3}


def test_no_token_at_the_moment_of_sending_is_no_send(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    down = iter(range(4))

    def no_token():
        if next(down, None) is not None:
            raise LoginDown("the login cannot be reached")

    run = rig.run(plan, **hooked(rig, no_token))
    (ended,) = rig.ended(run)
    assert ended.result.outcome is Outcome.APPLIED
    assert [attempt.answer for attempt in ended.attempts] == ["not_sent"] * 4 + ["done"]
    assert rig.sent() == [("PUT", 204)]


def test_a_token_that_only_the_catalogue_refuses(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    rig.control.fault("status", method="PUT", status=401, body="")
    executor, run_id = begin(rig, plan)
    with pytest.raises(Interrupted) as caught:
        executor.run(run_id)
    assert caught.value.code == "token_not_accepted"
    assert rig.sent() == [("PUT", 401)] * 3


# The server, the ledger and the program at fault


def test_a_catalogue_that_does_not_answer(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 3)))
    rig.control.fault("close_before", method="GET")
    executor, run_id = begin(rig, plan)
    with pytest.raises(CatalogueUnreachable):
        executor.run(run_id)
    assert rig.ledger.runs.get(run_id).state is RunState.INTERRUPTED
    rig.control.clear_faults()
    assert rig.resume(run_id).state is RunState.COMPLETED


def test_an_intent_that_is_not_on_disk_is_not_sent(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 5)))

    def full(*args):
        failed = Future()
        failed.set_exception(LedgerUnavailable("the disk is full"))
        return failed

    ledger = Hooked(rig.ledger, **{"runs.intend": full})
    executor, run_id = begin(rig, plan, ledger=ledger)
    with pytest.raises(LedgerUnavailable):
        executor.run(run_id)
    assert rig.sent() == []


def test_an_outcome_that_is_not_on_disk_ends_the_run(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 30)))

    def full(*args):
        failed = Future()
        failed.set_exception(LedgerUnavailable("the disk is full"))
        return failed

    ledger = Hooked(rig.ledger, **{"runs.conclude": full})
    executor, run_id = begin(rig, plan, ledger=ledger)
    with pytest.raises(LedgerUnavailable):
        executor.run(run_id)
    sent = len(rig.sent())
    assert sent < 30
    assert rig.resume(run_id).state is RunState.COMPLETED
    assert counts(rig, run_id) == {"applied": 30}
    assert len(rig.sent()) == 30


def test_the_error_budget(rig, own):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 20)))
    rig.control.fault("status", method="PUT", status=400)
    run = rig.run(plan)
    assert run.state is RunState.STOPPED
    assert "error budget" in run.stop_reason
    assert 10 <= counts(rig, run)["refused"] <= 13
    rig.control.clear_faults()
    assert rig.resume(run.id).state is RunState.COMPLETED


def test_a_fault_of_the_program_before_anything_is_sent(rig, own, monkeypatch):
    records = take(own, 3)
    plan = rig.plan(*(setting(record, "He") for record in records))
    from bulkrunner.services.running import existing_records as existing

    real = existing.check_sendable

    def faulty(document, *args):
        if records[1] in document["@graph"][0]["@id"]:
            raise ZeroDivisionError("oops")
        real(document, *args)

    monkeypatch.setattr(existing, "check_sendable", faulty)
    run = rig.run(plan)
    assert run.state is RunState.COMPLETED
    assert counts(rig, run) == {"applied": 2, "failed": 1}
    assert rig.ended(run)[1].result.code == "internal_error"


def test_a_fault_of_the_program_after_something_is_sent(rig, own, monkeypatch):
    plan = rig.plan(*(setting(record, "He") for record in take(own, 12)))
    from bulkrunner.services.running import existing_records as existing

    def faulty(*args):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(existing.ExistingRecord, "confirm", faulty)
    executor, run_id = begin(rig, plan)
    with pytest.raises(ZeroDivisionError):
        executor.run(run_id)
    done = counts(rig, run_id)
    assert rig.ledger.runs.get(run_id).state is RunState.INTERRUPTED
    assert done["unknown"] == len(rig.sent()) < 12
