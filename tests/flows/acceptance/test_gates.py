"""A closed gate: exit 4, named, and not one write request in production's log."""

import pytest

from tests.support.cli import update_label


@pytest.fixture
def job(place, own):
    return place.job("labels", operations=update_label(own[:3], to="Hx"))


@pytest.fixture
def refused(place, job):
    """Run in production and return the closed gates; nothing may have been sent."""

    def run(*more: str) -> set[str]:
        done = place("run", job, "--env", "production", *more, expect=4)
        assert done.document["error"]["code"] == "gate_closed"
        assert done.document["run"] is None
        for name in done.closed:
            assert name in done.document["error"]["message"]
        assert place.sandbox.production.writes() == []
        return done.closed

    return run


def test_production_without_any_plan(refused):
    assert refused() == {"plan"}


def test_production_before_staging(place, job, refused):
    place("plan", job, "--env", "production")
    assert refused() == {"staging", "approval"}


def test_production_planned_but_not_approved(place, job, refused):
    place.through_staging(job)
    assert refused() == {"approval"}


def test_production_with_everything_open(place, job):
    place.approved(job)
    done = place("run", job, "--env", "production")
    assert done.document["state"] == "completed"
    assert done.document["outcomes"]["applied"] == 3
    assert all(gate["open"] for gate in done.document["gates"])
    assert len(place.sandbox.production.writes()) == 3


def test_after_a_changed_manifest(place, job, own, refused):
    place.approved(job)
    place.job("labels", operations=update_label(own[:3], to="Hy"))
    assert refused() == {"plan"}


def test_after_a_changed_input_file(place, own, refused):
    steps = [{"ids": "ids.txt", "set": {"at": "shelfMark.label", "to": "Hx"}}]
    listed = place.job("labels", steps=steps, files={"ids.txt": "\n".join(own[:3])})
    place.approved(listed)
    (listed / "ids.txt").write_text("\n".join(own[:2]), encoding="utf-8")
    assert refused() == {"plan"}


def test_a_comment_or_line_ends_do_not_count_as_a_change(place, own):
    steps = [{"ids": "ids.txt", "set": {"at": "shelfMark.label", "to": "Hk"}}]
    listed = place.job("lines", steps=steps, files={"ids.txt": "\n".join(own[:2])})
    place.approved(listed)
    (listed / "ids.txt").write_bytes(("\ufeff" + "\r\n".join(own[:2]) + "\r\n\r\n").encode())
    place("run", listed, "--env", "production")


def test_a_plan_older_than_policy(place, job, refused):
    place("plan", job, "--env", "staging")
    place("run", job, "--env", "staging")
    place.configure(policy={"plan_max_age_hours": 0})
    approve_production(place, job)
    assert refused() == {"plan"}


def test_an_approval_of_another_plan(place, job, refused):
    place.approved(job)
    place("plan", job, "--env", "production")
    assert refused() == {"approval"}


def test_the_approved_plan_can_still_be_named(place, job):
    approved = place.approved(job)
    place("plan", job, "--env", "production")
    done = place("run", job, "--env", "production", "--plan", approved)
    assert done.document["plan"] == approved
    assert done.document["outcomes"]["pending"] == 0


def test_after_reject(place, job, refused):
    plan = place.approved(job)
    place("reject", plan, "--by", "Karin Ek", "--reference", "KB 2")
    assert refused() == {"approval"}


def test_addresses_changed_since_the_plan(place, job, refused):
    place.approved(job)
    production = place.sandbox.production
    place.configure(production={"base_uri": production.base_uri + "other/"})
    assert refused() == {"environment"}


def test_kind_is_part_of_the_addresses(place, job):
    place.approved(job)
    place.configure(production={"kind": "test"})
    done = place("run", job, "--env", "production", expect=4)
    assert "environment" in done.closed
    assert place.sandbox.production.writes() == []


def test_a_looser_policy_that_the_approval_does_not_name(place, job, refused):
    place.configure(policy={"min_staging_coverage": 0})
    plan = place.approved(job)
    assert refused() == {"approval"}
    said = ["--by", "Karin Ek", "--reference", "KB 1", "--agree", "min_staging_coverage = 0"]
    place("approve", plan, *said)
    place("run", job, "--env", "production")


def test_an_empty_staging_run(place, job, own, refused):
    staging = place.sandbox.staging
    for record in own[:3]:
        document = staging.document(record)
        document["@graph"][1]["shelfMark"]["label"] = "Hx"
        staging.edit(record, doc=document)
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["unchanged"] == 3
    place("run", job, "--env", "staging")
    approve_production(place, job)
    assert refused() == {"staging"}


