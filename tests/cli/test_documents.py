"""With --json: one document on stdout, with exactly the command's keys, whatever happens."""

import json

import pytest

from bulkrunner.cli.main import COMMANDS, main
from bulkrunner.runner.results import KEYS
from bulkrunner.sandbox import seed
from tests.support.cli import update_label
from tests.support.sandbox import BIBS, HOLDINGS

PLAN_KEYS = (
    "plan job environment manifest_digest effect_digest plan_digest state counts findings requests"
)
RUN_KEYS = "run plan environment state outcomes gates requests"
COUNTS = ["create", "update", "delete", "unchanged", "refused", "not_found"]
OUTCOMES = ["applied", "unchanged", "conflict", "refused", "failed", "unknown", "pending"]


def keys(document):
    return [key for key in document if key != "error"]


@pytest.fixture
def job(place, own):
    return place.job("labels", operations=update_label(own[:2], to="Hx"))


def is_digest(text):
    return text.startswith("sha256:") and len(text) == 71


def test_plan_word_for_word(place, own):
    operations = [*update_label(own[2:4], to="Hq"), {"delete": "0000000000zzzzzz"}]
    job = place.job("words", operations=operations)
    document = place("plan", job, "--env", "staging").document
    assert list(document) == PLAN_KEYS.split()
    assert document["plan"].startswith("p-")
    assert (document["job"], document["environment"]) == ("words", "staging")
    assert all(is_digest(document[f"{name}_digest"]) for name in ("manifest", "effect", "plan"))
    assert document["state"] == "complete"
    assert list(document["counts"]) == COUNTS
    assert [type(count) for count in document["counts"].values()] == [int] * 6
    assert sum(document["counts"].values()) == 3
    (finding,) = document["findings"]
    assert list(finding) == ["code", "record", "message"]
    assert (finding["code"], finding["record"]) == ("not_found", "0000000000zzzzzz")
    assert isinstance(document["requests"], int)


def test_requests_are_those_that_were_sent_login_included(place, own):
    log = place.sandbox.staging
    log.clear_log()
    job = place.job("counted", operations=update_label(own[4:6], to="Hq"))
    planned = place("plan", job, "--env", "staging").document
    assert planned["requests"] == len(log.log())
    log.clear_log()
    run = place("run", job, "--env", "staging").document
    assert run["requests"] == len(log.log())
    again = place("run", job, "--env", "staging").document
    assert again["requests"] == 0
    assert (again["run"], again["outcomes"]) == (run["run"], run["outcomes"])


def test_run_word_for_word(place, job):
    planned = place("plan", job, "--env", "staging").document
    document = place("run", job, "--env", "staging").document
    assert list(document) == RUN_KEYS.split()
    assert document["run"].startswith("r-")
    assert (document["plan"], document["environment"]) == (planned["plan"], "staging")
    assert document["state"] == "completed"
    assert list(document["outcomes"]) == OUTCOMES
    writes = sum(planned["counts"][name] for name in ("create", "update", "delete"))
    assert sum(document["outcomes"].values()) == writes
    names = ["plan", "environment", "rights", "ceilings", "refusals", "ledger"]
    assert [gate["name"] for gate in document["gates"]] == names
    for gate in document["gates"]:
        assert list(gate) == ["name", "open", "reason"]
        assert gate["open"] is True
        assert gate["reason"]


