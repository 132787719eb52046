"""Colours are for terminals that show them; everything else gets plain text."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bulkrunner
from bulkrunner.cli import console
from bulkrunner.cli.options import Invocation
from bulkrunner.sentences import Sentence

pty = pytest.importorskip("pty")


def on_a_terminal(*arguments, folder, **environ):
    """What a command writes to a terminal of its own, and its exit code."""
    ours, its = pty.openpty()
    given = [sys.executable, "-m", "bulkrunner", *map(str, arguments)]
    usual = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.Popen(
        given,
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=folder,
        env=usual | {"TERM": "xterm"} | environ,
    )
    os.close(its)
    told = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        told += part
    os.close(ours)
    return told.decode(), done.wait()


def test_what_is_wrong_is_red_on_a_terminal(tmp_path):
    told, code = on_a_terminal("check", "nowhere", folder=tmp_path)
    assert code == 2
    assert "\x1b[1;31merror: " in told
    assert "\x1b[36mhint: " in told


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_gets_plain_text(tmp_path, environ):
    told, code = on_a_terminal("check", "nowhere", folder=tmp_path, **environ)
    assert code == 2
    assert told.startswith("error: ")
    assert "\x1b" not in told


def test_a_file_gets_plain_text_whatever_the_terminal(tmp_path):
    given = [sys.executable, "-m", "bulkrunner", "check", "nowhere"]
    done = subprocess.run(given, capture_output=True, cwd=tmp_path, check=False)
    assert done.stderr.startswith(b"error: ")
    assert b"\x1b" not in done.stderr + done.stdout


class Terminal(io.StringIO):
    def isatty(self):
        return True


def said(monkeypatch, sentence):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Invocation().say(sentence, indent=2)
    return terminal.getvalue()


def test_a_gate_is_red_or_green(monkeypatch):
    closed = said(monkeypatch, Sentence("status_gate_closed", gate="rights", reason="none"))
    opened = said(monkeypatch, Sentence("status_gate_open", gate="rights", reason="all"))
    assert closed == "\x1b[31m  gate rights       CLOSED none\x1b[0m\n"
    assert opened == "\x1b[32m  gate rights       open   all\x1b[0m\n"


def test_what_is_not_of_our_making_colours_nothing(monkeypatch):
    """Neither rich's own marks nor what a terminal would obey."""
    hostile = "[bold red]x[/] :boom: \x1b[2J"
    told = said(monkeypatch, Sentence("next", command=hostile))
    assert "[bold red]x[/] :boom: " in told
    assert "\x1b[2J" not in told


def test_every_style_is_of_a_sentence():
    catalogue = Path(bulkrunner.__file__).parent / "sentences" / "en.json"
    assert console.STYLES.keys() <= json.loads(catalogue.read_text(encoding="utf-8")).keys()
