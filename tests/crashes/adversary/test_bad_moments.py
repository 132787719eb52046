"""Things that happen at the worst moment: between a look and a send, a take and a start."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bulkrunner.domain.catalogue import AnswerKind, WriteAnswer
from bulkrunner.domain.run import LIFE, Outcome, RunState
from bulkrunner.domain.schedule import is_open
from bulkrunner.errors import CatalogueUnreachable, LeaseLost
from bulkrunner.services.running.executor import Executor
from tests.crashes.adversary.hooks import Hooked, hooked
from tests.support.executing import Impatient, an_owner, creating_holding, deleting, held, setting

WINDOW = "22:00-06:00"


class Jumping(Impatient):
    """Both clocks can be put forward."""

    def __init__(self):
        super().__init__()
        self.slept_through = 0.0

    def monotonic(self):
        return super().monotonic() + self.slept_through


class WallClock(Impatient):
    """A wall clock that stands still but for waiting; the monotonic clock is the machine's."""

    def __init__(self, now):
        super().__init__()
        self.time = now

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


def begin(rig, plan, **changes):
    executor = Executor(rig.parts(**changes))
    return executor, executor.start(plan, f"{plan.id}-run").id


def the_outcome(rig, run):
    (ended,) = rig.ended(run)
    return ended.result.outcome


def not_written(kind, status=None):
    return WriteAnswer(kind=kind, environment="staging", record="", status=status)


def test_another_process_finishes_the_run_just_before_it_is_taken_up(rig, own):
    run = rig.run(rig.plan(setting(next(own), "He"), setting(next(own), "He")), limit=1)
    assert run.state is RunState.STOPPED

    def lease(real, run_id):
        rig.resume(run_id)
        return real(run_id)

    late = rig.resume(run.id, ledger=Hooked(rig.ledger, **{"leases.of": lease}))
    assert late.state is RunState.COMPLETED
    assert rig.ledger.leases.of(run.id) is None
    assert len(rig.sent()) == 2


def test_who_has_lost_the_run_does_not_say_how_it_ended(rig, own):
    """The error that ends it may come before the loss is noticed."""
    thief = an_owner()

    def put(_real, *_args, **_kwargs):
        mine = rig.ledger.leases.of(run_id)
        soon = rig.clock.now() + timedelta(seconds=LIFE)
        rig.ledger.leases.take(run_id, thief, expires_at=soon, replaces=mine.token)
        raise CatalogueUnreachable("the network has gone")

    plan = rig.plan(setting(next(own), "He"))
    executor, run_id = begin(rig, plan, **hooked(rig, put=put))
    with pytest.raises(LeaseLost):
        executor.run(run_id)
    assert rig.ledger.runs.get(run_id).state is RunState.RUNNING
    assert rig.ledger.leases.of(run_id).owner == thief


def test_a_woken_process_decides_nothing(rig, own):
    """What it read before it slept may be old; the next owner looks for itself."""
    record, clock = next(own), Jumping()

    def put(real, *args, **kwargs):
        answer = real(*args, **kwargs)
        clock.slept_through += LIFE + 1
        return answer

    plan = rig.plan(setting(record, "He"))
    executor, run_id = begin(rig, plan, clock=clock, **hooked(rig, put=put))
    with pytest.raises(LeaseLost):
        executor.run(run_id)
    assert the_outcome(rig, run_id) is Outcome.PENDING
    rig.resume(run_id)
    assert the_outcome(rig, run_id) is Outcome.APPLIED
    assert len(rig.sent()) == 1


def test_asleep_between_the_intent_and_the_send(rig, own):
    clock = Jumping()

    def intend(real, *args):
        stored = real(*args)
        stored.result()
        clock.slept_through += LIFE + 1
        return stored

    plan = rig.plan(setting(next(own), "He"))
    ledger = Hooked(rig.ledger, **{"runs.intend": intend})
    executor, run_id = begin(rig, plan, clock=clock, ledger=ledger)
    with pytest.raises(LeaseLost):
        executor.run(run_id)
    assert rig.sent() == []
    assert [attempt.answer for attempt in rig.ended(run_id)[0].attempts] == [None]
    rig.resume(run_id)
    assert the_outcome(rig, run_id) is Outcome.APPLIED
    assert len(rig.sent()) == 1


