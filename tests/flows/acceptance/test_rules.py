"""The policy file along the road: what it closes, what must be agreed to, where it is shown."""

import json

import pytest

from tests.support.cli import update_label


def rules(place, *items, **environments):
    text = ""
    for number, item in enumerate(items, start=1):
        values = {"id": f"rule-{number}", "source": f"Agreement, section {number}", **item}
        text += "[[rule]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items())
    (place.folder / "policy.toml").write_text(text, encoding="utf-8")
    place.configure(policy={"rules": "policy.toml"}, **environments)


@pytest.fixture
def job(place, own):
    deletions = [{"delete": record} for record in own[:3]]
    return place.job("rules", operations=deletions + update_label(own[3:5], to="Hans"))


FEW = {"kind": "most", "action": "delete", "number": 2}


def report(place, plan):
    path = place.folder / "report.json"
    place("report", plan, "--format", "json", "--out", path)
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_hard_rule_closes_the_gate_of_the_ceilings(place, job):
    rules(place, FEW)
    planned = place("plan", job, "--env", "production", expect=3).document
    assert "rule rule-1: 3 deletes, more than 2" in planned["error"]["message"]
    assert planned["findings"][0]["code"] == "ceiling"
    done = place("run", job, "--env", "production", expect=4)
    assert "ceilings" in done.closed
    assert place.sandbox.production.writes() == []


def test_a_softer_rule_must_be_agreed_to(place, job):
    rules(place, {**FEW, "level": "agree"})
    plan = place.through_staging(job).document["plan"]
    place("approve", plan, "--by", "Karin", "--reference", "1")
    assert place("run", job, "--env", "production", expect=4).closed == {"approval"}
    found = report(place, plan)
    (looser,) = found["policy_loosened"]
    assert looser["statement"] == "rule-1 = 3 deletes, more than 2"
    assert looser["built_in"] == "Agreement, section 1"
    assert f"- {looser['statement']}\n" in found["answer_text"]
    answer = found["answer_text"].replace("Namn: ", "Namn: Karin")
    path = place.folder / "svar.txt"
    path.write_text(answer.replace("Ärendenummer: ", "Ärendenummer: 2"), encoding="utf-8")
    assert place("approve", "--from", path).document["statements"] == [looser["statement"]]
    place("run", job, "--env", "production")


def test_a_rule_that_only_tells(place, job):
    rules(place, {**FEW, "level": "tell"})
    plan = place.approved(job)
    told = {rule["id"]: rule for rule in place("status", plan).document["rules"]}
    assert told["rule-1"] == {
        "id": "rule-1",
        "kind": "most",
        "level": "tell",
        "kept": False,
        "said": "3 deletes, more than 2",
        "source": "Agreement, section 1",
    }
    place("run", job, "--env", "production")


def test_kb_s_rules_stand_in_report_and_status_of_production(place, job):
    place.configure()
    staging = place("plan", job, "--env", "staging").document["plan"]
    assert place("status", staging).document["rules"] == []
    place("run", job, "--env", "staging")
    plan = place("plan", job, "--env", "production").document["plan"]
    found = {rule["id"]: rule for rule in report(place, plan)["rules"]}
    assert found["kb-agreement"]["said"] == "the manifest names the agreement KB 1"
    assert found["kb-test-first"]["kept"]
    assert not found["kb-consent"]["kept"]
    assert found["kb-own-holdings"]["kept"]
    assert all(
        "may only be performed" in rule["source"] or "test" in rule["source"]
        for rule in found.values()
    )


def test_a_forbidden_place_is_refused_change_by_change(place, own):
    rules(place, {"kind": "places", "places": ["shelfMark.label"]})
    changes = [{"append": {"at": "cataloguersNote", "value": "x"}}]
    job = place.job(
        "places",
        operations=[*update_label(own[:2], to="Hans"), {"update": own[2], "changes": changes}],
    )
    planned = place("plan", job, "--env", "staging", expect=3).document
    assert planned["counts"]["refused"] == 2
    assert planned["counts"]["update"] == 1
    assert {finding["code"] for finding in planned["findings"]} == {"forbidden_place"}
    assert "Agreement, section 1" in planned["findings"][0]["message"]


def test_hours_that_never_meet_the_windows_are_a_fault_of_the_configuration(place, job):
    rules(
        place,
        {"kind": "hours", "hours": ["08:00-10:00"]},
        production={"windows": ["22:00-06:00"]},
    )
    plan = place.approved(job)
    refused = place("run", job, "--env", "production", expect=2).document["error"]
    assert "never meet" in refused["message"]
    assert plan in refused["message"]


def test_a_changed_policy_file_counts_from_the_next_plan_on(place, job):
    rules(place, {**FEW, "level": "tell"})
    plan = place.approved(job)
    rules(place, FEW)
    assert report(place, plan)["rules"][-1]["level"] == "tell"
    place("run", job, "--env", "production")


def test_a_policy_file_that_is_wrong_stops_every_command(place, job):
    rules(place, {"kind": "moist"})
    done = place("plan", job, "--env", "staging", expect=2)
    assert done.document["error"]["code"] == "configuration"
    assert "policy.toml" in done.document["error"]["message"]
