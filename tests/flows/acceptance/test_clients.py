"""Which API client did what; one that is retired is blocked, and KB is told."""

import sqlite3
from contextlib import closing

import pytest

from tests.support.cli import update_label


@pytest.fixture
def job(place, own):
    return place.job("marks", operations=update_label(own[:2], to="Hans"))


def test_clients_are_listed_with_what_they_did(place, job):
    assert place("clients").document["clients"] == []
    place.approved(job)
    run = place("run", job, "--env", "production").document["run"]
    done = place("clients")
    found = {client["environment"]: client for client in done.document["clients"]}
    assert set(found) == {"staging", "production"}
    client = found["production"]
    assert client["client"] == place.environ()["BULKRUNNER_PRODUCTION_CLIENT_ID"]
    assert client["last_use"] == run
    assert client["retired_at"] is None
    assert [(use["what"], use["job"]) for use in client["uses"]] == [
        ("run", "marks"),
        ("plan", "marks"),
    ]
    assert client["uses"][0]["state"] == "completed"
    assert f"run {run} of marks" in done.stderr


def test_a_retired_client_plans_and_runs_no_more_and_kb_is_told(place, job):
    plan = place.approved(job)
    name = place.environ()["BULKRUNNER_PRODUCTION_CLIENT_ID"]
    out = place.folder / "notice.txt"
    done = place("clients", "retire", "production", "--by", "Eva Berg", "--out", out).document
    assert (done["environment"], done["client"]) == ("production", name)
    assert done["notice"] == str(out)
    text = out.read_text(encoding="utf-8")
    for words in (
        *("ber KB att stänga av kontot", "ask KB to deactivate", f"Klient-id: {name}"),
        *("Eva Berg", "Bibliotek: Ylm", "Jobs: marks", "Agreements: KB 1"),
        place.sandbox.production.token_url,
    ):
        assert words in text, words
    assert "secret" not in text.replace("its secret is removed", "")

    requests = len(place.sandbox.production.log())
    for command in (
        ["plan", job, "--env", "production"],
        ["run", job, "--env", "production"],
    ):
        refused = place(*command, expect=7).document["error"]
        assert refused["code"] == "client_retired", command
        assert "Eva Berg" in refused["message"]
        assert refused["hint"]
    assert len(place.sandbox.production.log()) == requests, "the login was not asked either"
    gates = {gate["name"]: gate for gate in place("status", plan).document["gates"]}
    assert "was retired" in gates["rights"]["reason"]
    place("plan", job, "--env", "staging")  # the other client goes on

    again = place("clients", "retire", "production", "--out", place.folder / "x", expect=2).document
    assert again["error"]["code"] == "client_retired_before"
    listed = {one["environment"]: one for one in place("clients").document["clients"]}
    assert listed["production"]["retired_by"] == "Eva Berg"


def test_another_client_of_the_environment_goes_on(place, job):
    place("plan", job, "--env", "production")
    place("clients", "retire", "production", "--out", place.folder / "notice.txt")
    place.client = "cataloguer"
    assert place("plan", job, "--env", "production").document["state"] == "complete"


def test_a_client_by_name(place, job):
    place("plan", job, "--env", "staging")
    refused = place("clients", "retire", "staging", "nobody", expect=2).document["error"]
    assert refused["code"] == "unknown_client"
    name = place.environ()["BULKRUNNER_STAGING_CLIENT_ID"]
    place.variables |= {"BULKRUNNER_STAGING_CLIENT_ID": "", "BULKRUNNER_STAGING_CLIENT_SECRET": ""}
    out = place.folder / "n.txt"
    assert place("clients", "retire", "staging", name, "--out", out).document["client"] == name


def test_nothing_is_blocked_where_the_notice_s_place_is_taken(place, job):
    place("plan", job, "--env", "staging")
    out = place.folder / "notice.txt"
    out.write_text("mine", encoding="utf-8")
    refused = place("clients", "retire", "staging", "--out", out, expect=2).document["error"]
    assert refused["code"] == "not_written"
    assert out.read_text(encoding="utf-8") == "mine"
    place("plan", job, "--env", "staging")


def test_an_unfinished_run_is_told(place, job):
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging", "--limit", "1", expect=6).document["run"]
    done = place("clients", "retire", "staging", "--out", place.folder / "n.txt")
    assert f"run {run} stays unfinished" in done.stderr
    assert place("resume", run, expect=7).document["error"]["code"] == "client_retired"


def test_doctor_speaks_of_a_client_that_nobody_uses(place, job):
    place("plan", job, "--env", "staging")
    place("plan", job, "--env", "production")
    assert place("doctor").document["idle_clients"] == []
    with closing(sqlite3.connect(place.ledger, isolation_level=None)) as raw:
        raw.execute(
            "UPDATE clients SET last_used_at = '2020-01-01T00:00:00.000000+00:00' "
            "WHERE environment = 'staging'"
        )
    done = place("doctor")
    (idle,) = done.document["idle_clients"]
    assert idle["environment"] == "staging"
    assert "bulkrunner clients retire staging" in done.stderr
    place.configure(policy={"client_unused_days": 36000})
    assert place("doctor").document["idle_clients"] == []
    place.configure(policy={"client_unused_days": 0})
    assert len(place("doctor").document["idle_clients"]) == 2
    place("clients", "retire", "staging", "--out", place.folder / "n.txt")
    done = place("doctor", expect=7)
    assert [one["environment"] for one in done.document["idle_clients"]] == ["production"]
    assert "was retired" in done.stderr