def test_a_closed_gate_word_for_word(place, own):
    job = place.job("closed", operations=update_label(own[6:7], to="Hq"))
    planned = place("plan", job, "--env", "production").document
    document = place("run", job, "--env", "production", expect=4).document
    assert list(document) == [*RUN_KEYS.split(), "error"]
    assert [gate["name"] for gate in document["gates"]] == [
        *("plan", "environment", "rights", "ceilings", "refusals"),
        *("staging", "approval", "ledger"),
    ]
    assert (document["run"], document["plan"]) == (None, planned["plan"])
    assert list(document["error"]) == ["code", "message", "hint"]
    assert document["error"]["code"] == "gate_closed"


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"sandbox", "demo"}))
def test_each_command_answers_with_its_keys(place, job, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a report is written without --out
    plan = place("plan", job, "--env", "staging").document["plan"]
    run = place("run", job, "--env", "staging").document["run"]
    given = {
        "advance": [job],
        "standing": ["list"],
        "approve": [plan, "--by", "K", "--reference", "1"],
        "check": [job],
        "clients": [],
        "completion": ["bash"],
        "doctor": ["--env", "staging"],
        "ledger": ["check"],
        "new": ["fresh", "--in", tmp_path],
        "pause": [run],
        "plan": [job, "--env", "staging"],
        "rate": [run, "3"],
        "reject": [plan, "--by", "K", "--reference", "1"],
        "report": [plan, "--out", tmp_path / "report.html"],
        "resume": [run],
        "run": [job, "--env", "staging"],
        "schema": [],
        "settle": [run, "1", "--as", "applied", "--by", "K", "--reason", "seen"],
        "status": [],
        "stop": [run],
        "submit": [job, "--env", "staging"],
        "undo": [run, "--out", tmp_path / "undone"],
        "verify": [run],
        "worker": [],
    }
    done = place(command, *given[command], expect=None)
    assert keys(done.document) == list(KEYS[command])


WRONG = {
    "an unknown option": ["--nonsense"],
    "too many arguments": ["a", "b", "c"],
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_usage_error_is_the_commands_document_too(place, command, wrong):
    done = place(command, *WRONG[wrong], expect=2)
    assert keys(done.document) == list(KEYS[command])
    assert all(value is None for key, value in done.document.items() if key != "error")
    assert done.document["error"]["code"] == "usage"
    assert done.document["error"]["message"]


@pytest.mark.parametrize("given", [[], ["nonsense"], ["--nonsense"], ["--config"]])
def test_without_a_command_the_document_is_the_error(place, given):
    done = place(*given, expect=2)
    assert list(done.document) == ["error"]


def test_the_value_of_a_global_option_is_no_command(place):
    done = place("--ledger", "status", "verify", "--nonsense", expect=2)
    assert keys(done.document) == list(KEYS["verify"])


UNKNOWN = {
    "approve": ["p-none", "--by", "K", "--reference", "1"],
    "reject": ["p-none", "--by", "K", "--reference", "1"],
    "report": ["p-none"],
    "resume": ["p-none"],
    "status": ["p-none"],
    "pause": ["r-none"],
    "rate": ["r-none", "3"],
    "stop": ["r-none"],
    "verify": ["r-none"],
}


def test_pages_of_libraries(place, job, tmp_path):
    plan = place("plan", job, "--env", "staging").document["plan"]
    every = place("report", plan, "--each-library", tmp_path / "pages").document["libraries"]
    assert [one["sigel"] for one in every] == ["Ylm"]
    (path,) = (tmp_path / "pages").iterdir()
    assert every[0]["path"] == str(path)
    one = place("report", plan, "--for", "Ylm", "--out", tmp_path / "ylm.html")
    assert one.document["path"] == str(tmp_path / "ylm.html")
    assert "Ylm" in (tmp_path / "ylm.html").read_text(encoding="utf-8")
    unknown = place("report", plan, "--for", "Xyz", "--out", tmp_path / "x.html", expect=2)
    assert unknown.document["error"]["code"] == "unknown_sigel"
    assert "Ylm" in unknown.document["error"]["hint"]
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["p", "--for", "Ylm", "--format", "csv"],
        ["p", "--for", "Ylm", "--each-library", "x"],
        ["p", "--each-library", "x", "--out", "y"],
        ["p", "q", "--diff", "--for", "Ylm"],
        ["p", "--semicolons"],
        ["p", "--semicolons", "--format", "xlsx"],
    ],
)
def test_options_that_do_not_go_together(place, wrong):
    done = place("report", *wrong, expect=2)
    assert "does not go together" in done.document["error"]["message"]


@pytest.mark.parametrize("command", UNKNOWN)
def test_an_unknown_id(place, command):
    done = place(command, *UNKNOWN[command], expect=2)
    assert keys(done.document) == list(KEYS[command])
    assert "none" in done.document["error"]["message"]
    assert done.document["error"]["hint"]


