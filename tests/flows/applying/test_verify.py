"""Verification: every record of a run read again."""

import contextlib
import copy

import pytest

from bulkrunner.domain.run import RunState
from bulkrunner.sandbox.seed import GLOBAL_SIGEL
from tests.crashes.adversary.hooks import Hooked
from tests.support.executing import (
    appending,
    creating_holding,
    deleting,
    held,
    resaving,
    setting,
    somebodys_holding,
)


@pytest.fixture
def done(rig, own, bibs):
    """A finished run of every kind of change, and its records."""
    records = {name: next(own) for name in ("set", "append", "resave", "delete")}
    bib = next(bibs)
    run = rig.run(
        rig.plan(
            setting(records["set"], "He"),
            appending(records["append"], "x"),
            resaving(records["resave"]),
            deleting(records["delete"]),
            creating_holding(bib, physicalLocation=["MAG"]),
        )
    )
    assert rig.ledger.runs.outcomes(run.id)["applied"] == 5
    (records["create"],) = held(rig, bib)
    return run, records


def codes(verified):
    found = {}
    for difference in verified.differences:
        found.setdefault(difference["record"], []).append(difference["code"])
    return {record: ", ".join(one) for record, one in found.items()}


@pytest.fixture(params=["staging", "production"])
def either(request, rig, production):
    return rig if request.param == "staging" else production


def test_all_is_as_the_run_left_it(rig, done):
    run, _ = done
    verified = rig.verify(run)
    assert (verified.checked, verified.differences) == (5, [])
    assert verified.requests > 5


def test_edits_and_deletions_since(rig, done):
    run, records = done
    rig.control.edit(records["set"], sigel="S")
    rig.control.edit(records["append"], delete=True)
    rig.control.edit(records["create"], sigel="S", set={"shelfControlNumber": "3"})
    verified = rig.verify(run)
    assert codes(verified) == {
        records["set"]: "edited",
        records["append"]: "deleted",
        records["create"]: "edited",
    }
    edited = next(d for d in verified.differences if d["record"] == records["set"])
    stored = rig.control.document(records["set"])["@graph"][0]["modified"]
    assert (edited["by"], edited["when"]) == ("S", stored)
    assert "S" in edited["message"]


def test_saved_again_without_a_change_is_no_difference(rig, done):
    run, records = done
    rig.control.edit(records["set"], sigel="S", set={})
    assert codes(rig.verify(run)) == {}


def test_a_deleted_record_that_is_there_again(rig, done):
    run, records = done
    history = rig.control.history(records["delete"])
    rig.control.send(
        "PUT",
        f"/{records['delete']}",
        history[-2].get("document") or history[-2]["doc"],
        headers={"If-Match": f'"{history[-1].get("etag") or history[-1].get("checksum")}"'},
    )
    assert rig.control.get(records["delete"]).status == 200
    assert codes(rig.verify(run)) == {records["delete"]: "exists"}


