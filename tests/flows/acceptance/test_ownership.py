"""Foreign holdings: found, named first, and nothing can be run."""

import pytest

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import Shape
from tests.support.cli import Workplace, update_label
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox
from tests.support.sizes import sized


@pytest.mark.size
def test_one_foreign_holding_among_a_thousand_own(tmp_path):
    count = sized(1000)
    with running_sandbox(bibs=seed.BIBS, holdings=seed.HOLDINGS) as sandbox:
        place = Workplace(folder=tmp_path / "place", sandbox=sandbox)
        mixed = seed.example_ids(kind="holding", sigel="Ylm", shape=Shape.FOREIGN_COMPONENT)
        every = seed.example_ids(kind="holding", sigel="Ylm")
        own = [record for record in every if record not in set(mixed)][:count]
        foreign = seed.example_ids(kind="holding", sigel="S", shape=Shape.ITEM_LABEL, n=1)[0]
        listed = [*own[: count * 7 // 10], foreign, *own[count * 7 // 10 :]]
        steps = [{"ids": "ids.txt", "append": {"at": "cataloguersNote", "value": "inventerad"}}]
        job = place.job("many", steps=steps, files={"ids.txt": "\n".join(listed)})
        done = place("plan", job, "--env", "staging", expect=3)
        first = done.document["findings"][0]
        assert (first["code"], first["record"]) == ("foreign_sigel", foreign)
        assert "S" in first["message"]
        assert done.document["counts"]["refused"] == 1
        assert done.document["state"] == "complete"
        run = place("run", job, "--env", "staging", expect=4)
        assert run.closed == {"refusals"}
        assert sandbox.staging.writes() == []


def test_a_component_of_another_library_is_refused(place):
    record = seed.example_ids(
        kind="holding", sigel="Ylm", shape=Shape.FOREIGN_COMPONENT, bibs=BIBS, holdings=HOLDINGS
    )[0]
    job = place.job("component", operations=update_label([record]))
    done = place("plan", job, "--env", "staging", expect=3)
    assert done.document["findings"][0]["code"] == "foreign_component"
    assert done.document["findings"][0]["record"] == record


def test_a_sigel_of_the_job_that_the_client_has_no_right_to(place):
    record = seed.example_ids(kind="holding", sigel="S", bibs=BIBS, holdings=HOLDINGS)[0]
    operations = [{"delete": record}]
    job = place.job("rights", operations=operations, sigels=["Ylm", "S"])
    done = place("plan", job, "--env", "staging", expect=3)
    assert done.document["findings"][0]["code"] == "no_rights"


def test_rights_lost_between_plan_and_run(place, own):
    job = place.job("lost", operations=update_label(own[:1], to="Lost"))
    place("plan", job, "--env", "staging")
    place.sandbox.staging.set_permissions("supplier", {"code": "NO", "registrant": True})
    done = place("run", job, "--env", "staging", expect=4)
    assert done.closed == {"rights"}
    assert place.sandbox.staging.writes() == []


def test_one_of_two_sigels_lost_between_plan_and_run(tmp_path, place, own):
    """The client still acts as Ylm, and the plan has holdings of Ylm too."""
    staging = place.sandbox.staging
    both = [{"code": sigel, "registrant": True} for sigel in ("Ylm", "NO")]
    staging.set_permissions("supplier", *both)
    theirs = seed.example_ids(
        kind="holding", sigel="NO", shape=Shape.ITEM_LABEL, n=1, bibs=BIBS, holdings=HOLDINGS
    )
    operations = update_label([own[1], *theirs], to="Lost")
    job = place.job("half", operations=operations, sigels=["Ylm", "NO"])
    assert place("plan", job, "--env", "staging").document["counts"]["update"] == 2
    staging.set_permissions("supplier", both[0])
    staging.clear_log()
    done = place("run", job, "--env", "staging", expect=4)
    assert done.closed == {"rights"}
    assert "may not write holdings of NO" in done.document["error"]["message"]
    assert staging.writes() == []


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_bibs_need_an_agreement_and_level_2(place, operation):
    bib = seed.example_ids(kind="bib", bibs=BIBS, holdings=HOLDINGS)[0]
    changes = [{"set": {"at": "responsibilityStatement", "to": "x"}}]
    one = {"update": bib, "changes": changes} if operation == "update" else {"delete": bib}
    agreement = {"reference": "KB 1", "contact": "a@example.org", "covers": ["holdings", "bibs"]}
    job = place.job("bibs", operations=[one], agreement=agreement)
    done = place("plan", job, "--env", "staging", expect=3)
    assert done.document["findings"][0]["code"] == "level_2_required"
