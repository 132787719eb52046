"""Nothing is taken away whose content is not saved elsewhere, whatever comes in between."""

import pytest

from bulkrunner.domain.changes.verbs import SetChange
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import thing_part
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.domain.steps import (
    Step,
    StepCopy,
    StepDelete,
    StepEntry,
    StepMerge,
    StepMove,
    StepRevert,
    StepSplit,
    StepUpdate,
)
from bulkrunner.errors import Source
from tests.flows.applying.test_transfers import entries, holding, outcomes, plan, two_parts
from tests.flows.applying.test_transfers import level2 as level2  # noqa: PLC0414 (a fixture)
from tests.support.changes import outside
from tests.support.executing import Rig, before_it, held

NOTE = "cataloguersNote"
REFUSED = (Outcome.REFUSED, "prerequisite")
ANSWERS = {
    "refused as invalid": {"kind": "status", "status": 400, "times": 1},
    "forbidden": {"kind": "status", "status": 403, "times": 1},
    "conflict": {"kind": "status", "status": 409, "times": 1},
    "three times a fault of the server": {"kind": "status", "status": 500, "times": 3},
    "three times lost before it is stored": {"kind": "close_before", "times": 3},
}
"""What the server may answer to what saves; nothing is stored."""


def row_entries(action, *pairs, number=1):
    """One entry for each record with a row of its own."""
    step = Step(number=number, source=Source(file="job.yaml", line=number), action=action)
    return [
        StepEntry(source=Source(file="r.csv", line=line), step=step, given=ref, ref=ref, row=row)
        for line, (ref, row) in enumerate(pairs, start=1)
    ]


def from_row(name):
    return parse_value({"$value": f"@row.{name}"})


def splitting():
    condition = parse_condition({"shelfMark.label": "Ob"}, outside({}))
    return StepSplit(components=condition, sigel="NO")


def results(rig, run):
    return [(ended.result.outcome, ended.result.code) for ended in rig.ended(run)]


def told(rig, made):
    return [(c.action, c.code) for c in rig.ledger.plans.changes(made.id)]


def notes(rig, record):
    return thing_part(rig.control.document(record))[NOTE]


def faulty(rig, method, answer, path=None):
    more = {"path": path} if path else {"path": "/data"}
    how = dict(ANSWERS[answer])
    rig.control.fault(how.pop("kind"), method=method, **how, **more)


def deletions(rig):
    return [entry for entry in rig.control.writes() if entry["method"] == "DELETE"]


# --- what saves is not stored ----------------------------------------------------------------


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_move_whose_create_is_not_stored_deletes_nothing(level2, answer):
    bib, old = holding(level2)
    made = plan(level2, entries(StepMove(to="NO"), old))
    faulty(level2, "POST", answer)
    run = level2.run(made)
    (first, second) = results(level2, run)
    assert first[0] in {Outcome.REFUSED, Outcome.FAILED}
    assert second == REFUSED
    assert (held(level2, bib), held(level2, bib, "NO")) == ([old], [])
    assert deletions(level2) == []


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_copied_from_stays_where_the_copy_is_not_stored(level2, answer):
    bib, old = holding(level2)
    copied = entries(StepCopy(sigel="NO"), old)
    made = plan(level2, [*copied, *entries(StepDelete(), old, number=2)])
    faulty(level2, "POST", answer)
    run = level2.run(made)
    assert results(level2, run)[1] == REFUSED
    assert (held(level2, bib), held(level2, bib, "NO")) == ([old], [])
    assert deletions(level2) == []


