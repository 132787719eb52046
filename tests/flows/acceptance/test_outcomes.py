"""What becomes of changes when the catalogue is not as the plan found it."""

import json

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import Shape
from tests.support.cli import update_label
from tests.support.sandbox import BIBS, HOLDINGS


def versions(environment, record):
    return len(environment.history(record))


def test_an_edit_between_plan_and_run_is_a_conflict_and_the_rest_is_applied(place, own):
    job = place.job("edited", operations=update_label(own[:5], to="He"))
    place.approved(job)
    production = place.sandbox.production
    production.edit(own[2], set={"shelfControlNumber": "17"})
    stored = production.history(own[2])
    done = place("run", job, "--env", "production", expect=5)
    assert done.document["outcomes"]["conflict"] == 1
    assert done.document["outcomes"]["applied"] == 4
    assert done.document["state"] == "completed"
    assert production.history(own[2]) == stored
    again = place("run", job, "--env", "production", expect=5)
    assert again.document["run"] == done.document["run"]
    assert again.document["requests"] == 0


def test_a_failure_stops_neither_the_others_nor_the_account_of_it(place, own, tmp_path):
    records = own[-6:]
    failing = records[2]
    job = place.job("failing", operations=update_label(records, to="He"))
    place("plan", job, "--env", "staging")
    staging = place.sandbox.staging
    staging.fault("status", method="PUT", path=failing, status=500)
    done = place("run", job, "--env", "staging", expect=5).document
    staging.clear_faults()
    assert (done["outcomes"]["failed"], done["outcomes"]["applied"]) == (1, 5)
    # A report that cannot be written loses nothing: the ledger knows, and writes it elsewhere.
    nowhere = tmp_path / "none" / "run.jsonl"
    place("report", done["run"], "--format", "jsonl", "--out", nowhere, expect=None)
    path = tmp_path / "run.jsonl"
    place("report", done["run"], "--format", "jsonl", "--out", path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ended = {line["record"]: line["outcome"] for line in lines if "record" in line}
    assert ended == dict.fromkeys(records, "applied") | {failing: "failed"}


def test_a_holding_deleted_between_plan_and_run_is_not_revived(place, own):
    job = place.job("deleted", operations=update_label([own[5]], to="He"))
    place.approved(job)
    production = place.sandbox.production
    production.edit(own[5], delete=True)
    done = place("run", job, "--env", "production", expect=5)
    assert done.document["outcomes"]["conflict"] == 1
    assert production.get(own[5]).status == 410
    assert [entry for entry in production.writes() if own[5] in entry["path"]] == []


def test_a_204_that_stored_nothing_ends_refused(place, own):
    job = place.job("nothing", operations=update_label([own[6]], to="He"))
    place("plan", job, "--env", "staging")
    staging = place.sandbox.staging
    library_gone(staging)
    done = place("run", job, "--env", "staging", expect=None)
    assert done.exit_code == 5
    assert done.document["outcomes"]["refused"] == 1
    written = [entry for entry in staging.writes() if own[6] in entry["path"]]
    assert [entry["status"] for entry in written] == [204]


def library_gone(environment):
    for record in environment.records("auth") + environment.records("none"):
        document = environment.document(record)
        if document["@graph"][1]["@id"].endswith("/library/Ylm"):
            environment.edit(record, delete=True)
            return
    raise AssertionError("the seed has no record of the library")


def test_a_shelf_mark_in_a_component_is_not_doubled_at_the_top(place):
    record = seed.example_ids(
        kind="holding", sigel="Ylm", shape=Shape.ONE_COMPONENT, bibs=BIBS, holdings=HOLDINGS
    )[0]
    job = place.job("inside", operations=update_label([record]))
    done = place("plan", job, "--env", "staging", expect=3)
    assert done.document["findings"][0]["code"] == "in_component"
    assert done.document["counts"]["refused"] == 1


def test_both_environments_get_their_own_iris(place):
    bibs = seed.example_ids(kind="bib", without="Ylm", n=2, bibs=BIBS, holdings=HOLDINGS)
    operations = [{"create": "holding", "of": bib, "sigel": "Ylm", "body": {}} for bib in bibs]
    job = place.job("iris", operations=operations)
    place.approved(job)
    place("run", job, "--env", "production")
    for environment in place.sandbox.environments:
        for bib in bibs:
            made = [
                record
                for record in environment.records("hold", "Ylm")
                if environment.document(record)["@graph"][1]["itemOf"]["@id"]
                == environment.thing_iri(bib)
            ]
            assert len(made) == 1
            document = environment.document(made[0])
            assert document["@graph"][0]["@id"] == environment.record_iri(made[0])
            library = document["@graph"][1]["heldBy"]["@id"]
            assert library == "https://libris.kb.se/library/Ylm"


def test_an_expected_value_that_is_not_there_refuses(place, own):
    operations = update_label([own[7]], expect={"shelfMark.label": "Ziggurat"})
    done = place("plan", place.job("expect", operations=operations), "--env", "staging", expect=3)
    assert done.document["findings"][0]["code"] == "unexpected_value"


def test_what_is_missing_is_reported_and_refuses_only_when_asked(place, own):
    unknown = "bcdfghjklmnpqr0"
    operations = [*update_label([own[8]], to="Hm"), {"delete": unknown}]
    done = place("plan", place.job("missing", operations=operations), "--env", "staging")
    assert done.document["counts"]["not_found"] == 1
    assert done.document["findings"][0]["record"] == unknown
    strict = place.job("strict", operations=operations, on_missing="refuse")
    place("plan", strict, "--env", "staging", expect=3)


def test_ceilings_refuse_the_plan_and_close_the_gate(place, own):
    job = place.job("ceiling", operations=update_label(own[9:12], to="Hn"), ceilings={"update": 2})
    done = place("plan", job, "--env", "staging", expect=3)
    assert done.document["findings"][0]["code"] == "ceiling"
    run = place("run", job, "--env", "staging", expect=4)
    assert run.closed == {"ceilings"}


def test_a_create_where_a_holding_exists_is_a_duplicate(place, own):
    holding = place.sandbox.staging.document(own[0])
    bib = holding["@graph"][1]["itemOf"]["@id"].rpartition("/")[2].removesuffix("#it")
    operations = [{"create": "holding", "of": bib, "sigel": "Ylm", "body": {}}]
    done = place("plan", place.job("twice", operations=operations), "--env", "staging", expect=3)
    finding = done.document["findings"][0]
    assert finding["code"] == "duplicate"
    assert own[0] in finding["message"]
    assert finding["record"] == bib


def test_verify_says_who_changed_what_since(place, own):
    job = place.job("verify", operations=update_label([own[12], own[13]], to="Hv"))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    assert place("verify", run).document["differences"] == []
    place.sandbox.staging.edit(own[12], set={"shelfControlNumber": "3"})
    done = place("verify", run, expect=5)
    assert [found["record"] for found in done.document["differences"]] == [own[12]]
    assert done.document["checked"] == 2
