"""A run stops by itself: says why and what to do, and goes on when the reason is gone."""

import json

from tests.support.cli import update_label
from tests.support.sandbox import wait_until


def test_a_no_during_the_run_stops_it(place, own):
    place.configure(production={"rate": 2})
    job = place.job("no", operations=update_label(own[:12], to="Hx"))
    plan = place.approved(job)
    production = place.sandbox.production
    process = place.start("run", job, "--env", "production")
    wait_until(lambda: production.came(writes=True) >= 2)
    assert place("status").document["next"].endswith(" --watch")
    said = place("reject", plan, "--by", "Karin Ek", "--reference", "KB 2").document
    out, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    document = json.loads(out)
    assert said["stopping"] == [document["run"]]
    assert document["state"] == "stopped"
    assert "rejected by Karin Ek" in document["error"]["message"]
    assert "without another yes" in document["error"]["hint"]
    assert place("status").document["next"] == f"bulkrunner report {document['run']}"
    sent = len(production.writes())
    assert sent < 12
    assert document["outcomes"]["applied"] == sent
    # It stays stopped until there is a new yes to this very plan.
    assert place("resume", document["run"], expect=4).closed == {"approval"}
    assert len(production.writes()) == sent
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 3")
    assert place("status").document["next"] == f"bulkrunner resume {document['run']}"
    assert place("resume", document["run"]).document["outcomes"]["applied"] == 12


def test_the_error_budget_is_spent(place, own):
    job = place.job("budget", operations=update_label(own[:16], to="Hx"))
    place("plan", job, "--env", "staging")
    staging = place.sandbox.staging
    staging.fault("status", method="PUT", status=400)
    place.configure(staging={"concurrency": 1})
    done = place("run", job, "--env", "staging", expect=6).document
    assert (done["state"], done["error"]["code"]) == ("stopped", "stopped")
    assert "10 changes in a row were refused, failed or are unknown" in done["error"]["message"]
    assert done["error"]["hint"] == (
        f"see: bulkrunner report {done['run']}; go on with: bulkrunner resume {done['run']}"
    )
    assert done["outcomes"]["refused"] == 10
    staging.clear_faults()
    again = place("resume", expect=5).document
    assert (again["outcomes"]["applied"], again["outcomes"]["refused"]) == (6, 10)


def test_a_login_outage_is_told_from_a_revoked_client(place, own):
    """Both answer a second 401; the one is waited for, the other ends the run."""
    job = place.job("outage", operations=update_label(own[:6], to="Hx"))
    place("plan", job, "--env", "staging")
    staging = place.sandbox.staging
    # The catalogue cannot ask its login and refuses every token; the login itself is fine again.
    staging.fault("login_down", method="PUT", nth=[2])
    staging.fault("login_down", path="/oauth/token", nth=[2, 3])
    assert place("run", job, "--env", "staging").document["outcomes"]["applied"] == 6


def test_a_client_that_is_revoked_ends_the_run(place, own):
    job = place.job("revoked", operations=update_label(own[:6], to="Hx"))
    place("plan", job, "--env", "staging")
    place.sandbox.staging.fault("revoke_client", method="PUT", nth=3)
    done = place("run", job, "--env", "staging", expect=7).document
    assert done["state"] == "stopped"
    assert done["error"]["code"] == "login_refused"
    assert done["error"]["hint"]