def test_what_is_copied_from_goes_after_the_copy(level2):
    bib, old = holding(level2, **{NOTE: ["a"]})
    copied = entries(StepCopy(sigel="NO"), old)
    made = plan(level2, [*copied, *entries(StepDelete(), old, number=2)])
    assert outcomes(level2, level2.run(made)) == [Outcome.APPLIED] * 2
    (new,) = held(level2, bib, "NO")
    assert (held(level2, bib), notes(level2, new)) == ([], ["a"])
    order = [entry["method"] for entry in level2.control.writes()]
    assert order[-2:] == ["POST", "DELETE"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_merge_whose_target_is_not_stored_deletes_nothing(level2, answer):
    (_, gone), (_, kept) = (holding(level2, **{NOTE: [text]}) for text in ("a", "b"))
    made = plan(level2, entries(StepMerge(into=kept, take=(NOTE,)), gone))
    faulty(level2, "PUT", answer, kept)
    run = level2.run(made)
    assert results(level2, run)[1] == REFUSED
    assert (level2.control.get(gone).status, notes(level2, kept)) == (200, ["b"])
    assert deletions(level2) == []


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_split_whose_create_is_not_stored_keeps_the_components(level2, answer):
    bib, record = holding(level2, hasComponent=two_parts())
    before = level2.control.document(record)
    made = plan(level2, entries(splitting(), record))
    faulty(level2, "POST", answer)
    run = level2.run(made)
    assert results(level2, run)[1] == REFUSED
    assert level2.control.document(record) == before
    assert held(level2, bib, "NO") == []


@pytest.mark.parametrize("kind", ["close_before", "close_after"])
def test_an_answer_in_doubt_is_settled_before_anything_is_deleted(level2, kind):
    bib, old = holding(level2, **{NOTE: ["a"]})
    made = plan(level2, entries(StepMove(to="NO"), old))
    level2.control.fault(kind, method="POST", path="/data", times=1)
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    (new,) = held(level2, bib, "NO")
    assert notes(level2, new) == ["a"]
    order = [entry["method"] for entry in level2.control.writes()]
    assert order[-1] == "DELETE"


def test_a_target_that_is_deleted_meanwhile(level2):
    (_, gone), (_, kept) = (holding(level2, **{NOTE: [text]}) for text in ("a", "b"))
    made = plan(level2, entries(StepMerge(into=kept, take=(NOTE,)), gone))
    level2.control.edit(kept, delete=True)
    run = level2.run(made)
    assert results(level2, run)[1] == REFUSED
    assert level2.control.get(gone).status == 200


# --- what saved does not stand any more ------------------------------------------------------


@pytest.mark.parametrize("delete", [True, False])
def test_a_target_that_has_the_content_already_must_keep_it(level2, delete):
    """Nothing need be sent to the target; what is deleted relies on it all the same."""
    (_, gone), (_, kept) = (holding(level2, **{NOTE: ["a"]}) for _ in range(2))
    made = plan(level2, entries(StepMerge(into=kept, take=(NOTE,)), gone))
    assert told(level2, made) == [(Action.UNCHANGED, "no_change"), (Action.DELETE, "")]
    if delete:
        level2.control.edit(kept, delete=True)
    else:
        level2.control.edit(kept, sigel="S", set={NOTE: ["other"]})
    run = level2.run(made)
    assert results(level2, run) == [REFUSED]
    assert ("by S" in level2.ended(run)[0].result.message) is not delete
    assert level2.control.get(gone).status == 200


def test_a_target_that_is_saved_again_without_a_change_still_has_the_content(sandbox, tmp_path):
    """Also where a 304 proved the change, and the server linked something of its own accord."""
    rig = Rig(sandbox.production, tmp_path, client="cataloguer")
    language = {"@type": "Language", "code": "swe"}
    pairs = [[holding(rig, **{NOTE: [text]})[1] for text in "ab"] for _ in range(4)]
    environment = sandbox.running.production.environment
    document = rig.control.document(pairs[3][1])
    document["@graph"][1]["associatedLanguage"] = language
    environment.catalogue.put(
        pairs[3][1],
        document,
        now=environment.clock.now(),
        deleted=False,
        sigel="Ylm",
        client="old",
    )
    merge = StepMerge(into=from_row("into"), take=(NOTE,))
    made = plan(rig, row_entries(merge, *((gone, {"into": kept}) for gone, kept in pairs)))
    gone, kept = pairs[3]
    run = rig.run(made, limit=7)
    assert (rig.control.get(gone).status, notes(rig, kept)) == (200, ["b", "a"])
    rig.control.edit(kept, sigel="S", set={})
    run = rig.resume(run.id)
    assert outcomes(rig, run) == [Outcome.APPLIED] * 8
    assert thing_part(rig.control.document(kept))["associatedLanguage"] != language
    assert rig.control.get(gone).status == 410
    rig.close()


@pytest.mark.parametrize("delete", [True, False])
def test_a_new_holding_that_somebody_takes_away_before_the_old_one_is_deleted(level2, delete):
    bib, old = holding(level2, **{NOTE: ["a"]})
    made = plan(level2, entries(StepMove(to="NO"), old))
    run = level2.run(made, limit=1)
    (new,) = held(level2, bib, "NO")
    level2.control.edit(new, sigel="S", **({"delete": True} if delete else {"set": {NOTE: "b"}}))
    run = level2.resume(run.id)
    assert results(level2, run) == [(Outcome.APPLIED, ""), REFUSED]
    assert "nothing is taken away" in level2.ended(run)[1].result.message
    assert held(level2, bib) == [old]
    assert deletions(level2) == []


def test_the_same_where_the_deletion_was_begun_before_and_never_arrived(level2):
    bib, old = holding(level2)
    made = plan(level2, entries(StepMove(to="NO"), old))
    run = level2.run_until_killed(made, catalogue={"delete": before_it})
    (new,) = held(level2, bib, "NO")
    level2.control.edit(new, delete=True)
    level2.resume(run)
    assert results(level2, run)[1] == REFUSED
    assert held(level2, bib) == [old]


def test_a_chain_of_merges_ends_where_the_last_target_stands(level2):
    records = [holding(level2, **{NOTE: [text]})[1] for text in "abc"]
    merge = StepMerge(into=from_row("into"), take=(NOTE,))
    made = plan(
        level2,
        row_entries(merge, (records[0], {"into": records[1]}), (records[1], {"into": records[2]})),
    )
    run = level2.run(made, limit=0)
    assert run.state is RunState.STOPPED
    run = level2.resume(run.id)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 3
    assert notes(level2, records[2]) == ["c", "b", "a"]
    assert [level2.control.get(record).status for record in records] == [410, 410, 200]


def test_a_chain_whose_end_is_edited_is_not_gone_on_with(level2):
    records = [holding(level2, **{NOTE: [text]})[1] for text in "abc"]
    merge = StepMerge(into=from_row("into"), take=(NOTE,))
    rows = [(records[0], {"into": records[1]}), (records[1], {"into": records[2]})]
    made = plan(level2, row_entries(merge, *rows))
    assert [c.prerequisites for c in level2.ledger.plans.changes(made.id)] == [(3,), (1,), ()]

    catalogue = level2.catalogue()
    delete = catalogue.delete

    def edited_after_it(record, **how):
        answer = delete(record, **how)
        level2.control.edit(records[2], sigel="S", set={NOTE: ["z"]})
        return answer

    catalogue.delete = edited_after_it
    run = level2.run(made, catalogue=catalogue)
    assert results(level2, run)[1] == REFUSED
    assert level2.control.get(records[0]).status == 200


def test_several_into_one_target(level2):
    (_, kept), *others = (holding(level2, **{NOTE: [text]}) for text in "xabc")
    gone = [record for _, record in others]
    made = plan(level2, entries(StepMerge(into=kept, take=(NOTE,)), *gone))
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 4
    assert notes(level2, kept) == ["x", "a", "b", "c"]
    assert [level2.control.get(record).status for record in gone] == [410] * 3


@pytest.mark.parametrize("policy", ["refuse", "skip"])
def test_the_holdings_of_a_bib_into_one_of_them(level2, policy):
    """One line names both: each sees what becomes of the one before."""
    bib, kept = holding(level2, sigel="NO", **{NOTE: ["n"]})
    gone = level2.made_holding(bib, "Ylm", **{NOTE: ["y"]})
    merge = StepMerge(into=kept, take=(NOTE,))
    made = plan(level2, entries(merge, bib, holdings="own", on_duplicate=policy))
    run = level2.run(made)
    assert outcomes(level2, run) == [Outcome.APPLIED] * 2
    assert (notes(level2, kept), level2.control.get(gone).status) == (["n", "y"], 410)


def test_the_holdings_of_a_bib_to_one_library_that_has_one(level2):
    bib, theirs = holding(level2, sigel="NO")
    mine = level2.made_holding(bib, "Ylm")
    made = plan(level2, entries(StepMove(to="NO"), bib, holdings="own"))
    assert sorted(told(level2, made)) == [
        (Action.REFUSED, "duplicate"),
        (Action.UNCHANGED, "already_there"),
    ]
    assert (held(level2, bib), held(level2, bib, "NO")) == ([mine], [theirs])


# --- refused after all: nothing is done by halves --------------------------------------------


def test_rows_that_want_different_things_do_nothing_by_halves(level2):
    bib, old = holding(level2)
    move = StepMove(to=from_row("to"))
    made = plan(level2, row_entries(move, (old, {"to": "NO"}), (old, {"to": "Ylm"})))
    assert told(level2, made) == [
        (Action.REFUSED, "prerequisite"),
        (Action.REFUSED, "conflicting_rows"),
    ]
    assert outcomes(level2, level2.run(made)) == []
    assert (held(level2, bib), held(level2, bib, "NO")) == ([old], [])


def test_a_new_holding_that_a_later_step_refuses_leaves_the_old_one(level2):
    bib, old = holding(level2, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    update = StepUpdate(changes=(SetChange(at="shelfMark.label", to="x"),))
    later = entries(update, bib, number=2, holdings=("NO",), expect={"shelfMark.label": "never"})
    made = plan(level2, entries(StepMove(to="NO"), old), later)
    assert told(level2, made) == [
        (Action.REFUSED, "unexpected_value"),
        (Action.REFUSED, "prerequisite"),
    ]
    assert made.counts["delete"] == 0


def test_two_that_are_to_be_merged_into_each_other_both_stay(level2):
    (_, one), (_, other) = (holding(level2, **{NOTE: [text]}) for text in "ab")
    merge = StepMerge(into=from_row("into"), take=(NOTE,))
    made = plan(level2, row_entries(merge, (one, {"into": other}), (other, {"into": one})))
    assert {action for action, _ in told(level2, made)} == {Action.REFUSED}


def test_of_a_split_that_falls_nothing_is_created(level2):
    _, record = holding(level2, hasComponent=two_parts())
    update = StepUpdate(changes=(SetChange(at=NOTE, to="x"),))
    later = entries(update, record, number=2, expect={NOTE: "never"})
    made = plan(level2, entries(splitting(), record), later)
    assert told(level2, made) == [
        (Action.REFUSED, "prerequisite"),
        (Action.REFUSED, "unexpected_value"),
    ]


def test_what_falls_late_takes_along_what_waits_over_others(level2):
    """A into B, B's target C is refused by a later step: A and B stay as they are."""
    records = [holding(level2, **{NOTE: [text]})[1] for text in "abc"]
    merge = StepMerge(into=from_row("into"), take=(NOTE,))
    rows = [(records[0], {"into": records[1]}), (records[1], {"into": records[2]})]
    update = StepUpdate(changes=(SetChange(at=NOTE, to="x"),))
    later = entries(update, records[2], number=2, expect={NOTE: "never"})
    made = plan(level2, row_entries(merge, *rows), later)
    assert {action for action, _ in told(level2, made)} == {Action.REFUSED}
    assert outcomes(level2, level2.run(made)) == []


# --- planned again after half ----------------------------------------------------------------


def test_a_move_by_half_is_not_gone_on_with_where_the_old_one_was_edited(level2):
    """What is in the new holding is not what would be deleted."""
    bib, old = holding(level2, **{NOTE: ["a"]})
    parts = entries(StepMove(to="NO"), old)
    level2.run(plan(level2, parts, job="half"), limit=1)
    level2.control.edit(old, sigel="S", set={NOTE: ["edited"]})
    made = plan(level2, parts, job="half")
    assert told(level2, made) == [(Action.REFUSED, "duplicate")]
    assert held(level2, bib) == [old]


def test_a_move_by_half_whose_new_one_goes_after_the_second_plan(level2):
    bib, old = holding(level2)
    parts = entries(StepMove(to="NO"), old)
    level2.run(plan(level2, parts, job="half2"), limit=1)
    made = plan(level2, parts, job="half2")
    assert told(level2, made) == [(Action.UNCHANGED, "applied_earlier"), (Action.DELETE, "")]
    (new,) = held(level2, bib, "NO")
    level2.control.edit(new, delete=True)
    assert results(level2, level2.run(made)) == [REFUSED]
    assert held(level2, bib) == [old]


def test_a_move_by_half_whose_new_one_was_deleted_before_the_second_plan(level2):
    bib, old = holding(level2)
    parts = entries(StepMove(to="NO"), old)
    level2.run(plan(level2, parts, job="half3"), limit=1)
    (new,) = held(level2, bib, "NO")
    level2.control.edit(new, delete=True)
    made = plan(level2, parts, job="half3")
    assert told(level2, made) == [(Action.REFUSED, "deleted_since")]


def test_a_merge_by_half_takes_what_was_added_since(level2):
    (_, gone), (_, kept) = (holding(level2, **{NOTE: [text]}) for text in "ab")
    parts = entries(StepMerge(into=kept, take=(NOTE,)), gone)
    level2.run(plan(level2, parts, job="half4"), limit=1)
    level2.control.edit(gone, sigel="S", set={NOTE: ["a", "late"]})
    made = plan(level2, parts, job="half4")
    assert told(level2, made) == [(Action.UPDATE, ""), (Action.DELETE, "")]
    assert outcomes(level2, level2.run(made)) == [Outcome.APPLIED] * 2
    assert notes(level2, kept) == ["b", "a", "late"]


def test_a_merge_of_two_by_half(level2):
    (_, one), (_, two), (_, kept) = (holding(level2, **{NOTE: [text]}) for text in "abc")
    parts = entries(StepMerge(into=kept, take=(NOTE,)), one, two)
    level2.run(plan(level2, parts, job="half5"), limit=2)
    made = plan(level2, parts, job="half5")
    assert outcomes(level2, level2.run(made)) == [Outcome.APPLIED]
    assert notes(level2, kept) == ["c", "a", "b"]
    assert [level2.control.get(record).status for record in (one, two)] == [410, 410]


def test_a_split_by_half(level2):
    bib, record = holding(level2, hasComponent=two_parts())
    parts = entries(splitting(), record)
    level2.run(plan(level2, parts, job="half6"), limit=1)
    made = plan(level2, parts, job="half6")
    assert told(level2, made) == [(Action.UNCHANGED, "applied_earlier"), (Action.UPDATE, "")]
    assert outcomes(level2, level2.run(made)) == [Outcome.APPLIED]
    assert len(thing_part(level2.control.document(record))["hasComponent"]) == 1
    assert len(held(level2, bib, "NO")) == 1


def test_a_split_by_half_is_not_gone_on_with_where_its_components_were_edited(level2):
    _, record = holding(level2, hasComponent=two_parts())
    parts = entries(splitting(), record)
    level2.run(plan(level2, parts, job="half7"), limit=1)
    edited = two_parts()
    edited[1][NOTE] = ["late"]
    level2.control.edit(record, sigel="S", set={"hasComponent": edited})
    made = plan(level2, parts, job="half7")
    assert told(level2, made) == [(Action.REFUSED, "duplicate")]


# --- back ------------------------------------------------------------------------------------


def test_a_version_on_another_bib_only_where_there_is_room(level2):
    (old, record), (new, _) = holding(level2), holding(level2, sigel="NO")
    level2.control.edit(record, sigel="Ylm", set={"itemOf": {"@id": level2.control.thing_iri(new)}})
    revert = entries(StepRevert(version=0), record)
    made = plan(level2, revert)
    (change,) = level2.ledger.plans.changes(made.id)
    assert change.place == f"holding:{old}:Ylm"
    level2.made_holding(old)
    assert told(level2, plan(level2, revert)) == [(Action.REFUSED, "duplicate")]
    level2.run(plan(level2, entries(StepDelete(), *held(level2, old))))
    level2.control.edit(old, delete=True)
    assert told(level2, plan(level2, revert)) == [(Action.REFUSED, "bib_unresolved")]


def test_a_version_of_another_library_is_not_brought_back(level2):
    _, record = holding(level2, sigel="NO")
    library = {"@id": "https://libris.kb.se/library/Ylm"}
    level2.control.edit(record, sigel="S", set={"heldBy": library})
    made = plan(level2, entries(StepRevert(version=0), record))
    assert told(level2, made) == [(Action.REFUSED, "other_owner")]


@pytest.mark.parametrize("version", [0, -2, 7])
def test_a_deleted_record_is_not_brought_back_by_revert(level2, version):
    _, record = holding(level2)
    level2.control.edit(record, delete=True)
    made = plan(level2, entries(StepRevert(version=version), record))
    assert told(level2, made) == [(Action.NOT_FOUND, "gone")]


def test_names_that_a_record_has_got_since_stay(level2):
    """The server answers 500 to a document that drops one."""
    _, record = holding(level2, **{NOTE: ["a"]})
    document = level2.control.document(record)
    document["@graph"][0]["sameAs"] = [{"@id": "http://libris.kb.se/hold/87654321"}]
    document["@graph"][1][NOTE] = ["b"]
    level2.control.edit(record, sigel="S", doc=document)
    run = level2.run(plan(level2, entries(StepRevert(version=0), record)))
    assert outcomes(level2, run) == [Outcome.APPLIED]
    back = level2.control.document(record)
    assert back["@graph"][0]["sameAs"] == [{"@id": "http://libris.kb.se/hold/87654321"}]
    assert thing_part(back)[NOTE] == ["a"]


def test_what_somebody_edited_between_two_runs_is_not_lost(level2):
    _, record = holding(level2, **{NOTE: ["a"]})
    for text in ("b", "c"):
        update = StepUpdate(changes=(SetChange(at=NOTE, to=text),))
        level2.run(plan(level2, entries(update, record), job="between"))
        if text == "b":
            level2.control.edit(record, sigel="S", set={NOTE: ["somebody's"]})
    back = StepRevert(job="between", effect_digest="sha256:" + "2" * 64)
    made = plan(level2, entries(back, record))
    assert told(level2, made) == [(Action.REFUSED, "changed_since")]
    assert "between the runs" in next(level2.ledger.plans.changes(made.id)).message
