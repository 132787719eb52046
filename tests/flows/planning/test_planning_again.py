"""A second plan takes up what is left: what a run has done comes out unchanged, naming the run."""

import contextlib
import sqlite3

import pytest

from tests.support.cli import update_label


def again(place, job, *, expect=0):
    """Plan in staging; returns the document and its changes."""
    done = place("plan", job, "--env", "staging", expect=expect)
    return done.document


def run(place, job):
    return place("run", job, "--env", "staging").document["run"]


def messages(place, plan):
    """Action, code and message of each change, as stored."""
    with contextlib.closing(sqlite3.connect(place.ledger)) as database:
        return database.execute(
            "select action, code, message from planned_changes where plan = ? order by number",
            (plan,),
        ).fetchall()


@pytest.fixture
def staging(place):
    return place.sandbox.staging


def test_every_kind_of_change_comes_out_unchanged(place, own, free_bibs):
    job = place.job(
        "mixed",
        operations=[
            *update_label(own[:1], to="Hx", expect={"shelfMark.label": "Hc"}),
            {"delete": own[1]},
            {"create": "holding", "of": free_bibs[0], "sigel": "Ylm", "body": {}},
        ],
    )
    assert again(place, job)["counts"] == counts(update=1, delete=1, create=1)
    made = run(place, job)
    second = again(place, job)
    assert second["counts"] == counts(unchanged=3)
    assert second["findings"] == []
    for action, code, message in messages(place, second["plan"]):
        assert (action, code) == ("unchanged", "applied_earlier")
        assert made in message
    done = place("run", job, "--env", "staging")
    assert done.document["state"] == "completed"
    assert sum(done.document["outcomes"].values()) == 0


def counts(**some):
    names = ("create", "update", "delete", "unchanged", "refused", "not_found")
    return {**dict.fromkeys(names, 0), **some}


def test_what_a_limited_run_left_is_planned_again(place, own):
    job = place.job("rest", operations=update_label(own[2:5], to="Hr"))
    again(place, job)
    place("run", job, "--env", "staging", "--limit", "1", expect=6)
    assert again(place, job)["counts"] == counts(update=2, unchanged=1)


def test_a_change_that_is_not_idempotent_is_not_made_twice(place, own, staging):
    record = own[5]
    notes = [{"@type": "Note", "label": text} for text in ("one", "two", "three")]
    staging.edit(record, set={"hasNote": notes})
    operations = [{"update": record, "changes": [{"remove": {"at": "hasNote.0"}}]}]
    job = place.job("first-note", operations=operations)
    again(place, job)
    run(place, job)
    # Somebody else's edits since do not hide what was done.
    staging.edit(record, set={"shelfControlNumber": "1"})
    staging.edit(record, set={"shelfControlNumber": "2"})
    assert again(place, job)["counts"] == counts(unchanged=1)


def test_a_deleted_record_that_lives_again_is_planned_afresh(place, own, staging):
    record = own[6]
    before = staging.document(record)
    job = place.job("revived", operations=[{"delete": record}])
    again(place, job)
    run(place, job)
    staging.revive(record, before)
    assert again(place, job)["counts"] == counts(delete=1)


def test_a_created_record_that_somebody_deleted_is_refused(place, free_bibs, staging):
    operations = [{"create": "holding", "of": free_bibs[1], "sigel": "Ylm", "body": {}}]
    job = place.job("created", operations=operations)
    again(place, job)
    made = run(place, job)
    (created,) = next(e["stored"] for e in reversed(staging.writes()) if e["method"] == "POST")
    staging.edit(created, delete=True)
    second = again(place, job, expect=3)
    (finding,) = second["findings"]
    assert (finding["code"], finding["record"]) == ("deleted_since", free_bibs[1])
    assert made in finding["message"]


def test_another_operation_on_the_same_record_is_planned(place, own):
    job = place.job("other", operations=update_label([own[7]], to="Hx"))
    again(place, job)
    run(place, job)
    place.job("other", operations=update_label([own[7]], to="Hy"))
    assert again(place, job)["counts"] == counts(update=1)


