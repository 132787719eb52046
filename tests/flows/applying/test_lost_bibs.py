"""New bibs whose creation was not answered: searched for, and where unknown, settled by a person."""

import itertools

import pytest

from bulkrunner.domain.manifest import Create, Creates
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import CatalogueUnreachable, Source, UsageError
from bulkrunner.services.settle import Settlement, Settler
from tests.support.executing import Rig, after_it, before_it
from tests.support.sandbox import running_sandbox

ISBNS = itertools.count(9786200000000)


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(bibs=100, holdings=300, index_lag_ms=0) as control:
        yield control


@pytest.fixture
def level2(sandbox, tmp_path):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    yield rig
    sandbox.staging.clear_faults()
    rig.close()


def creating(isbn=None, title="En bok", **body):
    isbn = isbn or f"{next(ISBNS)}"
    return Create(
        source=Source(file="ops.jsonl", line=1),
        creates=Creates.BIB,
        sigel="Ylm",
        of=None,
        body={
            "@type": "Instance",
            "hasTitle": [{"@type": "Title", "mainTitle": title}],
            "identifiedBy": [{"@type": "ISBN", "value": isbn}],
            **body,
        },
    )


def document(isbn, title="En bok"):
    graph = [
        {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}},
        {
            "@id": "_:T#it",
            "@type": "Instance",
            "hasTitle": [{"@type": "Title", "mainTitle": title}],
            "identifiedBy": [{"@type": "ISBN", "value": isbn}],
        },
    ]
    return {"@graph": graph}


def only(rig, run):
    (ended,) = rig.ended(run)
    return ended.result


def bibs(rig):
    return set(rig.control.records("bib"))


def posted(rig, isbn, title="En bok", client="cataloguer"):
    """Make a bib past the program; returns its short id."""
    before = bibs(rig)
    rig.control.send("POST", "/data", document(isbn, title), client=client)
    (made,) = bibs(rig) - before
    return made


def test_a_bib_that_was_stored_is_found_by_its_isbn(level2):
    before = bibs(level2)
    plan = level2.plan(creating())
    level2.control.fault("close_after", method="POST", path="/data")
    result = only(level2, level2.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert bibs(level2) - before == {result.record}
    assert len(level2.sent()) == 1


@pytest.mark.parametrize("kind", ["close_before", "status"])
def test_a_bib_that_was_not_stored_is_unknown_and_not_sent_again(level2, kind):
    before = bibs(level2)
    plan = level2.plan(creating())
    more = {"status": 500} if kind == "status" else {}
    level2.control.fault(kind, method="POST", path="/data", **more)
    result = only(level2, level2.run(plan))
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "bib_create_unproven")
    assert result.detail["candidates"] == []
    assert bibs(level2) == before
    assert len(level2.sent()) == 1


def test_an_older_bib_with_the_same_isbn_is_listed_not_taken(level2):
    isbn = f"{next(ISBNS)}"
    level2.control.move_clock(hours=-1)
    older = posted(level2, isbn)
    level2.control.move_clock(hours=1)
    plan = level2.plan(creating(isbn))
    level2.control.fault("close_before", method="POST", path="/data")
    result = only(level2, level2.run(plan))
    assert result.outcome is Outcome.UNKNOWN
    assert [found["record"] for found in result.detail["candidates"]] == [older]
    assert older in result.message


def test_a_bib_with_other_content_is_listed_not_taken(level2):
    isbn = f"{next(ISBNS)}"
    plan = level2.plan(creating(isbn))
    other = posted(level2, isbn, title="En annan bok")
    level2.control.clear_log()
    level2.control.fault("close_before", method="POST", path="/data")
    result = only(level2, level2.run(plan))
    assert result.outcome is Outcome.UNKNOWN
    assert [found["record"] for found in result.detail["candidates"]] == [other]
    assert len(level2.sent()) == 1


def test_two_that_may_be_ours_are_for_a_person(level2):
    isbn = f"{next(ISBNS)}"
    plan = level2.plan(creating(isbn))
    run = level2.run_until_killed(plan, catalogue={"post": after_it})
    (ours,) = [r for r in bibs(level2) if isbn in str(level2.control.document(r))]
    twin = posted(level2, isbn)
    level2.resume(run)
    result = only(level2, run)
    assert result.outcome is Outcome.UNKNOWN
    assert {found["record"] for found in result.detail["candidates"]} == {ours, twin}


def test_what_another_change_has_made_is_not_taken(level2):
    isbn = f"{next(ISBNS)}"
    first = level2.plan(creating(isbn))
    lost = level2.run_until_killed(first, catalogue={"post": before_it})
    made = only(level2, level2.run(level2.plan(creating(isbn))))
    assert made.outcome is Outcome.APPLIED
    level2.resume(lost)
    result = only(level2, lost)
    assert (result.outcome, result.record) == (Outcome.UNKNOWN, None)


