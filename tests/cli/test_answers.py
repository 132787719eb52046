"""``approve`` and ``reject``: what they store, and what they do not take."""

import pytest

from tests.support.cli import update_label

YES = ["--by", "Karin Ek", "--reference", "KB 1"]


@pytest.fixture
def plan(place, own):
    job = place.job("answered", operations=update_label(own[:1], to="Hans"))
    return place("plan", job, "--env", "production").document


def test_an_answer_is_bound_to_the_digest_it_names(place, plan):
    done = place("approve", plan["plan"], *YES, "--digest", plan["plan_digest"])
    assert done.document == {
        "plan": plan["plan"],
        "plan_digest": plan["plan_digest"],
        "answer": "approved",
        "by": "Karin Ek",
        "reference": "KB 1",
        "statements": [],
        "conditions": {},
        "signed_by": None,
        "draft": None,
        "standing": None,
    }
    other = place("approve", plan["plan"], *YES, "--digest", "sha256:0", expect=2)
    assert other.document["error"]["code"] == "other_digest"
    assert f"bulkrunner report {plan['plan']}" in other.document["error"]["hint"]


def test_a_unique_beginning_of_the_id_is_enough(place, plan):
    assert place("reject", plan["plan"][:8], *YES).document["plan"] == plan["plan"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["--by", "  ", "--reference", "KB 1"], "usage"),
        (["--by", "Karin", "--reference", "\t"], "usage"),
        (["--by", "\x1b", "--reference", "KB 1"], "usage"),
        (["--by", "Karin"], "usage"),
        ([*YES, "--agree", "plan_max_age_hours = 9999"], "unknown_statement"),
    ],
)
def test_an_answer_that_says_too_little_or_too_much(place, plan, given, code):
    done = place("approve", plan["plan"], *given, expect=2)
    assert done.document["error"]["code"] == code
    gates = place("status", plan["plan"]).document["gates"]
    assert not {gate["name"]: gate["open"] for gate in gates}["approval"]


def test_names_are_kept_without_control_characters(place, plan):
    done = place("approve", plan["plan"], "--by", "Karin\x1b[2J\nEk", "--reference", "KB  1")
    assert done.document["by"] == "Karin [2J Ek"
    assert done.document["reference"] == "KB 1"


def test_the_last_answer_counts(place, plan):
    def is_open():
        gates = place("status", plan["plan"]).document["gates"]
        return {gate["name"]: gate["open"] for gate in gates}["approval"]

    place("approve", plan["plan"], *YES)
    assert is_open()
    place("reject", plan["plan"], *YES)
    assert not is_open()
    place("approve", plan["plan"], *YES)
    assert is_open()


def test_a_run_id_is_no_plan(place, own):
    job = place.job("ran", operations=update_label(own[1:2], to="Hans"))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    done = place("approve", run, *YES, expect=2)
    assert done.document["error"]["code"] == "unknown_plan"