def approve_production(place, job):
    plan = place("plan", job, "--env", "production").document["plan"]
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 1")


def test_an_unfinished_staging_run(place, job, refused):
    place("plan", job, "--env", "staging")
    done = place("run", job, "--env", "staging", "--limit", "2", expect=6)
    assert done.document["state"] == "stopped"
    approve_production(place, job)
    assert refused() == {"staging"}


def test_a_staging_run_of_conflicts_only(place, job, own, refused):
    place("plan", job, "--env", "staging")
    for record in own[:3]:
        place.sandbox.staging.edit(record, set={"shelfControlNumber": "7"})
    done = place("run", job, "--env", "staging", expect=5)
    assert done.document["outcomes"]["conflict"] == 3
    approve_production(place, job)
    assert refused() == {"staging"}


def test_a_staging_run_of_refusals_only(place, own, refused, job):
    place.sandbox.staging.fault("status", method="PUT", status=400)
    place("plan", job, "--env", "staging")
    done = place("run", job, "--env", "staging", expect=5)
    assert done.document["outcomes"]["refused"] == 3
    approve_production(place, job)
    assert refused() == {"staging"}


def test_a_newer_staging_plan_that_was_never_run(place, own, refused):
    staging, weeded = place.sandbox.staging, own[3]
    operations = [*update_label(own[:3], to="Hx"), {"delete": weeded}]
    mixed = place.job("labels", operations=operations)
    before = staging.document(weeded)
    place.approved(mixed)
    staging.revive(weeded, before)
    again = place("plan", mixed, "--env", "staging").document
    assert (again["counts"]["unchanged"], again["counts"]["delete"]) == (3, 1)
    assert refused() == {"staging"}


def test_a_tampered_plan(place, job, refused):
    import sqlite3

    place.approved(job)
    with sqlite3.connect(place.ledger) as database:
        database.execute("pragma writable_schema=on")
        for (trigger,) in database.execute(
            "select name from sqlite_master where type='trigger'"
        ).fetchall():
            database.execute(f"drop trigger {trigger}")
        database.execute("update planned_changes set record='bcdfghjklmnpqrs'")
    database.close()
    assert "plan" in refused()


SAID = ["--by", "Karin Ek", "--reference", "KB 1"]


def test_after_a_yes_it_says_what_is_still_closed(place, job):
    plan = place("plan", job, "--env", "production").document["plan"]
    early = place("approve", plan, *SAID).stderr
    assert "not yet: gate staging is closed: this job, as it is now, has never been" in early
    assert f"next: bulkrunner status {plan}" in early
    assert "next: bulkrunner run" not in early
    place("plan", job, "--env", "staging")
    place("run", job, "--env", "staging")
    late = place("approve", plan, *SAID).stderr
    assert "not yet" not in late
    assert f"next: bulkrunner run {job} --env production" in late


def test_a_yes_to_a_plan_that_run_does_not_take_says_so(place, job):
    staging = place("plan", job, "--env", "staging").document["plan"]
    assert "no approval is needed" in place("approve", staging, *SAID).stderr
    place("run", job, "--env", "staging")
    older = place("plan", job, "--env", "production").document["plan"]
    newer = place("plan", job, "--env", "production").document["plan"]
    told = place("approve", older, *SAID).stderr
    assert f"plan {newer} is newer and is what run takes" in told
    assert f"next: bulkrunner run {job} --env production --plan {older}" in told


def test_a_no_that_comes_too_late_points_to_undo(place, job):
    plan = place.approved(job)
    run = place("run", job, "--env", "production").document["run"]
    told = place("reject", plan, *SAID).stderr
    assert f"run {run} has written everything already" in told
    assert f"bulkrunner undo {run} --out undo-labels" in told


def test_resume_without_an_id_says_what_it_takes_and_leaves_out_what_was_rejected(place, job):
    plan = place.approved(job)
    run = place("run", job, "--env", "production", "--limit", "1", expect=6).document["run"]
    place("reject", plan, *SAID)
    refused = place("resume", expect=2).document["error"]
    assert f"run {run} waits for another yes after the no to plan {plan}" in refused["message"]
    assert f"bulkrunner approve {plan}" in refused["hint"]
    place("approve", plan, *SAID)
    assert f"run {run}: labels in production" in place("resume").stderr
