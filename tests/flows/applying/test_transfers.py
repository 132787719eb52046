"""Steps that write several records, on a running sandbox: nothing is taken away before it is saved."""

import itertools
from dataclasses import replace

import pytest

from bulkrunner.domain.changes.verbs import SetChange
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import component_holders, held_by, item_of, thing_part
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.domain.steps import (
    Step,
    StepCopy,
    StepDelete,
    StepEntry,
    StepMerge,
    StepMove,
    StepRepoint,
    StepRevert,
    StepSplit,
    StepUpdate,
)
from bulkrunner.errors import Source
from tests.flows.applying.test_prerequisites import WINDOWS
from tests.support.changes import outside
from tests.support.executing import Rig, after_it, before_it, creating_holding, held

NUMBERS = itertools.count(1)
SIGELS = ["Ylm", "NO"]
CREATING = {
    "before the post": {"catalogue": {"post": before_it}},
    "after the post": {"catalogue": {"post": after_it}},
    "before the delete": {"catalogue": {"delete": before_it}},
    "after the delete": {"catalogue": {"delete": after_it}},
    **{name: hooks for name, hooks in WINDOWS.items() if "send" not in name},
}


@pytest.fixture
def level2(sandbox, tmp_path):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    yield rig
    sandbox.staging.clear_faults()
    rig.close()


def entries(action, *refs, number=1, **more):
    source = Source(file="job.yaml", line=number)
    step = Step(number=number, source=source, action=action, **more)
    return [StepEntry(source=source, step=step, given=ref, ref=ref) for ref in refs]


def plan(rig, *parts, job=""):
    request = rig.request(*itertools.chain(*parts), sigels=SIGELS, job=job or f"t-{next(NUMBERS)}")
    made = rig.planner().make(request, f"p-t{next(NUMBERS)}")
    assert rig.ledger.chain.check() == []
    rig.control.clear_log()
    return made


def holding(rig, sigel="Ylm", bib=None, **body):
    bib = bib or rig.made_bib()
    return bib, rig.made_holding(bib, sigel, **body)


def two_parts():
    ylm = {"@id": "https://libris.kb.se/library/Ylm"}
    return [
        {"@type": "Item", "heldBy": ylm, "shelfMark": {"@type": "ShelfMark", "label": label}}
        for label in ("Hc", "Ob")
    ]


def outcomes(rig, run):
    return [ended.result.outcome for ended in rig.ended(run)]


def moved(rig, bib, old, **content):
    """Check that a holding has gone over from Ylm to NO with all its parts."""
    assert held(rig, bib) == []
    (new,) = held(rig, bib, "NO")
    assert rig.control.get(old).status == 410
    document = rig.control.document(new)
    assert set(component_holders(document)) <= {"NO"}
    assert thing_part(document).items() >= content.items()
    return new


@pytest.mark.parametrize("window", [None, *CREATING])
def test_moved_and_killed_anywhere(level2, window):
    bib, old = holding(level2, hasComponent=two_parts(), physicalLocation=["MAG"])
    made = plan(level2, entries(StepMove(to="NO"), old))
    if window is None:
        run = level2.run(made).id
    else:
        run = level2.run_until_killed(made, **CREATING[window])
        level2.resume(run)
    moved(level2, bib, old, physicalLocation=["MAG"])
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    assert level2.verify(level2.ledger.runs.get(run)).differences == []
    writes = [method for method, status in level2.sent() if status < 300]
    assert writes == ["POST", "DELETE"]


def test_where_the_new_one_cannot_be_saved_the_old_one_stays(level2):
    bib, old = holding(level2)
    made = plan(level2, entries(StepMove(to="NO"), old))
    level2.made_holding(bib, "NO")
    level2.control.clear_log()
    run = level2.run(made)
    ended = level2.ended(run)
    assert [(one.result.outcome, one.result.code) for one in ended] == [
        (Outcome.REFUSED, "duplicate"),
        (Outcome.REFUSED, "prerequisite"),
    ]
    assert held(level2, bib) == [old]
    assert level2.sent() == []


OB = parse_condition({"shelfMark.label": "Ob"}, outside({}))