def test_computed_values_and_conditions_do_not_make_a_step_twice(place, own, staging):
    records = own[12:15]
    note = {"@type": "Note", "label": {"$text": "Före {@row.Datum}: {shelfMark.label}"}}
    steps = [
        {
            "rows": {"file": "lista.csv", "key": "Id"},
            "where": {"shelfMark.label": {"starts_with": "Hc"}},
            "changes": [
                {"append": {"at": "hasNote", "value": note}},
                {"set": {"at": "shelfMark.label", "to": "Ny"}},
            ],
        }
    ]
    rows = "".join(f"{record};{2020 + n}\n" for n, record in enumerate(records))
    job = place.job("was", steps=steps, files={"lista.csv": "Id;Datum\n" + rows})
    assert again(place, job)["counts"] == counts(update=3)
    run(place, job)
    labels = [note["label"] for note in staging.document(records[0])["@graph"][1]["hasNote"]]
    assert labels[-1].startswith("Före 2020: Hc")
    # The condition is not met any more, and the note would read otherwise: it is done all the same.
    second = again(place, job)
    assert second["counts"] == counts(unchanged=3)
    assert {row[1] for row in messages(place, second["plan"])} == {"applied_earlier"}
    plan = place("plan", job, "--env", "production").document["plan"]
    gates = {gate["name"]: gate["open"] for gate in place("status", plan).document["gates"]}
    assert gates["staging"]


def test_what_a_row_says_anew_is_planned(place, own):
    record = own[15]
    steps = [
        {
            "rows": {"file": "lista.csv", "key": "Id"},
            "set": {"at": "shelfControlNumber", "to": {"$value": "@row.Nr"}},
        }
    ]
    job = place.job("anew", steps=steps, files={"lista.csv": f"Id;Nr\n{record};1\n"})
    again(place, job)
    run(place, job)
    place.job("anew", steps=steps, files={"lista.csv": f"Id;Nr\n{record};2\n"})
    assert again(place, job)["counts"] == counts(update=1)


def test_another_job_is_planned_whatever_this_one_did(place, own):
    job = place.job("one", operations=update_label([own[8]], to="Hz"))
    again(place, job)
    run(place, job)
    other = place.job("two", operations=update_label([own[8]], to="Hz"))
    (row,) = messages(place, again(place, other)["plan"])
    assert row[:2] == ("unchanged", "no_change")


def test_a_deletion_that_somebody_else_made_is_not_ours(place, own, staging):
    job = place.job("theirs", operations=[{"delete": own[9]}])
    staging.edit(own[9], delete=True)
    document = again(place, job)
    assert document["counts"] == counts(not_found=1)
    assert document["findings"][0]["code"] == "gone"


def test_planning_again_in_staging_does_not_take_the_proof_away(place, own):
    job = place.job("proved", operations=update_label(own[10:12], to="Hx"))
    again(place, job)
    run(place, job)
    again(place, job)
    plan = place("plan", job, "--env", "production").document["plan"]
    gates = {gate["name"]: gate["open"] for gate in place("status", plan).document["gates"]}
    assert gates["staging"]
    assert [name for name, is_open in gates.items() if not is_open] == ["approval"]


def test_a_second_production_plan_takes_up_what_the_first_left(place, own):
    job = place.job("halves", operations=update_label(own[12:15], to="Hx"))
    first = place.approved(job)
    place("run", job, "--env", "production", "--limit", "1", expect=6)
    second = place("plan", job, "--env", "production").document
    assert second["counts"] == counts(update=2, unchanged=1)
    # The approval was of the first plan; it neither counts for the second nor is it used up.
    assert place("run", job, "--env", "production", expect=4).closed == {"approval"}
    done = place("run", job, "--env", "production", "--plan", first).document
    assert done["outcomes"]["applied"] == 3