@pytest.mark.parametrize("where", ["turn", "look"])
def test_hours_that_end_while_a_write_waits(rig, own, where):
    """A server that asks for an hour of rest may push a write out of its window."""
    clock = WallClock(datetime(2026, 3, 2, 5, 59, tzinfo=UTC))
    late = iter([timedelta(hours=1)])
    sent_at = []
    real_gate = rig.catalogue().write_gate

    @contextmanager
    def gate():
        if where == "turn":
            clock.time += next(late, timedelta())
        with real_gate():
            yield

    def read(real, *args, **kwargs):
        if where == "look":
            clock.time += next(late, timedelta())
        return real(*args, **kwargs)

    def put(real, *args, **kwargs):
        sent_at.append(clock.time)
        return real(*args, **kwargs)

    environment = replace(rig.environment, windows=(WINDOW,), timezone="UTC")
    changes = {**hooked(rig, read=read, put=put), "gate": gate}
    run = rig.run(
        rig.plan(setting(next(own), "He")), clock=clock, environment=environment, **changes
    )
    assert the_outcome(rig, run) is Outcome.APPLIED
    assert [is_open((WINDOW,), "UTC", moment) for moment in sent_at] == [True]


def test_an_edit_while_a_delete_waits_for_its_turn(rig, own):
    """The server would delete over it; only a look after the wait can see it."""
    record = next(own)
    real_gate = rig.catalogue().write_gate

    @contextmanager
    def gate():
        with real_gate():
            rig.control.edit(record, sigel="S")
            yield

    run = rig.run(rig.plan(deleting(record)), gate=gate)
    assert the_outcome(rig, run) is Outcome.CONFLICT
    assert rig.sent() == []


def test_an_edit_while_a_lost_delete_waits_for_its_next_turn(rig, own):
    """It was looked at after the answer was lost, and must be again after the wait."""
    record = next(own)
    rig.control.fault("close_before", method="DELETE", times=1)
    real_gate = rig.catalogue().write_gate
    turns = []

    @contextmanager
    def gate():
        with real_gate():
            turns.append(record)
            if len(turns) == 2:
                rig.control.edit(record, sigel="S")
            yield

    run = rig.run(rig.plan(deleting(record)), gate=gate)
    assert len(turns) == 2
    assert the_outcome(rig, run) is Outcome.CONFLICT
    assert len(rig.sent()) == 1
    assert rig.control.get(record).status == 200


def test_a_stop_during_the_last_look_sends_nothing_more(rig, own):
    def read(real, *args, **kwargs):
        executor.request_stop()
        return real(*args, **kwargs)

    plan = rig.plan(setting(next(own), "He"))
    executor, run_id = begin(rig, plan, **hooked(rig, read=read))
    assert executor.run(run_id).state is RunState.INTERRUPTED
    assert rig.sent() == []
    assert rig.ended(run_id)[0].attempts == ()


class Delayed:
    """The first send is lost and arrives only when the second does, which is then refused."""

    def __init__(self, refusal):
        self._refusal = refusal
        self._held = None

    def __call__(self, real, *args, **kwargs):
        if self._held is None:
            self._held = (args, kwargs)
            return not_written(AnswerKind.LOST)
        args, kwargs = self._held
        assert real(*args, **kwargs).kind is AnswerKind.DONE
        return self._refusal


@pytest.mark.parametrize(
    "refusal",
    [
        not_written(AnswerKind.INVALID, 400),
        not_written(AnswerKind.CONFLICT, 409),
        not_written(AnswerKind.FORBIDDEN, 403),
    ],
    ids=lambda refusal: refusal.kind.value,
)
def test_a_send_that_comes_late_is_not_refused_with_the_next_one(rig, own, refusal):
    record = next(own)
    plan = rig.plan(setting(record, "Hz"))
    run = rig.run(plan, **hooked(rig, put=Delayed(refusal)))
    assert rig.control.document(record)["@graph"][1]["shelfMark"]["label"] == "Hz"
    assert the_outcome(rig, run) is Outcome.APPLIED
    assert len(rig.sent()) == 1


def test_a_creation_that_comes_late_is_not_refused_with_the_next_one(rig, bibs):
    bib = next(bibs)
    errors = ({"type": "INVALID_IRI"},)
    refusal = replace(not_written(AnswerKind.INVALID, 400), errors=errors)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    run = rig.run(plan, **hooked(rig, post=Delayed(refusal)))
    (ended,) = rig.ended(run)
    assert (ended.result.outcome, [ended.result.record]) == (Outcome.APPLIED, held(rig, bib))


def test_a_refusal_stands_where_the_earlier_send_came_to_nothing(rig, own):
    answers = iter([not_written(AnswerKind.LOST), not_written(AnswerKind.INVALID, 400)])
    plan = rig.plan(setting(next(own), "Hz"))
    run = rig.run(plan, **hooked(rig, put=lambda _real, *_args, **_kwargs: next(answers)))
    (ended,) = rig.ended(run)
    assert (ended.result.outcome, ended.result.code) == (Outcome.REFUSED, "invalid")
    assert rig.sent() == []