def taking(rig):
    """Steps that save content of a holding elsewhere, by name: (step, how many changes it is)."""
    _, kept = holding(rig, cataloguersNote=["b"])
    return {
        "move": (StepMove(to="NO"), 2),
        "copy": (StepCopy(sigel="NO"), 1),
        "merge": (StepMerge(into=kept, take=("cataloguersNote",)), 2),
        "split": (StepSplit(components=OB, sigel="NO"), 2),
    }


@pytest.mark.parametrize("kind", ["move", "copy", "merge", "split"])
@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_what_is_not_as_planned_any_more_is_not_saved_elsewhere(level2, kind, how):
    bib, old = holding(level2, hasComponent=two_parts(), cataloguersNote=["a"])
    action, number = taking(level2)[kind]
    made = plan(level2, entries(action, old))
    level2.control.edit(old, sigel="S", delete=how == "deleted")
    before = level2.control.records()
    run = level2.run(made)
    ended = [(one.result.outcome, one.result.code) for one in level2.ended(run)]
    expected = [(Outcome.CONFLICT, "origin_changed"), (Outcome.REFUSED, "prerequisite")]
    assert sorted(ended) == sorted(expected[:number])
    assert level2.sent() == []
    assert level2.control.records() == before
    assert held(level2, bib, "NO") == []


def test_what_was_saved_before_the_other_record_was_edited_is_settled_as_ever(level2):
    _, old = holding(level2)
    made = plan(level2, entries(StepMove(to="NO"), old))
    run = level2.run_until_killed(made, catalogue={"post": after_it})
    level2.control.edit(old, sigel="S")
    level2.resume(run)
    assert outcomes(level2, run) == [Outcome.APPLIED, Outcome.CONFLICT]


def test_a_copy_is_made_before_or_after_what_the_plan_does_to_the_original(level2):
    bib, old = holding(level2, cataloguersNote=["a"])
    update = StepUpdate(changes=(SetChange(at="cataloguersNote", to="c"),))
    made = plan(level2, entries(update, old), entries(StepCopy(sigel="NO"), old, number=2))
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    (copy,) = held(level2, bib, "NO")
    assert thing_part(level2.control.document(copy))["cataloguersNote"] == ["c"]


def test_which_content_went_into_a_change_is_part_of_the_plans_digest(level2):
    (_, gone), (_, kept) = (holding(level2, cataloguersNote=[text]) for text in ("a", "b"))
    made = plan(level2, entries(StepMerge(into=kept, take=("cataloguersNote",)), gone))
    saved = next(c for c in level2.ledger.plans.changes(made.id) if c.action is Action.UPDATE)
    (origin,) = saved.origins
    assert origin.record == gone
    assert replace(saved, origins=()).digest() != saved.digest()


def test_a_second_plan_of_a_move_takes_up_what_is_left(level2):
    pairs = [holding(level2) for _ in range(3)]
    parts = entries(StepMove(to="NO"), *(old for _, old in pairs))
    first = plan(level2, parts, job="moving")
    run = level2.run(first, limit=3)
    assert run.state is RunState.STOPPED
    second = plan(level2, parts, job="moving")
    assert [(c.action, c.code) for c in level2.ledger.plans.changes(second.id)] == [
        (Action.UNCHANGED, "applied_earlier"),
        (Action.UNCHANGED, "applied_earlier"),
        (Action.DELETE, ""),
        (Action.CREATE, ""),
        (Action.DELETE, ""),
    ]
    assert outcomes(level2, level2.run(second)) == [Outcome.APPLIED] * 3
    for bib, old in pairs:
        moved(level2, bib, old)
    third = plan(level2, parts, job="moving")
    assert third.counts["unchanged"] == 3


def test_changed_and_moved_in_one_job(level2):
    bib, old = holding(level2, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    update = StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),))
    parts = (entries(update, old), entries(StepMove(to="NO"), old, number=2))
    made = plan(level2, *parts, job="both")
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    moved(level2, bib, old, shelfMark={"@type": "ShelfMark", "label": "Hce"})
    again = plan(level2, *parts, job="both")
    assert {change.code for change in level2.ledger.plans.changes(again.id)} == {"applied_earlier"}


