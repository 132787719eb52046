"""kill -9 at ten moments of a 500-change run; each change is made exactly once."""

import json
import random
import signal
import subprocess
import sys

import pytest

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import Shape
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox, wait_until

UPDATES, DELETES, CREATES = 300, 100, 100


@pytest.fixture(scope="module")
def big():
    with running_sandbox(bibs=seed.BIBS, holdings=seed.HOLDINGS) as control:
        yield control


def mixed_operations():
    labelled = [
        record
        for mark in ("Hc", "Hce", "Hcf")
        for record in seed.example_ids(kind="holding", sigel="Ylm", shelf_mark=mark)
    ]
    updated = labelled[:UPDATES]
    deleted = seed.example_ids(kind="holding", sigel="Ylm", shape=Shape.BARE, n=DELETES)
    bibs = seed.example_ids(kind="bib", without="Ylm", n=CREATES)
    operations = [
        *(
            {"update": record, "changes": [{"append": {"at": "cataloguersNote", "value": "inv"}}]}
            for record in updated
        ),
        *({"delete": record} for record in deleted),
        *(
            {"create": "holding", "of": bib, "sigel": "Ylm", "body": {"physicalLocation": ["M"]}}
            for bib in bibs
        ),
    ]
    random.Random(7).shuffle(operations)
    return operations, updated, deleted, bibs


