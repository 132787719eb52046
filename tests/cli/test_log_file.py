"""``--log FILE``: JSON lines that say what was done, without secrets."""

import json
import logging
import stat

import pytest

from bulkrunner.cli.log_file import logging_to
from bulkrunner.cli.main import main

SECRET = 'p"4:åäö-q9z'


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_begin_and_end_of_a_command_are_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "log.jsonl"
    assert main(["--log", str(path), "schema"]) == 0
    assert main(["resume", f"--log={path}", "r-none"]) == 2
    begun, ended, again, failed = [one for one in lines(path) if "action" in one]
    assert begun["arguments"] == ["--log", str(path), "schema"]
    assert (ended["action"], ended["exit_code"], ended["error"]) == ("command_ends", 0, None)
    assert again["action"] == "command_begins"
    assert failed["exit_code"] == 2
    assert failed["error"]["code"] == "unknown_run" or failed["error"]["message"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_more_is_said_on_the_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = list(logging.getLogger().handlers), logging.getLogger().level
    assert main(["schema", "--log", "log.jsonl"]) == 0
    assert capsys.readouterr().err == ""
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "job", "--log", str(tmp_path / "none" / "log.jsonl")]) == 2
    assert "log.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(
    "said", [f"the server said {SECRET}!", {"nested": [SECRET]}, json.dumps(SECRET)]
)
def test_secrets_of_clients_are_hidden_wherever_they_stand(tmp_path, said):
    path = tmp_path / "log.jsonl"
    environ = {"BULKRUNNER_QA_CLIENT_SECRET": SECRET, "OTHER": "x"}
    with logging_to(str(path), logging.WARNING, environ):
        logging.getLogger("bulkrunner").warning("%s", said, extra={"more": said})
        try:
            int(SECRET)
        except ValueError:
            logging.getLogger("bulkrunner").exception("failed")
    text = path.read_text(encoding="utf-8")
    assert "q9z" not in text
    assert "•••" in text
    assert len(lines(path)) == 2


def test_what_others_log_is_there_too_with_its_own_values(tmp_path):
    path = tmp_path / "log.jsonl"
    with logging_to(str(path), logging.WARNING, {}):
        logging.getLogger("bulkrunner").info("goes on", extra={"action": "paused", "run": "r-1"})
        logging.getLogger("bulkrunner").debug("too much")
    (told,) = lines(path)
    assert (told["action"], told["run"], told["level"]) == ("paused", "r-1", "info")
