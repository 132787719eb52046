"""Output never changes what a command does, or how it ends."""

import os
import subprocess
import sys

import pytest
from rich.cells import cell_len

from bulkrunner.cli.console import ConsoleProgress
from tests.support.cli import update_label

SHELF_MARK = "Hc\u00e5 \u2192 \u6f22"


@pytest.fixture
def job(place, own, request):
    """A job that has something to do in each test, on records that the tests share."""
    to = f"{SHELF_MARK} {request.node.name}"
    return place.job("streams", title=to, operations=update_label(own[:2], to=to))


def shell(place, line, *arguments, **environ):
    """Run a command as a shell does, with its redirections."""
    given = [sys.executable, "-m", "bulkrunner", "--config", str(place.config), *arguments]
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {line}', "sh", *map(str, given)],
        env={**os.environ, **place.environ(), **environ},
        capture_output=True,
        cwd=place.folder,
        check=False,
    )


@pytest.mark.parametrize(
    "redirection", [">&-", ">/dev/full", "2>&-", ">&- 2>&-", "2>/dev/full", "<&- >&- 2>&-"]
)
def test_a_stream_that_takes_nothing(place, job, redirection):
    for command in ("check", "plan", "run"):
        given = [command, job, *(["--env", "staging"] if command != "check" else [])]
        done = shell(place, redirection, *given)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
        if redirection == ">/dev/full":
            assert b"No space left on device" in done.stderr
            assert done.stderr.count(b"warning: stdout") == 1
    assert place("run", job, "--env", "staging").document["outcomes"]["applied"] == 2


def test_an_error_keeps_its_exit_code_where_nothing_can_be_said(place):
    for redirection in (">&- 2>&-", ">/dev/full 2>/dev/full", ">/dev/full"):
        assert shell(place, redirection, "check", "nowhere").returncode == 2
        assert shell(place, redirection, "--json", "check", "nowhere").returncode == 2


def test_a_closed_stream_is_not_given_to_the_ledger(place, job):
    """The first file opened would get the number 1, and what is printed would end up in it."""
    shell(place, ">&-", "plan", job, "--env", "staging")
    done = shell(place, ">&- 2>&-", "run", job, "--env", "staging")
    assert done.returncode == 0
    assert place("ledger", "check").exit_code == 0
    assert place.ledger.read_bytes().startswith(b"SQLite format 3\x00")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "cp437", "utf-8", "utf-16"])
def test_any_encoding_of_the_streams(place, job, encoding):
    usual = shell(place, "", "check", "--explain", job, PYTHONIOENCODING="utf-8")
    done = shell(place, "", "check", "--explain", job, PYTHONIOENCODING=encoding)
    assert done.returncode == usual.returncode == 0, done.stderr
    told = done.stdout.decode(encoding)
    assert len(told.splitlines()) == len(usual.stdout.decode().splitlines())
    assert SHELF_MARK in usual.stdout.decode()
    lost = {"cp1252": "Hc\u00e5 \\u2192 \\u6f22", "ascii": "Hc\\xe5 \\u2192 \\u6f22"}
    assert lost.get(encoding, "") in told


def test_a_command_under_another_code_page_does_its_work(place, job):
    for command in ("plan", "run"):
        done = shell(place, "", command, job, "--env", "staging", PYTHONIOENCODING="cp1252")
        assert done.returncode == 0, done.stderr
    assert place("run", job, "--env", "staging").document["outcomes"]["applied"] == 2


def test_a_name_that_is_no_text_is_shown(place):
    done = shell(place, "", "check", os.fsdecode(b"no\xff\xfewhere"))
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


class Terminal:
    """A terminal of some width as stderr."""

    def __init__(self, monkeypatch, columns):
        self.said = ""
        monkeypatch.setattr(sys, "stderr", self)
        monkeypatch.setattr(os, "get_terminal_size", lambda number: os.terminal_size((columns, 24)))

    def isatty(self):
        return True

    def fileno(self):
        return 2

    def flush(self):
        pass

    def write(self, text):
        self.said += text


@pytest.mark.parametrize("columns", [20, 40, 80, 200, 400])
def test_the_live_line_fits_the_terminal(monkeypatch, columns):
    terminal = Terminal(monkeypatch, columns)
    progress = ConsoleProgress(str)
    progress.begin("planning \u6f22\u5b57 " + "x" * 250, 10)
    (line,) = terminal.said.split("\r\x1b[2K")[1:]
    assert cell_len(line) < columns
    assert line.endswith("…") == (columns < 300)


def test_the_rate_is_of_what_was_done_since_the_first_was_told(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    terminal = Terminal(monkeypatch, 200)
    progress = ConsoleProgress(str)
    progress.begin("running", 1000)
    for seconds, done in ((5.0, 400), (2.0, 400), (3.0, 450)):
        clock[0] += seconds
        progress.advance(done, {})
    lines = terminal.said.split("\r\x1b[2K")
    assert "/s" not in lines[2]  # 400 were done by an earlier process
    assert "/s" not in lines[3]
    assert "10.0/s" in lines[4]
    assert "55 s left" in lines[4]
