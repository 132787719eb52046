"""Deletes, each way they can go."""

from urllib.parse import urlencode

import pytest

from bulkrunner.domain.run import Outcome
from tests.support.executing import Rig, deleting, somebodys_holding


def only(rig, run):
    (ended,) = rig.ended(run)
    return ended.result


def versions(rig, record):
    return len(rig.control.history(record))


def requests(rig):
    return [
        (e["method"], "version" in e["query"], e["status"])
        for e in rig.control.log()
        if "/oauth/" not in e["path"]
    ]


def test_get_delete_get_and_what_was_removed(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    before = versions(rig, record)
    result = only(rig, rig.run(plan))
    assert requests(rig) == [
        ("GET", False, 200),
        ("DELETE", False, 204),
        ("GET", False, 410),
        ("GET", True, 200),
    ]
    assert (result.outcome, result.code, result.detail) == (Outcome.APPLIED, "", {})
    assert result.stored is None
    assert versions(rig, record) == before + 1


def test_edited_since_the_plan(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.edit(record, set={"shelfControlNumber": "17"}, sigel="S")
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code, result.detail["by"]) == (Outcome.CONFLICT, "edited", "S")
    assert rig.sent() == []
    assert rig.control.get(record).status == 200


def test_deleted_since_the_plan(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.edit(record, delete=True)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.UNCHANGED, "done_by_other")
    assert rig.sent() == []


def test_an_edit_between_look_and_delete_is_reported_and_its_content_kept(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.fault(
        "foreign_edit", method="DELETE", times=1, sigel="S", set={"shelfControlNumber": "99"}
    )
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.APPLIED, "deleted_over_edit")
    assert result.detail["deleted_over_edit"]["by"] == "S"
    assert result.stored["@graph"][1]["shelfControlNumber"] == "99"


def test_a_resave_between_look_and_delete_is_no_edit(rig, own):
    """It moves the ETag and says nothing; a set turned round moves not even that."""
    record = next(own)
    rig.control.edit(record, sigel="S", set={"cataloguersNote": ["a", "b"]})
    plan = rig.plan(deleting(record))
    rig.control.fault(
        "foreign_edit", method="DELETE", times=1, sigel="S", set={"cataloguersNote": ["b", "a"]}
    )
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code, result.detail) == (Outcome.APPLIED, "", {})


def test_deleted_between_look_and_delete(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    before = versions(rig, record)
    rig.control.fault("foreign_edit", method="DELETE", times=1, delete=True)
    result = only(rig, rig.run(plan))
    assert rig.sent() == [("DELETE", 410)]
    # A proxy may have sent ours twice, and this be the answer to the second.
    assert (result.outcome, result.code) == (Outcome.APPLIED, "author_unproven")
    assert versions(rig, record) == before + 1


@pytest.mark.parametrize(
    "fault",
    [{"kind": "close_after"}, {"kind": "status", "status": 500, "after": True}],
    ids=["close", "500"],
)
def test_lost_after_the_delete(rig, own, fault):
    record = next(own)
    plan = rig.plan(deleting(record))
    before = versions(rig, record)
    rig.control.fault(method="DELETE", times=1, **fault)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.APPLIED, "author_unproven")
    assert len(rig.sent()) == 1
    assert versions(rig, record) == before + 1


@pytest.mark.parametrize(
    "fault",
    [{"kind": "close_before"}, {"kind": "status", "status": 500}],
    ids=["close", "500"],
)
def test_lost_before_the_delete(rig, own, fault):
    record = next(own)
    plan = rig.plan(deleting(record))
    before = versions(rig, record)
    rig.control.fault(method="DELETE", times=1, **fault)
    result = only(rig, rig.run(plan))
    assert result.outcome is Outcome.APPLIED
    assert len(rig.sent()) == 2
    assert versions(rig, record) == before + 1


def test_lost_before_and_then_edited_is_not_deleted(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.fault("close_before", method="DELETE", times=1)
    rig.control.fault("foreign_edit", method="GET", path=record, nth=2, sigel="S")
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.detail["by"]) == (Outcome.CONFLICT, "S")
    assert rig.control.get(record).status == 200


def test_lost_after_and_then_brought_back_is_not_deleted_again(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    document = rig.control.document(record)
    rig.control.fault("close_after", method="DELETE", times=1)

    catalogue = rig.catalogue()
    real = catalogue.delete

    def delete(record_id, **kwargs):
        answer = real(record_id, **kwargs)
        restore(rig, record_id, document)
        return answer

    catalogue.delete = delete
    result = only(rig, rig.run(plan, catalogue=catalogue, gate=catalogue.write_gate))
    assert result.outcome is Outcome.CONFLICT
    assert len([sent for sent in rig.sent() if sent[0] == "DELETE"]) == 1
    assert rig.control.get(record).status == 200


def restore(rig, record, document):
    """Bring a deleted record back as it was, the way the server lets anybody do it."""
    for guess in (rig.control.history(record)[-1], rig.control.history(record)[-2]):
        etag = guess.get("etag") or guess.get("checksum")
        answer = rig.control.send("PUT", f"/{record}", document, headers={"If-Match": f'"{etag}"'})
        if answer.status == 204:
            return
    raise AssertionError(answer)


def test_204_and_still_there(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.fault("status", method="DELETE", status=204, body="")
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "not_deleted")
    assert rig.sent() == [("DELETE", 204)]


def test_three_5xx_with_nothing_deleted(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.fault("status", method="DELETE", status=500)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.FAILED, "server_error")
    assert rig.sent() == [("DELETE", 500)] * 3


def test_history_that_cannot_be_read_back(rig, own):
    record = next(own)
    plan = rig.plan(deleting(record))
    rig.control.fault("status", method="GET", path="version=-2", status=500)
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.APPLIED, "removed_unread")


def test_a_bib_that_something_links_to(sandbox, bibs, tmp_path):
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    bib = next(bibs)
    for iri in links(rig, bib):
        rig.control.edit(iri.rpartition("/")[2], delete=True)
    plan = rig.plan(deleting(bib))
    somebodys_holding(rig, bib)
    rig.control.clear_log()
    result = only(rig, rig.run(plan))
    assert (result.outcome, result.code) == (Outcome.REFUSED, "linked")
    assert "referenced by" in result.message
    assert rig.sent() == [("DELETE", 403)]
    rig.close()


def links(rig, bib):
    query = urlencode({"id": rig.control.thing_iri(bib), "reverse": "true"})
    return rig.control.get("_dependencies", query).json
