"""The program from Python: what is promised, what comes back, and what is told on the way."""

import asyncio
import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import bulkrunner
from bulkrunner.runner.results import KEYS, RESULTS, Result
from tests.support.cli import update_label
from tests.support.docs import fenced, page

PROMISED = """
    AccessLost BulkRunnerError GateClosed Happening IncompleteOutcome Interrupted PlanRefused Runner
    UsageError __version__ open
"""

METHODS = """
    advance approve cancel check close plan program record reject report resume run status undo verify
"""


def test_the_promised_names_are_there_and_no_others():
    assert sorted(bulkrunner.__all__) == PROMISED.split()
    for name in PROMISED.split():
        assert getattr(bulkrunner, name) is not None
    with pytest.raises(AttributeError):
        _ = bulkrunner.nonsense
    assert bulkrunner.GateClosed.exit_code == 4


def test_a_runner_has_a_method_for_each_command_it_stands_for():
    public = {name for name in dir(bulkrunner.Runner) if not name.startswith("_")}
    assert public == set(METHODS.split()) - {"program"}
    assert set(RESULTS) <= public


@pytest.mark.parametrize("command", sorted(RESULTS))
def test_a_result_has_every_key_of_its_document(command):
    document = {name: [name] for name in KEYS[command]}
    result = RESULTS[command].of({**document, "more": 1})
    assert [getattr(result, name) for name in KEYS[command]] == [[name] for name in document]
    assert result.document["more"] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.document = {}


