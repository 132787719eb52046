"""Runs that a killed process left: nothing is locked, and nothing is taken from a live process."""

import json
import signal
from datetime import timedelta

import pytest

from bulkrunner.adapters import machine as owner
from bulkrunner.adapters.machine import SystemClock
from tests.support import sandbox
from tests.support.cli import update_label

SAID = ("--by", "Karin Ek", "--reference", "KB 1")
COUNT = 12


def wait_until(ready):
    """Wait also where the machine is busy: a process takes its time to begin."""
    return sandbox.wait_until(ready, patience=120)


@pytest.fixture
def job(place, own):
    return place.job("marks", operations=update_label(own[:COUNT], to="Hans"))


def run_of(place):
    found = place("status").document["runs"]
    return found[0]["run"] if found else None


def killed(place, job, environment="staging", *, nth=4):
    """Kill a run while a write of it is under way; returns its id."""
    control = getattr(place.sandbox, environment)
    control.fault("latency", method="PUT", ms=60_000, nth=nth)
    process = place.start("run", job, "--env", environment)
    wait_until(lambda: process.poll() is not None or any(one["fired"] for one in control.faults()))
    return end(place, process, control)


def end(place, process, control):
    process.send_signal(signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, (out, err)
    control.clear_faults()
    return run_of(place)


def killed_while_it_writes(place, job):
    place("plan", job, "--env", "staging")
    return killed(place, job)


def killed_in_the_canary(place, job):
    place.approved(job)
    return killed(place, job, "production", nth=1)


def killed_when_paused(place, job):
    place.configure(staging={"rate": 0.5})
    place("plan", job, "--env", "staging")
    process = place.start("run", job, "--env", "staging")
    run = wait_until(lambda: run_of(place))
    place("pause", run)
    wait_until(lambda: "paused by" in str(shown(place, run)["waiting"]))
    end(place, process, place.sandbox.staging)
    place.configure()
    return run


def killed_outside_its_windows(place, job):
    hour = SystemClock().now().hour
    window = f"{(hour + 8) % 24:02}:00-{(hour + 9) % 24:02}:00"
    place.configure(staging={"windows": [window], "timezone": "UTC"})
    place("plan", job, "--env", "staging")
    process = place.start("run", job, "--env", "staging")
    run = wait_until(lambda: run_of(place))
    wait_until(lambda: "writing is allowed" in str(shown(place, run)["waiting"]))
    end(place, process, place.sandbox.staging)
    place.configure()
    return run


KILLED = (
    killed_while_it_writes,
    killed_in_the_canary,
    killed_when_paused,
    killed_outside_its_windows,
)


def shown(place, run):
    return next(one for one in place("status").document["runs"] if one["run"] == run)


def edited(job, own):
    """Edit a manifest so that it means something else."""
    manifest = json.loads((job / "job.yaml").read_text(encoding="utf-8"))
    manifest["operations"] = update_label(own[:COUNT], to="Hedda")
    (job / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")


def environment_of(place, run):
    return shown(place, run)["environment"]


@pytest.mark.parametrize("kill", KILLED, ids=lambda kill: kill.__name__)
def test_it_is_stopped_and_goes_on(place, job, kill):
    run = kill(place, job)
    assert (shown(place, run)["state"], shown(place, run)["driven"]) == ("running", False)
    done = place("stop", run)
    assert done.document == {"run": run, "state": "stopped"}
    assert "is dead; the run is stopped" in done.stderr
    assert place("ledger", "check").exit_code == 0
    done = place("resume")
    assert done.document["run"] == run
    assert done.document["outcomes"]["applied"] == COUNT


@pytest.mark.parametrize("kill", KILLED, ids=lambda kill: kill.__name__)
def test_after_its_manifest_is_edited_a_new_plan_runs(place, job, own, kill):
    run = kill(place, job)
    environment = environment_of(place, run)
    edited(job, own)
    assert place("resume", run, expect=4).closed == {"plan"}
    told = place("status", run).document
    assert told["next"] == f"bulkrunner plan {job} --env {environment}"
    if environment == "production":
        place.approved(job)
    else:
        place("plan", job, "--env", "staging")
    done = place("run", job, "--env", environment)
    assert done.document["run"] != run
    assert done.document["outcomes"]["applied"] == COUNT
    assert f"run {run} was left by a process that is dead" in done.stderr
    assert (shown(place, run)["state"], shown(place, run)["reason"]) == (
        "interrupted",
        "the process that drove it is dead",
    )


@pytest.mark.parametrize("kill", KILLED, ids=lambda kill: kill.__name__)
def test_it_is_undone_as_far_as_it_came(place, job, own, kill):
    run = kill(place, job)
    environment = environment_of(place, run)
    before = dict(shown(place, run)["outcomes"])
    edited(job, own)
    back = place.folder / "jobs" / "back"
    place("undo", run, "--out", back)
    planned = place("plan", back, "--env", environment).document
    assert planned["counts"]["update"] == before["applied"]
    assert shown(place, run)["state"] == "completed"
    assert f"closed by plan {planned['plan']}" in shown(place, run)["reason"]


def test_a_run_whose_manifest_is_gone_is_ended_and_put_away(place, job):
    run = killed_while_it_writes(place, job)
    (job / "job.yaml").unlink()
    refused = place("resume", expect=4)
    assert "cannot be read" in refused.document["error"]["message"]
    place("stop", run)
    done = place("stop", run)
    assert done.document == {"run": run, "state": "stopped"}
    assert f"run {run} is put away" in done.stderr
    assert place("status").document["next"] == f"bulkrunner plan {job} --env staging"
    assert place("resume", expect=2).document["error"]["code"] == "nothing_to_resume"
    assert place("stop", run, expect=2).document["error"]["message"].startswith(f"run {run} is put")
    assert place("ledger", "check").exit_code == 0


def test_resume_says_what_cannot_go_on_and_takes_the_next(place, job, own):
    other = place.job("notes", operations=update_label(own[COUNT : COUNT + 4], to="Hans"))
    place("plan", other, "--env", "staging")
    first = place("run", other, "--env", "staging", "--limit", "1", expect=6).document["run"]
    stuck = killed_while_it_writes(place, job)
    edited(job, own)
    done = place("resume", "--limit", "1", expect=6)
    assert done.document["run"] == first
    (line,) = [line for line in done.stderr.splitlines() if "cannot go on" in line]
    assert line.startswith(f"run {stuck} cannot go on: gate plan is closed: the manifest or an")
    assert line.endswith(f"bulkrunner stop {stuck}")
    # Put away it is not spoken of any more; by its id it is taken up all the same.
    place("stop", stuck)
    place("stop", stuck)
    done = place("resume")
    assert (done.document["run"], "cannot go on" in done.stderr) == (first, False)
    assert place("resume", expect=2).document["error"]["code"] == "nothing_to_resume"
    manifest = json.loads((job / "job.yaml").read_text(encoding="utf-8"))
    manifest["operations"] = update_label(own[:COUNT], to="Hans")
    (job / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    assert place("resume", stuck).document["outcomes"]["applied"] == COUNT


def test_resume_passes_over_plans_and_environments_that_are_gone(place, job, own):
    """A half plan whose folder is gone, and a run in an environment without credentials."""
    run = killed_while_it_writes(place, job)
    other = place.job("half", operations=update_label(own[COUNT : COUNT + 4], to="Hans"))
    place.sandbox.production.fault("status", method="GET", status=503)
    plan = place("plan", other, "--env", "production", expect=6).document["plan"]
    place.sandbox.production.clear_faults()
    (other / "job.yaml").unlink()
    done = place("resume")
    assert done.document["run"] == run
    assert f"plan {plan} cannot go on: " in done.stderr


def test_seven_days_later(place, job, monkeypatch):
    """To stop it is no sign of life: it lies idle as long as before."""
    run = killed_while_it_writes(place, job)
    later(monkeypatch, days=8)
    for _ in range(2):
        refused = place("resume", run, expect=4)
        assert "idle for 8 days" in refused.document["error"]["message"]
        place("stop", run)
    left = place("plan", job, "--env", "staging").document["counts"]["update"]
    assert place("run", job, "--env", "staging").document["outcomes"]["applied"] == left


def later(monkeypatch, **delta):
    real = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda clock: real(clock) + timedelta(**delta))


def test_after_a_no(place, job):
    run = killed_in_the_canary(place, job)
    plan = shown(place, run)["plan"]
    assert "no process drives run" in place("reject", plan, *SAID).stderr
    assert place("resume", run, expect=4).closed == {"approval"}
    assert "waits for another yes" in place("resume", expect=2).document["error"]["message"]
    place("stop", run)
    assert shown(place, run)["reason"].startswith("rejected by")
    assert "waits for another yes" in place("resume", expect=2).document["error"]["message"]
    place("stop", run)
    assert "waits for" not in place("resume", expect=2).document["error"]["message"]


# --- several machines ------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch):
    """This process is on another machine than those that were started before."""
    monkeypatch.setattr(owner, "_host", lambda: "other/machine/pid:[1]")


def test_a_run_on_another_machine_is_left_to_it(place, job, own, elsewhere):
    place.configure(staging={"rate": 1})
    place("plan", job, "--env", "staging")
    process = place.start("run", job, "--env", "staging")
    run = wait_until(lambda: run_of(place))
    assert shown(place, run)["driven"] is True
    assert place("status", run).document["next"] == f"bulkrunner status {run} --watch"
    assert place("resume", expect=2).document["error"]["code"] == "nothing_to_resume"
    held = place("resume", run, expect=2).document["error"]
    assert (held["code"], "may still be driven by" in held["message"]) == ("run_held", True)
    edited(job, own)
    place("plan", job, "--env", "staging")
    assert place("run", job, "--env", "staging", expect=2).document["error"]["code"] == (
        "already_running"
    )
    back = place.folder / "jobs" / "back"
    place("undo", run, "--out", back)
    refused = place("plan", back, "--env", "staging", expect=2).document["error"]
    assert (refused["code"], "may still be driven" in refused["message"]) == ("still_running", True)
    retired = place("clients", "retire", "staging", "--by", "Eva", expect=2).document["error"]
    assert retired["code"] == "still_running"
    assert place("stop", run).document["state"] == "running"
    process.communicate(timeout=60)
    assert process.returncode == 6
    assert shown(place, run)["state"] == "stopped"


def test_a_run_that_died_on_another_machine(place, job, monkeypatch, elsewhere):
    run = killed_while_it_writes(place, job)
    # It may live, as far as anybody can tell: an order is left, and nothing is taken.
    assert place("stop", run).document["state"] == "running"
    assert place("resume", run, expect=2).document["error"]["code"] == "run_held"
    with monkeypatch.context() as patch:
        later(patch, seconds=90)  # its lease has run out; a request of it may be under way
        assert shown(place, run)["driven"] is False
        assert "may still be driven by" in shown(place, run)["waiting"]["reason"]
        done = place("stop", run)
        assert done.document["state"] == "running"
        assert "may still be driven by" in done.stderr
        assert place("resume", expect=2).document["error"]["code"] == "run_held"
    later(monkeypatch, seconds=400)
    assert place("stop", run).document["state"] == "stopped"
    assert place("resume").document["outcomes"]["applied"] == COUNT


def test_before_the_machine_was_started_anew(place, job, monkeypatch):
    run = killed_while_it_writes(place, job)
    monkeypatch.setattr(owner, "_boot", lambda: "another boot")
    assert place("stop", run).document["state"] == "stopped"
    assert place("resume").document["outcomes"]["applied"] == COUNT


def test_a_stopped_process_is_asked_and_named(place, job):
    """It lives, but gives no sign; nothing is taken from it before its time."""
    place.configure(staging={"rate": 1})
    place("plan", job, "--env", "staging")
    process = place.start("run", job, "--env", "staging")
    run = wait_until(lambda: run_of(place))
    # Paused it holds no transaction, which would keep everybody out of the ledger.
    place("pause", run)
    wait_until(lambda: "paused by" in str(shown(place, run)["waiting"]))
    process.send_signal(signal.SIGSTOP)
    with pytest.MonkeyPatch.context() as patch:
        later(patch, seconds=90)
        done = place("stop", run)
        assert done.document["state"] == "running"
        assert "no sign since" in done.stderr
        assert "no sign since" in shown(place, run)["waiting"]["reason"]
        assert place("resume", expect=2).document["error"]["code"] == "run_held"
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert shown(place, run)["state"] == "stopped"


def test_a_client_of_a_run_whose_process_is_dead_can_be_retired(place, job):
    run = killed_while_it_writes(place, job)
    out = place.folder / "notice.txt"
    done = place("clients", "retire", "staging", "--by", "Eva", "--out", out)
    assert run in done.stderr
