"""Moves, merges and splits taken back: nothing that they saved goes before the old is there again."""

import copy
import itertools

import pytest

from bulkrunner.domain.changes.verbs import SetChange
from bulkrunner.domain.manifest import Undo
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import item_of, thing_part
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.domain.steps import StepDelete, StepMerge, StepMove, StepRepoint, StepUpdate
from bulkrunner.errors import Source
from tests.flows.applying.test_taking_away import NOTE, REFUSED, notes, results, splitting, told
from tests.flows.applying.test_transfers import SIGELS, entries, holding, outcomes, plan, two_parts
from tests.flows.applying.test_transfers import level2 as level2  # noqa: PLC0414 (a fixture)
from tests.support.executing import before_it, held

NUMBERS = itertools.count(1)
APPLIED = Outcome.APPLIED


def undo(rig, made, *, job="", only=None):
    """Plan what takes back the runs of a plan's job."""
    what = {"job": made.job, "effect_digest": made.effect_digest}
    declared = Undo(
        source=Source(file="job.yaml", line=1),
        **what,
        only=None if only is None else frozenset(only),
    )
    request = rig.request(declared, sigels=SIGELS, undo=what, job=job or f"back-{next(NUMBERS)}")
    back = rig.planner().make(request, f"p-back{next(NUMBERS)}")
    assert rig.ledger.chain.check() == []
    rig.control.clear_log()
    return back


def waits(rig, made):
    return [change.prerequisites for change in rig.ledger.plans.changes(made.id)]


def content(rig, record):
    thing = dict(thing_part(rig.control.document(record)))
    del thing["@id"]
    return thing


def a_move(rig, **body):
    bib, old = holding(rig, **body)
    before = content(rig, old)
    made = plan(rig, entries(StepMove(to="NO"), old))
    rig.run(made)
    return bib, before, made


def test_a_move(level2):
    bib, before, made = a_move(level2, hasComponent=two_parts(), **{NOTE: ["a"]})
    back = undo(level2, made)
    assert [c.action for c in level2.ledger.plans.changes(back.id)] == [
        Action.CREATE,
        Action.DELETE,
    ]
    assert waits(level2, back) == [(), (1,)]
    run = level2.run(back)
    assert outcomes(level2, run) == [APPLIED] * 2
    (old,) = held(level2, bib)
    assert content(level2, old) == before
    assert held(level2, bib, "NO") == []


def test_a_move_that_cannot_be_taken_back_keeps_the_new_holding(level2):
    bib, _, made = a_move(level2)
    mine = level2.made_holding(bib)
    back = undo(level2, made)
    assert told(level2, back) == [(Action.REFUSED, "duplicate"), (Action.REFUSED, "prerequisite")]
    assert outcomes(level2, level2.run(back)) == []
    assert (held(level2, bib), len(held(level2, bib, "NO"))) == ([mine], 1)


def test_the_same_where_it_shows_only_in_the_run(level2):
    bib, _, made = a_move(level2)
    back = undo(level2, made)
    level2.made_holding(bib)
    run = level2.run(back)
    assert results(level2, run) == [(Outcome.REFUSED, "duplicate"), REFUSED]
    assert len(held(level2, bib, "NO")) == 1


def test_a_move_whose_deletion_has_the_lower_number(level2):
    """The old holding was the plan's first change, and waited for its second."""
    bib, old = holding(level2, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    update = StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),))
    made = plan(level2, entries(update, old), entries(StepMove(to="NO"), old, number=2))
    level2.run(made)
    back = undo(level2, made)
    assert [c.action for c in level2.ledger.plans.changes(back.id)] == [
        Action.DELETE,
        Action.CREATE,
    ]
    assert waits(level2, back) == [(2,), ()]
    run = level2.run(back)
    assert outcomes(level2, run) == [APPLIED] * 2
    assert [method for method, _ in level2.sent()] == ["POST", "DELETE"]
    (again,) = held(level2, bib)
    assert thing_part(level2.control.document(again))["shelfMark"]["label"] == "Hc"


def test_the_same_where_the_old_one_cannot_come_back(level2, monkeypatch):
    for size in (1, 200):
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
        bib, old = holding(level2, **{NOTE: ["a"]})
        update = StepUpdate(changes=(SetChange(at=NOTE, to="b"),))
        made = plan(level2, entries(update, old), entries(StepMove(to="NO"), old, number=2))
        level2.run(made)
        level2.made_holding(bib)
        back = undo(level2, made)
        assert told(level2, back) == [
            (Action.REFUSED, "prerequisite"),
            (Action.REFUSED, "duplicate"),
        ]


@pytest.mark.parametrize("size", [1, 200])
def test_merges_into_one(level2, monkeypatch, size):
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
    (bib, one), (_, two), (_, kept) = (holding(level2, **{NOTE: [text]}) for text in "abc")
    made = plan(level2, entries(StepMerge(into=kept, take=(NOTE,)), one, two))
    level2.run(made)
    back = undo(level2, made)
    assert waits(level2, back) == [(), (), (1, 2)]
    level2.made_holding(bib)
    again = undo(level2, made)
    assert told(level2, again) == [
        (Action.CREATE, ""),
        (Action.REFUSED, "duplicate"),
        (Action.REFUSED, "prerequisite"),
    ]
    run = level2.run(back)
    assert results(level2, run) == [(APPLIED, ""), (Outcome.REFUSED, "duplicate"), REFUSED]
    assert notes(level2, kept) == ["c", "a", "b"]


