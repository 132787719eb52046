"""Hours for writing, and how fast."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.environment import Environment, Kind, allowed_rate, within_agreement
from bulkrunner.domain.schedule import (
    end_of_work,
    is_open,
    next_closing,
    next_opening,
    parse_window,
    time_zone,
)

ZONE = "Europe/Stockholm"
STOCKHOLM = ZoneInfo(ZONE)
NIGHT = ("22:00-06:00",)


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=STOCKHOLM)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02 21:59:59", False),
        ("2026-03-02 22:00", True),
        ("2026-03-03 00:00", True),
        ("2026-03-03 05:59:59", True),
        ("2026-03-03 06:00", False),
    ],
)
def test_a_window_may_pass_midnight(moment, expected):
    assert is_open(NIGHT, ZONE, local(moment)) is expected
    assert is_open(NIGHT, ZONE, local(moment).astimezone(UTC)) is expected


def test_without_windows_every_hour_is_open():
    now = local("2026-03-02 12:00")
    assert is_open((), ZONE, now)
    assert next_opening((), ZONE, now) == now
    assert next_closing((), ZONE, now) is None


def test_the_next_change():
    noon = local("2026-03-02 12:00:30")
    assert next_opening(NIGHT, ZONE, noon) == local("2026-03-02 22:00")
    assert next_closing(NIGHT, ZONE, noon) == noon
    assert next_closing(NIGHT, ZONE, local("2026-03-02 23:00")) == local("2026-03-03 06:00")
    two = ("10:00-11:00", "09:00-10:00")
    assert next_closing(two, ZONE, local("2026-03-02 09:30")) == local("2026-03-02 11:00")
    assert next_closing(("00:00-24:00",), ZONE, noon) is None


def test_a_window_that_the_clock_skips_opens_the_day_after():
    # on 2026-03-29 the clock goes from 02:00 to 03:00
    before = local("2026-03-29 01:30")
    assert next_opening(("02:00-03:00",), ZONE, before) == local("2026-03-30 02:00")
    assert next_opening(("02:30-04:00",), ZONE, before) == local("2026-03-29 03:00")


def test_an_hour_that_comes_twice_is_open_twice():
    # on 2026-10-25 the clock goes from 03:00 back to 02:00
    window = ("02:00-03:00",)
    opening = next_opening(window, ZONE, local("2026-10-25 01:00"))
    assert opening == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert next_closing(window, ZONE, opening) == opening + timedelta(hours=2)
    assert is_open(window, ZONE, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert is_open(window, ZONE, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert not is_open(window, ZONE, datetime(2026, 10, 25, 2, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("evening", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-01", 8)]
)
def test_a_night_is_as_long_as_the_clock_makes_it(evening, hours):
    begin = local(f"{evening} 22:00").astimezone(UTC)
    assert next_closing(NIGHT, ZONE, begin) == begin + timedelta(hours=hours)
    # Work of eight hours ends in that night, or goes on for what is left in the next one.
    done = end_of_work(NIGHT, ZONE, begin, 8 * 3600)
    if hours >= 8:
        assert done == begin + timedelta(hours=8)
    else:
        next_evening = (local(f"{evening} 22:00") + timedelta(days=1)).astimezone(UTC)
        assert done == next_evening + timedelta(hours=8 - hours)


@given(
    start=st.integers(0, 1439),
    end=st.integers(0, 1439),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001
)
def test_it_is_open_at_the_opening_and_not_a_minute_before(start, end, now):
    if start == end:
        return
    windows = (f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}",)
    now = now.replace(tzinfo=UTC)
    opening = next_opening(windows, ZONE, now)
    if opening is None:
        return
    assert is_open(windows, ZONE, opening)
    if opening > now + timedelta(minutes=1):
        assert not is_open(windows, ZONE, opening - timedelta(minutes=1))


@pytest.mark.parametrize(
    "text",
    ["", "22-06", "22:00", "22:00-25:00", "24:00-06:00", "10:00-10:00", "1:00-2:00", "২২:00-06:00"],
)
def test_odd_windows(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_window(text)


@pytest.mark.parametrize(
    "name", ["", "Nowhere", "../../etc/passwd", "Europe", "/etc/localtime", "\0"]
)
def test_odd_time_zones(name):
    with pytest.raises(ValueError, match="time zone"):
        time_zone(name)


def environment(base_url, kind=Kind.PRODUCTION):
    return Environment(
        name="x",
        kind=kind,
        base_url=base_url,
        token_url=base_url,
        base_uri=base_url,
        rate=100,
        read_rate=200,
        concurrency=32,
    )


@pytest.mark.parametrize(
    ("kind", "agreed", "expected"),
    [
        (Kind.PRODUCTION, None, (5, 20, 4)),
        (Kind.PRODUCTION, 2, (2, 20, 4)),
        (Kind.PRODUCTION, 5, (5, 20, 4)),
        (Kind.PRODUCTION, 50, (50, 200, 32)),
        (Kind.PRODUCTION, 500, (100, 200, 32)),
        (Kind.TEST, None, (20, 50, 8)),
        (Kind.TEST, 21, (21, 200, 32)),
    ],
)
def test_more_than_the_default_needs_an_agreement(kind, agreed, expected):
    found = within_agreement(environment("https://libris.example.org", kind), agreed)
    assert (found.rate, found.read_rate, found.concurrency) == expected
    assert allowed_rate(environment("https://libris.example.org", kind), agreed) == expected[0]


def test_on_loopback_any_value_goes():
    here = environment("http://127.0.0.1:80")
    assert within_agreement(here, 1) == here
    assert allowed_rate(here, None) == 100
