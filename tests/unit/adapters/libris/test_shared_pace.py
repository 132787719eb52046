"""One pace for all processes on a ledger: moments come from one row."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.pacing.pace import LONGEST_PAUSE, SLACK, Pace
from bulkrunner.adapters.pacing.shared import AHEAD, AHEAD_ALONE, SharedSpacing
from tests.support.client import StillClock, environment
from tests.support.sizes import examples


class Machine(StillClock):
    """A machine's clock: its monotonic time began at another moment than others'."""

    def __init__(self, booted):
        super().__init__()
        self.booted = booted

    def now(self):
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self):
        return self.seconds - self.booted


@pytest.fixture
def two_ledgers(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first = open_ledger(url, clock=StillClock())
    second = open_ledger(url, clock=StillClock())
    yield first, second
    first.close()
    second.close()


def spacings(ledgers, rate, place="http://a", kind="write"):
    """One spacing for each process, each on a clock that began at another time."""
    made = []
    for booted, ledger in zip((0, 700), ledgers, strict=True):
        clock = Machine(booted)
        made.append((clock, SharedSpacing(ledger.rate_limits, place, kind, rate, clock=clock)))
    return made


def moment(clock, spacing):
    """The moment taken, in seconds that all machines agree on."""
    return spacing.reserve(clock.monotonic()) + clock.booted


def test_two_processes_never_get_the_same_moment(two_ledgers):
    (clock, one), (other_clock, other) = spacings(two_ledgers, 4)
    taken = [moment(clock, one) if n % 3 else moment(other_clock, other) for n in range(12)]
    gaps = [
        later - earlier for earlier, later in zip(sorted(taken), sorted(taken)[1:], strict=False)
    ]
    assert gaps == pytest.approx([0.25] * 11, abs=1e-4 + SLACK)
    assert taken == sorted(taken), "in the order of asking"


@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rate=st.floats(min_value=1, max_value=500),
    asks=st.lists(
        st.tuples(st.booleans(), st.floats(min_value=0, max_value=0.5)), min_size=1, max_size=40
    ),
    number=st.uuids(),
)
def test_both_together_keep_to_the_rate(two_ledgers, rate, asks, number):
    sides = spacings(two_ledgers, rate, place=str(number))
    taken = []
    for second, pause in asks:
        for clock, _ in sides:
            clock.seconds += pause
        clock, spacing = sides[second]
        taken.append(moment(clock, spacing))
    for first in taken:
        in_this_second = [other for other in taken if first <= other < first + 1]
        assert len(in_this_second) <= rate * (1 + AHEAD + SLACK) + 2


def test_a_high_rate_does_not_cost_a_transaction_each(two_ledgers):
    ledger, _ = two_ledgers
    calls = []

    class Counting:
        def take_moments(self, place, kind, **rest):
            calls.append(rest["count"])
            return ledger.rate_limits.take_moments(place, kind, **rest)

    clock = Machine(0)
    spacing = SharedSpacing(Counting(), "http://a", "write", 1000, clock=clock)
    for _ in range(3000):
        clock.seconds = max(clock.seconds, moment(clock, spacing))
    assert calls == [100, 100, 200, 400, 800, 1000, 1000], "more while nobody else takes any"


def test_moments_are_taken_far_ahead_only_while_nobody_else_takes_any(two_ledgers):
    (clock, one), (other_clock, other) = spacings(two_ledgers, 1000)
    for _ in range(1700):
        clock.seconds = other_clock.seconds = max(clock.seconds, moment(clock, one))
    waited = moment(other_clock, other) - other_clock.seconds
    assert waited <= AHEAD_ALONE
    for side in [(clock, one), (other_clock, other)] * 1500:
        clock.seconds = other_clock.seconds = max(clock.seconds, moment(*side))
    other_clock.seconds = clock.seconds
    assert moment(other_clock, other) - other_clock.seconds <= 2 * AHEAD


def test_places_and_kinds_have_each_their_own_moments(two_ledgers):
    ledger, _ = two_ledgers
    clock = Machine(0)
    firsts = [
        SharedSpacing(ledger.rate_limits, place, kind, 0.1, clock=clock).reserve(clock.monotonic())
        for place in ("http://a", "http://b")
        for kind in ("write", "read")
    ]
    assert firsts == [clock.monotonic()] * 4


def test_a_rest_that_one_process_was_asked_for_holds_for_all(two_ledgers):
    (clock, one), (other_clock, other) = spacings(two_ledgers, 4)
    Pace(environment(), clock=clock, writes=one).pause(30, "busy")
    assert moment(other_clock, other) == pytest.approx(clock.seconds + 30, abs=1e-3)
    assert "asked for a rest" in other.reason(other_clock.monotonic())
    assert other.reason(other_clock.monotonic() + 31) is None
    one.rest(LONGEST_PAUSE * 9)
    assert moment(other_clock, other) <= clock.seconds + LONGEST_PAUSE + 1


def test_a_clock_that_was_wrong_stops_nobody_for_long(two_ledgers):
    (clock, one), (other_clock, other) = spacings(two_ledgers, 4)
    clock.seconds += 10 * 86400
    moment(clock, one)
    assert moment(other_clock, other) == pytest.approx(other_clock.seconds, abs=SLACK)


def test_a_higher_rate_frees_what_was_taken_far_ahead(two_ledgers):
    (clock, one), _ = spacings(two_ledgers, 0.01)
    assert moment(clock, one) == clock.seconds
    assert moment(clock, one) == pytest.approx(clock.seconds + 100, abs=SLACK)
    one.set_rate(2, clock.monotonic())
    assert moment(clock, one) == pytest.approx(clock.seconds + 0.5, abs=SLACK)
