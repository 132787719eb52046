"""Updates, each way they can go, against the sandbox over HTTP."""

import json

import pytest

from bulkrunner.domain.run import Outcome, RunState
from tests.support.executing import appending, resaving, setting


def only(rig, run):
    (ended,) = rig.ended(run)
    return ended.result


def versions(rig, record):
    return len(rig.control.history(record))


def label(rig, record):
    return rig.control.document(record)["@graph"][1]["shelfMark"]["label"]


def requests(rig):
    return [(e["method"], e["status"]) for e in rig.control.log() if "/oauth/" not in e["path"]]


def test_get_put_get(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    run = rig.run(plan)
    result = only(rig, run)
    assert run.state is RunState.COMPLETED
    assert (result.outcome, result.code, result.stored) == (Outcome.APPLIED, "", None)
    assert requests(rig) == [("GET", 200), ("PUT", 204), ("GET", 200)]
    assert label(rig, record) == "He"
    assert versions(rig, record) == before + 1
    newest = rig.control.document(record)["@graph"][0]
    assert newest["descriptionLastModifier"]["@id"].endswith("/library/Ylm")
    assert result.stored_modified == newest["modified"]


def test_production_is_confirmed_by_a_conditional_read(production, own):
    records = [next(own) for _ in range(3)]
    plan = production.plan(*(setting(record, "He") for record in records))
    run = production.run(plan)
    assert [e.result.outcome for e in production.ended(run)] == [Outcome.APPLIED] * 3
    sent = requests(production)
    # The first of its kind is read back in full, the others are proven by 304.
    assert sent.count(("PUT", 204)) == 3
    assert sent.count(("GET", 304)) == 2
    assert sent[:3] == [("GET", 200), ("PUT", 204), ("GET", 200)]


def test_an_attempt_is_stored_with_its_answer(rig, own):
    record = next(own)
    etag = rig.control.get(record).headers["etag"].strip('"')
    run = rig.run(rig.plan(setting(record, "He")))
    (ended,) = rig.ended(run)
    (attempt,) = ended.attempts
    assert (attempt.number, attempt.method, attempt.etag) == (1, "PUT", etag)
    assert (attempt.answer, attempt.status) == ("done", 204)
    assert attempt.server_date is not None


def test_edited_since_the_plan(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    edited = rig.control.edit(record, set={"shelfControlNumber": "17"}, sigel="S")
    result = only(rig, rig.run(plan))
    stored = rig.control.document(record)["@graph"][0]["modified"]
    assert edited
    assert (result.outcome, result.code) == (Outcome.CONFLICT, "edited")
    assert result.detail == {"by": "S", "when": stored}
    assert rig.sent() == []


def test_deleted_since_the_plan_is_not_revived(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.edit(record, delete=True)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.CONFLICT, "deleted")
    assert rig.sent() == []
    assert rig.control.get(record).status == 410


def test_done_by_somebody_else(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.edit(record, set={"shelfMark.label": "He"}, sigel="S")
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.UNCHANGED, "done_by_other")
    assert result.detail["by"] == "S"
    assert rig.sent() == []


def test_saved_again_by_somebody_else_without_a_change(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.edit(record, set={}, sigel="S")
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED


def test_edited_between_our_look_and_our_put(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("foreign_edit", method="PUT", times=1, sigel="S")
    result = only(rig, rig.run(plan))
    assert rig.sent() == [("PUT", 412)]
    assert (result.outcome, result.code, result.detail["by"]) == (Outcome.CONFLICT, "edited", "S")
    assert label(rig, record) != "He"


def test_saved_unchanged_between_our_look_and_our_put_is_sent_again(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("foreign_edit", method="PUT", times=1, sigel="S", set={})
    before = versions(rig, record)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert rig.sent() == [("PUT", 412), ("PUT", 204)]
    assert versions(rig, record) == before + 2


LOST_BEFORE = [{"kind": "close_before"}, {"kind": "status", "status": 500}]
LOST_AFTER = [
    {"kind": "close_after"},
    {"kind": "truncate"},
    {"kind": "status", "status": 502, "body": "<h1>Bad Gateway</h1>", "after": True},
    {"kind": "status", "status": 503, "after": True},
    {"kind": "status", "status": 200, "body": "<html>hello</html>", "after": True},
    {"kind": "status", "status": 404, "after": True},
    {"kind": "status", "status": 302, "after": True},
    {"kind": "status", "status": 412, "after": True},
]


def name(fault):
    return f"{fault['kind']}-{fault.get('status', '')}"


@pytest.mark.parametrize("fault", LOST_BEFORE, ids=name)
def test_lost_before_the_write_is_sent_again(rig, own, fault):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    rig.control.fault(method="PUT", times=1, **fault)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.detail) == (Outcome.APPLIED, {})
    assert len(rig.sent()) == 2
    assert versions(rig, record) == before + 1


@pytest.mark.parametrize("fault", LOST_AFTER, ids=name)
def test_lost_after_the_write_is_not_sent_again(rig, own, fault):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    rig.control.fault(method="PUT", times=1, **fault)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code, result.detail) == (Outcome.APPLIED, "", {})
    assert result.etag == rig.control.get(record).headers["etag"].strip('"')
    assert len(rig.sent()) == 1
    assert versions(rig, record) == before + 1
    assert label(rig, record) == "He"


def test_lost_after_the_write_and_then_edited(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("close_after", method="PUT", times=1)
    rig.control.fault("foreign_edit", method="GET", path=record, nth=2, sigel="S")
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert result.detail["changed_since"]["by"] == "S"
    assert len(rig.sent()) == 1


def test_lost_after_the_write_and_then_deleted(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("close_after", method="PUT", times=1)
    rig.control.fault("foreign_edit", method="GET", path=record, nth=2, delete=True)
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert result.detail["changed_since"] == {"by": None, "when": None, "deleted": True}


def test_three_5xx_with_nothing_written_fail(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    rig.control.fault("status", method="PUT", status=500)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.FAILED, "server_error")
    assert rig.sent() == [("PUT", 500)] * 3
    assert len(result.detail["error_ids"]) == 3
    assert versions(rig, record) == before


def test_redirects_are_not_followed_and_nothing_is_sent_blindly(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    other = {"location": rig.control.record_iri(next(own)), "body": ""}
    rig.control.fault("status", method="PUT", status=302, **other)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.FAILED, "redirect")
    assert rig.sent() == [("PUT", 302)] * 3


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid"), (409, "rejected"), (403, "forbidden")]
)
def test_a_refusal_is_final(rig, own, status, code):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("status", method="PUT", status=status)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, code)
    assert rig.sent() == [("PUT", status)]


def test_204_with_nothing_stored(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    rig.control.fault("status", method="PUT", status=204, body="")
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "not_saved")
    assert rig.sent() == [("PUT", 204)]
    assert versions(rig, record) == before


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(rig, own, status):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("status", method="PUT", status=status, times=2)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert rig.sent() == [("PUT", status), ("PUT", status), ("PUT", 204)]
    assert sum(rig.clock.slept) > 10


def test_retry_after_is_honoured(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("status", method="PUT", status=503, times=1, retry_after=40)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert len(rig.sent()) == 2
    assert 39 < sum(rig.waits.slept) < 41


def test_a_resave_is_a_write_and_is_proven_by_its_time(rig, own):
    record = next(own)
    plan = rig.plan(resaving(record))
    before = versions(rig, record)
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert versions(rig, record) == before + 1
    again = only(rig, rig.run(rig.plan(resaving(record))))
    # Now the modifier is ours already, so the ETag stays the same.
    assert again.outcome is Outcome.APPLIED
    assert again.etag == result.etag
    assert versions(rig, record) == before + 2


def test_a_resave_lost_after_the_write(rig, own):
    record = next(own)
    plan = rig.plan(resaving(record))
    before = versions(rig, record)
    rig.control.fault("close_after", method="PUT", times=1)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert versions(rig, record) == before + 1


def test_a_resave_lost_before_the_write(rig, own):
    record = next(own)
    plan = rig.plan(resaving(record))
    before = versions(rig, record)
    rig.control.fault("close_before", method="PUT", times=1)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert versions(rig, record) == before + 1


def test_a_change_that_is_not_idempotent_is_made_once(rig, own):
    record = next(own)
    plan = rig.plan(appending(record, "weeded 2026"))
    rig.control.fault("close_after", method="PUT", times=1)
    rig.run(plan)
    notes = rig.control.document(record)["@graph"][1]["cataloguersNote"]
    assert notes.count("weeded 2026") == 1


def not_a_record(rig, record, **rule):
    rig.control.fault(
        "status",
        method="GET",
        path=record,
        status=200,
        body=json.dumps({"@graph": [{"@id": rig.control.record_iri(record)}]}),
        content_type="application/ld+json",
        **rule,
    )


def test_a_record_that_is_none_any_more_is_left_alone(rig, own):
    records = [next(own), next(own)]
    plan = rig.plan(*(setting(record, "He") for record in records))
    not_a_record(rig, records[0])
    run = rig.run(plan)
    first, second = (ended.result for ended in rig.ended(run))
    assert run.state is RunState.COMPLETED
    assert (first.outcome, first.code) == (Outcome.REFUSED, "unreadable_record")
    assert second.outcome is Outcome.APPLIED
    assert rig.sent() == [("PUT", 204)]


def test_a_record_that_is_none_after_a_lost_answer(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("close_before", method="PUT")
    not_a_record(rig, record, nth=list(range(2, 40)))
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "unreadable_record")
    assert len(rig.sent()) == 1


def test_history_that_cannot_be_read_back(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("close_after", method="PUT", times=1)
    rig.control.fault("status", method="GET", path="version=-2", status=500)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "history_unread")
    assert len(rig.sent()) == 1


# --- changes of others that the ETag does not show -----------------------------------------------


def with_several_notes(rig, record):
    """Give a record a list that the server keeps as a set; returns the list."""
    notes = ["a", "b", "c"]
    rig.control.edit(record, sigel="Ylm", set={"cataloguersNote": notes})
    return notes


def etag(rig, record):
    return rig.control.get(record).headers["etag"]


def turn_round(rig, record, notes):
    """Write the list the other way round, as whoever wrote it last; the ETag stays."""
    before = etag(rig, record)
    rig.control.edit(record, sigel="Ylm", set={"cataloguersNote": notes[::-1]})
    assert etag(rig, record) == before


def test_a_set_in_another_order_is_the_same_record(rig, own):
    record = next(own)
    notes = with_several_notes(rig, record)
    plan = rig.plan(setting(record, "He"))
    turn_round(rig, record, notes)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert rig.sent() == [("PUT", 204)]


def test_a_set_in_another_order_between_look_and_put(rig, own):
    """The server lets the PUT pass; nothing that anybody said is lost, the order means nothing."""
    record = next(own)
    notes = with_several_notes(rig, record)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault(
        "foreign_edit", method="PUT", times=1, sigel="Ylm", set={"cataloguersNote": notes[::-1]}
    )
    before = versions(rig, record)
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert versions(rig, record) == before + 2
    assert label(rig, record) == "He"


def test_a_resave_that_moves_nothing_but_the_time(rig, own):
    """Somebody of our own library saves it again while our answer is lost: that is not our write."""
    record = next(own)
    rig.control.edit(record, sigel="Ylm", set={})
    plan = rig.plan(setting(record, "He"))
    before = etag(rig, record)
    rig.control.fault("close_before", method="PUT", times=1)
    rig.control.fault("foreign_edit", method="GET", path=record, nth=2, sigel="Ylm", set={})
    assert only(rig, rig.run(plan)).outcome is Outcome.APPLIED
    assert len(rig.sent()) == 2
    assert etag(rig, record) != before


def test_our_write_with_a_set_turned_round_on_top(rig, own):
    record = next(own)
    with_several_notes(rig, record)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("close_after", method="PUT", times=1)
    rig.control.fault(
        "foreign_edit",
        method="GET",
        path=record,
        nth=2,
        sigel="S",
        set={"cataloguersNote": ["c", "b", "a"]},
    )
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert len(rig.sent()) == 1


# --- deletions that the ETag does not show -------------------------------------------------------


def its_modifier(rig, record):
    """Whoever wrote a record last; if they delete it, the ETag stays."""
    iri = rig.control.document(record)["@graph"][0]["descriptionLastModifier"]["@id"]
    return iri.rpartition("/")[2].replace("+", " ")


@pytest.mark.parametrize("answer", ["204", "lost"])
def test_a_put_that_undid_a_deletion_of_the_last_instant(rig, own, answer):
    """No request can prevent it; that it was our write is known also where its answer is lost."""
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    sigel = its_modifier(rig, record)
    rig.control.fault("foreign_edit", method="PUT", times=1, sigel=sigel, delete=True)
    if answer == "lost":
        rig.control.fault("close_after", method="PUT", times=1)
    before = versions(rig, record)
    run = rig.run(plan)
    result = only(rig, run)
    assert result.outcome is Outcome.APPLIED
    assert versions(rig, record) == before + 2
    if answer == "lost":
        assert (result.code, result.detail["revived"]["deleted"]) == ("revived", True)
    assert [found["code"] for found in rig.verify(run).differences] == ["revived"]
