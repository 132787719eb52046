"""Hooks: what is told to whom, from which file, and that nothing else changes by it."""

import io
import json
import sys
import types
from datetime import date

import pytest

from bulkrunner.config import OwnCommand, load_settings
from bulkrunner.domain.rules import GateResult
from bulkrunner.errors import ConfigError, GateClosed, IncompleteOutcome, Interrupted
from bulkrunner.runner import Runner, hooks
from bulkrunner.runner.telling import Caller
from tests.support.docs import fenced, page

KEEP = "import pathlib,sys; pathlib.Path('told.json').write_text(sys.stdin.read())"
LOUD = "import os; print(sorted(os.environ)); raise SystemExit(3)"


def closed(*names):
    return GateClosed(
        "closed", gates=[GateResult(name=one, open=False, reason="x") for one in names]
    )


RAN = {"run": "r-1", "state": "completed", "outcomes": {"applied": 2, "conflict": 0}}
BAD = {"run": "r-1", "state": "completed", "outcomes": {"applied": 2, "conflict": 1}}
STEP = {"step": "run", "run": "r-1", "state": "completed", "outcomes": {"conflict": 1}}


@pytest.mark.parametrize(
    ("command", "document", "error", "events"),
    [
        ("plan", {"plan": "p-1", "plan_digest": "sha256:1"}, None, ["plan_complete"]),
        ("plan", {"plan": "p-1", "plan_digest": None}, Interrupted("x"), []),
        ("run", RAN, None, ["run_ended"]),
        ("resume", BAD, IncompleteOutcome("x"), ["run_ended", "conflict"]),
        ("run", {**RAN, "state": "stopped"}, Interrupted("x"), ["stopped"]),
        ("run", {**RAN, "state": "interrupted"}, Interrupted("x"), []),
        ("run", {"run": None}, closed("approval"), ["waits_for_approval"]),
        ("run", {"run": None}, closed("approval", "staging"), []),
        ("advance", {"steps": [STEP]}, None, ["run_ended", "conflict"]),
        (
            "advance",
            {"steps": [{"step": "run", "run": None}]},
            closed("approval"),
            ["waits_for_approval"],
        ),
        ("advance", {"steps": None}, Interrupted("x"), []),
        ("verify", {"run": "r-1"}, None, []),
        ("status", {"runs": []}, None, []),
    ],
)
def test_what_has_happened_is_seen_by_the_document(command, document, error, events):
    assert list(hooks.events_of(command, document, error)) == events


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Write the user's own file with a hook for every event; return what calls it."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home" / "bulkrunner"
    home.mkdir(parents=True)
    environ = {"XDG_CONFIG_HOME": str(home.parent), "BULKRUNNER_STAGING_CLIENT_SECRET": "s3cret"}

    def write(code):
        lines = [f"{event} = {json.dumps([sys.executable, '-c', code])}" for event in EVENTS]
        file = home / "bulkrunner.toml"
        file.write_text("[hooks]\n" + "\n".join(lines) + "\n", encoding="utf-8")
        file.chmod(0o600)
        heard = []
        runner = Runner(None, None, environ=environ, telling=Caller(heard.append, "sv"))
        runner._telling.document = dict(RAN)
        return runner, heard, home

    return write


EVENTS = (
    "conflict",
    "plan_complete",
    "run_ended",
    "standing_ends_soon",
    "stopped",
    "waits_for_approval",
)


def test_a_hook_gets_the_document_in_its_own_folder(configured):
    runner, heard, folder = configured(KEEP)
    hooks.call_hooks(runner.program, runner._telling, "run", None)
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    assert told == {"event": "run_ended", "command": "run", "document": RAN, "error": None}
    assert heard == []


def test_an_error_is_told_too(configured):
    runner, _heard, folder = configured(KEEP)
    runner._telling.document = {"run": None}
    hooks.call_hooks(runner.program, runner._telling, "run", closed("approval"))
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    assert (told["event"], told["error"]["code"]) == ("waits_for_approval", "gate_closed")


