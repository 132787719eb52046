"""Which process this is, and whether another one lives."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bulkrunner.adapters import machine as module
from bulkrunner.adapters.machine import is_alive, this_process
from tests.support.paths import ROOT

OTHER = """
import sys
from dataclasses import astuple
from bulkrunner.adapters.machine import this_process
print(*astuple(this_process()), sep="\\n", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other():
    """Another process that says who it is and then waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    host, boot, pid, started = (process.stdout.readline().strip() for _ in range(4))
    yield process, module.Owner(host=host, boot=boot, pid=int(pid), started=started)
    process.kill()
    process.communicate()


def test_this_process_lives():
    assert is_alive(this_process()) is True
    assert this_process() == this_process()


def test_another_process_lives_and_dies(other):
    process, owner = other
    assert owner.pid == process.pid
    assert is_alive(owner) is True
    process.kill()
    process.wait()
    assert is_alive(owner) is False


def test_a_zombie_is_dead(other):
    process, owner = other
    process.kill()
    stat = Path(f"/proc/{owner.pid}/stat")
    while stat.exists() and ") Z " not in stat.read_text():
        pass
    assert is_alive(owner) is False


def test_a_number_that_another_process_has_now(other):
    _, owner = other
    assert is_alive(replace(owner, started="1")) is False


def test_before_the_machine_was_started_anew(other):
    _, owner = other
    assert is_alive(replace(owner, boot="another-boot")) is False


def test_of_another_host_nobody_can_tell(other):
    _, owner = other
    assert is_alive(replace(owner, host="elsewhere/1/pid")) is None


def test_without_a_start_time_a_live_number_proves_nothing(other):
    process, owner = other
    assert is_alive(replace(owner, started="")) is None
    process.kill()
    process.wait()
    assert is_alive(replace(owner, started="")) is False


def test_where_there_is_no_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PROC", tmp_path)
    monkeypatch.setattr(module, "MACHINE_IDS", ())
    owner = this_process()
    assert (owner.boot, owner.started) == ("", "")
    assert is_alive(owner) is None
