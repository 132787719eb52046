"""A person settles what nobody could determine, and the run's exit code follows."""

import pytest

from tests.support.cli import Workplace

ISBN = "9786201234567"
BIB = {
    "create": "bib",
    "sigel": "Ylm",
    "record": {},
    "body": {
        "@type": "Instance",
        "hasTitle": [{"@type": "Title", "mainTitle": "En bok"}],
        "identifiedBy": [{"@type": "ISBN", "value": ISBN}],
    },
}
PERSON = ("--by", "Anna Ek", "--reason", "sökt i katalogen")


@pytest.fixture
def unknown(sandbox, tmp_path):
    """A workplace, a job, and its run whose only change is unknown."""
    place = Workplace(folder=tmp_path / "place", sandbox=sandbox, client="cataloguer")
    agreement = {"reference": "KB 1", "contact": "a@example.org", "covers": ["holdings", "bibs"]}
    job = place.job("newbib", operations=[BIB], agreement=agreement)
    place("plan", job, "--env", "staging")
    sandbox.staging.fault("close_before", method="POST", path="/data", times=1)
    done = place("run", job, "--env", "staging", expect=5)
    assert done.document["outcomes"]["unknown"] == 1
    return place, job, done.document["run"]


def test_as_not_applied(unknown):
    place, job, run = unknown
    done = place("settle", run, "1", "--as", "not-applied", *PERSON)
    assert done.document["run"] == run
    assert (done.document["was"], done.document["outcome"]) == ("unknown", "failed")
    assert done.document["outcomes"]["unknown"] == 0
    again = place("run", job, "--env", "staging", expect=5)
    assert again.document["outcomes"]["failed"] == 1
    assert again.document["requests"] == 0
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["create"] == 1


def test_as_applied_with_its_record(unknown):
    place, job, run = unknown
    staging = place.sandbox.staging
    before = set(staging.records("bib"))
    made = {
        "@graph": [
            {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}},
            {"@id": "_:T#it", **BIB["body"]},
        ]
    }
    assert staging.send("POST", "/data", made, client="cataloguer").status == 201
    (record,) = set(staging.records("bib")) - before
    staging.clear_log()
    iri = staging.record_iri(record)
    done = place("settle", run, "1", "--as", "applied", "--record", iri, *PERSON)
    assert done.document["record"] == record
    assert staging.writes() == []
    again = place("run", job, "--env", "staging")
    assert again.document["outcomes"]["applied"] == 1
    assert place("verify", run).document["differences"] == []
    assert place("ledger", "check").exit_code == 0
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["unchanged"] == 1


def test_what_makes_no_sense(unknown):
    place, _, run = unknown
    for change, *more in (
        ("1", "--as", "applied"),
        ("1", "--as", "perhaps"),
        ("7", "--as", "not-applied"),
        ("1", "--as", "applied", "--record", "../x y"),
    ):
        done = place("settle", run, change, *more, *PERSON, expect=2)
        assert done.document["outcome"] is None