def test_one_that_fails_is_told_in_the_language_asked_for(configured):
    runner, heard, _folder = configured(LOUD)
    hooks.call_hooks(runner.program, runner._telling, "run", None)
    assert [one.text for one in heard] == [
        "Kommandot för run_ended slutade med felkod 3; i övrigt ändrades ingenting."
    ]


def test_one_that_is_slow_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(hooks, "PATIENCE", 0.2)
    hook = OwnCommand(
        arguments=(sys.executable, "-c", "import time; time.sleep(60)"), folder=tmp_path
    )
    with pytest.raises(ValueError, match=r"more than 0\.2 s"):
        hooks.call(hook, "stopped", {}, {})


def test_one_that_cannot_be_started_is_told(tmp_path):
    with pytest.raises(ValueError, match="cannot be started"):
        hooks.call(OwnCommand(arguments=("./none",), folder=tmp_path), "stopped", {}, {})


def test_one_that_does_not_read_has_done_well(tmp_path):
    hook = OwnCommand(arguments=(sys.executable, "-c", "pass"), folder=tmp_path)
    hooks.call(hook, "stopped", {"document": "x" * 1_000_000}, {})


def test_secrets_of_clients_are_not_handed_on(tmp_path):
    code = "import os,pathlib; pathlib.Path('seen').write_text(repr(sorted(os.environ)))"
    hook = OwnCommand(arguments=(sys.executable, "-c", code), folder=tmp_path)
    environ = {"BULKRUNNER_QA_CLIENT_SECRET": "s", "BULKRUNNER_QA_CLIENT_ID": "c", "LANG": "C"}
    hooks.call(hook, "stopped", {}, environ)
    seen = (tmp_path / "seen").read_text(encoding="utf-8")
    assert "SECRET" not in seen
    assert "BULKRUNNER_QA_CLIENT_ID" in seen


def test_a_file_that_came_with_a_job_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "bulkrunner.toml"
    file.write_text('[hooks]\nrun_ended = ["touch", "made"]\n', encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="hooks"):
        load_settings(None, {})
    assert load_settings(file, {}).hooks["run_ended"].arguments == ("touch", "made")


@pytest.mark.parametrize("line", ['run_ended = "touch made"', "run_ended = []", 'ended = ["x"]'])
def test_a_hook_is_a_list_of_a_known_event(tmp_path, line):
    file = tmp_path / "bulkrunner.toml"
    file.write_text(f"[hooks]\n{line}\n", encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigError):
        load_settings(file, {})


@pytest.mark.parametrize(
    ("days", "soon"), [([14], True), ([15], False), ([3, 40], False), ([], False)]
)
def test_a_standing_approval_ends_soon_in_its_last_two_weeks(days, soon):
    today = date(2026, 12, 1)
    given = [
        types.SimpleNamespace(
            bounds=types.SimpleNamespace(until=date.fromordinal(today.toordinal() + n))
        )
        for n in days
    ]
    recurring = types.SimpleNamespace(given=lambda job: given, ended=lambda one: None)
    program = types.SimpleNamespace(gating=types.SimpleNamespace(recurring=lambda: recurring))
    assert hooks.standing_ends_soon(program, "job", today) is soon


def test_the_mail_of_the_how_to_says_what_happened(monkeypatch):
    mail, chat = fenced(page("how-to/be-told.md"), "python")
    told = {
        "event": "stopped",
        "document": {"plan": "p-1"},
        "error": {"message": "full", "hint": "h"},
    }
    sent = []
    monkeypatch.setattr("subprocess.run", lambda command, **given: sent.append(given["input"]))
    monkeypatch.setattr(
        "urllib.request.urlopen", lambda request, timeout: sent.append(request.data)
    )
    monkeypatch.setenv("CHAT_WEBHOOK", "http://127.0.0.1:1/")
    monkeypatch.setattr(sys, "argv", ["bulkrunner-mail", "a@example.org"])
    for code in (mail, chat):
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(told)))
        exec(compile(code, "be-told.md", "exec"), {})
    assert b"Subject: bulkrunner: stopped (p-1)" in sent[0]
    assert b"full" in sent[0]
    assert json.loads(sent[1])["text"].startswith("stopped: p-1")