def test_a_limit_before_what_a_change_waits_for(level2):
    """The old holding is the plan's first change, and waits for its second."""
    bib, old = holding(level2, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    update = StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),))
    made = plan(level2, entries(update, old), entries(StepMove(to="NO"), old, number=2))
    run = level2.run(made, limit=1)
    assert (run.state, level2.sent()) == (RunState.STOPPED, [])
    level2.resume(run.id)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    moved(level2, bib, old)


def test_production_begins_with_what_is_waited_for(sandbox, tmp_path):
    sandbox.production.clear_faults()
    rig = Rig(sandbox.production, tmp_path, client="cataloguer")
    pairs = [holding(rig, shelfMark={"@type": "ShelfMark", "label": "Hc"}) for _ in range(4)]
    refs = [old for _, old in pairs]
    update = StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),))
    made = plan(rig, entries(update, *refs), entries(StepMove(to="NO"), *refs, number=2))
    run = rig.run(made)
    assert outcomes(rig, run) == [Outcome.APPLIED] * 8
    for bib, old in pairs:
        moved(rig, bib, old)
    rig.close()


def test_holdings_and_then_their_bibs(level2):
    made = [holding(level2) for _ in range(2)]
    bibs = [bib for bib, _ in made]
    for bib in bibs:
        level2.made_holding(bib, "NO")
    parts = (
        entries(StepDelete(), *bibs, holdings="own"),
        entries(StepDelete(), *bibs, number=2),
    )
    run = level2.run(plan(level2, *parts))
    assert outcomes(level2, run) == [Outcome.APPLIED] * 6
    assert [level2.control.get(bib).status for bib in bibs] == [410, 410]


def test_hung_on_another_bib_and_the_old_one_deleted(level2):
    (old, record), new = holding(level2), level2.made_bib()
    parts = (entries(StepRepoint(to=new), record), entries(StepDelete(), old, number=2))
    made = plan(level2, *parts, job="repoint")
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    assert item_of(level2.control.document(record)) == level2.control.thing_iri(new)
    assert level2.control.get(old).status == 410
    assert level2.verify(run).differences == []
    again = plan(level2, *parts, job="repoint")
    assert {change.code for change in level2.ledger.plans.changes(again.id)} == {"applied_earlier"}


def test_where_the_library_gets_one_meanwhile_it_is_not_hung_there(level2):
    (_, record), new = holding(level2), level2.made_bib()
    made = plan(level2, entries(StepRepoint(to=new), record))
    level2.made_holding(new)
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.REFUSED]


def test_copied(level2):
    bib, record = holding(level2, hasComponent=two_parts())
    run = level2.run(plan(level2, entries(StepCopy(sigel="NO"), record)))
    assert outcomes(level2, run) == [Outcome.APPLIED]
    (copy,) = held(level2, bib, "NO")
    assert set(component_holders(level2.control.document(copy))) == {"NO"}
    assert held(level2, bib) == [record]


@pytest.mark.parametrize("window", [None, "before the delete", "after the delete"])
def test_merged(level2, window):
    (_, gone), (_, kept) = (holding(level2, cataloguersNote=[text]) for text in ("a", "b"))
    merge = StepMerge(into=kept, take=("cataloguersNote",))
    made = plan(level2, entries(merge, gone))
    if window is None:
        run = level2.run(made).id
    else:
        run = level2.run_until_killed(made, **CREATING[window])
        level2.resume(run)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    assert thing_part(level2.control.document(kept))["cataloguersNote"] == ["b", "a"]
    assert level2.control.get(gone).status == 410
    assert level2.sent()[0][0] == "PUT"


def test_where_the_target_was_edited_nothing_is_deleted(level2):
    (_, gone), (_, kept) = (holding(level2, cataloguersNote=[text]) for text in ("a", "b"))
    made = plan(level2, entries(StepMerge(into=kept, take=("cataloguersNote",)), gone))
    level2.control.edit(kept, sigel="S")
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.CONFLICT, Outcome.REFUSED]
    assert level2.control.get(gone).status == 200


def test_split(level2):
    bib, record = holding(level2, hasComponent=two_parts())
    condition = parse_condition({"shelfMark.label": "Ob"}, outside({}))
    run = level2.run(plan(level2, entries(StepSplit(components=condition, sigel="NO"), record)))
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    (new,) = held(level2, bib, "NO")
    labels = [
        [
            part["shelfMark"]["label"]
            for part in thing_part(level2.control.document(one))["hasComponent"]
        ]
        for one in (record, new)
    ]
    assert labels == [["Hc"], ["Ob"]]