def test_what_ended_badly_but_is_there_all_the_same(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("status", method="PUT", status=400)
    run = rig.run(plan)
    assert codes(rig.verify(run)) == {}
    rig.control.clear_faults()
    rig.control.edit(record, sigel="S", set={"shelfMark.label": "He"})
    assert codes(rig.verify(run)) == {record: "done_all_the_same"}


def test_conflicts_are_left_alone(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    rig.control.edit(record, sigel="S")
    verified = rig.verify(rig.run(plan))
    assert (verified.checked, verified.differences) == (1, [])


def deleted_just_before_the_put(rig, record, **options):
    """Run one change of a record that a colleague deletes between our GET and our PUT."""
    before = rig.control.document(record)
    # Only a deletion as the record's own last author leaves its ETag as it is.
    before["@graph"][1]["shelfControlNumber"] = "9"
    rig.control.edit(record, sigel="Ylm", doc=before)
    plan = rig.plan(setting(record, "He"))
    rig.control.fault("foreign_edit", method="PUT", times=1, delete=True, sigel="Ylm", **options)
    run = rig.run(plan)
    rig.control.clear_faults()
    assert rig.ledger.runs.outcomes(run.id)["applied"] == 1
    assert rig.sent() == [("PUT", 204)]
    return run


def test_a_deletion_that_the_write_undid(either, own):
    record = next(own)
    run = deleted_just_before_the_put(either, record)
    (found,) = either.verify(run).differences
    written = either.control.document(record)["@graph"][0]
    assert (found["record"], found["code"]) == (record, "revived")
    assert (found["by"], found["when"]) == ("Ylm", written["modified"])


def test_a_deletion_that_the_write_undid_is_seen_below_later_edits(either, own):
    record = next(own)
    run = deleted_just_before_the_put(either, record)
    either.control.edit(record, sigel="S", set={"inventoryLevel": 3})
    either.control.edit(record, sigel="S", set={"inventoryLevel": 4})
    assert codes(either.verify(run)) == {record: "edited, revived"}


def test_a_record_that_somebody_brought_back_is_not_our_doing(either, own):
    record = next(own)
    run = either.run(either.plan(setting(record, "He")))
    stored = either.control.document(record)
    either.control.edit(record, sigel="S", delete=True)
    stored["@graph"][0]["recordStatus"] = "marc:CorrectedOrRevised"
    stored["@graph"][1]["inventoryLevel"] = 5
    etag = either.control.history(record)[-1]["etag"]
    answer = either.control.send(
        "PUT",
        f"/{record}",
        stored,
        client="global",
        sigel=GLOBAL_SIGEL,
        headers={"If-Match": f'"{etag}"'},
    )
    assert answer.status == 204, answer
    assert codes(either.verify(run)) == {record: "edited"}


def test_what_was_edited_is_told_with_its_places(either, own):
    record = next(own)
    run = either.run(either.plan(setting(record, "He")))
    either.control.edit(record, sigel="S", set={"shelfControlNumber": "3", "inventoryLevel": 7})
    (found,) = either.verify(run).differences
    when = either.control.document(record)["@graph"][0]["modified"]
    assert found == {
        "record": record,
        "code": "edited",
        "message": f"edited since by S at {when}: inventoryLevel, shelfControlNumber",
        "by": "S",
        "when": when,
    }


def test_each_update_is_two_reads(either, own):
    run = either.run(either.plan(*(setting(next(own), "He") for _ in range(3))))
    either.control.clear_log()
    verified = either.verify(run)
    assert verified.differences == []
    asked = [e["query"] for e in either.control.log() if "/oauth" not in e["path"]]
    assert sorted(asked) == sorted(["embellished=false"] * 3 + ["embellished=false&version=-2"] * 3)


def test_what_the_server_stored_otherwise_is_listed_and_its_clean_ups_are_not(either, own):
    odd, cleaned = next(own), next(own)

    def put(real, record, document, **sent):
        document = copy.deepcopy(document)
        if record == odd:
            document["@graph"][1]["shelfMark"]["label"] = "Hf"
        else:
            document["@graph"][1]["inventoryLevel"] = 11
        return real(record, document, **sent)

    plan = either.plan(setting(odd, "He"), setting(cleaned, "He"))
    catalogue = either.catalogue()
    run = either.begin(plan)
    first = {"catalogue": Hooked(catalogue, put=put), "gate": catalogue.write_gate}
    with contextlib.suppress(Exception):
        either.resume(run, **first)
    if either.ledger.runs.get(run).state is not RunState.COMPLETED:  # production stops at the first
        either.resume(run, **first)
    verified = either.verify(either.ledger.runs.get(run))
    (found,) = verified.differences
    assert (found["record"], found["code"]) == (odd, "stored_otherwise")
    assert "shelfMark.label" in found["message"]


def test_what_made_no_record_is_not_counted_as_read(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib))
    somebodys_holding(rig, bib)
    run = rig.run(plan)
    assert rig.ledger.runs.outcomes(run.id)["refused"] == 1
    assert rig.verify(run).checked == 0


def test_what_a_later_job_of_this_ledger_did_is_told_as_its_own(either, own):
    edited, deleted, others = next(own), next(own), next(own)
    plan = either.plan(*(setting(record, "He") for record in (edited, deleted, others)))
    run = either.run(plan)
    later = either.run(either.plan(setting(edited, "Hz"), deleting(deleted), job="later"))
    assert either.ledger.runs.outcomes(later.id)["applied"] == 2
    either.control.edit(others, sigel="S", set={"shelfControlNumber": "7"})
    told = {one["record"]: one["message"] for one in either.verify(run).differences}
    own_work = f"; by run {later.id} of job "
    assert own_work in told[edited]
    assert own_work in told[deleted]
    assert "by run" not in told[others]
