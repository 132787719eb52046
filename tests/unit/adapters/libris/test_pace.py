"""Politeness, on a clock that only moves when somebody sleeps."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.pacing.pace import LONGEST_PAUSE, SLACK, Pace, Spacing
from tests.support.client import StillClock, environment


def pace(clock, told=None, **changes):
    tell = (lambda why, left: told.append((why, left))) if told is not None else lambda *_: None
    return Pace(environment(**changes), clock=clock, tell=tell)


@given(
    rate=st.floats(min_value=0.5, max_value=1000),
    pauses=st.lists(st.floats(min_value=0, max_value=2), max_size=60),
)
def test_moments_are_never_closer_than_the_rate_allows(rate, pauses):
    spacing, now, moments = Spacing(rate), 100.0, []
    for pause in pauses:
        now += pause
        moment = spacing.reserve(now)
        assert moment >= now
        moments.append(moment)
        now = max(now, moment)
    for first, moment in enumerate(moments):
        in_this_second = [other for other in moments[first:] if other < moment + 1]
        assert len(in_this_second) <= rate * (1 + SLACK) + 2


def test_writes_and_reads_have_each_their_rate():
    clock = StillClock()
    polite = pace(clock, rate=5, read_rate=20)
    for _ in range(10):
        with polite.write():
            pass
    assert clock.seconds - 1000 == pytest.approx(9 / 5, abs=SLACK + 0.001)
    start = clock.seconds
    for _ in range(10):
        with polite.read():
            pass
    assert clock.seconds - start == pytest.approx(9 / 20, abs=SLACK + 0.001)


def test_a_pause_stops_reads_and_writes_and_a_shorter_one_does_not_end_it():
    clock, told = StillClock(), []
    polite = pace(clock, told)
    polite.pause(60, "asked to rest")
    polite.pause(5, "shorter")
    with polite.read():
        pass
    assert clock.seconds - 1000 == pytest.approx(60)
    assert told == [("asked to rest", pytest.approx(60)), ("", None)]
    with polite.write():
        pass
    assert clock.seconds - 1000 == pytest.approx(60)


def test_a_pause_that_comes_while_somebody_waits_counts_too():
    clock = StillClock()
    polite = pace(clock, rate=0.5)
    with polite.write():
        pass
    slept = clock.sleep

    def sleep(seconds):
        if len(clock.sleeps) == 1:
            polite.pause(30, "rest")
        slept(seconds)

    clock.sleep = sleep
    with polite.write():
        pass
    assert clock.seconds - 1000 >= 30


def test_no_pause_is_endless():
    clock = StillClock()
    polite = pace(clock)
    polite.pause(1e12, "rest")
    polite.pause(-5, "odd")
    with polite.read():
        pass
    assert clock.seconds - 1000 == pytest.approx(LONGEST_PAUSE)


def test_short_waits_are_not_worth_a_word():
    clock, told = StillClock(), []
    polite = pace(clock, told, rate=5)
    for _ in range(4):
        with polite.write():
            pass
    assert told == []


def test_no_more_at_a_time_than_allowed():
    polite = pace(StillClock(), concurrency=3)
    lock, inside, most = threading.Lock(), 0, 0
    full = threading.Barrier(3)

    def work(_):
        nonlocal inside, most
        with polite.read():
            with lock:
                inside += 1
                most = max(most, inside)
            full.wait()
            with lock:
                inside -= 1

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(work, range(9)))
    assert most == 3


def test_a_thread_that_holds_a_place_needs_no_second():
    polite = pace(StillClock(), concurrency=1)
    with polite.write(), polite.read(), polite.read():
        pass
    with polite.write():
        pass


def test_a_place_is_given_back_after_a_failure():
    polite = pace(StillClock(), concurrency=1)
    for _ in range(2):
        with pytest.raises(KeyError), polite.write():
            raise KeyError


def test_whoever_sat_out_a_pause_takes_a_new_turn():
    clock = StillClock()
    polite = pace(clock, rate=4)
    polite.pause(60, "asked to rest")
    asked = []
    reserve = polite._writes.reserve
    polite._writes.reserve = lambda now: (asked.append(now), reserve(now))[1]
    with polite.write():
        pass
    assert [moment - 1000 for moment in asked] == pytest.approx([0, 60])
