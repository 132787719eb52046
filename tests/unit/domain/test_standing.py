"""Bounds of a standing approval: their last moment, a run's and a day's counts, the strictest of several."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.standing import (
    ACTIONS,
    DAY,
    RECORDS,
    ends_at,
    over_day,
    over_run,
    strictest,
)
from tests.support.ledgers import bounds

COUNTS = st.fixed_dictionaries({action: st.integers(0, 6) for action in ACTIONS})


@pytest.mark.parametrize(
    ("until", "zone", "wanted"),
    [
        (date(2027, 6, 30), "Europe/Stockholm", "2027-06-30T22:00:00+00:00"),
        (date(2026, 12, 31), "Europe/Stockholm", "2026-12-31T23:00:00+00:00"),
        # an environment whose clock is behind prolongs nothing; one that is ahead ends sooner
        (date(2027, 6, 30), "Pacific/Honolulu", "2027-06-30T22:00:00+00:00"),
        (date(2027, 6, 30), "Asia/Tokyo", "2027-06-30T15:00:00+00:00"),
        # the days on which clocks change
        (date(2027, 3, 28), "Europe/Stockholm", "2027-03-28T22:00:00+00:00"),
        (date(2027, 10, 31), "Europe/Stockholm", "2027-10-31T23:00:00+00:00"),
    ],
)
def test_the_last_day_ends_by_the_swedish_clock(until, zone, wanted):
    assert ends_at(bounds(until=until), zone).astimezone(UTC) == datetime.fromisoformat(wanted)


def test_a_day_is_twenty_four_hours_whatever_clocks_do():
    assert DAY.total_seconds() == 24 * 3600


@given(counts=COUNTS)
def test_a_run_keeps_within_each_number(counts):
    asked = bounds(per_run={"update": 5, "create": 0, "delete": 1})
    within = counts["update"] <= 5 and not counts["create"] and counts["delete"] <= 1
    assert (over_run(asked, counts) is None) == within


@given(used=COUNTS, more=COUNTS)
def test_a_day_keeps_within_each_number_and_the_sum(used, more):
    most = {"records": 10, "update": 10, "create": 3, "delete": 2}
    found = over_day(bounds(per_day=most), used, more)
    sums = {action: used[action] + more[action] for action in ACTIONS}
    sums[RECORDS] = sum(sums.values())
    asked = {**more, RECORDS: sum(more.values())}
    assert (found is None) == all(sums[name] <= most[name] for name in most if asked[name])


def test_what_is_not_named_is_not_given():
    bare = bounds(per_run={}, per_day={})
    assert over_run(bare, {"delete": 1}) is not None
    assert over_day(bare, {}, {"create": 1}) is not None


@given(one=COUNTS, other=COUNTS)
def test_of_several_the_strictest_of_each_counts(one, other):
    first = bounds(per_run=one)
    second = bounds(per_run=other, until=date(2026, 11, 1))
    found = strictest([first, second])
    assert found.until == date(2026, 11, 1)
    assert found.per_run == {action: min(one[action], other[action]) for action in ACTIONS}
    assert not found.allows_more(first)
    assert not found.allows_more(second)


def test_more_is_more_in_any_respect():
    base = bounds()
    assert not base.allows_more(base)
    assert base.allows_more(None)
    for wider in (
        replace(base, until=date(2027, 1, 1)),
        replace(base, rule="sha256:" + "8" * 64),
        replace(base, per_run={**base.per_run, "create": 1}),
        replace(base, per_day={**base.per_day, "records": 11}),
    ):
        assert wider.allows_more(base)