def test_the_same_bib_twice_in_one_job_is_refused(level2):
    one = creating()
    with pytest.raises(AssertionError, match="duplicate_operation"):
        level2.plan(one, one)


def test_a_search_that_does_not_work_leaves_it_unknown(level2):
    plan = level2.plan(creating())
    level2.control.fault("close_after", method="POST", path="/data")
    level2.control.fault("status", method="GET", path="/find", status=500)
    result = only(level2, level2.run(plan))
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "bib_create_unproven")


def test_where_nothing_answers_it_is_found_by_the_next_resume(level2):
    plan = level2.plan(creating())
    run = level2.run_until_killed(plan, catalogue={"post": after_it})
    level2.control.fault("status", method="GET", path="/", status=500)
    with pytest.raises(CatalogueUnreachable):
        level2.resume(run)
    assert level2.ledger.runs.outcomes(run)["pending"] == 1
    level2.control.clear_faults()
    level2.resume(run)
    assert only(level2, run).outcome is Outcome.APPLIED
    assert len(level2.sent()) == 1


@pytest.mark.parametrize("point", ["after the send", "before the send"])
def test_killed_and_taken_up(level2, point):
    hook = after_it if point == "after the send" else before_it
    before = bibs(level2)
    plan = level2.plan(creating())
    run = level2.run_until_killed(plan, catalogue={"post": hook})
    level2.resume(run)
    result = only(level2, run)
    stored = bibs(level2) - before
    assert stored == ({result.record} if point == "after the send" else set())
    assert result.outcome is (Outcome.APPLIED if stored else Outcome.UNKNOWN)
    assert len(level2.sent()) == len(stored)


# --- settled by a person ---------------------------------------------------------------------


def said(applied, record=None, by="Anna", reason="sökt i katalogen"):
    return Settlement(applied=applied, record=record, by=by, reason=reason, recorded_by="op@desk")


def settling(rig):
    from bulkrunner.domain.catalogue import Found

    def read(run, record):
        answer = rig.catalogue().read(record)
        return answer if isinstance(answer, Found) else None

    return Settler(rig.ledger, rig.clock, read=read)


@pytest.fixture
def unknown(level2):
    """A completed run whose only change, the creation of a bib, is unknown; and its ISBN."""
    isbn = f"{next(ISBNS)}"
    plan = level2.plan(creating(isbn))
    level2.control.fault("close_before", method="POST", path="/data", times=1)
    run = level2.run(plan)
    assert run.state is RunState.COMPLETED
    return run, isbn


def test_settled_as_not_applied_it_can_be_planned_again(level2, unknown):
    run, _ = unknown
    settling(level2).settle(run.id, "1", said(False))
    result = only(level2, run)
    assert (result.outcome, result.code) == (Outcome.FAILED, "settled")
    assert result.detail["settled"]["by"] == "Anna"
    assert result.detail["settled"]["recorded_by"] == "op@desk"
    assert "sökt i katalogen" in result.message
    assert level2.ledger.runs.outcomes(run.id)["unknown"] == 0
    assert level2.ledger.chain.verify() is None
    assert level2.ledger.chain.check() == []


def test_settled_as_applied_with_its_record(level2, unknown):
    run, isbn = unknown
    record = posted(level2, isbn)
    settling(level2).settle(run.id, f"{run.plan}.1", said(True, record))
    result = only(level2, run)
    assert (result.outcome, result.record) == (Outcome.APPLIED, record)
    assert result.etag
    assert level2.verify(run).differences == []


@pytest.mark.parametrize(
    ("change", "given", "code"),
    [
        ("1", {"applied": True}, "record_missing"),
        ("1", {"applied": True, "record": "nosuchrecord0000"}, "record_not_found"),
        ("1", {"applied": False, "record": "nosuchrecord0000"}, "record_not_wanted"),
        ("2", {"applied": False}, "unknown_change"),
        ("other.1", {"applied": False}, "unknown_change"),
        ("x", {"applied": False}, "unknown_change"),
        ("1", {"applied": False, "by": " "}, "usage"),
        ("1", {"applied": False, "reason": ""}, "usage"),
    ],
)
def test_what_cannot_be_settled(level2, unknown, change, given, code):
    run, _ = unknown
    with pytest.raises(UsageError) as raised:
        settling(level2).settle(run.id, change, said(**given))
    assert raised.value.code == code
    assert only(level2, run).outcome is Outcome.UNKNOWN


def test_a_holding_is_no_bib(level2, unknown):
    run, _ = unknown
    holding = level2.control.records("hold")[0]
    with pytest.raises(UsageError) as raised:
        settling(level2).settle(run.id, "1", said(True, holding))
    assert raised.value.code == "other_record"


def test_what_is_known_is_not_settled(level2):
    run = level2.run(level2.plan(creating()))
    with pytest.raises(UsageError) as raised:
        settling(level2).settle(run.id, "1", said(False))
    assert raised.value.code == "not_unknown"
    assert only(level2, run).outcome is Outcome.APPLIED
