"""Whatever a catalogue or a manifest sends comes back from the ledger as it went in."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkrunner.domain.plan import WRITING, Action, BibSummary, Part, PlannedChange
from bulkrunner.domain.run import Attempt, Outcome, Result
from bulkrunner.errors import Source
from tests.support.ledgers import a_plan, finish_plan, new_ledger, start_run
from tests.support.sizes import examples

texts = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\x01", "\x01[]", "\0", "\ud800", "é", "Hc\\", "'; DROP TABLE plans; --", "null", "\u202e"]
)
maybe = st.none() | texts
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
json_data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(texts, json_data, max_size=4)
times = st.datetimes(
    min_value=datetime(1900, 1, 2),  # noqa: DTZ001
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-9))]),
)
sources = st.builds(Source, file=texts, line=st.integers(0, 10**9), column=st.integers(0, 10**9))
parts = st.builds(
    Part,
    step=st.none() | st.integers(1, 1000),
    source=sources,
    given=texts,
    action=st.sampled_from(Action),
    code=texts,
    message=texts,
    wish=texts,
    subject=st.booleans(),
)
changes = st.builds(
    PlannedChange,
    number=st.just(1),
    action=st.sampled_from(Action),
    record=texts,
    given=texts,
    source=sources,
    operation=documents,
    kind=st.sampled_from([None, "holding", "bib"]),
    declared=maybe,
    sigel=maybe,
    bib=st.none() | st.builds(BibSummary, id=texts, title=texts, author=texts, year=texts),
    etag=maybe,
    before=st.none() | documents,
    after=st.none() | documents,
    predicted=st.none() | documents,
    before_fingerprint=maybe,
    after_fingerprint=maybe,
    target_key=maybe,
    pattern=texts,
    cleanups=st.lists(texts, max_size=3).map(tuple),
    code=texts,
    message=texts,
    notes=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    prerequisites=st.lists(st.integers(1, 10**9), max_size=3).map(tuple),
    library=texts,
    step=st.none() | st.integers(1, 1000),
    parts=st.lists(parts, max_size=2).map(tuple),
    made=maybe,
    place=maybe,
    wish=st.none() | st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"),
)
attempts = st.builds(
    Attempt,
    change=st.just(1),
    number=st.just(1),
    intent_at=times,
    method=st.sampled_from(["PUT", "POST", "DELETE"]),
    etag=maybe,
    answer=st.none() | st.sampled_from(["stored", "lost"]),
    status=st.none() | st.integers(100, 599),
    answered_at=st.none() | times,
    words=texts,
    error_id=texts,
    server_date=st.none() | times,
    known_ids=st.lists(texts, max_size=3).map(tuple),
)
final_results = st.builds(
    Result,
    outcome=st.sampled_from(sorted(set(Outcome) - {Outcome.PENDING})),
    code=texts,
    message=texts,
    record=maybe,
    etag=maybe,
    stored_modified=maybe,
    detail=documents,
    stored=st.none() | documents,
    decided_at=times,
)
ids = count(1)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with new_ledger(tmp_path_factory.mktemp("ledger")) as store:
        yield store
        assert store.chain.check() == []


slow = settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(change=changes)
def test_planned_changes(ledger, change):
    plan = f"p{next(ids)}"
    ledger.plans.begin(a_plan(plan))
    ledger.plans.add_changes(plan, [change], cursor=1)
    assert list(ledger.plans.changes(plan)) == [change]
    assert list(ledger.plans.change_digests(plan)) == [change.digest()]


@slow
@given(change=changes, attempt=attempts, result=final_results, action=st.sampled_from(WRITING))
def test_attempts_and_results(ledger, change, attempt, result, action):
    number = next(ids)
    plan = a_plan(f"p{number}", environment=f"e{number}")
    ledger.plans.begin(plan)
    ledger.plans.add_changes(
        plan.id, [PlannedChange(**{**vars(change), "action": action})], cursor=1
    )
    finish_plan(ledger, plan)
    start_run(ledger, plan, f"r{number}")
    ledger.runs.intend(f"r{number}", attempt).result()
    ledger.runs.answered(f"r{number}", attempt).result()
    (item,) = ledger.runs.pending(f"r{number}")
    assert item.attempts == (attempt,)
    ledger.runs.conclude(f"r{number}", 1, result).result()
    (ended,) = ledger.runs.ended(f"r{number}")
    assert (ended.result, ended.attempts) == (result, (attempt,))
