"""The executor's small parts, each by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.catalogue import AnswerKind, WriteAnswer
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.run import GRACE, LIFE, Lease, LeaseTimes, Outcome, Result, RunState
from bulkrunner.errors import LeaseLost, LedgerUnavailable
from bulkrunner.services.running import dispatch as canary
from bulkrunner.services.running.context import ServerClock, Work
from bulkrunner.services.running.control import Control, Ending, ErrorBudget, Stopped
from bulkrunner.services.running.lease import LeaseKeeper, RunHeld
from bulkrunner.services.running.sending import send
from bulkrunner.services.running.throttle import Hours, Throttle
from tests.support.ledgers import OWNER, a_change
from tests.support.progress import NullProgress

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class SetClock:
    """Stands still, but for what is slept."""

    def __init__(self, now=NOON):
        self.time = now

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


# Error budget

APPLIED, REFUSED, CONFLICT = Outcome.APPLIED, Outcome.REFUSED, Outcome.CONFLICT


def spend(outcomes):
    """After how many outcomes the budget is spent; None if never."""
    budget = ErrorBudget()
    for count, outcome in enumerate(outcomes, start=1):
        if budget.add(outcome):
            return count
    return None


def test_ten_in_a_row():
    assert spend([APPLIED] * 300 + [REFUSED] * 9 + [APPLIED]) is None
    assert spend([APPLIED] * 300 + [Outcome.FAILED, Outcome.UNKNOWN] * 5) == 310


def test_five_per_cent_of_the_last_200():
    assert spend(([APPLIED] * 19 + [REFUSED]) * 20) == 200
    assert spend(([APPLIED] * 20 + [REFUSED]) * 40) == 210
    assert spend(([APPLIED] * 22 + [REFUSED]) * 40) is None


@given(st.lists(st.sampled_from([APPLIED, CONFLICT, Outcome.UNCHANGED])))
def test_conflicts_are_nobodys_fault(outcomes):
    assert spend(outcomes) is None


# Hours


def environment(*windows):
    return Environment(
        name="production",
        kind=Kind.PRODUCTION,
        base_url="https://x.example.org",
        token_url="https://x.example.org/oauth/token",
        base_uri="https://x.example.org/",
        rate=1,
        read_rate=1,
        concurrency=1,
        windows=windows,
        timezone="Europe/Stockholm",
    )


def throttle(*windows, clock, control=None, progress=None):
    terms = SimpleNamespace(held=lambda: None, take=lambda: True)
    hours = Hours(environment(*windows), clock)
    return Throttle(control or Control(clock), progress or NullProgress(), hours, terms)


def test_writes_wait_for_their_hours_and_say_so():
    clock, told = SetClock(), []

    class Listening(NullProgress):
        def waiting(self, reason, seconds):
            told.append((reason, seconds))

    throttle("22:00-06:00", clock=clock, progress=Listening()).wait()
    # 22:00 in Stockholm is 21:00 UTC in March.
    assert NOON.replace(hour=21) <= clock.time < NOON.replace(hour=21, minute=1)
    assert told[0] == ("writing is allowed 22:00-06:00", 9 * 3600)
    assert told[-1] == ("", None)


def test_a_stop_ends_the_wait():
    clock = SetClock()
    control = Control(clock)
    control.ask()
    with pytest.raises(Stopped):
        throttle("22:00-06:00", clock=clock, control=control).wait()
    assert clock.time == NOON


def test_without_windows_every_hour_will_do():
    clock = SetClock()
    throttle(clock=clock).wait()
    assert clock.time == NOON


def test_a_pause_that_was_given_outside_the_hours_holds_when_they_begin():
    told = []

    class Listening(NullProgress):
        def waiting(self, reason, seconds):
            told.append(reason)
            if reason:
                control.hold("Eva")

    class Lifted(SetClock):
        def sleep(self, seconds):
            super().sleep(seconds)
            if self.time >= NOON.replace(hour=22):
                control.hold(None)

    clock = Lifted()
    control = Control(clock)
    held = throttle("22:00-06:00", clock=clock, control=control, progress=Listening())
    held.wait()
    assert clock.time >= NOON.replace(hour=22)
    assert told[-1] == ""
    assert held.lets_send()
    control.hold("Eva")
    assert not held.lets_send()


# Control


def test_the_first_reason_counts_but_an_error_counts_more():
    control = Control(SetClock())
    control.check()
    control.ask()
    control.end(Ending(state=RunState.STOPPED, reason="later"))
    assert control.ending.state is RunState.INTERRUPTED
    first = LedgerUnavailable("disk full")
    control.fail(first)
    control.fail(LedgerUnavailable("again"))
    assert control.ending.error is first
    with pytest.raises(Stopped):
        control.check()


def test_a_pause_ends_with_the_run():
    clock = SetClock()
    control = Control(clock)
    control.pause(10)
    assert clock.time == NOON + timedelta(seconds=10)
    control.ask()
    control.pause(10)
    assert clock.time == NOON + timedelta(seconds=10)


# Lease


class OneLease:
    """A ledger that has leases only, of one run."""

    def __init__(self, lease=None):
        self.held = lease
        self.token = lease.token if lease else 0

    @property
    def leases(self):
        return self

    def of(self, run):
        return self.held

    def take(self, run, owner, *, expires_at, replaces):
        if (self.held.token if self.held else None) != replaces:
            return None
        self.token += 1
        self.held = Lease(run=run, owner=owner, token=self.token, expires_at=expires_at)
        return self.held

    def renew(self, lease, *, expires_at):
        if self.held is None or self.held.token != lease.token:
            return False
        self.held = replace(lease, expires_at=expires_at)
        return True

    def drop(self, lease):
        if self.held is not None and self.held.token == lease.token:
            self.held = None


def keeper(ledger, clock, alive=False, owner=OWNER):
    return LeaseKeeper(ledger, clock, owner, alive=lambda other: alive, times=LeaseTimes())


def someones(clock):
    now = clock.now()
    soon = now + timedelta(seconds=LIFE)
    return Lease(run="r1", owner=OWNER, token=7, expires_at=soon, taken_at=now)


def test_a_free_run_is_taken():
    ledger, clock = OneLease(), SetClock()
    mine = keeper(ledger, clock)
    with pytest.raises(LeaseLost):
        mine.require()
    mine.take("r1")
    mine.require()
    assert ledger.held.owner == OWNER
    mine.give_back()
    assert ledger.held is None
    with pytest.raises(LeaseLost):
        mine.require()


def test_a_dead_owner_is_replaced_at_once():
    clock = SetClock()
    ledger = OneLease(someones(clock))
    keeper(ledger, clock, alive=False).take("r1")
    assert ledger.held.token == 8


def test_a_live_owner_is_told_with_host_process_and_since_when():
    clock = SetClock()
    ledger = OneLease(someones(clock))
    clock.sleep(LIFE - 1)
    with pytest.raises(RunHeld) as caught:
        keeper(ledger, clock, alive=True).take("r1")
    assert caught.value.message == (
        "run r1 is being driven by process 4711 on desk since 2026-03-02 12:00:00 UTC"
    )
    assert caught.value.hint == "wait for it, or: bulkrunner stop r1"


def test_a_live_owner_without_a_sign_of_life_is_replaced_after_its_time_and_a_request():
    """It may be stopped, or hang; when it wakes up its time is over by its own clock."""
    clock = SetClock()
    ledger = OneLease(someones(clock))
    clock.sleep(LIFE + GRACE - 1)
    with pytest.raises(RunHeld, match="no sign since 2026-03-02 12:01:00 UTC") as caught:
        keeper(ledger, clock, alive=True).take("r1")
    assert "kill 4711" in caught.value.hint
    assert "resume after 2026-03-02 12:06:00 UTC" in caught.value.hint
    clock.sleep(2)
    keeper(ledger, clock, alive=True).take("r1")
    assert ledger.held.token == 8


def test_how_long_a_lease_counts_can_be_set():
    clock, times = SetClock(), LeaseTimes(life=2, renew_every=0.5, grace=3)
    ledger = OneLease()
    mine = LeaseKeeper(ledger, clock, OWNER, alive=lambda other: None, times=times)
    mine.take("r1")
    clock.sleep(2)
    with pytest.raises(LeaseLost):
        mine.require()
    other = LeaseKeeper(ledger, clock, OWNER, alive=lambda other: None, times=times)
    with pytest.raises(RunHeld):
        other.take("r1")
    clock.sleep(3)
    other.take("r1")


def test_an_unknown_owner_is_replaced_after_its_time_and_a_request():
    clock = SetClock()
    ledger = OneLease(someones(clock))
    clock.sleep(LIFE + GRACE - 1)
    with pytest.raises(RunHeld):
        keeper(ledger, clock, alive=None).take("r1")
    clock.sleep(2)
    keeper(ledger, clock, alive=None).take("r1")
    assert ledger.held.token == 8


def test_somebody_quicker():
    clock = SetClock()
    ledger = OneLease(someones(clock))
    real = ledger.leases.of

    def lease(run):
        found = real(run)
        ledger.held = replace(found, token=9)
        return found

    ledger.leases.of = lease
    with pytest.raises(RunHeld, match="just taken"):
        keeper(ledger, clock).take("r1")


def test_a_process_that_slept_past_its_time_sends_nothing():
    ledger, clock = OneLease(), SetClock()
    mine = keeper(ledger, clock)
    mine.take("r1")
    clock.sleep(LIFE - 1)
    mine.renew()
    clock.sleep(LIFE - 1)
    mine.require()
    clock.sleep(2)
    with pytest.raises(LeaseLost):
        mine.require()
    # Nor does it help itself to more time, though nobody has taken the run.
    with pytest.raises(LeaseLost):
        mine.renew()


# The first changes of production


@pytest.mark.parametrize(
    ("result", "proven", "faulty"),
    [
        (Result(outcome=Outcome.APPLIED), True, False),
        (Result(outcome=Outcome.APPLIED, detail={"cleanups": ["x"]}), True, False),
        (Result(outcome=Outcome.APPLIED, detail={"not_as_predicted": ["x"]}), False, True),
        (Result(outcome=Outcome.UNCHANGED), False, False),
        (Result(outcome=Outcome.CONFLICT), False, False),
        (Result(outcome=Outcome.REFUSED), False, True),
        (Result(outcome=Outcome.FAILED), False, True),
        (Result(outcome=Outcome.UNKNOWN), False, True),
        (None, False, False),
    ],
)
def test_what_a_first_change_says(result, proven, faulty):
    assert canary.is_proven(result) is proven
    assert bool(canary.fault(1, "set x", result)) is faulty


def test_our_times_by_the_servers_clock():
    clock = ServerClock()
    assert clock.at(NOON) is None
    clock.learn(None, NOON)
    assert clock.at(NOON) is None
    clock.learn(NOON + timedelta(hours=1), NOON)
    assert clock.at(NOON) == NOON + timedelta(hours=1) - timedelta(seconds=2)


# One send


@pytest.mark.parametrize(
    ("lost_at", "done"),
    [
        (1, ["look"]),
        (2, ["look", "intent", "look"]),
        (None, ["look", "intent", "look", "request", "answer"]),
    ],
)
def test_the_lease_is_looked_at_before_the_intent_and_again_before_the_request(lost_at, done):
    did = []

    def look():
        did.append("look")
        if did.count("look") == lost_at:
            raise LeaseLost("somebody has it")

    def request():
        did.append("request")
        return WriteAnswer(kind=AnswerKind.DONE, environment="", record="rec000001", status=204)

    context = SimpleNamespace(
        lease=SimpleNamespace(require=look),
        journal=SimpleNamespace(
            intend=lambda attempt: did.append("intent"),
            answered=lambda attempt: did.append("answer"),
        ),
        clock=SetClock(),
        server_clock=ServerClock(),
    )
    try:
        send(context, Work(change=a_change(1)), "PUT", request)
    except LeaseLost:
        assert lost_at
    assert did == done
