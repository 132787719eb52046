"""What is kept of the ledger: copies before production, and less of what is old."""

import json
import zipfile

from tests.support.cli import Workplace, update_label


def test_after_a_compaction_nothing_can_be_proved_undone_or_verified(place, own):
    job = place.job("old", operations=update_label(own[:2], to="Hans"))
    plan = place.approved(job)
    run = place("run", job, "--env", "production").document["run"]
    done = place("ledger", "compact", "--before", "2099-01-01").document["compacted"]
    assert plan in done["plans"]
    assert done["documents"] >= 4
    assert place("ledger", "check").document["state"] == "intact"
    commands = [
        ["ledger", "export", run, "--out", place.folder / "x.zip"],
        ["undo", run, "--out", place.folder / "undo"],
        ["verify", run],
    ]
    for command in commands:
        refused = place(*command, expect=2).document["error"]
        assert refused["code"] == "compacted", command
    assert not (place.folder / "x.zip").exists()
    # What was done stays on record, and the job's next plan knows it.
    report = place.folder / "r.json"
    place("report", run, "--format", "json", "--out", report)
    changes = json.loads(report.read_text(encoding="utf-8"))["changes"]
    assert [change["outcome"] for change in changes] == ["applied", "applied"]
    again = place("plan", job, "--env", "production").document
    assert again["counts"]["unchanged"] == 2
    for form in ("html", "csv", "jsonl"):
        place("report", run, "--format", form, "--out", place.folder / f"r.{form}")
    gates = {gate["name"]: gate for gate in place("status", plan).document["gates"]}
    assert "dropped by ledger compact" in gates["plan"]["reason"]
    assert gates["ledger"]["open"]


def test_a_bundle_of_a_compacted_ledger_is_verified_elsewhere(place, own, tmp_path):
    old = place.job("old", operations=update_label(own[:2], to="Hans"))
    place.approved(old)
    place("run", old, "--env", "production")
    job = place.job("new", operations=update_label(own[2:4], to="Hans"))
    place("plan", job, "--env", "staging")
    tried = place("run", job, "--env", "staging").document["run"]
    plan = place("plan", job, "--env", "production").document["plan"]
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 1")
    run = place("run", job, "--env", "production").document["run"]
    done = place("ledger", "compact", "--before", tried).document["compacted"]
    assert len(done["plans"]) == 2
    assert done["documents"]

    bundle = tmp_path / "proof.zip"
    head = place("ledger", "export", run, "--out", bundle).document["head"]
    elsewhere = Workplace(folder=tmp_path / "elsewhere", sandbox=place.sandbox, ledgerless=True)
    found = elsewhere("ledger", "check", bundle, "--against", head).document
    assert (found["state"], found["head"]) == ("intact", head)
    assert found["bundle"]["outcomes"] == {"applied": 2}
    assert not elsewhere.ledger.exists()

    tampered = tmp_path / "tampered.zip"
    with zipfile.ZipFile(bundle) as given, zipfile.ZipFile(tampered, "w") as made:
        for name in given.namelist():
            content = given.read(name)
            if name == "results.jsonl":
                content = content.replace(b'"applied"', b'"unknown"', 1)
            made.writestr(name, content)
    broken = elsewhere("ledger", "check", tampered, expect=4).document
    assert broken["state"] == "broken"
    assert broken["faults"] == ["the outcome of change 1 is not as its event stored it"]


def test_an_undo_job_of_a_compacted_run_is_refused_when_planned(place, own):
    job = place.job("old", operations=update_label(own[:1], to="Hans"))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    place("undo", run, "--out", place.folder / "undo")
    place("ledger", "compact", "--before", "2099-01-01")
    refused = place("plan", place.folder / "undo", "--env", "staging", expect=2).document["error"]
    assert refused["code"] == "compacted"


def test_a_copy_of_the_ledger_is_made_before_a_production_run(place, own):
    job = place.job("copied", operations=update_label(own[:1], to="Hans"))
    place.approved(job)
    assert not list(place.folder.glob("bulkrunner-backup-*"))
    place("run", job, "--env", "production")
    (copy,) = place.folder.glob("bulkrunner-backup-*.db")
    found = place("--ledger", f"sqlite:///{copy}", "ledger", "check").document
    assert found["state"] == "intact"
    place("run", job, "--env", "production")
    assert len(list(place.folder.glob("bulkrunner-backup-*"))) == 1


def test_no_copy_where_the_configuration_wants_none(place, own):
    text = place.config.read_text(encoding="utf-8")
    place.config.write_text("[ledger]\nbackups = 0\n" + text, encoding="utf-8")
    job = place.job("copied", operations=update_label(own[:1], to="Hans"))
    place.approved(job)
    place("run", job, "--env", "production")
    assert not list(place.folder.glob("bulkrunner-backup-*"))


def test_a_plan_that_is_not_there_and_a_file_that_cannot_be_written(place, own):
    job = place.job("x", operations=update_label(own[:1], to="Hans"))
    plan = place("plan", job, "--env", "staging").document["plan"]
    out = place.folder / "none" / "x.zip"
    done = place("ledger", "export", plan, "--out", out, expect=2).document
    assert done["error"]["code"] == "not_written"
    place("ledger", "export", "p-nothing", "--out", place.folder / "x.zip", expect=2)
    place("ledger", "check", "--reviewers", place.folder / "x", expect=2)
