"""When a run will be done: by its speed, what it may send, and its windows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.schedule import end_of_work, is_open
from bulkrunner.runner.lines import outlook_lines
from bulkrunner.services.running.lease import Drivers
from bulkrunner.services.status import Outlooks, speed
from tests.support.ledgers import (
    OWNER,
    TEST_ADDRESSES,
    SetClock,
    a_change,
    a_plan,
    an_approval,
    new_ledger,
    send,
    start_run,
    store_plan,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def moments(*gaps):
    found = [NOON]
    for gap in gaps:
        found.append(found[-1] + timedelta(seconds=gap))
    return found


def test_the_speed_is_what_was_measured_but_no_more_than_allowed():
    assert speed(moments(*[2.0] * 10), 5) == pytest.approx(0.5)
    assert speed(moments(*[0.1] * 10), 5) == 5
    assert speed(moments(2.0, 2.0), 5) == 5, "too few to speak of"
    assert speed(moments(*[0.0] * 10), 5) == 5
    assert speed([], 5) == 5


def test_pauses_do_not_make_a_run_slow():
    assert speed(moments(*[2.0] * 5, 36000, *[2.0] * 5), 5) == pytest.approx(0.5)


def test_work_goes_on_in_the_next_window():
    night = ("22:00-06:00",)
    begin = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    hours = 3600
    assert end_of_work(night, "UTC", begin, 2 * hours) == begin + timedelta(hours=4)
    assert end_of_work(night, "UTC", begin, 9 * hours) == begin + timedelta(hours=27)
    assert end_of_work((), "UTC", begin, 9 * hours) == begin + timedelta(hours=9)
    assert end_of_work(night, "UTC", begin, 10_000 * hours) is None


@given(
    start=st.integers(min_value=0, max_value=23),
    long=st.integers(min_value=1, max_value=22),
    begin=st.integers(min_value=0, max_value=24 * 60),
    minutes=st.integers(min_value=1, max_value=2000),
)
def test_so_many_open_minutes_lie_before_the_end(start, long, begin, minutes):
    windows = (f"{start:02}:00-{(start + long) % 24:02}:00",)
    now = NOON + timedelta(minutes=begin)
    end = end_of_work(windows, "UTC", now, minutes * 60)
    assert end is not None
    opened = 0
    while now < end:
        opened += is_open(windows, "UTC", now)
        now += timedelta(minutes=1)
    assert opened == minutes


def test_lines_say_what_is_waited_for_and_until_when():
    run = {
        "run": "r-1",
        "paused": False,
        "waiting": {"reason": "staging asked for 60 s of rest", "until": NOON.isoformat()},
        "rate": 5.0,
        "window": {
            "hours": "22:00-06:00",
            "timezone": "Europe/Stockholm",
            "open": False,
            "until": NOON.isoformat(),
        },
        "done_at": NOON.isoformat(),
    }
    assert list(outlook_lines(run)) == [
        "waits: staging asked for 60 s of rest, until 2026-03-02 12:00 UTC",
        "writing is allowed 22:00-06:00 (Europe/Stockholm): closed until 2026-03-02 12:00 UTC",
        "at most 5 writes/s; done about 2026-03-02 12:00 UTC",
    ]
    nobody = {**run, "paused": True, "waiting": None, "window": None, "done_at": None}
    assert list(outlook_lines(nobody)) == ["paused; go on with: bulkrunner resume r-1"]


def test_a_maximum_for_each_night_puts_the_end_off(tmp_path):
    clock = SetClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    with new_ledger(tmp_path, clock) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 6)])
        ledger.approvals.add(an_approval(plan, conditions=Conditions(per_night=2)))
        run = start_run(ledger, plan)
        send(ledger, "r1", 1)
        environment = Environment(
            name="staging",
            kind=Kind.TEST,
            rate=5.0,
            read_rate=20.0,
            concurrency=4,
            **{name: TEST_ADDRESSES[name] for name in ("base_url", "token_url", "base_uri")},
        )
        alive = {"now": True}
        drivers = Drivers(ledger, clock, OWNER, alive=lambda _: alive["now"])
        outlooks = Outlooks(ledger, clock, environment=lambda _: environment, drivers=drivers)
        found = outlooks.of(run, ledger.runs.outcomes("r1"))
        alive["now"] = False
        orphan = outlooks.of(run, ledger.runs.outcomes("r1"))
    # One was sent tonight and one may be; two in the next night, the last in the one after it.
    done = datetime.fromisoformat(found["done_at"])
    begins = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
    assert timedelta(0) < done - begins < timedelta(seconds=2)
    assert (found["driven"], orphan["driven"], orphan["done_at"]) == (True, False, None)


def test_lines_say_that_nobody_drives_the_run():
    run = {"run": "r-1", "paused": False, "driven": False, "waiting": None, "done_at": None}
    (line,) = outlook_lines(run)
    assert line == "no process works on it; go on with: bulkrunner resume r-1"
