"""A second plan takes up what is left, whatever has happened since the first."""

import json
from urllib.parse import urlsplit

import pytest

from bulkrunner.sandbox import seed
from tests.support.cli import Workplace, update_label
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox

NONE = dict.fromkeys(("create", "update", "delete", "unchanged", "refused", "not_found"), 0)


@pytest.fixture(scope="module")
def free_bibs():
    return seed.example_ids(kind="bib", without="Ylm", bibs=BIBS, holdings=HOLDINGS)


def plan(place, job, env="staging", *, expect=0):
    return place("plan", job, "--env", env, expect=expect).document


def run(place, job, env="staging", *, expect=0):
    return place("run", job, "--env", env, expect=expect).document


def some(document, name="counts"):
    return {key: count for key, count in document[name].items() if count}


def label(environment, record):
    return environment.document(record)["@graph"][1]["shelfMark"]["label"]


def test_after_failures_and_conflicts(place, own):
    staging = place.sandbox.staging
    failing, edited, fine = own[:2], own[2:4], own[4:8]
    job = place.job("left", operations=update_label([*failing, *edited, *fine], to="Hx"))
    plan(place, job)
    for record in edited:
        staging.edit(record, sigel="S", set={"shelfControlNumber": "7"})
    for record in failing:
        staging.fault("status", method="PUT", status=500, path=record)
    first = run(place, job, expect=5)
    assert some(first, "outcomes") == {"applied": 4, "conflict": 2, "failed": 2}
    staging.clear_faults()
    staging.clear_log()
    assert some(plan(place, job)) == {"update": 4, "unchanged": 4}
    second = run(place, job)
    assert some(second, "outcomes") == {"applied": 4}
    written = {entry["path"].strip("/") for entry in staging.writes()}
    assert written == {*failing, *edited}
    # The edit that caused the conflict is still there.
    assert staging.document(edited[0])["@graph"][1]["shelfControlNumber"] == "7"
    # Both runs together are the proof for production.
    third = plan(place, job, "production")
    gates = {
        gate["name"]: gate["open"] for gate in place("status", third["plan"]).document["gates"]
    }
    assert [name for name, is_open in gates.items() if not is_open] == ["approval"]


def test_after_staging_was_refreshed(tmp_path, own, free_bibs):
    """Staging is filled anew from elsewhere at the same address: nothing of the run is there."""
    operations = [
        *update_label(own[:2], to="Hx", expect={"shelfMark.label": "Hc"}),
        {"delete": own[2]},
        {"create": "holding", "of": free_bibs[0], "sigel": "Ylm", "body": {}},
    ]
    with running_sandbox() as sandbox:
        place = Workplace(folder=tmp_path / "place", sandbox=sandbox)
        job = place.job("refreshed", operations=operations)
        plan(place, job)
        run(place, job)
        assert some(plan(place, job)) == {"unchanged": 4}
        served = {one.kind: urlsplit(one.base_url).port for one in sandbox.environments}
    with running_sandbox(ports=served) as anew:
        assert anew.staging.base_url == sandbox.staging.base_url
        place.sandbox = anew
        assert label(anew.staging, own[0]) == "Hc"
        assert some(plan(place, job)) == {"update": 2, "delete": 1, "create": 1}
        assert some(run(place, job), "outcomes") == {"applied": 4}
        assert label(anew.staging, own[0]) == "Hx"
        assert anew.staging.get(own[2]).status == 410


def test_after_an_undo(place, own):
    staging = place.sandbox.staging
    job = place.job("taken-back", operations=update_label(own[:3], to="Hx"))
    plan(place, job)
    done = run(place, job)["run"]
    back = place.folder / "jobs" / "back"
    place("undo", done, "--out", back)
    plan(place, back)
    assert some(run(place, back), "outcomes") == {"applied": 3}
    assert label(staging, own[0]) == "Hc"
    assert some(plan(place, job)) == {"update": 3}
    assert some(run(place, job), "outcomes") == {"applied": 3}
    assert label(staging, own[0]) == "Hx"


