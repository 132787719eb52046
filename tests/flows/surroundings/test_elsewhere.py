"""What the program does where a system lacks what POSIX has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulkrunner.adapters import machine as owner
from bulkrunner.adapters.functions import NotConfined, Runners
from bulkrunner.adapters.manifests import folder as files
from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.bootstrap.core import Core
from bulkrunner.config.toml_file import read_config_file
from bulkrunner.domain.functions import FunctionSource
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.run import Owner
from bulkrunner.errors import Fault
from tests.support.paths import ROOT

READING = "check or new or status or report or plan or run"


@pytest.mark.slow
def test_commands_answer_without_what_windows_lacks():
    """The commands that read, and run, in a process without it."""
    command = [sys.executable, "-m", "tests.support.elsewhere", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", "tests/cli/test_documents.py", "-k", f"keys and ({READING})"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A job folder on a system that holds no folders open."""
    monkeypatch.setattr(files, "_HOLDS_FOLDERS", False)
    inside = tmp_path / "job"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "ids.txt").write_bytes(b"one\r\n")
    (tmp_path / "secret.txt").write_text("secret")
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "away").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe")
    return JobFolder(path=inside)


def test_files_of_a_job_are_read_by_their_paths(folder):
    with folder.open("sub/ids.txt") as file:
        assert file.read() == b"one\r\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../secret.txt", "outside_folder"),
        ("/etc/passwd", "outside_folder"),
        ("sub\\..\\..\\secret.txt", "outside_folder"),
        ("C:secret.txt", "outside_folder"),
        ("sub/ids.txt:stream", "outside_folder"),
        ("link.txt", "symbolic_link"),
        ("away/secret.txt", "symbolic_link"),
        ("away/job/sub/ids.txt", "symbolic_link"),
        ("pipe", "not_a_file"),
        ("sub", "not_a_file"),
        ("id.txt", "missing_file"),
        ("sub/ids.txt/more", "missing_file"),
    ],
)
def test_and_nothing_else(folder, name, code):
    with pytest.raises(Fault) as caught:
        folder.open(name)
    assert caught.value.code == code


def test_a_file_that_is_exchanged_while_it_is_opened(folder, monkeypatch):
    real = os.open

    def exchange(path, flags):
        path.unlink()
        path.symlink_to(folder.path.parent / "secret.txt")
        return real(path, os.O_RDONLY)

    monkeypatch.setattr(files.os, "open", exchange)
    with pytest.raises(Fault, match="exchanged"):
        folder.open("sub/ids.txt")


def test_functions_need_linux_and_say_so(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "killpg")
    source = FunctionSource(module="rules", function="change", sources={})
    iris = IriMap(bases=("https://example.org/",), target="https://example.org/")
    with pytest.raises(NotConfined, match="functions need Linux") as caught:
        Runners([source], tmp_path, policy="any", iris=iris)
    assert "WSL" in caught.value.hint
    Runners([], tmp_path, policy="any", iris=iris).close()


def test_no_process_is_asked_with_a_signal_that_would_end_it(monkeypatch):
    monkeypatch.setattr(owner, "_CAN_ASK", False)
    monkeypatch.setattr(owner, "PROC", Path("/nowhere"))
    monkeypatch.setattr(owner.os, "kill", lambda *_: pytest.fail("asked"))
    this = owner.this_process()
    assert owner.is_alive(this) is None
    assert owner.is_alive(Owner(host="elsewhere", boot="", pid=1, started="")) is None


def test_whose_a_file_is_cannot_be_told_so_it_is_nobodys(tmp_path, monkeypatch):
    path = tmp_path / "bulkrunner.toml"
    path.write_text("")
    path.chmod(0o600)
    assert read_config_file(path).own
    monkeypatch.delattr(os, "getuid")
    assert not read_config_file(path).own


def test_an_account_without_a_name(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "pwd", None)
    monkeypatch.delattr(os, "getuid")
    assert Core(None, None, {}).account().startswith("somebody@")
