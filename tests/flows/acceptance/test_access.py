"""Tokens that end, secrets that are wrong, logins that are down, clients that are shut off."""

import sqlite3

import pytest

from tests.support.cli import Workplace, update_label
from tests.support.sandbox import running_sandbox


@pytest.fixture
def alone(tmp_path):
    with running_sandbox() as control:
        yield Workplace(folder=tmp_path / "place", sandbox=control)


def test_a_token_that_ends_mid_run_is_renewed(alone, own):
    job = alone.job("token", operations=update_label(own[:10], to="Ht"))
    alone("plan", job, "--env", "staging")
    alone.sandbox.staging.fault("expire_token", method="PUT", nth=4)
    done = alone("run", job, "--env", "staging")
    assert done.document["outcomes"]["applied"] == 10
    for record in own[:10]:
        assert alone.sandbox.staging.document(record)["@graph"][1]["shelfMark"]["label"] == "Ht"


def test_a_wrong_secret(alone, own):
    job = alone.job("secret", operations=update_label(own[:1], to="Ht"))
    wrong = "not-the-secret-at-all"
    alone.variables = {"BULKRUNNER_STAGING_CLIENT_SECRET": wrong}
    done = alone("plan", job, "--env", "staging", expect=7)
    assert done.document["error"]["code"] == "login_refused"
    assert "invalid_client" in done.document["error"]["message"]
    assert wrong not in done.stderr + str(done.document)


def test_no_secret(alone, own):
    job = alone.job("none", operations=update_label(own[:1], to="Ht"))
    alone.variables = {"BULKRUNNER_STAGING_CLIENT_SECRET": ""}
    done = alone("plan", job, "--env", "staging", expect=7)
    assert "BULKRUNNER_STAGING_CLIENT_SECRET" in done.stderr


def test_a_login_that_is_down(alone, own):
    job = alone.job("down", operations=update_label(own[:1], to="Ht"))
    alone.sandbox.staging.fault("login_down")
    done = alone("plan", job, "--env", "staging", expect=7)
    assert done.document["error"]["code"] == "login_down"


def test_a_client_revoked_mid_run(alone, own):
    job = alone.job("revoked", operations=update_label(own[:10], to="Ht"))
    alone("plan", job, "--env", "staging")
    staging = alone.sandbox.staging
    staging.fault("revoke_client", method="PUT", nth=4, client="supplier")
    done = alone("run", job, "--env", "staging", expect=7)
    stored = [entry for entry in staging.writes() if entry["status"] == 204]
    assert done.document["outcomes"]["applied"] == len(stored)
    assert done.document["outcomes"]["pending"] == 10 - len(stored)
    assert done.document["state"] in ("stopped", "interrupted")


def test_a_refused_request_is_no_lost_right(alone, own):
    job = alone.job("forbidden", operations=update_label(own[:4], to="Ht"))
    alone("plan", job, "--env", "staging")
    alone.sandbox.staging.fault("status", method="PUT", status=403, nth=2)
    done = alone("run", job, "--env", "staging", expect=5)
    assert done.document["outcomes"]["refused"] == 1
    assert done.document["outcomes"]["applied"] == 3


def test_a_production_address_under_the_name_of_a_test_environment(alone, own):
    job = alone.job("lie", operations=update_label(own[:1]))
    alone.configure(staging={"base_url": "https://libris.kb.se", "kind": "test"})
    done = alone("plan", job, "--env", "staging", expect=2)
    assert done.document["error"]["code"] == "configuration"
    assert alone.sandbox.staging.log() == alone.sandbox.production.log() == []


def test_a_built_in_environments_secret_goes_to_its_own_login_only(alone, own):
    job = alone.job("elsewhere", operations=update_label(own[:1]))
    alone.configure(
        staging={
            "base_url": "https://libris-stg.kb.se",
            "base_uri": "https://libris-stg.kb.se/",
            "token_url": "https://login.example.org/oauth/token",
        }
    )
    done = alone("plan", job, "--env", "staging", expect=2)
    assert done.document["error"]["code"] == "configuration"
    assert "login-stg.libris.kb.se" in done.document["error"]["message"]
    assert alone.sandbox.staging.log() == []


def test_no_secret_and_no_token_is_anywhere(alone, own, tmp_path):
    job = alone.job("leak", operations=update_label(own[:5], to="Ht"))
    plan = alone.approved(job)
    alone.sandbox.production.fault("status", method="PUT", status=500, nth=2)
    out = [alone("-vv", "run", job, "--env", "production")]
    out.append(alone("status", plan))
    out.append(alone("doctor"))
    out += [
        alone("report", plan, "--format", form, "--out", tmp_path / f"r.{form}")
        for form in ("html", "json", "csv")
    ]
    hidden = [secret for env in alone.sandbox.environments for secret in env.secrets.values()]
    hidden += tokens_seen(alone)
    said = "".join(done.stderr + str(done.document) for done in out).encode()
    files = [path for path in [*alone.folder.rglob("*"), *tmp_path.glob("r.*")] if path.is_file()]
    assert alone.ledger in files
    with sqlite3.connect(alone.ledger) as database:
        dumped = "\n".join(database.iterdump()).encode()
    database.close()
    for word in hidden:
        assert len(word) > 10
        for data in [said, dumped, *(path.read_bytes() for path in files)]:
            assert word.encode() not in data


def tokens_seen(place):
    assert place.sandbox.running is not None
    found = []
    for served in (place.sandbox.running.test, place.sandbox.running.production):
        found += list(served.environment.login._tokens)
    assert found
    return found


def test_no_secret_is_in_the_process_list(alone, own):
    import psutil

    job = alone.job("listed", operations=update_label(own[:3], to="Hz"))
    alone.sandbox.staging.fault("latency", ms=300)
    process = alone.start_anew("plan", job, "--env", "staging")
    lines = " ".join(" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))
    process.communicate(timeout=60)
    assert process.returncode == 0
    for environment in alone.sandbox.environments:
        for secret in environment.secrets.values():
            assert secret not in lines