def test_back_to_a_version(level2):
    _, record = holding(level2, cataloguersNote=["a"])
    before = thing_part(level2.control.document(record))
    level2.control.edit(record, sigel="Ylm")
    revert = entries(StepRevert(version=0), record)
    made = plan(level2, revert, job="back")
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED]
    assert thing_part(level2.control.document(record)) == before
    again = plan(level2, revert, job="back")
    assert [c.action for c in level2.ledger.plans.changes(again.id)] == [Action.UNCHANGED]


@pytest.mark.parametrize("version", [-2, 1])
def test_a_deletion_is_no_content_to_go_back_to(level2, version):
    _, record = holding(level2, cataloguersNote=["a"])
    stored = level2.control.document(record)
    level2.control.edit(record, sigel="Ylm", delete=True)
    level2.control.revive(record, stored)
    made = plan(level2, entries(StepRevert(version=version), record))
    (change,) = level2.ledger.plans.changes(made.id)
    assert (change.action, change.code) == (Action.REFUSED, "version_deleted")
    assert f"version {version} of the record is its deletion" in change.message


def test_before_a_job_that_created_the_record_there_was_none(level2):
    create = creating_holding(level2.made_bib())
    run = level2.run(level2.plan(create, job="new"))
    (record,) = (one.result.record for one in level2.ended(run))
    back = StepRevert(job="new", effect_digest="sha256:" + "2" * 64)
    made = plan(level2, entries(back, record), job="back to nothing")
    (change,) = level2.ledger.plans.changes(made.id)
    assert (change.action, change.code) == (Action.REFUSED, "version_deleted")
    assert f"run {run.id} of new created it" in change.message


def test_before_a_job_that_deleted_the_record_and_somebody_brought_it_back(level2):
    _, record = holding(level2)
    stored = level2.control.document(record)
    run = level2.run(plan(level2, entries(StepDelete(), record), job="weeding"))
    level2.control.revive(record, stored)
    back = StepRevert(job="weeding", effect_digest="sha256:" + "2" * 64)
    made = plan(level2, entries(back, record), job="back again")
    (change,) = level2.ledger.plans.changes(made.id)
    assert (change.action, change.code) == (Action.REFUSED, "changed_since")
    assert f"run {run.id} of weeding deleted it, and somebody brought it back" in change.message


def test_back_over_two_runs_where_it_was_only_saved_again_between_them(level2):
    _, record = holding(level2, cataloguersNote=["a"])
    for text in ("b", "c"):
        update = StepUpdate(changes=(SetChange(at="cataloguersNote", to=text),))
        run = level2.run(plan(level2, entries(update, record), job="twice saved"))
        assert outcomes(level2, run) == [Outcome.APPLIED]
        level2.control.edit(record, sigel="S", set={})
    back = StepRevert(job="twice saved", effect_digest="sha256:" + "2" * 64)
    made = plan(level2, entries(back, record), job="back over two")
    assert outcomes(level2, level2.run(made)) == [Outcome.APPLIED]
    assert thing_part(level2.control.document(record))["cataloguersNote"] == ["a"]


def test_back_to_before_the_runs_of_a_job(level2):
    (_, one), (_, other), (_, third) = (holding(level2, cataloguersNote=["a"]) for _ in range(3))
    for text in ("b", "c"):
        update = StepUpdate(changes=(SetChange(at="cataloguersNote", to=text),))
        level2.run(plan(level2, entries(update, one, other), job="notes"))
    level2.control.edit(other, sigel="S")
    back = StepRevert(job="notes", effect_digest="sha256:" + "2" * 64)
    made = plan(level2, entries(back, one, other, third), job="back to before")
    changes = list(level2.ledger.plans.changes(made.id))
    assert [(change.action, change.code) for change in changes] == [
        (Action.UPDATE, ""),
        (Action.REFUSED, "changed_since"),
        (Action.REFUSED, "not_changed"),
    ]
    assert thing_part(changes[0].after)["cataloguersNote"] == ["a"]
    assert outcomes(level2, level2.run(made)) == [Outcome.APPLIED]
    assert held_by(level2.control.document(one)) == "Ylm"
