"""Two processes and one run: the second is told who holds it; a dead or silent one is replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.flows.surroundings.conftest import ALL
from tests.support.sandbox import wait_until


@pytest.fixture
def driven(mixed):
    """A process that drives the run, slowly; gone at the end."""
    mixed.place.configure(staging={"rate": 3, "concurrency": 2})
    mixed.plan()
    staging = mixed.place.sandbox.staging
    process = mixed.place.start("run", mixed.folder, "--env", "staging")
    wait_until(lambda: staging.came(writes=True) >= 2)
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.communicate()


def told_who_holds_it(done, process):
    error = done.document["error"]
    assert error["code"] == "run_held"
    when = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    host = re.escape(socket.gethostname())
    words = rf"run r-\S+ is being driven by process {process.pid} on {host} since {when}"
    assert re.fullmatch(words, error["message"]), error["message"]
    assert re.fullmatch(r"wait for it, or: bulkrunner stop r-\S+", error["hint"])


def test_a_second_process_is_told_who_holds_the_run(mixed, driven):
    place = mixed.place
    run = place("status").document["runs"][0]["run"]
    place("pause", run)
    second = place("run", mixed.folder, "--env", "staging", expect=2)
    told_who_holds_it(second, driven)
    place("resume", run)
    told_who_holds_it(place("resume", run, expect=2), driven)
    out, err = driven.communicate(timeout=120)
    assert driven.returncode == 0, err
    assert json.loads(out)["outcomes"]["applied"] == ALL
    assert set(mixed.written().values()) == {1}


def test_a_stopped_process_keeps_the_run_for_a_while_and_a_killed_one_does_not(
    mixed, driven, monkeypatch
):
    monkeypatch.setattr("bulkrunner.adapters.ledger.database.BUSY_SECONDS", 0.05)
    place = mixed.place
    driven.send_signal(signal.SIGSTOP)
    wait_until(lambda: ") T " in Path(f"/proc/{driven.pid}/stat").read_text())
    # It may hold the ledger's own lock; then it must be let go on before anybody can do anything.
    by_then = len(place.sandbox.staging.writes())
    second = place("run", mixed.folder, "--env", "staging", expect=None)
    if second.exit_code == 2:
        told_who_holds_it(second, driven)
    else:
        assert second.document["error"]["code"] == "ledger_unavailable"
    assert len(place.sandbox.staging.writes()) == by_then
    os.kill(driven.pid, signal.SIGKILL)
    driven.wait()
    resumed = place("resume")
    assert resumed.document["outcomes"]["applied"] == ALL
    assert set(mixed.written().values()) == {1}
