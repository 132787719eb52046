"""``advance``: as far as the gates allow, again and again, and never two at once."""

import json

import pytest

from bulkrunner.adapters.machine import this_process
from bulkrunner.domain.run import Owner
from tests.support.cli import update_label
from tests.support.ledgers import ledger_url, open_ledger


@pytest.fixture
def job(place, own):
    return place.job("labels", operations=update_label(own[:2], to="Hx"))


def advance(place, job, *options, expect=0):
    reports = place.folder / "reports"
    done = place("advance", job, "--reports", reports, *options, expect=expect)
    return done.document


def steps(document):
    return [(one["step"], one["environment"]) for one in document["steps"]]


def test_it_stops_at_kb_s_answer_and_goes_on_after_it(place, job):
    first = advance(place, job, expect=4)
    assert steps(first) == [
        ("check", None),
        ("plan", "staging"),
        ("run", "staging"),
        ("plan", "production"),
        ("report", None),
        ("run", "production"),
    ]
    assert first["stopped_at"] == "run"
    assert [gate["name"] for gate in first["gates"] if not gate["open"]] == ["approval"]
    assert first["error"]["code"] == "gate_closed"
    assert "nobody has approved" in first["why"]
    assert place.sandbox.production.writes() == []
    again = advance(place, job, expect=4)
    assert steps(again) == [
        *(("check", None), ("run", "staging"), ("report", None), ("run", "production")),
    ]
    assert again["plan"] == first["plan"]
    assert len(place.sandbox.staging.writes()) == 2
    place("approve", first["plan"], "--by", "Karin Ek", "--reference", "KB 1")
    done = advance(place, job)
    assert steps(done)[-3:] == [("run", "production"), ("verify", "production"), ("report", None)]
    assert done["stopped_at"] is None
    assert done["run"]
    assert done["report"].endswith(f"{done['run']}.html")
    assert "nothing left" in done["why"]
    over = advance(place, job)
    assert len(place.sandbox.production.writes()) == 2
    assert over["run"] == done["run"]
    assert "nothing left" in over["why"]


def test_a_job_that_changes_nothing_is_done(place, own, sandbox):
    mark = sandbox.staging.document(own[0])["@graph"][1]["shelfMark"]["label"]
    job = place.job("as-it-is", operations=update_label(own[:1], to=mark))
    done = advance(place, job)
    assert steps(done) == [("check", None), ("plan", "staging"), ("plan", "production")]
    assert "changes nothing" in done["why"]


def test_a_fault_of_the_manifest_is_where_it_stops(place):
    job = place.job("faulty", operations=[{"nonsense": "?"}])
    done = advance(place, job, expect=2)
    assert (done["stopped_at"], steps(done)) == ("check", [("check", None)])
    assert done["error"]["code"] == "manifest"


def test_a_refusal_of_the_plan_is_where_it_stops(place, own, sandbox):
    foreign = sandbox.staging.records(sigel="S")[0]
    job = place.job("foreign", operations=update_label([foreign], to="Hx"))
    done = advance(place, job, expect=3)
    assert (done["stopped_at"], steps(done)[-1]) == ("plan", ("plan", "staging"))


def test_what_failed_in_the_test_environment_is_tried_anew(place, job, sandbox):
    sandbox.staging.fault("status", method="PUT", status=400, times=1)
    failed = advance(place, job, expect=5)
    assert (failed["stopped_at"], steps(failed)[-1]) == ("run", ("run", "staging"))
    again = advance(place, job, expect=4)
    assert steps(again)[1:3] == [("plan", "staging"), ("run", "staging")]
    assert [gate["name"] for gate in again["gates"] if not gate["open"]] == ["approval"]
    assert sandbox.production.writes() == []


def test_a_run_that_was_interrupted_is_taken_up(place, job, sandbox):
    first = advance(place, job, expect=4)
    place("approve", first["plan"], "--by", "Karin Ek", "--reference", "KB 1")
    place("run", job, "--env", "production", "--limit", "1", expect=6)
    done = advance(place, job)
    assert done["steps"][-3]["outcomes"]["applied"] == 2
    assert len(sandbox.production.writes()) == 2


