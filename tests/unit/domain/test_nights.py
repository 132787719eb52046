"""When a run is done of which the approval allows only so much a night."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.schedule import Hours, end_of_writes

ALWAYS = Hours(windows=(), timezone="Europe/Stockholm")
AT_NIGHT = Hours(windows=("22:00-06:00",), timezone="Europe/Stockholm")


def swedish(text):
    """A moment in winter, one hour ahead of UTC."""
    return datetime.fromisoformat(f"2026-{text}+01:00")


def done(hours, begin, writes, *, each=1.0, used=0, **asked):
    return end_of_writes(
        hours,
        Conditions(**asked),
        begin,
        writes=writes,
        seconds=writes * each,
        used=lambda _: used,
    )


@pytest.mark.parametrize(
    ("hours", "writes", "used", "asked", "wanted"),
    [
        (ALWAYS, 100, 0, {}, "12-01T20:01:40"),
        (ALWAYS, 100, 0, {"per_night": 500}, "12-01T20:01:40"),
        (ALWAYS, 600, 0, {"per_night": 500}, "12-02T18:01:40"),
        (ALWAYS, 600, 450, {"per_night": 500}, "12-03T18:00:50"),
        (ALWAYS, 600, 500, {"per_night": 500}, "12-03T18:01:40"),
        (ALWAYS, 2500, 0, {"per_night": 500}, "12-05T18:08:20"),
        (ALWAYS, 2501, 0, {"per_night": 500}, "12-06T18:00:01"),
        (AT_NIGHT, 600, 0, {"per_night": 500}, "12-02T22:01:40"),
        (AT_NIGHT, 60000, 0, {"per_night": 50000}, "12-03T22:40:00"),
        (ALWAYS, 10, 0, {"not_before": date(2026, 12, 9)}, "12-09T00:00:10"),
        (AT_NIGHT, 10, 0, {"not_before": date(2026, 12, 9), "per_night": 5}, "12-09T22:00:05"),
    ],
)
def test_the_end_lies_as_many_nights_off_as_are_needed(hours, writes, used, asked, wanted):
    found = done(hours, swedish("12-01T20:00"), writes, used=used, **asked)
    assert found == swedish(wanted)
    assert found.tzinfo is UTC


def test_where_no_write_fits_into_a_night_there_is_no_end():
    assert (
        done(
            Hours(windows=("02:00-02:01",), timezone="UTC"),
            swedish("12-01T20:00"),
            9,
            each=90.0,
            per_night=5,
        )
        is None
    )


def test_clocks_that_are_put_back_do_not_put_a_night_off():
    begin = datetime(2026, 10, 24, 17, 0, tzinfo=UTC)  # 19:00 in Sweden; 18:00 UTC+1 from the 25th
    assert done(ALWAYS, begin, 11, per_night=5) == datetime(2026, 10, 26, 17, 0, 1, tzinfo=UTC)


@given(st.integers(1, 3000), st.integers(30, 400), st.integers(0, 500), st.integers(0, 60 * 24 * 3))
def test_it_is_what_counting_night_by_night_gives(writes, per_night, used, minutes):
    begin = swedish("12-01T20:00") + timedelta(minutes=minutes)
    left, now, share = writes, begin, max(0, per_night - used)
    while left > share:
        left -= share
        local = now + timedelta(hours=6)  # a night begins at 18
        day = local.replace(hour=0, minute=0, second=0)
        now, share = day + timedelta(hours=18), per_night
    assert done(ALWAYS, begin, writes, used=used, per_night=per_night) == now + timedelta(
        seconds=left
    )