def test_a_split_whose_source_was_edited_keeps_the_new_holding(level2):
    bib, record = holding(level2, hasComponent=two_parts())
    made = plan(level2, entries(splitting(), record))
    level2.run(made)
    level2.control.edit(record, sigel="S")
    back = undo(level2, made)
    assert told(level2, back) == [
        (Action.REFUSED, "changed_since"),
        (Action.REFUSED, "prerequisite"),
    ]
    assert len(held(level2, bib, "NO")) == 1


def test_a_split(level2):
    bib, record = holding(level2, hasComponent=two_parts())
    before = content(level2, record)
    made = plan(level2, entries(splitting(), record))
    level2.run(made)
    run = level2.run(undo(level2, made))
    assert outcomes(level2, run) == [APPLIED] * 2
    assert (content(level2, record), held(level2, bib, "NO")) == (before, [])


def test_hung_back_only_where_there_is_room(level2):
    (old, record), new = holding(level2), level2.made_bib()
    made = plan(level2, entries(StepRepoint(to=new), record))
    level2.run(made)
    mine = level2.made_holding(old)
    assert told(level2, undo(level2, made)) == [(Action.REFUSED, "duplicate")]
    level2.run(plan(level2, entries(StepDelete(), mine)))
    level2.run(undo(level2, made))
    assert item_of(level2.control.document(record)) == level2.control.thing_iri(old)
    level2.run(plan(level2, entries(StepRepoint(to=new), record)))


def test_hung_back_with_its_deleted_bib(level2):
    (old, record), new = holding(level2), level2.made_bib()
    made = plan(level2, entries(StepRepoint(to=new), record), entries(StepDelete(), old, number=2))
    level2.run(made)
    back = undo(level2, made)
    assert waits(level2, back) == [(), (1,)]
    run = level2.run(back)
    assert outcomes(level2, run) == [APPLIED] * 2
    again = level2.ended(run)[0].result.record
    assert item_of(level2.control.document(record)) == level2.control.thing_iri(again)


def test_one_half_of_a_move_alone_is_not_taken_back(level2):
    bib, _, made = a_move(level2)
    (new,) = held(level2, bib, "NO")
    back = undo(level2, made, only=[new])
    assert told(level2, back) == [(Action.REFUSED, "prerequisite")]
    assert "not restored here" in next(level2.ledger.plans.changes(back.id)).message


def test_a_deletion_of_which_nobody_knows_keeps_the_new_holding(level2):
    bib, old = holding(level2)
    made = plan(level2, entries(StepMove(to="NO"), old))
    run = level2.run_until_killed(made, catalogue={"delete": before_it})
    level2.ledger.runs.move(run, RunState.STOPPED, at=level2.clock.now(), reason="")
    back = undo(level2, made)
    assert told(level2, back) == [
        (Action.REFUSED, "outcome_unknown"),
        (Action.REFUSED, "prerequisite"),
    ]
    assert (held(level2, bib), len(held(level2, bib, "NO"))) == ([old], 1)


def test_a_move_done_in_two_runs(level2):
    bib, old = holding(level2, **{NOTE: ["a"]})
    parts = entries(StepMove(to="NO"), old)
    level2.run(plan(level2, parts, job="two runs"), limit=1)
    made = plan(level2, parts, job="two runs")
    level2.run(made)
    back = undo(level2, made)
    assert [c.action for c in level2.ledger.plans.changes(back.id)] == [
        Action.CREATE,
        Action.DELETE,
    ]
    assert waits(level2, back) == [(), (1,)]
    assert outcomes(level2, level2.run(back)) == [APPLIED] * 2
    assert (len(held(level2, bib)), held(level2, bib, "NO")) == (1, [])


def test_taken_back_by_half_and_planned_again(level2):
    bib, _, made = a_move(level2, **{NOTE: ["a"]})
    level2.run(undo(level2, made, job="back again"), limit=1)
    back = undo(level2, made, job="back again")
    assert told(level2, back) == [(Action.UNCHANGED, "applied_earlier"), (Action.DELETE, "")]
    (old,) = held(level2, bib)
    level2.control.edit(old, delete=True)
    assert results(level2, level2.run(back)) == [REFUSED]
    assert len(held(level2, bib, "NO")) == 1


def test_what_was_taken_back_is_taken_back(level2):
    bib, before, made = a_move(level2, **{NOTE: ["a"]})
    back = undo(level2, made)
    level2.run(back)
    forth = undo(level2, back)
    assert waits(level2, forth) == [(), (1,)]
    assert outcomes(level2, level2.run(forth)) == [APPLIED] * 2
    assert held(level2, bib) == []
    (new,) = held(level2, bib, "NO")
    assert notes(level2, new) == before[NOTE]


def test_where_somebody_brought_the_old_one_back(level2):
    """It is there again by itself; the new one is deleted all the same."""
    bib, old = holding(level2, **{NOTE: ["a"]})
    document = level2.control.document(old)
    made = plan(level2, entries(StepMove(to="NO"), old))
    level2.run(made)
    other = copy.deepcopy(document)
    thing_part(other)[NOTE] = ["something else"]
    level2.control.revive(old, other)
    assert told(level2, undo(level2, made)) == [
        (Action.REFUSED, "changed_since"),
        (Action.REFUSED, "prerequisite"),
    ]
    level2.control.edit(old, sigel="S", doc=document)
    back = undo(level2, made)
    assert told(level2, back) == [(Action.UNCHANGED, "restored_already"), (Action.DELETE, "")]
    assert outcomes(level2, level2.run(back)) == [APPLIED]
    assert (held(level2, bib), held(level2, bib, "NO")) == ([old], [])
