"""Conditions of an approval, kept by the run: records left out, so many a night, answers anew."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from bulkrunner.domain.approvals import Conditions, night_of
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import GateClosed, Interrupted
from bulkrunner.services.running.executor import Executor
from tests.support.executing import Impatient, Rig, after_it, creating_holding, deleting, setting
from tests.support.ledgers import an_approval
from tests.support.progress import NullProgress
from tests.support.sandbox import wait_until


def take(own, count):
    return [next(own) for _ in range(count)]


def approve(rig, plan, *, approved=True, by="Karin Ek", **conditions):
    answer = an_approval(
        plan, approved=approved, by=by, statements=(), conditions=Conditions(**conditions)
    )
    rig.ledger.approvals.add(answer)


def counts(rig, run):
    found = rig.ledger.runs.outcomes(run if isinstance(run, str) else run.id)
    return {name: count for name, count in found.items() if count}


def written(rig):
    return {entry["path"].rpartition("/")[2] for entry in rig.control.writes()}


# --- records left out ---------------------------------------------------------------------------


def test_an_excluded_change_is_refused_and_nothing_is_sent(production, own):
    records = take(own, 5)
    plan = production.plan(*(setting(record, "He") for record in records))
    approve(production, plan, excluded=(records[0], f"{plan.id}.3"))
    run = production.run(plan)
    assert run.state is RunState.COMPLETED
    assert counts(production, run) == {"applied": 3, "refused": 2}
    assert written(production) == {records[1], records[3], records[4]}
    left_out = [e for e in production.ended(run) if e.result.outcome is Outcome.REFUSED]
    assert {e.result.code for e in left_out} == {"excluded"}
    assert not any(e.attempts for e in left_out)
    assert production.ledger.runs.count_codes(run.id, Outcome.REFUSED) == {"excluded": 2}


def test_excluded_changes_spend_no_error_budget(production, own):
    records = take(own, 14)
    plan = production.plan(*(setting(record, "He") for record in records))
    approve(production, plan, excluded=tuple(records[:12]))
    assert production.run(plan).state is RunState.COMPLETED


def test_the_first_of_a_pattern_is_one_that_is_not_excluded(production, own):
    records = take(own, 6)
    plan = production.plan(*(setting(record, "He") for record in records))
    approve(production, plan, excluded=tuple(records[:4]))
    production.control.fault("status", method="PUT", status=400, times=1)
    run = production.run(plan)
    assert run.state is RunState.STOPPED
    assert "first change of its kind" in run.stop_reason
    assert production.sent() == [("PUT", 400)]


def test_a_bib_s_id_excludes_what_is_created_on_it(production, bibs):
    one, other = next(bibs), next(bibs)
    plan = production.plan(creating_holding(one), creating_holding(other))
    approve(production, plan, excluded=(one,))
    run = production.run(plan)
    assert counts(production, run) == {"applied": 1, "refused": 1}


def test_conditions_of_several_people_are_all_kept(production, own):
    records = take(own, 3)
    plan = production.plan(*(setting(record, "He") for record in records))
    approve(production, plan, excluded=(records[0],))
    approve(production, plan, by="Ulla", excluded=(records[1],))
    assert counts(production, production.run(plan)) == {"applied": 1, "refused": 2}


def test_what_was_sent_before_it_was_excluded_is_settled(production, own):
    records = take(own, 2)
    plan = production.plan(*(setting(record, "He") for record in records))
    approve(production, plan)
    run = production.run_until_killed(plan, catalogue={"put": after_it})
    approve(production, plan, excluded=tuple(records))
    assert production.resume(run).state is RunState.COMPLETED
    assert counts(production, run) == {"applied": 1, "refused": 1}
    assert len(production.sent()) == 1


# --- so many a night ----------------------------------------------------------------------------


class Evening(Impatient):
    """A clock near six in the evening in Stockholm; it leaps over every wait."""

    def __init__(self, seconds_before: float) -> None:
        super().__init__()
        six = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
        self._ahead = six - timedelta(seconds=seconds_before) - datetime.now(UTC)
        self._lock = threading.Lock()

    def now(self):
        with self._lock:
            return datetime.now(UTC) + self._ahead

    def leap(self, **time):
        with self._lock:
            self._ahead += timedelta(**time)

    def sleep(self, seconds):
        super().sleep(seconds)
        self.leap(seconds=seconds)


@pytest.fixture
def evening(sandbox, tmp_path):
    rigs = []

    def begin(seconds_before):
        folder = tmp_path / "evening"
        folder.mkdir()
        rigs.append(Rig(sandbox.production, folder, clock=Evening(seconds_before)))
        return rigs[0]

    yield begin
    for rig in rigs:
        rig.close()


class Waits(NullProgress):
    """Remembers what was waited for."""

    def __init__(self):
        self.reasons = []

    def waiting(self, reason, seconds):
        if reason:
            self.reasons.append((reason, seconds))


def test_at_most_so_many_a_night_and_on_by_itself_in_the_next(evening, own):
    rig, progress = evening(20), Waits()
    plan = rig.plan(*(setting(record, "He") for record in take(own, 5)))
    approve(rig, plan, per_night=3)
    run = rig.run(plan, progress=progress)
    assert run.state is RunState.COMPLETED
    assert counts(rig, run) == {"applied": 5}
    six = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    sent = [attempt.intent_at for ended in rig.ended(run) for attempt in ended.attempts]
    assert sum(moment < six for moment in sent) == 3
    assert sum(moment >= six for moment in sent) == 2
    reason, seconds = progress.reasons[0]
    assert "the approval allows 3 writes a night" in reason
    assert 0 < seconds <= 20


def test_sends_of_an_earlier_process_count_in_the_same_night(evening, own):
    rig = evening(3600)
    plan = rig.plan(*(setting(record, "He") for record in take(own, 5)))
    approve(rig, plan, per_night=3)
    run = rig.run(plan, limit=2)
    assert counts(rig, run) == {"applied": 2, "pending": 3}

    stop = threading.Event()

    class StopsWhenItWaits(Waits):
        def waiting(self, reason, seconds):
            super().waiting(reason, seconds)
            if "a night" in reason and not stop.is_set():
                stop.set()
                executor.request_stop()

    executor = Executor(rig.parts(progress=StopsWhenItWaits()))
    ended = executor.run(run.id)
    assert ended.state is RunState.INTERRUPTED
    assert counts(rig, run) == {"applied": 3, "pending": 2}
    rig.clock.leap(hours=1)
    assert rig.resume(run.id).state is RunState.COMPLETED


def test_sends_that_went_wrong_count_too(evening, own):
    rig = evening(3600)
    plan = rig.plan(*(setting(record, "He") for record in take(own, 2)))
    approve(rig, plan, per_night=2)
    rig.control.fault("status", method="PUT", status=503, times=1)
    run = rig.run(plan, limit=1)
    assert counts(rig, run) == {"applied": 1, "pending": 1}
    began = night_of(rig.clock.now(), "Europe/Stockholm")[0]
    assert rig.ledger.runs.sent_since(run.id, began) == 2


# --- answers during the run ---------------------------------------------------------------------


class Running:
    """A run in a thread, at one write a second, so that there is time to answer."""

    def __init__(self, rig, plan, **changes):
        gate, self.may_go = rig.catalogue().write_gate, threading.Semaphore(1)
        self.rig, self.error, self.ended = rig, None, None

        def one_by_one():
            while not self.may_go.acquire(timeout=0.05):
                if self.executor._control.ending is not None:
                    break
            return gate()

        self.executor = Executor(rig.parts(gate=one_by_one, **changes))
        self.id = self.executor.start(plan, f"r-{plan.id}").id
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.ended = self.executor.run(self.id)
        except (GateClosed, Interrupted) as error:
            self.error = error

    def join(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.rig.ledger.runs.get(self.id)


def test_a_no_during_the_run_stops_it(production, own):
    plan = production.plan(*(setting(record, "He") for record in take(own, 4)))
    approve(production, plan)
    running = Running(production, plan)
    wait_until(lambda: counts(production, running.id).get("applied") == 1)
    approve(production, plan, approved=False)
    run = running.join()
    assert run.state is RunState.STOPPED
    assert run.stop_reason == "rejected by Karin Ek"
    assert counts(production, run)["applied"] <= 2


def test_a_record_excluded_during_the_run_is_left_alone(production, own):
    records = take(own, 3)
    plan = production.plan(*(setting(record, "He") for record in records))
    approve(production, plan)
    asked = threading.Event()
    running = Running(production, plan, recheck=asked.set)
    wait_until(lambda: counts(production, running.id).get("applied") == 1)
    first = next(iter(written(production)))
    left = [record for record in records if record != first]
    approve(production, plan, excluded=tuple(left))
    wait_until(asked.is_set)
    for _ in range(10):
        running.may_go.release()
    assert running.join().state is RunState.COMPLETED
    assert counts(production, running.id) == {"applied": 1, "refused": 2}


def test_a_new_answer_has_the_gates_tested_again(production, own):
    plan = production.plan(*(setting(record, "He") for record in take(own, 3)))
    approve(production, plan)

    def closed():
        raise GateClosed("approval: not before 2099-01-01")

    running = Running(production, plan, recheck=closed)
    wait_until(lambda: counts(production, running.id).get("applied") == 1)
    approve(production, plan, not_before=date(2099, 1, 1))
    assert running.join().state is RunState.STOPPED
    assert isinstance(running.error, GateClosed)


# --- the words themselves -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "began"),
    [
        ("2026-11-24T16:59:59+00:00", "2026-11-23T18:00:00+01:00"),
        ("2026-11-24T17:00:00+00:00", "2026-11-24T18:00:00+01:00"),
        ("2026-11-25T03:00:00+00:00", "2026-11-24T18:00:00+01:00"),
        ("2026-07-01T16:30:00+00:00", "2026-07-01T18:00:00+02:00"),
        ("2026-10-25T02:00:00+00:00", "2026-10-24T18:00:00+02:00"),  # the clock was put back
    ],
)
def test_when_a_night_begins(now, began):
    found, following = night_of(datetime.fromisoformat(now), "Europe/Stockholm")
    assert found == datetime.fromisoformat(began)
    assert following.date() - found.date() == timedelta(days=1)
    assert (found.hour, following.hour) == (18, 18)


def test_deletions_are_left_out_as_well(production, own):
    records = take(own, 2)
    plan = production.plan(*(deleting(record) for record in records))
    approve(production, plan, excluded=(records[1],))
    assert counts(production, production.run(plan)) == {"applied": 1, "refused": 1}
    assert written(production) == {records[0]}
