"""Creation of holdings and bibs, each way it can go."""

import pytest

from bulkrunner.domain.run import Outcome
from tests.support.executing import Rig, creating_bib, creating_holding, held, somebodys_holding


def only(rig, run):
    (ended,) = rig.ended(run)
    return ended.result


def test_look_post_and_read(rig, bibs):
    bib = next(bibs)
    run = rig.run(rig.plan(creating_holding(bib, physicalLocation=["MAG"])))
    result = only(rig, run)
    assert rig.sent() == [("POST", 201)]
    assert held(rig, bib) == [result.record]
    assert (result.outcome, result.code, result.detail) == (Outcome.APPLIED, "", {})
    assert result.stored is None
    stored = rig.control.document(result.record)
    assert stored["@graph"][1]["physicalLocation"] == ["MAG"]
    assert result.stored_modified == stored["@graph"][0]["modified"]
    (ended,) = rig.ended(run)
    assert ended.attempts[0].words == result.record


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "close_after"},
        {"kind": "truncate"},
        {"kind": "status", "status": 500, "after": True},
        {"kind": "status", "status": 503, "after": True},
    ],
    ids=["close", "truncate", "500", "503"],
)
def test_lost_after_the_post_is_found_and_not_sent_again(rig, bibs, fault):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    rig.control.fault(method="POST", path="/data", times=1, **fault)
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [result.record]
    assert len(rig.sent()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "close_before"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 404},
    ],
    ids=["close", "500", "404"],
)
def test_lost_before_the_post_is_sent_again(rig, bibs, fault):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    rig.control.fault(method="POST", path="/data", times=1, **fault)
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [result.record]
    assert len(rig.sent()) == 2


def test_lost_after_the_post_and_then_edited(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    rig.control.fault("close_after", method="POST", path="/data", times=1)
    catalogue = rig.catalogue()
    real = catalogue.post

    def post(document, **kwargs):
        answer = real(document, **kwargs)
        rig.control.edit(held(rig, bib)[0], sigel="S")
        return answer

    catalogue.post = post
    result = only(rig, rig.run(plan, catalogue=catalogue, gate=catalogue.write_gate))
    assert result.outcome is Outcome.APPLIED
    assert result.detail["changed_since"]["by"] == "S"


def test_somebody_has_made_one_since_the_plan(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    other = somebodys_holding(rig, bib)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "duplicate")
    assert result.detail["existing"] == [other]
    assert result.record is None
    assert [method for method, _ in rig.sent()] == ["POST"]  # the other one's


def test_somebody_makes_one_just_before_our_post(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    rig.control.fault("foreign_edit", method="POST", path="/data", times=1, sigel="S")
    result = only(rig, rig.run(plan))
    assert rig.sent() == [("POST", 404)]
    assert (result.outcome, result.code) == (Outcome.REFUSED, "duplicate")
    assert result.detail["existing"] == held(rig, bib)


def test_lost_before_the_write_and_somebody_makes_another(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    rig.control.fault("close_before", method="POST", path="/data", times=1)
    catalogue = rig.catalogue()
    real = catalogue.post
    made = []

    def post(document, **kwargs):
        answer = real(document, **kwargs)
        made.append(somebodys_holding(rig, bib))
        return answer

    catalogue.post = post
    result = only(rig, rig.run(plan, catalogue=catalogue, gate=catalogue.write_gate))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "duplicate")
    assert result.detail["existing"] == made


def test_a_duplicate_answered_409(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    rig.control.fault("status", method="POST", path="/data", status=409)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "rejected")
    assert rig.sent() == [("POST", 409)]


def test_the_bib_is_gone(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    rig.control.edit(bib, delete=True)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "bib_gone")
    assert rig.sent() == [("POST", 404)]


def test_what_the_server_finds_invalid(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, noSuchProperty="x"))
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "invalid")
    assert result.detail["errors"][0]["type"] == "MISSING_DEFINITION"
    assert rig.sent() == [("POST", 400)]


def test_three_answers_that_stored_nothing(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    rig.control.fault("status", method="POST", path="/data", status=500)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.FAILED, "server_error")
    assert rig.sent() == [("POST", 500)] * 3


def test_the_servers_clock_may_be_hours_off(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    rig.control.move_clock(hours=-5)
    rig.control.fault("close_after", method="POST", path="/data", times=1)
    result = only(rig, rig.run(plan))
    rig.control.move_clock(hours=5)
    assert result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [result.record]


@pytest.fixture
def level2(sandbox, tmp_path):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    yield rig
    sandbox.staging.clear_faults()
    rig.close()


def test_a_bib(level2):
    before = set(level2.control.records("bib"))
    result = only(level2, level2.run(level2.plan(creating_bib("En bok"))))
    assert result.outcome is Outcome.APPLIED
    assert set(level2.control.records("bib")) - before == {result.record}


@pytest.mark.parametrize("kind", ["close_before", "close_after"])
def test_a_bib_whose_answer_is_lost_is_unknown_and_never_sent_again(level2, kind):
    before = len(level2.control.records("bib"))
    plan = level2.plan(creating_bib("En annan bok"))
    level2.control.fault(kind, method="POST", path="/data")
    run = level2.run(plan)
    result = only(level2, run)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "bib_create_unproven")
    assert result.detail["sent_at"]
    assert len(level2.sent()) == 1
    assert len(level2.control.records("bib")) - before == (kind == "close_after")


def test_a_bib_is_sent_again_where_the_catalogue_did_not_take_the_token(level2):
    plan = level2.plan(creating_bib("En tredje bok"))
    level2.control.fault("expire_token", method="POST", path="/data", times=1)
    assert only(level2, level2.run(plan)).outcome is Outcome.APPLIED
    assert level2.sent() == [("POST", 401), ("POST", 201)]


def test_a_bib_that_could_not_be_stored(level2):
    plan = level2.plan(creating_bib("En fjärde bok"))
    level2.control.fault("status", method="POST", path="/data", status=404)
    result = only(level2, level2.run(plan))
    assert (result.outcome, result.code) == (Outcome.FAILED, "not_stored")
    assert level2.sent() == [("POST", 404)]