@pytest.fixture
def place(libris_pair, tmp_path, monkeypatch):
    """A folder with a configuration, and the environment variables of the embedded Libris."""
    monkeypatch.chdir(tmp_path)
    libris_pair.write_config(tmp_path / "bulkrunner.toml")
    for name, value in libris_pair.variables().items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def job(place, libris_pair):
    ids = [
        record
        for record in libris_pair.production.records("hold", "Ylm")
        if "shelfMark" in libris_pair.production.document(record)["@graph"][1]
    ]
    folder = place / "jobs" / "marks"
    folder.mkdir(parents=True)
    manifest = {
        "bulkrunner": 1,
        "job": "marks",
        "title": "Marks",
        "purpose": "Made by a test.",
        "on_behalf_of": "Ylm",
        "sigels": ["Ylm"],
        "agreement": {"reference": "KB 1", "contact": "a@example.org"},
        "operations": update_label(ids[:3], to="Hcx"),
    }
    (folder / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_the_example_of_the_reference_takes_a_job_the_whole_road(job, place, libris_pair, capsys):
    example, _service = fenced(page("reference/python.md"), "python")
    names = {}
    exec(compile(example, "python.md", "exec"), names)
    plan, report = names["until_kb_answers"](str(job), "bulkrunner.toml")
    assert plan in (place / report).read_text(encoding="utf-8")
    assert libris_pair.production.writes() == []
    assert "['approval']" in capsys.readouterr().out
    ran = names["after_the_yes"](str(job), "bulkrunner.toml", plan)
    assert ran.outcomes["applied"] == 3
    assert len(libris_pair.production.writes()) == 3
    assert "3 records read again" in capsys.readouterr().out


def test_the_example_of_a_service_plans_by_http(job, libris_pair):
    _road, example = fenced(page("reference/python.md"), "python")
    names = {}
    exec(compile(example, "python.md", "exec"), names)

    async def asked(path):
        transport = httpx.ASGITransport(app=names["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post(path)

    def answer(path):
        # A browser test of the same process may have left a loop running in this thread.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(asked(path))).result()

    planned = answer("/jobs/marks/plans/staging")
    assert (planned.status_code, planned.json()["counts"]["update"]) == (200, 3)
    refused = answer("/jobs/nothing/plans/staging")
    assert refused.status_code == 422
    assert refused.json()["detail"]["message"]
    assert libris_pair.staging.writes() == []


def test_what_is_found_before_an_error_comes_with_it(job):
    with bulkrunner.open() as runner:
        planned = runner.plan(job, "production")
        with pytest.raises(bulkrunner.GateClosed) as closed:
            runner.run(job, "production")
        assert closed.value.document["plan"] == planned.plan
        assert closed.value.document["run"] is None
        with pytest.raises(bulkrunner.UsageError) as unknown:
            runner.run(job.parent / "nothing", "staging")
        assert unknown.value.document["plan"] is None, "a document of its own for each call"
        undone = runner.status(planned.plan)
        assert undone.plans[0]["plan"] == planned.plan
        assert undone.next.startswith("bulkrunner ")


def test_gates_of_an_error_are_in_its_document(job):
    with bulkrunner.open() as runner:
        runner.plan(job, "production")
        with pytest.raises(bulkrunner.GateClosed) as closed:
            runner.run(job, "production")
    shut = {gate["name"] for gate in closed.value.document["gates"] if not gate["open"]}
    assert shut == {"staging", "approval"}


def test_a_listener_hears_of_every_step_in_its_language(job):
    heard = []
    with bulkrunner.open(listener=heard.append, language="sv") as runner:
        runner.plan(job, "staging")
        runner.run(job, "staging")
    kinds = {one.kind for one in heard}
    assert {"begin", "advance", "end", "said"} <= kinds
    assert any(one.done == 3 and one.total == 3 for one in heard)
    assert any(one.text.startswith("planen p-") or "planen p-" in one.text for one in heard)


def test_a_listener_that_fails_ends_nothing(job, caplog):
    def fails(_happening):
        raise RuntimeError("a fault of the caller's")

    with bulkrunner.open(listener=fails) as runner:
        assert runner.plan(job, "staging").state == "complete"
    assert "a listener failed" in caplog.text


def test_what_goes_on_is_cancelled_and_resumed(job, libris_pair):
    settings = Path("bulkrunner.toml")
    one = settings.read_text(encoding="utf-8").replace("concurrency = 8", "concurrency = 1")
    settings.write_text(one, encoding="utf-8")
    libris_pair.staging.fault("latency", ms=300, method="PUT")
    sent = threading.Event()

    def listens(happening):
        if happening.kind == "begin" and happening.total == 3 and not sent.is_set():
            threading.Timer(0.05, runner.cancel).start()
            sent.set()

    with bulkrunner.open(listener=listens) as runner:
        runner.plan(job, "staging")
        sent.clear()
        with pytest.raises(bulkrunner.Interrupted) as stopped:
            runner.run(job, "staging", limit=None)
        assert "by the program that called it" in stopped.value.message
        run = stopped.value.document["run"]
        assert runner.resume(run).outcomes["applied"] == 3


def test_cancel_of_nothing_ends_nothing(job):
    with bulkrunner.open() as runner:
        runner.cancel()
        assert runner.plan(job, "staging").state == "complete"


def test_undo_and_reject(job, place):
    with bulkrunner.open() as runner:
        runner.plan(job, "staging")
        ran = runner.run(job, "staging")
        undone = runner.undo(ran.run, place / "back")
        assert runner.check(undone.manifest.removesuffix("/job.yaml")).job == undone.job
        production = runner.plan(job, "production")
        no = runner.reject(production.plan, by="K", reference="1")
        assert (no.answer, no.stopping) == ("rejected", [])


def test_problems_of_a_manifest_are_in_the_document(place):
    (place / "bad").mkdir()
    (place / "bad" / "job.yaml").write_text("bulkrunner: 1\njob: 5\n", encoding="utf-8")
    with bulkrunner.open() as runner, pytest.raises(bulkrunner.UsageError) as wrong:
        runner.check(place / "bad")
    assert len(wrong.value.document["problems"]) > 1


def test_another_language_is_refused():
    with pytest.raises(ValueError, match="en, sv"):
        bulkrunner.open(language="de")


def test_the_base_of_results_has_the_document_alone():
    assert Result.names() == ()
