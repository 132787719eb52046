"""A holding and its bib deleted in one job: the holding first, and the bib only after it."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from bulkrunner.domain.run import Outcome, RunState
from tests.support.executing import (
    Rig,
    after_it,
    before_it,
    deleting,
    setting,
    somebodys_holding,
)

WINDOWS = {
    "before the intent": {"ledger": {"runs.intend": before_it}},
    "after the intent": {"ledger": {"runs.intend": after_it}},
    "before the send": {"catalogue": {"delete": before_it}},
    "after the send": {"catalogue": {"delete": after_it}},
    "before the answer is stored": {"ledger": {"runs.answered": before_it}},
    "before the outcome": {"ledger": {"runs.conclude": before_it}},
    "after the outcome": {"ledger": {"runs.conclude": after_it}},
}


@pytest.fixture
def level2(sandbox, tmp_path):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    yield rig
    sandbox.staging.clear_faults()
    rig.close()


def links(rig, bib):
    query = urlencode({"id": rig.control.thing_iri(bib), "reverse": "true"})
    return [iri.rpartition("/")[2] for iri in rig.control.get("_dependencies", query).json]


def alone(rig, bibs):
    """Return a bib that nothing links to any more."""
    bib = next(bibs)
    for record in links(rig, bib):
        rig.control.edit(record, delete=True)
    return bib


def pair(rig, bibs):
    """Return a bib and the only record that links to it, a holding of ours."""
    bib = alone(rig, bibs)
    return bib, somebodys_holding(rig, bib)


def results(rig, run):
    return [(ended.result.outcome, ended.result.code) for ended in rig.ended(run)]


def deletions(rig):
    """Return the records deleted, in the order in which the server answered."""
    return [
        entry["path"].strip("/")
        for entry in rig.control.writes()
        if entry["method"] == "DELETE" and entry["status"] == 204
    ]


def test_the_holding_first_then_its_bib(level2, bibs):
    pairs = [pair(level2, bibs) for _ in range(6)]
    operations = [deleting(record) for bib, holding in pairs for record in (holding, bib)]
    plan = level2.plan(*operations)
    waits = [change.prerequisites for change in level2.ledger.plans.changes(plan.id)]
    assert waits == [(), (1,), (), (3,), (), (5,), (), (7,), (), (9,), (), (11,)]
    run = level2.run(plan)
    assert results(level2, run) == [(Outcome.APPLIED, "")] * 12
    order = deletions(level2)
    assert sorted(order) == sorted(record for both in pairs for record in both)
    assert all(order.index(holding) < order.index(bib) for bib, holding in pairs)


def test_a_bib_alone_waits_for_nothing(level2, bibs):
    plan = level2.plan(deleting(alone(level2, bibs)))
    (change,) = level2.ledger.plans.changes(plan.id)
    assert change.prerequisites == ()
    assert results(level2, level2.run(plan)) == [(Outcome.APPLIED, "")]


def test_a_bib_is_refused_where_its_holding_comes_later(level2, bibs):
    bib, holding = pair(level2, bibs)
    with pytest.raises(AssertionError, match="linked"):
        level2.plan(deleting(bib), deleting(holding))
    (finding,) = level2.ledger.plans.findings(level2.ledger.plans.all()[0].id)
    assert (finding.code, finding.record) == ("linked", bib)
    assert holding in finding.message


def test_a_bib_is_refused_where_another_record_links_to_it(level2, bibs):
    bib = next(bib for bib in bibs if links(level2, bib))
    others = links(level2, bib)
    holding = somebodys_holding(level2, bib)
    with pytest.raises(AssertionError, match="linked"):
        level2.plan(deleting(holding), deleting(bib))
    (finding,) = level2.ledger.plans.findings(level2.ledger.plans.all()[0].id)
    assert finding.message.startswith(f"{len(others)} records link to it")
    assert others[0] in finding.message or len(others) > 5
    assert holding not in finding.message


def test_an_update_of_the_holding_does_not_make_way(level2, bibs):
    bib, holding = pair(level2, bibs)
    with pytest.raises(AssertionError, match="linked"):
        level2.plan(setting(holding, "MAG", at="physicalLocation"), deleting(bib))


def test_the_digest_covers_what_a_change_waits_for(level2, bibs):
    bib, holding = pair(level2, bibs)
    plan = level2.plan(deleting(holding), deleting(bib))
    _, change = level2.ledger.plans.changes(plan.id)
    (_, stored) = level2.ledger.plans.change_digests(plan.id)
    assert stored == change.digest()
    assert replace(change, prerequisites=()).digest() != stored


def test_an_edited_holding_stays_and_its_bib_with_it(level2, bibs):
    (bib, holding), (bib2, holding2) = pair(level2, bibs), pair(level2, bibs)
    plan = level2.plan(deleting(holding), deleting(bib), deleting(holding2), deleting(bib2))
    level2.control.edit(holding, sigel="S")
    run = level2.run(plan)
    assert results(level2, run) == [
        (Outcome.CONFLICT, "edited"),
        (Outcome.REFUSED, "prerequisite"),
        (Outcome.APPLIED, ""),
        (Outcome.APPLIED, ""),
    ]
    message = level2.ended(run)[1].result.message
    assert "change 1 ended conflict" in message
    assert deletions(level2) == [holding2, bib2]


def test_a_holding_that_somebody_else_has_deleted_makes_way(level2, bibs):
    bib, holding = pair(level2, bibs)
    plan = level2.plan(deleting(holding), deleting(bib))
    level2.control.edit(holding, delete=True)
    run = level2.run(plan)
    assert results(level2, run) == [(Outcome.UNCHANGED, "done_by_other"), (Outcome.APPLIED, "")]
    assert deletions(level2) == [bib]


@pytest.mark.parametrize("kind", ["close_before", "close_after"])
def test_a_lost_answer_to_the_holding_is_settled_before_the_bib(level2, bibs, kind):
    bib, holding = pair(level2, bibs)
    plan = level2.plan(deleting(holding), deleting(bib))
    level2.control.fault(kind, method="DELETE", path=holding, times=1)
    run = level2.run(plan)
    assert [outcome for outcome, _ in results(level2, run)] == [Outcome.APPLIED] * 2
    assert level2.control.get(bib).status == 410


def test_a_limit_between_them(level2, bibs):
    bib, holding = pair(level2, bibs)
    plan = level2.plan(deleting(holding), deleting(bib))
    run = level2.run(plan, limit=1)
    assert run.state is RunState.STOPPED
    assert deletions(level2) == [holding]
    level2.resume(run.id)
    assert deletions(level2) == [holding, bib]


@pytest.mark.parametrize("window", WINDOWS)
def test_killed_between_and_taken_up(level2, bibs, window):
    bib, holding = pair(level2, bibs)
    plan = level2.plan(deleting(holding), deleting(bib))
    run = level2.run_until_killed(plan, **WINDOWS[window])
    level2.resume(run)
    assert [outcome for outcome, _ in results(level2, run)] == [Outcome.APPLIED] * 2
    assert deletions(level2) == [holding, bib]


def test_production_begins_with_the_holding_too(sandbox, tmp_path, bibs):
    sandbox.production.clear_faults()
    folder = tmp_path / "production"
    folder.mkdir()
    rig = Rig(sandbox.production, folder, client="cataloguer")
    pairs = [pair(rig, bibs) for _ in range(3)]
    plan = rig.plan(*(deleting(record) for bib, holding in pairs for record in (holding, bib)))
    run = rig.run(plan)
    assert results(rig, run) == [(Outcome.APPLIED, "")] * 6
    order = deletions(rig)
    assert all(order.index(holding) < order.index(bib) for bib, holding in pairs)
    rig.close()


def test_a_second_plan_deletes_the_bib_whose_holding_is_gone(level2, bibs):
    bib, holding = pair(level2, bibs)
    level2.run(level2.plan(deleting(holding)))
    plan = level2.plan(deleting(bib))
    assert results(level2, level2.run(plan)) == [(Outcome.APPLIED, "")]