def test_after_an_undo_that_came_half_way(place, own):
    job = place.job("half-back", operations=update_label(own[:4], to="Hx"))
    plan(place, job)
    done = run(place, job)["run"]
    back = place.folder / "jobs" / "back"
    place("undo", done, "--out", back)
    plan(place, back)
    place("run", back, "--env", "staging", "--limit", "1", expect=6)
    assert some(plan(place, job)) == {"update": 1, "unchanged": 3}


def lines(operations):
    return "".join(json.dumps(operation) + "\n" for operation in operations)


def test_after_a_mended_line_the_tried_changes_still_count(place, own):
    """One line of twelve was wrong; it alone is tried again, and the rest counts as tried."""
    operations = update_label(own[:11], to="Hx")
    wrong = {"update": own[11], "changes": [{"set": {"at": "shelfMark.0.label", "to": "Hx"}}]}
    files = {"ops.jsonl": lines([*operations, wrong])}
    job = place.job("mended", operations={"file": "ops.jsonl"}, files=files)
    first = plan(place, job, expect=3)
    assert some(first) == {"update": 11, "refused": 1}
    accepted = {"accept": [{"code": first["findings"][0]["code"], "at_most": 1, "reason": "later"}]}
    place.job("mended", operations={"file": "ops.jsonl"}, files=files, **accepted)
    plan(place, job)
    assert some(run(place, job), "outcomes") == {"applied": 11}

    files = {"ops.jsonl": lines([*operations, *update_label([own[11]], to="Hx")])}
    place.job("mended", operations={"file": "ops.jsonl"}, files=files)
    place.sandbox.staging.clear_log()
    mended = plan(place, job)
    assert mended["manifest_digest"] != first["manifest_digest"]
    assert some(mended) == {"update": 1, "unchanged": 11}
    run(place, job)
    assert len(place.sandbox.staging.writes()) == 1
    production = plan(place, job, "production")
    assert some(production) == {"update": 12}
    gates = {one["name"]: one for one in place("status", production["plan"]).document["gates"]}
    assert gates["staging"]["open"], gates["staging"]["reason"]
    assert gates["staging"]["reason"].startswith("12 of 12 changes were tried")
    place("approve", production["plan"], "--by", "Karin Ek", "--reference", "KB 1")
    assert some(run(place, job, "production"), "outcomes") == {"applied": 12}


def test_the_report_of_a_run_is_the_list_of_another_job(place, own):
    staging = place.sandbox.staging
    job = place.job("first", operations=update_label(own[:6], to="Hx"))
    plan(place, job)
    staging.edit(own[0], sigel="S", set={"shelfControlNumber": "7"})
    staging.fault("status", method="PUT", status=400, path=own[1])
    done = run(place, job, expect=5)
    assert some(done, "outcomes") == {"applied": 4, "conflict": 1, "refused": 1}
    staging.clear_faults()

    # Reports are data, not orders: the other job plans and guards each record anew.
    second = place.folder / "jobs" / "second"
    second.mkdir(parents=True)
    for each in ("run", "plan"):
        place("report", done[each], "--format", "jsonl", "--out", second / f"{each}.jsonl")
    marks = {"append": {"at": "cataloguersNote", "value": "sedd"}}
    place.job("second", steps=[{"ids": "run.jsonl", **marks}])
    assert some(plan(place, second)) == {"update": 6}
    assert some(run(place, second), "outcomes") == {"applied": 6}

    # A list of what did not come about, cut out of it line by line, does as well.
    report = (second / "run.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    rest = [line for line in report if json.loads(line)["outcome"] != "applied"]
    place.job(
        "rest",
        steps=[{"ids": "rest.jsonl", "set": {"at": "shelfMark.label", "to": "Hx"}}],
        files={"rest.jsonl": "".join(rest)},
    )
    third = place.folder / "jobs" / "rest"
    assert some(plan(place, third)) == {"update": 2}
    run(place, third)
    assert {label(staging, record) for record in own[:6]} == {"Hx"}
