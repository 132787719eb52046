"""What a shell is offered, and the scripts by which it asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from bulkrunner.cli.commands.completion import ASKED_BY, SHELLS
from bulkrunner.cli.main import cli
from tests.support.ledgers import a_plan, new_ledger, start_run, store_plan


def offered(*words):
    """What is offered for the last word, each with its type."""
    *typed, last = words
    found = ShellComplete(cli, {}, "bulkrunner", ASKED_BY).get_completions(list(typed), last)
    return [one.value for one in found if one.type == "plain"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def in_ledger(here):
    """A plan and its run, in the ledger of the current folder."""
    with new_ledger(here) as ledger:
        plan = store_plan(ledger, a_plan(), [])
        start_run(ledger, plan)
    return f"sqlite:///{next(here.glob('*.db'))}"


def test_commands_are_offered(here):
    assert offered("re") == ["reject", "report", "resume"]
    assert "--env" in offered("plan", "job", "--")


def test_environments_are_those_of_the_configuration(here):
    Path("bulkrunner.toml").write_text(
        '[environments.own-test]\nkind = "test"\nbase_url = "http://127.0.0.1:1"\n'
        'token_url = "http://127.0.0.1:1/oauth/token"\nbase_uri = "http://127.0.0.1:1/"\n',
        encoding="utf-8",
    )
    assert offered("run", "job", "--env", "o") == ["own-test"]
    assert "production" in offered("doctor", "--env", "")


@pytest.mark.parametrize("command", ["resume", "report", "verify", "approve", "status", "stop"])
def test_ids_are_those_of_the_ledger(in_ledger, command):
    assert sorted(offered("--ledger", in_ledger, command, "")) == ["p1", "r1"]
    assert offered(command, "--ledger", in_ledger, "r") == ["r1"]


def test_nothing_is_offered_of_no_ledger_and_none_is_made(here):
    assert offered("resume", "") == []
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "content", ["[environments", "ledger = 5", '[ledger]\nurl = "mysql://x/y"']
)
def test_a_faulty_configuration_offers_nothing(here, content):
    Path("bulkrunner.toml").write_text(content, encoding="utf-8")
    assert offered("resume", "") == []
    assert offered("run", "job", "--env", "") == []


def test_a_damaged_ledger_offers_nothing(here):
    Path("bulkrunner.db").write_bytes(b"no ledger at all" * 100)
    assert offered("resume", "") == []


def test_job_folders_are_offered_and_else_what_the_shell_knows(here):
    for name in ("jobs/one", "jobs/other", "jobs/none"):
        Path(name).mkdir(parents=True)
    for name in ("one", "other"):
        Path("jobs", name, "job.yaml").touch()
    assert offered("check", "jobs/") == ["jobs/one", "jobs/other"]
    assert offered("check", "jobs/ot") == ["jobs/other"]
    assert offered("check", "jo") == []
    (folders,) = ShellComplete(cli, {}, "bulkrunner", ASKED_BY).get_completions(["check"], "jo")
    assert folders.type == "dir"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(capsys, shell):
    from bulkrunner.cli.main import main

    assert main(["completion", shell]) == 0
    assert f"{ASKED_BY}={shell}_complete" in capsys.readouterr().out


def test_bash_completes_by_it(here):
    words = f"""
        export PATH="{Path(sys.executable).parent}:$PATH"
        eval "$(bulkrunner completion bash)"
        COMP_WORDS=(bulkrunner ver) COMP_CWORD=1
        _bulkrunner_completion bulkrunner
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "verify\n"
