"""Verification: every record of a run read again."""

import pytest

from tests.support.executing import (
    appending,
    creating_holding,
    deleting,
    held,
    resaving,
    setting,
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
    assert rig.ledger.outcomes(run.id)["applied"] == 5
    (records["create"],) = held(rig, bib)
    return run, records


def codes(verified):
    return {found["record"]: found["code"] for found in verified.differences}


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


def test_a_deletion_that_the_write_undid(rig, own):
    record = next(own)
    run = rig.run(rig.plan(setting(record, "He")))
    stored = rig.control.document(record)
    rig.control.edit(record, sigel="S", delete=True)
    rig.control.revive(record, stored)
    assert codes(rig.verify(run)) == {record: "revived"}
