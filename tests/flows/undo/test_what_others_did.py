"""What others did to a run's records meanwhile: each is restored, left alone, or listed."""

import json

import pytest

from bulkrunner.adapters.machine import SystemClock
from bulkrunner.adapters.pacing.pace import Pace
from tests.flows.undo.test_undo import content, content_of_new, counts, created, outcomes, undone
from tests.support.cli import update_label
from tests.support.pages import Page
from tests.support.sandbox import wait_until


@pytest.fixture
def staging(place):
    place.sandbox.staging.clear_faults()
    yield place.sandbox.staging
    place.sandbox.staging.clear_faults()


def run(place, name, operations, **keys):
    """Plan and run a job in staging; returns the run's id."""
    job = place.job(name, operations=operations, **keys)
    place("plan", job, "--env", "staging")
    return place("run", job, "--env", "staging").document["run"]


def planned(place, back):
    return place("plan", back, "--env", "staging").document


def codes(document):
    return {found["record"]: found["code"] for found in document["findings"]}


def creating(bib):
    return {"create": "holding", "of": bib, "sigel": "Ylm", "body": {"physicalLocation": ["M"]}}


def test_what_somebody_has_put_back_already(place, staging, own):
    record = own[38]
    before = staging.document(record)
    made = run(place, "putback", update_label([record], to="Hx"))
    staging.edit(record, sigel="S", doc=before)
    assert planned(place, undone(place, made))["counts"] == counts(unchanged=1)


