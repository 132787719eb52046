"""Slower while the server is slow, by its own beginning, and faster again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.pacing.pace import LEAST, SAMPLE, SLACK, Pace, Slowing, percentile
from tests.support.client import StillClock, environment


def feed(slowing, seconds, times=SAMPLE):
    return [said for _ in range(times) if (said := slowing.add(seconds, 2))]


def test_it_slows_when_the_95th_percentile_doubles_and_recovers():
    slowing = Slowing()
    assert feed(slowing, 0.2) == []
    assert feed(slowing, 0.39) == []
    assert slowing.factor == 1
    (said,) = feed(slowing, 0.4)
    assert slowing.factor == 0.5
    assert said.startswith("slower: 95 % of writes answered within 400 ms")
    assert feed(slowing, 0.35) == [], "between the two marks nothing changes"
    (said,) = feed(slowing, 0.2)
    assert said.startswith("faster again")
    assert slowing.factor == 1
    assert feed(slowing, 0.2) == []


def test_a_few_slow_ones_do_not_count_but_more_do():
    slowing = Slowing()
    feed(slowing, 0.2)
    feed(slowing, 5, 2)
    assert feed(slowing, 0.2, SAMPLE - 2) == []
    feed(slowing, 5, 3)
    assert feed(slowing, 0.2, SAMPLE - 3) != []


def test_a_rise_of_milliseconds_says_nothing():
    slowing = Slowing()
    feed(slowing, 0.002)
    assert feed(slowing, 0.04) == []


def test_it_never_stops_altogether():
    slowing = Slowing()
    feed(slowing, 0.1)
    feed(slowing, 30, SAMPLE * 20)
    assert slowing.factor == LEAST


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=200))
def test_the_percentile_bounds_nineteen_of_twenty(values):
    found = percentile(values)
    assert found in values
    assert sum(value <= found for value in values) >= 0.95 * len(values)
    assert sum(value < found for value in values) < 0.95 * len(values)


def test_a_pace_sends_half_as_often_and_says_so():
    clock, noted = StillClock(), []
    pace = Pace(environment(rate=10), clock=clock, note=noted.append)

    def writes(count, seconds):
        start = clock.seconds
        for _ in range(count):
            with pace.write():
                pace.took(seconds)
        return clock.seconds - start

    writes(SAMPLE, 0.1)
    writes(SAMPLE, 0.3)
    assert len(noted) == 1
    assert noted[0].endswith("now 5 writes/s")
    assert writes(20, 0.1) == pytest.approx(4, abs=0.3)
    writes(20, 0.1)
    assert len(noted) == 2
    assert writes(20, 0.1) == pytest.approx(2, abs=0.3)


def test_another_rate_counts_also_for_who_waits_already():
    clock = StillClock()
    pace = Pace(environment(rate=0.01), clock=clock)
    with pace.write():
        pass
    slept = clock.sleep

    def sleep(seconds):
        if len(clock.sleeps) == 2:
            pace.set_rate(10)
        slept(seconds)

    clock.sleep = sleep
    start = clock.seconds
    with pace.write():
        pass
    assert clock.seconds - start < 2 + SLACK
