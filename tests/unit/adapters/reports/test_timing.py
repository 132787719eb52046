"""How long a run will take, and how one went."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import Outcome
from bulkrunner.services.report.service import STEPS, Decisions, estimate, timeline
from tests.support.ledgers import START


def environment(**values: object) -> Environment:
    fields: dict[str, object] = {
        "name": "production",
        "kind": Kind.PRODUCTION,
        "base_url": "https://libris.kb.se",
        "token_url": "https://login.libris.kb.se/oauth/token",
        "base_uri": "https://libris.kb.se/",
        "rate": 5,
        "read_rate": 20,
        "concurrency": 4,
    }
    return Environment(**{**fields, **values})  # type: ignore[arg-type]


def test_counts_requests_by_what_each_change_takes() -> None:
    kinds = {
        (Action.UPDATE, "holding"): 10,
        (Action.DELETE, "holding"): 2,
        (Action.CREATE, "holding"): 1,
        (Action.CREATE, "bib"): 1,
        (Action.REFUSED, "holding"): 99,
    }
    found = estimate(kinds, environment(), START)
    assert (found.writes, found.requests) == (14, 1 + 30 + 8 + 3 + 2)
    assert found.seconds == pytest.approx(14 / 5)
    assert found.done_at == START + timedelta(seconds=14 / 5)


def test_looks_at_other_records_count() -> None:
    kinds = {(Action.CREATE, "holding"): 5, (Action.DELETE, "holding"): 5}
    found = estimate(kinds, environment(), START, looks=10)
    assert (found.writes, found.requests) == (10, 1 + 15 + 20 + 10)


def test_reads_may_be_what_takes_the_time() -> None:
    found = estimate({(Action.UPDATE, "holding"): 100}, environment(read_rate=1), START)
    assert found.seconds == pytest.approx(201)


def test_windows_put_the_end_off() -> None:
    closed = START.replace(hour=12)
    night = environment(windows=("22:00-06:00",))
    found = estimate({(Action.UPDATE, "holding"): 5 * 3600}, night, closed)
    assert found.done_at is not None
    assert found.done_at - closed > timedelta(hours=9)


def test_nothing_decided_has_no_timeline() -> None:
    assert timeline(Decisions()) is None


def test_a_pause_is_seen_and_does_not_slow_the_rate() -> None:
    times = [START + timedelta(seconds=n) for n in (0, 1, 2, 3)]
    times += [START + timedelta(minutes=30, seconds=n) for n in (0, 1, 2, 3)]
    found = timeline(Decisions((when, Outcome.APPLIED) for when in times))
    assert found is not None
    assert found.per_second == pytest.approx(1)
    assert [sum(step.values()) for step in (found.steps[0], found.steps[-1])] == [4, 4]
    assert not any(found.steps[1:-1])


OUTCOMES = st.sampled_from(list(Outcome))


@given(st.lists(st.tuples(st.floats(0, 1e7), OUTCOMES), min_size=1, max_size=50))
def test_every_decision_is_in_one_step(decided: list[tuple[float, Outcome]]) -> None:
    times = sorted((START + timedelta(seconds=after), outcome) for after, outcome in decided)
    found = timeline(Decisions(times))
    assert found is not None
    assert len(found.steps) <= STEPS
    assert sum(sum(step.values()) for step in found.steps) == len(decided)
    assert (found.start, found.end) == (times[0][0], times[-1][0])
