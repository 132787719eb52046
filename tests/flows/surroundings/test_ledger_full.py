"""The ledger's disk is full: under a plan, under a run, and from the beginning."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bulkrunner.adapters.job_folders import new_job
from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.cli.main import main
from bulkrunner.errors import ConfigError, LedgerUnavailable, UsageError
from tests.flows.surroundings.conftest import ALL, at_request

MEBIBYTES = 8


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, *, leave: int = 0) -> None:
    """Take all of the disk's room but a few bytes."""
    with (disk / "filler").open("wb", buffering=0) as file:
        room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - leave
        try:
            while room > 0:
                room -= file.write(bytes(min(room, 65536)))
        except OSError:
            return


def make_room(disk: Path) -> None:
    (disk / "filler").unlink()


def on(disk: Path) -> tuple[str, str]:
    return "--ledger", f"sqlite:///{disk / 'ledger.db'}"


def is_full(done) -> bool:
    error = done.document["error"]
    return (
        error["code"] == "ledger_unavailable"
        and "full" in error["message"]
        and "make room" in error["hint"]
        and "resume" in error["hint"]
    )


@pytest.mark.parametrize("leave", [0, 40_000])
def test_full_under_a_run(mixed, disk, leave):
    place = mixed.place
    plan = place(*on(disk), "plan", mixed.folder, "--env", "staging")
    mixed.before = {record: len(place.sandbox.staging.history(record)) for record in mixed.changed}
    with at_request(place.sandbox, 8, lambda: fill(disk, leave=leave), writes=True):
        done = place.outside(*on(disk), "run", mixed.folder, "--env", "staging", expect=6)
    assert is_full(done), done.document
    assert done.document["plan"] == plan.document["plan"]
    assert done.document["run"]
    assert sum(done.document["outcomes"].values()) == ALL
    assert max(mixed.written().values()) == 1
    assert sum(mixed.written().values()) < ALL

    still = place.outside(*on(disk), "resume", expect=6)
    assert is_full(still), still.document
    make_room(disk)
    resumed = place.outside(*on(disk), "resume")
    assert resumed.document["outcomes"]["applied"] == ALL
    assert set(mixed.written().values()) == {1}
    assert place(*on(disk), "ledger", "check").document["state"] == "intact"


def test_full_under_a_plan(mixed, disk):
    place = mixed.place
    with at_request(place.sandbox, 5, lambda: fill(disk), writes=False):
        done = place.outside(*on(disk), "plan", mixed.folder, "--env", "staging", expect=6)
    assert is_full(done), done.document
    assert place.sandbox.staging.writes() == []
    make_room(disk)
    resumed = place.outside(*on(disk), "resume").document
    assert resumed["state"] == "complete"
    assert sum(resumed["counts"].values()) == ALL


def test_full_from_the_beginning(mixed, disk):
    fill(disk)
    done = mixed.place.outside(*on(disk), "plan", mixed.folder, "--env", "staging", expect=6)
    assert is_full(done), done.document
    make_room(disk)
    assert list(disk.iterdir()) == []
    mixed.place.outside(*on(disk), "plan", mixed.folder, "--env", "staging")


def test_full_by_a_limit_of_its_own(mixed, monkeypatch):
    """The same without a disk of its own: the database is not allowed to grow."""
    from bulkrunner.adapters.ledger.database import Database

    place = mixed.place
    mixed.plan()
    real = Database.write

    @contextmanager
    def write(self):
        with real(self) as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            yield connection

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", write)
        done = place("run", mixed.folder, "--env", "staging", expect=6)
    assert is_full(done), done.document
    assert max(mixed.written().values()) <= 1


SMALL = 300_000
"""Room for a new ledger, and none for what a database writes beside it meanwhile."""


@pytest.mark.parametrize("leave", [0, 4096, 40_000, SMALL, SMALL + 60_000, SMALL + 120_000])
def test_full_while_the_ledger_is_made(disk, leave):
    fill(disk, leave=leave)
    url = f"sqlite:///{disk / 'ledger.db'}"
    with pytest.raises(LedgerUnavailable, match="full") as caught:
        open_ledger(url, clock=SystemClock())
    assert "make room" in caught.value.hint
    assert [path.name for path in disk.iterdir()] == ["filler"]
    make_room(disk)
    with closing(open_ledger(url, clock=SystemClock())) as ledger:
        assert ledger.chain.check() == []


@pytest.mark.parametrize("leave", [0, 12_288])
def test_full_while_the_ledger_is_only_read(disk, leave):
    open_ledger(f"sqlite:///{disk / 'ledger.db'}", clock=SystemClock()).close()
    fill(disk, leave=leave)
    command = [sys.executable, "-m", "bulkrunner", *on(disk), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 6, done
    assert "the ledger's disk is full" in done.stderr
    make_room(disk)
    open_ledger(f"sqlite:///{disk / 'ledger.db'}", clock=SystemClock()).close()


def test_a_file_system_that_is_read_only_is_named(disk):
    open_ledger(f"sqlite:///{disk / 'ledger.db'}", clock=SystemClock()).close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(LedgerUnavailable, match="read-only") as caught:
        open_ledger(f"sqlite:///{disk / 'ledger.db'}", clock=SystemClock())
    assert "--ledger" in caught.value.hint
    with pytest.raises(ConfigError, match="Read-only file system"):
        open_ledger(f"sqlite:///{disk / 'other.db'}", clock=SystemClock())
    with pytest.raises(UsageError, match="Read-only file system"):
        new_job("job", disk, kind="update", sigels=(), today="2026-03-01")


@pytest.mark.parametrize("leave", [0, 8192])
def test_a_new_job_on_a_full_disk_leaves_no_half_of_it(disk, leave, capsys):
    fill(disk, leave=leave)
    assert main(["--json", "new", "job", "--in", str(disk)]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "not_written"
    assert "No space left" in error["message"]
    assert "make room" in error["hint"]
    assert [path.name for path in disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_no_fault_of_the_program_wherever_it_is_met(monkeypatch, capsys, number):
    def fails(*_given, **_more):
        raise OSError(number, os.strerror(number), "/somewhere/file")

    monkeypatch.setattr("bulkrunner.adapters.job_folders.new_job", fails)
    assert main(["--json", "new", "job"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "not_written"
    assert error["message"].startswith("/somewhere/file cannot be written: ")
