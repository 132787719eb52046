"""Parameters on the command line: a plan takes them, and everything after uses the plan's."""

from __future__ import annotations

import shlex

import pytest

from bulkrunner.cli.main import main
from tests.support.cli import Workplace, update_label


@pytest.fixture
def job(place: Workplace, own: list[str]):
    parameters = {"shelf": {"required": True, "description": "Hyllan"}, "note": "x"}
    return place.job("asked", operations=update_label(own[:2], to="Hx"), parameters=parameters)


def test_a_run_uses_the_parameters_of_its_plan(place, job):
    plan = place("plan", job, "--env", "staging", "--param", "shelf=Hce").document
    assert plan["counts"]["update"] == 2
    run = place("run", job, "--env", "staging").document
    assert run["outcomes"]["applied"] == 2
    assert next(gate for gate in run["gates"] if gate["name"] == "plan")["open"]


def test_other_parameters_are_another_job(place, job):
    first = place("plan", job, "--env", "staging", "--param", "shelf=Hce").document
    second = place("plan", job, "--env", "staging", "--param", "shelf=Hcf").document
    assert first["effect_digest"] != second["effect_digest"]


def test_a_required_value_is_asked_for(place, job):
    done = place("plan", job, "--env", "staging", expect=2)
    assert done.document["error"]["code"] == "missing_parameter"
    assert "--param shelf=" in done.document["error"]["hint"]
    assert "Hyllan" in done.document["error"]["hint"]
    place("check", job)


@pytest.mark.parametrize("words", [["shelf"], ["shelf=a", "--param", "shelf=b"], ["other=1"]])
def test_bad_words(place, job, words):
    done = place("plan", job, "--env", "staging", "--param", *words, expect=2)
    assert done.document["error"]["code"] in ("usage", "bad_parameter")


def test_lines_that_name_no_record_are_named_by_check_and_plan(place, own, capsys):
    job = place.job("bad", steps=[{"ids": "ids.txt", "set": {"at": "shelfMark.lable", "to": "x"}}])
    lines = [own[0], "nonsens", *(f"fel-{number}" for number in range(11))]
    (job / "ids.txt").write_text("\n".join(lines), encoding="utf-8")
    checked = place("check", job)
    said = [line.strip() for line in checked.stderr.splitlines() if "names no record" in line]
    assert len(said) == 10
    assert "bad/ids.txt:2: `nonsens` is no id that is known here" in said[0]
    assert "… and 2 more; the plan's report names every one" in checked.stderr
    notes = [note for note in checked.document["notes"] if note["code"] == "unreadable_id"]
    assert [(note["line"], note["file"][-7:]) for note in notes][:2] == [
        (2, "ids.txt"),
        (3, "ids.txt"),
    ]
    planned = place("plan", job, "--env", "staging", expect=3)
    assert "unreadable_id: nonsens (ids.txt:2) `nonsens` is no id" in planned.stderr
    # What check noted is told again by the plan.
    assert "note: " in planned.stderr
    assert "`shelfMark.lable`: the catalogue's vocabulary has no `lable`" in planned.stderr


def test_check_states_how_inputs_were_read(place, own, capsys):
    job = place.job("read", steps=[{"ids": "ids.txt", "delete": True}])
    (job / "ids.txt").write_bytes(f"# från hyllan\r\n{own[0]}\r\n\r\n".encode("cp1252"))
    document = place("check", job).document
    assert document["inputs"] == [
        {
            "step": 1,
            "file": "ids.txt",
            "kind": "ids",
            "encoding": "windows-1252",
            "lines": 3,
            "left_out": {"comment": 1, "blank": 1},
        }
    ]
    assert main(["check", str(job)]) == 0
    assert "ids.txt: ids, windows-1252, 3 lines, 1 comment, 1 blank" in capsys.readouterr().out


def test_the_next_command_gives_production_the_same_values(place, own):
    parameters = {"shelf": {"required": True}, "note": "x"}
    job = place.job("told", operations=update_label(own[3:5], to="Hx"), parameters=parameters)
    place("plan", job, "--env", "staging", "--param", "shelf=två ord")
    place("run", job, "--env", "staging")
    following = place("status").document["next"]
    assert following.endswith("--env production --param note=x --param 'shelf=två ord'")
    words = shlex.split(following)[1:]
    other = place("plan", job, "--env", "production", "--param", "shelf=annan").document["plan"]
    gates = place("status", other).document["gates"]
    (staging,) = (gate["reason"] for gate in gates if gate["name"] == "staging")
    assert "with other values of its parameters" in staging
    plan = place(*words).document["plan"]
    gates = place("status", plan).document["gates"]
    assert next(gate["open"] for gate in gates if gate["name"] == "staging")


def test_the_summary_of_a_plan_counts_every_code_and_shows_refusals_first(place, own):
    staging = place.sandbox.staging
    bibs = [staging.document(one)["@graph"][1]["itemOf"]["@id"] for one in own[:12]]
    ids = [bib.rpartition("/")[2].removesuffix("#it") for bib in dict.fromkeys(bibs)]
    unknown = [f"{letter}9zzzzzzzzzzzz0" for letter in "bcdf"]
    job = place.job("many", operations=update_label([*ids, *unknown, own[12]], to="Hx"))
    done = place("plan", job, "--env", "staging", expect=3)
    lines = done.stderr.splitlines()
    (told,) = (line for line in lines if "findings: " in line)
    found = done.document["findings"]
    codes = list(dict.fromkeys(one["code"] for one in found))
    assert len(codes) > 1, codes
    for code in codes:
        assert f"{sum(one['code'] == code for one in found)} × {code}" in told
    shown = [line.split(":")[0].strip() for line in lines[lines.index(told) + 1 :]]
    assert all(code in shown for code in codes)
