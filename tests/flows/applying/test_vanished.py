"""A new holding whose answer was lost and which somebody deleted at once: not made again."""

import pytest

from bulkrunner.domain.run import Outcome
from tests.support.executing import after_it, before_it, creating_holding, held


def only(rig, run):
    (ended,) = rig.ended(run)
    return ended.result


def deleting_at_once(rig, bib):
    """Parts of an executor whose first POST is carried out, lost, and undone by somebody."""
    catalogue = rig.catalogue()
    real, made = catalogue.post, []

    def post(document, **kwargs):
        answer = real(document, **kwargs)
        if not made:
            made.extend(held(rig, bib))
            for record in made:
                rig.control.edit(record, delete=True, sigel="S")
        return answer

    catalogue.post = post
    return made, {"catalogue": catalogue, "gate": catalogue.write_gate}


def test_it_is_found_in_the_feed_of_changes(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    rig.control.fault("close_after", method="POST", path="/data", times=1)
    made, parts = deleting_at_once(rig, bib)
    result = only(rig, rig.run(plan, **parts))
    assert (result.outcome, [result.record]) == (Outcome.APPLIED, made)
    assert result.detail["changed_since"] == {"by": None, "when": None, "deleted": True}
    assert held(rig, bib) == []
    assert len(rig.sent()) == 1


def test_it_is_found_after_the_process_was_killed(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    run = rig.run_until_killed(plan, catalogue={"post": after_it})
    (made,) = held(rig, bib)
    rig.control.edit(made, delete=True, sigel="S")
    rig.resume(run)
    assert (only(rig, run).outcome, only(rig, run).record) == (Outcome.APPLIED, made)
    assert len(rig.sent()) == 1


def test_what_was_made_earlier_is_not_taken_for_it(rig, bibs):
    """The same holding, made and deleted before the plan's request was begun."""
    bib = next(bibs)
    first = rig.run(rig.plan(creating_holding(bib, physicalLocation=["MAG"])))
    rig.control.edit(only(rig, first).record, delete=True)
    rig.control.move_clock(minutes=1)
    try:
        plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
        run = rig.run_until_killed(plan, catalogue={"post": before_it})
        rig.resume(run)
    finally:
        rig.control.move_clock(minutes=-1)
    assert held(rig, bib) == [only(rig, run).record]
    assert len(rig.sent()) == 1


def test_somebody_elses_that_came_and_went_is_not_ours(rig, bibs):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    rig.control.fault("foreign_edit", method="POST", path="/data", times=1, sigel="S")
    rig.control.fault("close_before", method="POST", path="/data", times=1)
    others, parts = deleting_at_once(rig, bib)
    result = only(rig, rig.run(plan, **parts))
    assert result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [result.record]
    assert result.record not in others
    assert len(rig.sent()) == 2


@pytest.mark.parametrize("status", [404, 500])
def test_without_a_feed_the_look_up_decides(rig, bibs, status):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    rig.control.fault("close_after", method="POST", path="/data", times=1)
    rig.control.fault("status", method="GET", path="^/api/emm/", status=status)
    _, parts = deleting_at_once(rig, bib)
    result = only(rig, rig.run(plan, **parts))
    assert result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [result.record]
    assert len(rig.sent()) == 2