@pytest.mark.parametrize(
    ("owner", "expect"),
    [
        (this_process(), 2),
        (Owner(host="elsewhere", boot="b", pid=1, started="1"), 2),
        (Owner(host=this_process().host, boot="an earlier one", pid=1, started="1"), 4),
    ],
    ids=["alive", "of another machine", "dead"],
)
def test_a_second_one_at_the_same_time_is_told_so(place, job, owner, expect):
    from datetime import UTC, datetime, timedelta

    from tests.support.ledgers import SetClock

    with open_ledger(ledger_url(place.ledger), clock=SetClock()) as ledger:
        until = datetime.now(UTC) + timedelta(hours=1)
        assert ledger.advances.take("labels", owner, expires_at=until) is None
    found = advance(place, job, expect=expect)
    if expect == 2:
        assert found["error"]["code"] == "advance_held"
        assert "labels" in found["error"]["message"]
        assert place.sandbox.staging.writes() == []
    else:
        assert place("status").document["plans"]


def test_the_night_s_file_and_values_are_given(place, own, sandbox):
    steps = [{"ids": "ids.txt", "set": {"at": "shelfMark.label", "to": {"$value": "@param.mark"}}}]
    parameters = {"mark": {"required": True}}
    job = place.job("given", steps=steps, parameters=parameters, files={"ids.txt": own[0]})
    assert advance(place, job, expect=2)["error"]["code"] == "missing_parameter"
    night = place.folder / "elsewhere" / "night.txt"
    night.parent.mkdir()
    night.write_text(f"{own[3]}\n{own[4]}\n")
    options = ("--input", f"ids.txt={night}", "--param", "mark=Hz")
    first = advance(place, job, *options, expect=4)
    assert {one["path"].rpartition("/")[2] for one in sandbox.staging.writes()} == set(own[3:5])
    path = place.folder / "plan.json"
    place("report", first["plan"], "--format", "json", "--out", path)
    given = json.loads(path.read_text())["job"]["given"]
    assert given["ids.txt"]["path"] == str(night)
    assert given["ids.txt"]["digest"].startswith("sha256:")
    place("approve", first["plan"], "--by", "K", "--reference", "1")
    night.write_text(f"{own[5]}\n")
    done = place("run", job, "--env", "production", expect=None)
    assert done.exit_code != 0
    assert sandbox.production.writes() == []


def test_a_job_whose_records_the_catalogue_names_begins_a_new_round(place, own, sandbox):
    step = {
        "library": "Ylm",
        "where": {"shelfMark.label": "Rond"},
        "set": {"at": "shelfMark.label", "to": "Rundad"},
    }
    accept = [{"code": "foreign_component", "at_most": 5, "reason": "not ours"}]
    job = place.job("rounds", steps=[step], accept=accept)
    for number in (0, 1):
        for environment in sandbox.environments:
            environment.edit(own[number], set={"shelfMark.label": "Rond"})
            environment.refresh()
        first = advance(place, job, expect=4)
        place("approve", first["plan"], "--by", "K", "--reference", str(number))
        done = advance(place, job)
        assert done["plan"] == first["plan"]
        assert len(sandbox.production.writes()) == number + 1
    over = advance(place, job)
    assert "nothing left" in over["why"]
    assert len(sandbox.production.writes()) == 2


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("job.yaml=x.txt", "unknown_input"),
        ("rules.py=x.txt", "unknown_input"),
        ("ids.txt", "usage"),
        ("ids.txt=nothing.txt", "manifest"),
        ("ids.txt=.", "manifest"),
    ],
)
def test_only_an_input_that_is_named_is_given_another(place, own, option, code, monkeypatch):
    monkeypatch.chdir(place.folder)
    (place.folder / "x.txt").write_text(own[0])
    steps = [{"ids": "ids.txt", "delete": {}}]
    job = place.job("named", steps=steps, files={"ids.txt": own[0]})
    found = place("advance", job, "--input", option, expect=2)
    assert found.document["error"]["code"] == code
