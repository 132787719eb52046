"""Days and moments as records write them."""

import pytest

from bulkrunner.domain.expressions import parse_span


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2025-12-31T23:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        ("2026-11", "2026-10-31T23:00:00+00:00", "2026-11-30T23:00:00+00:00"),
        ("2026-12", "2026-11-30T23:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        ("2026-07-01", "2026-06-30T22:00:00+00:00", "2026-07-01T22:00:00+00:00"),
        # Clocks go forward: the day has 23 hours.
        ("2026-03-29", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
    ],
)
def test_days_are_swedish(text, start, end):
    span = parse_span(text)
    assert (span.start.isoformat(), span.end.isoformat()) == (start, end)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2009-02-03T00:00:00.0+01:00", "2009-02-02T23:00:00+00:00"),
        ("2017-10-27T08:59:14.651+02:00", "2017-10-27T06:59:14.651000+00:00"),
        ("2017-10-27T08:59:14.651999999Z", "2017-10-27T08:59:14.651999+00:00"),
        ("2017-10-27 08:59", "2017-10-27T06:59:00+00:00"),
        ("2017-01-27T08:59:14", "2017-01-27T07:59:14+00:00"),
    ],
)
def test_moments(text, start):
    assert parse_span(text).start.isoformat() == start


@pytest.mark.parametrize(
    "text",
    ["", "NO", "0123", "26", "2026-13", "2026-02-30", "2026-1-1", "0000", "9999", "9999-12-31",
     "0001-01-01", "20261102", "2026-11-02T99:00:00", "2026-11-02T08:00:00+99:00", "2" * 100,
     "２０２６"],
)  # fmt: skip
def test_what_is_no_date_is_none(text):
    span = parse_span(text)
    assert span is None or text in {"9999", "9999-12-31", "0001-01-01", "0123"}


def test_before_and_after_leave_out_the_day_itself():
    day, within = parse_span("2026-11-02"), parse_span("2026-11-02T12:00:00+01:00")
    assert not within.is_before(day)
    assert not within.is_after(day)
    assert parse_span("2026-11-01T23:59:59.999+01:00").is_before(day)
    assert parse_span("2026-11-03T00:00:00+01:00").is_after(day)
    assert parse_span("2025").is_before(day)
    assert not parse_span("2026").is_before(day)


def test_a_moment_is_neither_before_nor_after_itself():
    one, same = parse_span("2026-11-02T12:00:00+01:00"), parse_span("2026-11-02T11:00:00Z")
    assert not one.is_before(same)
    assert not one.is_after(same)
    assert one.is_before(parse_span("2026-11-02T11:00:00.001Z"))