def kill_after(place, arguments, writes):
    staging = place.sandbox.staging
    before = staging.came(writes=True)
    process = place.start(*arguments)
    wait_until(lambda: staging.came(writes=True) - before >= writes or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, (out, err)


def test_kill_at_ten_moments_then_every_change_is_made_exactly_once(big, tmp_path):
    place = Workplace(folder=tmp_path / "place", sandbox=big)
    place.configure(staging={"rate": 400, "concurrency": 4})
    operations, updated, deleted, bibs = mixed_operations()
    lines = "\n".join(json.dumps(operation) for operation in operations)
    job = place.job("killed", operations={"file": "ops.jsonl"}, files={"ops.jsonl": lines})
    place("plan", job, "--env", "staging")
    staging = place.sandbox.staging
    before = {record: len(staging.history(record)) for record in [*updated, *deleted]}
    staging.clear_log()

    kill_after(place, ("run", job, "--env", "staging"), 5)
    run = place("status").document["runs"][0]["run"]
    for moment in (1, 17, 30, 2, 44, 60, 25, 80, 3):
        kill_after(place, ("resume", run), moment)
    done = place("resume", run)

    outcomes = done.document["outcomes"]
    assert done.document["state"] == "completed"
    assert outcomes["applied"] == UPDATES + DELETES + CREATES
    assert sum(outcomes.values()) == UPDATES + DELETES + CREATES
    for record in [*updated, *deleted]:
        assert len(staging.history(record)) == before[record] + 1, record
    held = {}
    for record in staging.records("hold", "Ylm"):
        bib = staging.document(record)["@graph"][1]["itemOf"]["@id"]
        held.setdefault(bib, []).append(record)
    assert [len(held[staging.thing_iri(bib)]) for bib in bibs] == [1] * CREATES


def test_a_killed_planner_goes_on_where_it_was(big, tmp_path):
    place = Workplace(folder=tmp_path / "place", sandbox=big)
    place.configure(staging={"read_rate": 600})
    mixed = set(seed.example_ids(kind="holding", sigel="Ylm", shape=Shape.FOREIGN_COMPONENT))
    every = seed.example_ids(kind="holding", sigel="Ylm")
    ids = [record for record in every if record not in mixed][:900]
    steps = [{"ids": "ids.txt", "append": {"at": "@record.cataloguersNote", "value": "inv"}}]
    job = place.job("half", steps=steps, files={"ids.txt": "\n".join(ids)})
    staging = place.sandbox.staging
    staging.clear_log()
    process = place.start("plan", job, "--env", "staging", "--source", "get")
    wait_until(lambda: staging.came() > 800)
    process.kill()
    process.communicate()
    done = place("resume")
    assert done.document["state"] == "complete"
    assert sum(done.document["counts"].values()) == 900
    whole = place("plan", job, "--env", "staging")
    assert whole.document["counts"] == done.document["counts"]
    assert staging.writes() == []


def test_ctrl_c_finishes_what_is_in_flight_and_can_be_resumed(big, tmp_path):
    place = Workplace(folder=tmp_path / "place", sandbox=big)
    place.configure(staging={"rate": 50})
    ids = seed.example_ids(kind="holding", sigel="Ylm", shelf_mark="Hce", n=40)
    steps = [{"ids": "ids.txt", "append": {"at": "cataloguersNote", "value": "ctrl-c"}}]
    job = place.job("polite", steps=steps, files={"ids.txt": "\n".join(ids)})
    place("plan", job, "--env", "staging")
    staging = place.sandbox.staging
    staging.clear_log()
    process = place.start("run", job, "--env", "staging")
    wait_until(lambda: staging.came(writes=True) >= 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    document = json.loads(out)
    assert document["state"] == "interrupted"
    assert document["error"]["code"] == "interrupted"
    sent = len(staging.writes())
    assert document["outcomes"]["applied"] == sent
    done = place("resume")
    assert done.document["outcomes"]["applied"] == 40
    assert len(staging.writes()) == 40


def interrupted_twice(place, *arguments):
    """Two signals while no answer comes; what the process leaves on stdout."""
    staging = place.sandbox.staging
    process = place.start(*arguments)
    try:
        wait_until(lambda: any(fault["fired"] for fault in staging.faults()))
        process.send_signal(signal.SIGINT)
        wait_until(lambda: b"once more" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        staging.clear_faults()
    assert process.returncode == 6, err
    document = json.loads(out)
    assert (document["state"], document["error"]["code"]) == ("interrupted", "interrupted")
    assert document["requests"] > 0
    return document


def marks(big, tmp_path, name):
    place = Workplace(folder=tmp_path / "place", sandbox=big)
    ids = seed.example_ids(kind="holding", sigel="Ylm", shelf_mark="Hcf", n=12)
    steps = [{"ids": "ids.txt", "append": {"at": "cataloguersNote", "value": name}}]
    return place, place.job(name, steps=steps, files={"ids.txt": "\n".join(ids)})


def test_a_second_ctrl_c_ends_at_once_and_leaves_the_document(big, tmp_path):
    place, job = marks(big, tmp_path, "twice")
    plan = place("plan", job, "--env", "staging").document["plan"]
    place.sandbox.staging.fault("latency", method="PUT", ms=60_000)
    document = interrupted_twice(place, "run", job, "--env", "staging")
    assert document["plan"] == plan
    assert document["outcomes"]["pending"] == 12
    assert all(gate["open"] for gate in document["gates"])
    done = place("resume", document["run"])
    assert done.document["outcomes"]["applied"] == 12


def test_a_second_ctrl_c_while_planning(big, tmp_path):
    place, job = marks(big, tmp_path, "plan-twice")
    place.sandbox.staging.fault("latency", method="GET", ms=60_000)
    document = interrupted_twice(place, "plan", job, "--env", "staging")
    assert document["job"] == "plan-twice"
    done = place("resume", document["plan"])
    assert done.document["counts"]["update"] == 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_only_reads_leaves_its_document_too(big, tmp_path, number):
    place, job = marks(big, tmp_path, f"read-{number.name.lower()}")
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    staging = place.sandbox.staging
    staging.fault("latency", method="GET", ms=1500)
    process = place.start("verify", run)
    try:
        wait_until(lambda: any(fault["fired"] for fault in staging.faults()))
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        staging.clear_faults()
    assert process.returncode == 6, err
    document = json.loads(out)
    assert (document["run"], document["checked"]) == (run, None)
    assert document["error"]["code"] == "interrupted"


def test_resume_with_nothing_to_resume(place):
    done = place("resume", expect=2)
    assert done.document["error"]["code"] == "nothing_to_resume"


def test_help_is_there_for_every_command():
    listed = subprocess.run(
        [sys.executable, "-m", "bulkrunner", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("check", "plan", "run", "resume", "report", "approve", "verify", "sandbox"):
        assert command in listed