def test_an_unknown_id_is_shown_without_control_characters(place):
    done = place("status", "p-\x1b[2Jx", expect=2)
    assert "\x1b" not in done.stderr
    assert "\x1b" not in done.document["error"]["message"]


def test_an_unknown_environment_names_the_known_ones(place, job):
    done = place("plan", job, "--env", "stagging", expect=2)
    assert done.document["error"]["code"] == "unknown_environment"
    assert "staging" in done.document["error"]["hint"]
    assert keys(done.document) == list(KEYS["plan"])


def test_a_plan_of_another_job(place, job, own):
    other = place.job("other", operations=update_label(own[7:8]))
    plan = place("plan", other, "--env", "staging").document["plan"]
    done = place("run", job, "--env", "staging", "--plan", plan, expect=2)
    assert "other" in done.document["error"]["message"]


def test_nothing_to_resume(place, job):
    assert place("resume", expect=2).document["error"]["code"] == "nothing_to_resume"
    place("plan", job, "--env", "staging")
    assert place("resume", expect=2).document["error"]["code"] == "nothing_to_resume"


def test_resuming_a_run_with_nothing_left_sends_nothing(place, job):
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document
    again = place("resume", run["run"]).document
    assert (again["state"], again["requests"]) == ("completed", 0)


@pytest.mark.parametrize("where", ["before", "after"])
def test_global_options_stand_before_or_after_the_command(place, where, capsys):
    options = ["--config", str(place.config), "--json", "-v"]
    given = [*options, "status"] if where == "before" else ["status", *options]
    assert main(given) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == list(KEYS["status"])


def test_without_json_stdout_is_for_people(place, own, capsys):
    job = place.job("shown", operations=update_label(own[10:11], to="Hp"))
    place("plan", job, "--env", "staging")
    assert main(["--config", str(place.config), "status"]) == 0
    out = capsys.readouterr().out
    assert "plan p-" in out
    assert "next: bulkrunner run" in out


def test_status_names_the_next_command_along_the_road(place, own):
    job = place.job("road", operations=update_label(own[8:10], to="Hw"))

    def following():
        return place("status").document["next"].split()[1:3]

    plan = place("plan", job, "--env", "staging").document["plan"]
    assert following() == ["run", str(job)]
    place("run", job, "--env", "staging", "--limit", "1", expect=6)
    run = place("status").document["runs"][0]["run"]
    assert following() == ["resume", run]
    place("resume")
    assert place("status").document["next"] == f"bulkrunner plan {job} --env production"
    plan = place("plan", job, "--env", "production").document["plan"]
    assert following() == ["report", plan]
    place("approve", plan, "--by", "K", "--reference", "1")
    assert place("status").document["next"] == f"bulkrunner run {job} --env production"
    run = place("run", job, "--env", "production").document["run"]
    assert following() == ["verify", run]
    place("verify", run)


def test_a_job_that_nobody_has_tried_begins_in_a_test_environment(place, own):
    job = place.job("untried", operations=update_label(own[8:10], to="Hv"))
    plan = place("plan", job, "--env", "production").document["plan"]
    begin = f"bulkrunner plan {job} --env staging"
    assert place("status").document["next"] == begin
    place("plan", job, "--env", "staging")
    assert place("status", plan).document["next"] == begin
    place("run", job, "--env", "staging")
    assert place("status", plan).document["next"] == f"bulkrunner report {plan}"


@pytest.mark.parametrize(
    ("given", "meant"), [("aprove", "approve"), ("staus", "status"), ("PLAN", "plan"), ("q", None)]
)
def test_a_misspelled_command_is_told_which_is_meant(place, given, meant):
    message = place(given, expect=2).document["error"]["message"]
    assert message.endswith(f"Did you mean '{meant}'?" if meant else f"No such command '{given}'.")


def test_status_after_a_refused_plan_points_to_its_report(place):
    foreign = seed.example_ids(kind="holding", sigel="S", bibs=BIBS, holdings=HOLDINGS)[0]
    job = place.job("foreign", operations=[{"delete": foreign}])
    plan = place("plan", job, "--env", "staging", expect=3).document["plan"]
    assert place("status").document["next"] == f"bulkrunner report {plan}"
