"""What stands around a command: configuration, ledger, pipes, signals, logs."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from tests.support.cli import update_label
from tests.support.sandbox import wait_until


@pytest.fixture
def job(place, own):
    return place.job("labels", operations=update_label(own[:3], to="Hx"))


# --- configuration and ledger -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[environments.staging\n", "bulkrunner.toml"),
        ("[policy]\nplan_max_age = 3\n", "plan_max_age"),
        ('[environments.staging]\nkind = "test"\nbase_url = "https://libris.kb.se"\n', "libris.kb"),
        ('[ledger]\nurl = "mysql://x/y"\n', "ledger"),
        ("\x00\x01", "bulkrunner.toml"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "status", "check", "doctor"])
def test_a_broken_configuration(place, job, text, words, command):
    place.config.write_text(text, encoding="utf-8")
    place.sandbox.staging.clear_log()
    given = {"plan": [job, "--env", "staging"], "check": [job]}.get(command, [])
    done = place(command, *given, expect=2)
    assert done.document["error"]["code"] == "configuration"
    assert words in done.document["error"]["message"] + done.stderr
    assert place.sandbox.staging.log() == []


def test_a_ledger_that_is_a_device(place, job):
    """Nobody is advised to remove it."""
    done = place("--ledger", "sqlite:////dev/null", "plan", job, "--env", "staging", expect=2)
    assert "is a device or a pipe" in done.document["error"]["message"]
    assert "rm " not in done.document["error"]["hint"]


def test_a_configuration_that_is_not_there(place, job):
    place.config.unlink()
    done = place("plan", job, "--env", "staging", expect=2)
    assert str(place.config) in done.document["error"]["message"]


@pytest.mark.parametrize("path", ["/proc/none/ledger.db", "/proc/ledger.db"])
def test_a_folder_that_cannot_hold_a_ledger(place, job, path):
    staging = place.sandbox.staging
    staging.clear_log()
    done = place("--ledger", f"sqlite:///{path}", "plan", job, "--env", "staging", expect=2)
    assert done.document["error"]["code"] == "configuration"
    assert path.rpartition("/")[0] in done.document["error"]["message"]
    assert {entry["path"] for entry in staging.log()} <= {"/oauth/token", "/oauth/verify"}


def test_a_file_that_is_no_ledger(place, job):
    place.ledger.write_bytes(b"this is no database" * 100)
    done = place("plan", job, "--env", "staging", expect=None)
    assert done.exit_code in (2, 4, 6)
    assert done.document["error"]["code"] in ("ledger_unavailable", "chain_broken")
    assert place.ledger.read_bytes().startswith(b"this is no database")


def test_a_ledger_that_another_process_locks(place, job, monkeypatch):
    monkeypatch.setattr("bulkrunner.adapters.ledger.database.BUSY_SECONDS", 0.05)
    place("plan", job, "--env", "staging")
    with contextlib.closing(sqlite3.connect(place.ledger, isolation_level=None)) as other:
        other.execute("begin exclusive")
        done = place("plan", job, "--env", "staging", expect=6)
        other.execute("rollback")
    assert done.document["error"]["code"] == "ledger_unavailable"
    assert "locked" in done.document["error"]["message"]
    place("plan", job, "--env", "staging")


def test_a_ledger_that_is_locked_in_the_middle_of_a_plan(place, own, monkeypatch):
    """What was stored stays; the plan is taken up from there."""
    monkeypatch.setattr("bulkrunner.adapters.ledger.database.BUSY_SECONDS", 0.05)
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", 2)
    from bulkrunner.adapters.ledger.plans import Plans

    stored = Plans.add_changes
    locks = []

    def add(self, plan, changes, **more):
        stored(self, plan, changes, **more)
        other = sqlite3.connect(place.ledger, isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")
        locks.append(other)

    monkeypatch.setattr(Plans, "add_changes", add)
    job = place.job("locked", operations=update_label(own[:7], to="Hl"))
    done = place("plan", job, "--env", "staging", expect=6)
    for other in locks:
        other.rollback()
        other.close()
    assert done.document["state"] == "interrupted"
    assert f"go on with: bulkrunner resume {done.document['plan']}" in done.stderr
    assert done.document["counts"]["update"] == 2
    monkeypatch.setattr(Plans, "add_changes", stored)
    resumed = place("resume").document
    assert (resumed["plan"], resumed["state"]) == (done.document["plan"], "complete")
    assert resumed["counts"]["update"] == 7


def test_an_unfit_place_for_a_report(place, job):
    plan = place("plan", job, "--env", "staging").document["plan"]
    done = place("report", plan, "--out", "/proc/none/report.html", expect=2)
    assert done.document["error"]["code"] == "not_written"


# --- pipes ------------------------------------------------------------------------------------


def closed_pipe():
    """A pipe to which nobody listens."""
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("json_wanted", [True, False])
def test_a_reader_that_has_gone_away_ends_nothing(place, job, json_wanted):
    plan = place("plan", job, "--env", "staging").document["plan"]
    given = ["--config", str(place.config), *(["--json"] if json_wanted else []), "status", plan]
    out = closed_pipe()
    done = subprocess.run(
        [sys.executable, "-m", "bulkrunner", *given],
        env={**os.environ, **place.environ()},
        stdout=out,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    os.close(out)
    assert done.returncode == 0
    assert "Error" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_plan_is_made_though_nobody_reads_its_progress(place, job):
    err = closed_pipe()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bulkrunner", "--config", str(place.config), "--json"),
            *("plan", str(job), "--env", "staging"),
        ],
        env={**os.environ, **place.environ()},
        stdout=subprocess.PIPE,
        stderr=err,
        check=False,
    )
    os.close(err)
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"]) == (0, "complete")


# --- signals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_plan_leaves_one_that_can_be_resumed(place, number):
    staging = place.sandbox.staging
    records = staging.records("hold", "Ylm")
    steps = [{"ids": "ids.txt", "append": {"at": "cataloguersNote", "value": f"sig{number}"}}]
    job = place.job(
        "signalled",
        steps=steps,
        files={"ids.txt": "\n".join(records)},
        accept=[{"code": "foreign_component", "at_most": 9, "reason": "seed"}],
    )
    whole = place("plan", job, "--env", "staging").document
    place.configure(staging={"concurrency": 1})
    staging.clear_log()
    staging.fault("latency", method="GET", ms=30)
    process = place.start("plan", job, "--env", "staging")
    wait_until(lambda: staging.came() > 15)
    process.send_signal(number)
    out, err = process.communicate()
    staging.clear_faults()
    assert process.returncode == 6, (out, err)
    document = json.loads(out)
    assert document["state"] == "interrupted"
    assert document["plan_digest"] is None
    assert document["error"]["code"] == "interrupted"
    assert document["plan"] in document["error"]["hint"]
    assert 0 < sum(document["counts"].values()) < len(records)
    assert b"Traceback" not in err
    assert place("run", job, "--env", "staging", expect=4).closed >= {"plan"}
    resumed = place("resume").document
    assert (resumed["plan"], resumed["state"]) == (document["plan"], "complete")
    assert resumed["counts"] == whole["counts"]


def test_a_killed_plan_can_be_resumed(place):
    staging = place.sandbox.staging
    records = staging.records("hold", "Ylm")
    steps = [{"ids": "ids.txt", "append": {"at": "cataloguersNote", "value": "killed"}}]
    job = place.job(
        "killed",
        steps=steps,
        files={"ids.txt": "\n".join(records)},
        accept=[{"code": "foreign_component", "at_most": 9, "reason": "seed"}],
    )
    place.configure(staging={"concurrency": 1})
    staging.clear_log()
    staging.fault("latency", method="GET", ms=30)
    process = place.start("plan", job, "--env", "staging")
    wait_until(lambda: staging.came() > 15)
    process.kill()
    process.communicate()
    staging.clear_faults()
    resumed = place("resume").document
    assert resumed["state"] == "complete"
    assert sum(resumed["counts"].values()) == len(records)


# --- logs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["-v", "-vv", "--verbose"])
def test_verbose_output_holds_no_secret(place, job, how):
    staging = place.sandbox.staging
    _, secret = staging.credentials()
    for given in (["plan", job, "--env", "staging"], ["run", job, "--env", "staging"]):
        process = place.start(how, *given)
        out, err = process.communicate()
        assert process.returncode == 0, err
        said = (out + err).decode()
        assert secret not in said
        assert "Bearer" not in said
        assert "access_token" not in said


def test_a_wrong_secret_is_not_repeated(place, job):
    wrong = "not-the-secret-" + "x" * 20
    place.variables["BULKRUNNER_STAGING_CLIENT_SECRET"] = wrong
    process = place.start("-vv", "plan", job, "--env", "staging")
    out, err = process.communicate()
    assert process.returncode == 7
    assert json.loads(out)["error"]["code"] == "login_refused"
    assert wrong not in (out + err).decode()


def test_a_fault_of_the_program_is_told_with_its_place(place, job, monkeypatch):
    def broken(*_arguments, **_keys):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("bulkrunner.services.planning.planner.BatchPlanner", broken)
    done = place("plan", job, "--env", "staging", expect=1)
    assert done.document["error"]["code"] == "internal_error"
    assert "ZeroDivisionError" in done.document["error"]["message"]
    assert "Traceback" not in done.stderr
    assert done.document["plan"] is None or done.document["plan"].startswith("p-")