def test_a_list_that_somebody_turned_round(place, staging, own):
    """Its order says nothing, so the record is as the run left it; what was there first comes back."""
    record = own[37]
    staging.edit(record, sigel="Ylm", set={"cataloguersNote": ["a", "b"]})
    before = staging.document(record)
    change = {"append": {"at": "cataloguersNote", "value": "c"}}
    made = run(place, "turned", [{"update": record, "changes": [change]}])
    assert staging.document(record)["@graph"][1]["cataloguersNote"] == ["a", "b", "c"]
    staging.edit(record, sigel="S", set={"cataloguersNote": ["c", "b", "a"]})
    back = undone(place, made)
    assert planned(place, back)["counts"] == counts(update=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    assert content(staging.document(record)) == content(before)


def test_an_updated_record_that_was_deleted_since_stays_deleted(place, staging, own):
    record = own[39]
    made = run(place, "then-gone", update_label([record], to="Hx"))
    staging.edit(record, sigel="S", delete=True)
    done = planned(place, undone(place, made))
    assert done["counts"] == counts(not_found=1)
    assert codes(done) == {record: "gone"}


def test_a_created_record_that_was_deleted_since(place, staging, free_bibs):
    made = run(place, "made-gone", [creating(free_bibs[20])])
    staging.edit(created(staging), sigel="S", delete=True)
    assert planned(place, undone(place, made))["counts"] == counts(unchanged=1)


def test_a_deleted_record_that_somebody_brought_back(place, staging, own):
    record = own[40]
    before = staging.document(record)
    made = run(place, "revived", [{"delete": record}])
    staging.revive(record, before)
    assert planned(place, undone(place, made))["counts"] == counts(unchanged=1)
    assert staging.get(record).status == 200


def test_a_deleted_record_that_somebody_brought_back_and_edited(place, staging, own):
    record = own[30]
    before = staging.document(record)
    made = run(place, "revived-edited", [{"delete": record}])
    staging.revive(record, before)
    staging.edit(record, sigel="S", set={"shelfMark.label": "Hannat"})
    done = planned(place, undone(place, made))
    assert (done["counts"], codes(done)) == (counts(refused=1), {record: "changed_since"})


def test_a_deleted_holding_whose_bib_somebody_deleted(place, staging, own):
    record = own[41]
    bib = staging.document(record)["@graph"][1]["itemOf"]["@id"].removesuffix("#it")
    bib = bib.removeprefix(staging.base_uri)
    made = run(place, "bibless", [{"delete": record}])
    staging.edit(bib, sigel="S", delete=True)
    done = planned(place, undone(place, made))
    assert done["counts"] == counts(not_found=1)
    assert "no such bib" in done["findings"][0]["message"]


def test_an_updated_holding_whose_bib_somebody_deleted(place, staging, own):
    """The server would answer 204 and store nothing."""
    record = own[49]
    bib = staging.document(record)["@graph"][1]["itemOf"]["@id"].removesuffix("#it")
    made = run(place, "orphan", update_label([record], to="Hx"))
    staging.edit(bib.removeprefix(staging.base_uri), sigel="S", delete=True)
    done = planned(place, undone(place, made))
    assert done["counts"] == counts(refused=1)
    assert codes(done) == {record: "bib_unresolved"}


def test_a_holding_that_somebody_made_anothers(place, staging, own):
    record = own[50]
    made = run(place, "anothers", update_label([record], to="Hx"))
    library = {"@id": "https://libris.kb.se/library/S"}
    staging.edit(record, sigel="S", set={"heldBy": library})
    done = planned(place, undone(place, made))
    assert done["counts"] == counts(refused=1)
    assert codes(done) == {record: "foreign_sigel"}


def test_a_holding_that_is_made_while_the_undo_waits(place, staging, own):
    record = own[51]
    thing = dict(staging.document(record)["@graph"][1])
    made = run(place, "meanwhile", [{"delete": record}])
    back = undone(place, made)
    assert planned(place, back)["counts"] == counts(create=1)
    head = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
    thing = {**thing, "@id": "_:T#it"}
    thing.pop("sameAs", None)
    assert staging.send("POST", "/data", {"@graph": [head, thing]}).status == 201
    done = place("run", back, "--env", "staging", expect=5)
    assert outcomes(done) == {"refused": 1}


def test_a_created_bib_on_which_a_library_has_a_holding_by_now(place, staging):
    place.client = "cataloguer"
    body = {"@type": "Instance", "hasTitle": [{"@type": "Title", "mainTitle": "Ny"}]}
    covers = {"agreement": {"reference": "KB 1", "covers": ["holdings", "bibs"]}}
    made = run(place, "held", [{"create": "bib", "sigel": "Ylm", "body": body}], **covers)
    bib = created(staging)
    head = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
    thing = {
        "@id": "_:T#it",
        "@type": "Item",
        "heldBy": {"@id": "https://libris.kb.se/library/S"},
        "itemOf": {"@id": staging.thing_iri(bib)},
    }
    answer = staging.send("POST", "/data", {"@graph": [head, thing]}, client="other", sigel="S")
    assert answer.status == 201
    done = planned(place, undone(place, made))
    assert done["counts"] == counts(refused=1)
    assert codes(done) == {bib: "linked"}
    assert staging.get(bib).status == 200


def test_an_edit_that_was_deleted_over_comes_back_with_the_record(place, staging, own):
    """What somebody wrote in the last instant is part of what was removed."""
    record = own[42]
    job = place.job("over", operations=[{"delete": record}])
    place("plan", job, "--env", "staging")
    staging.fault(
        "foreign_edit", method="DELETE", times=1, sigel="S", set={"shelfControlNumber": "99"}
    )
    made = place("run", job, "--env", "staging").document["run"]
    removed = staging.history(record)[-2]["document"]
    assert removed["@graph"][1]["shelfControlNumber"] == "99"
    back = undone(place, made)
    assert planned(place, back)["counts"] == counts(create=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    assert content_of_new(staging.document(created(staging))) == content_of_new(removed)


def test_a_deletion_that_may_have_been_somebody_elses_is_pointed_out(place, staging, own):
    record = own[43]
    job = place.job("whose", operations=[{"delete": record}])
    place("plan", job, "--env", "staging")
    staging.fault("close_before", method="DELETE", times=1)
    staging.fault("foreign_edit", method="GET", path=record, nth=2, sigel="S", delete=True)
    made = place("run", job, "--env", "staging").document["run"]
    done = planned(place, undone(place, made))
    assert done["counts"] == counts(create=1)
    assert "author_unproven" in {found["code"] for found in done["findings"]}


def test_what_is_edited_between_plan_and_run_of_the_undo(place, staging, own):
    ids = own[44:46]
    made = run(place, "between", update_label(ids, to="Hx"))
    back = undone(place, made)
    assert planned(place, back)["counts"] == counts(update=2)
    staging.edit(ids[0], sigel="S")
    kept = content(staging.document(ids[0]))
    done = place("run", back, "--env", "staging", expect=5)
    assert outcomes(done) == {"applied": 1, "conflict": 1}
    assert content(staging.document(ids[0])) == kept


def test_a_run_that_is_not_at_its_end_is_not_undone(place, staging, own):
    """While its process lives it is stopped first; one that was killed is resumed first, or ended."""
    job = place.job("going", operations=update_label(own[46:48], to="Hx"))
    place("plan", job, "--env", "staging")
    staging.fault("latency", method="PUT", ms=60_000)
    process = place.start("run", job, "--env", "staging")
    try:
        (started,) = wait_until(lambda: place("status").document["runs"])
        back = undone(place, started["run"])
        refused = place("plan", back, "--env", "staging", expect=2)
        assert refused.document["error"]["code"] == "still_running"
    finally:
        process.kill()
        process.communicate()
    staging.clear_faults()
    place("resume", started["run"])
    assert planned(place, back)["counts"] == counts(update=2)


def test_what_a_person_settled_as_made_is_taken_back(place, staging):
    place.client = "cataloguer"
    body = {"@type": "Instance", "hasTitle": [{"@type": "Title", "mainTitle": "Utan nummer"}]}
    covers = {"agreement": {"reference": "KB 1", "covers": ["holdings", "bibs"]}}
    job = place.job("lost", operations=[{"create": "bib", "sigel": "Ylm", "body": body}], **covers)
    place("plan", job, "--env", "staging")
    staging.fault("close_after", method="POST", path="/data", times=1)
    made = place("run", job, "--env", "staging", expect=5).document["run"]
    record = created(staging)
    said = ("--as", "applied", "--record", record, "--by", "Anna", "--reason", "sökt")
    place("settle", made, "1", *said)
    back = undone(place, made)
    assert planned(place, back)["counts"] == counts(delete=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    assert staging.get(record).status == 410


def test_the_report_tells_old_and_new_id(place, staging, own):
    record = own[48]
    back = undone(place, run(place, "ids", [{"delete": record}]))
    place("plan", back, "--env", "staging")
    again = place("run", back, "--env", "staging").document["run"]
    new = created(staging)
    for name in ("json", "jsonl", "csv", "html"):
        path = place.folder / f"ids.{name}"
        place("report", again, "--format", name, "--out", path)
        text = path.read_text(encoding="utf-8-sig")
        if name == "html":
            text = json.dumps(Page(text).rows())
        assert record in text, name
        assert new in text, name
    (change,) = json.loads((place.folder / "ids.json").read_text(encoding="utf-8"))["changes"]
    assert (change["given"], change["result"]["record"]) == (record, new)


def test_two_bibs_alike_come_back_one_after_the_other(place, staging):
    """After a lost answer nobody could tell which of the two was made."""
    place.client = "cataloguer"
    covers = {"agreement": {"reference": "KB 1", "covers": ["holdings", "bibs"]}}
    graph = [
        {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}},
        {"@id": "_:T#it", "@type": "Instance", "hasTitle": [{"@type": "Title"}]},
    ]
    alike = []
    for _ in range(2):
        staging.send("POST", "/data", {"@graph": graph}, client="cataloguer")
        alike.append(created(staging))
    back = undone(place, run(place, "alike", [{"delete": bib} for bib in alike], **covers))
    done = planned(place, back)
    assert done["counts"] == counts(create=1, refused=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    assert planned(place, back)["counts"] == counts(create=1, unchanged=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    assert planned(place, back)["counts"] == counts(unchanged=2)


# --- what stands between -------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch):
    """The program waits for next to no time."""
    monkeypatch.setattr(SystemClock, "sleep", lambda _clock, _seconds: None)
    monkeypatch.setattr(Pace, "rest", lambda _pace, _seconds: None)


@pytest.mark.parametrize("page", ["404-html", "410-html", "302-maintenance", "404-other-code"])
def test_no_record_is_left_out_because_something_else_answers(place, staging, own, hurried, page):
    record = own[-1 - ["404-html", "410-html", "302-maintenance", "404-other-code"].index(page)]
    made = run(place, f"behind-{page}", update_label([record], to="Hx"))
    back = undone(place, made)
    staging.fault("proxy", method="GET", path=record, page=page)
    verified = place("verify", made, expect=6).document
    assert not verified["differences"]
    assert "something else answered" in verified["error"]["message"]
    interrupted = place("plan", back, "--env", "staging", expect=6).document
    assert interrupted["state"] == "interrupted"
    assert interrupted["counts"]["not_found"] == interrupted["counts"]["refused"] == 0
    staging.clear_faults()
    assert place("resume", interrupted["plan"]).document["counts"] == counts(update=1)
    assert place("verify", made).document["differences"] == []
