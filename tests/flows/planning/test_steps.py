"""Entries of steps: several for one record become one change, each seeing what precedes."""

import pytest

from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import thing_part
from bulkrunner.domain.steps import Step, StepCreate, StepDelete, StepEntry, StepUpdate
from bulkrunner.errors import Source
from tests.support.catalogue import MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.planning import Desk, delete, listed, set_label

BIBS = [short_id(number, "b") for number in range(5)]
HOLDINGS = [short_id(number) for number in range(5)]


@pytest.fixture
def desk(tmp_path):
    records = {bib: a_bib(bib) for bib in BIBS}
    for record, bib in zip(HOLDINGS, BIBS, strict=True):
        records[record] = a_holding(record, bib, shelfMark={"label": "Hc"})
    return Desk(tmp_path, MemoryCatalogue(records=records, writes_bibs=True))


def step(number, action, **more):
    return Step(number=number, source=Source(file="job.yaml", line=number), action=action, **more)


def entries(step, *refs, **more):
    return [
        StepEntry(
            source=Source(file=f"{step.number}.txt", line=line),
            step=step,
            given=ref,
            ref=ref,
            **more,
        )
        for line, ref in enumerate(refs, start=1)
    ]


def update(number, *changes, **more):
    return step(number, StepUpdate(changes=changes), **more)


MARK = SetChange(at="shelfMark.label", to="Hce")
NOTE = AppendChange(at="availability", value="a")


def planned(desk, *parts):
    plan = desk.plan(listed(*(entry for part in parts for entry in part)))
    assert desk.ledger.chain.check() == []
    return desk.changes(plan)


def test_two_steps_on_one_record_are_one_change(desk):
    (change,) = planned(
        desk, entries(update(1, MARK), HOLDINGS[0]), entries(update(2, NOTE), HOLDINGS[0])
    )
    assert change.action is Action.UPDATE
    assert thing_part(change.after)["shelfMark"] == {"label": "Hce"}
    assert thing_part(change.after)["availability"] == ["a"]
    assert change.before == desk.catalogue.records[HOLDINGS[0]]
    assert change.pattern == "update holding: set shelfMark.label; append availability"
    assert [step["changes"][0] for step in change.operation["steps"]] == [
        {"set": {"at": "shelfMark.label", "to": "Hce"}},
        {"append": {"at": "availability", "value": "a"}},
    ]
    assert [(part.step, part.source.file, part.action) for part in change.parts] == [
        (1, "1.txt", Action.UPDATE),
        (2, "2.txt", Action.UPDATE),
    ]
    assert desk.catalogue.asked.count(HOLDINGS[0]) == 1


def test_a_step_sees_the_record_as_the_one_before_leaves_it(desk):
    later = update(2, RemoveChange(at="shelfMark"), expect={"shelfMark.label": "Hce"})
    changes = planned(
        desk, entries(update(1, MARK), HOLDINGS[0]), entries(later, HOLDINGS[0], HOLDINGS[1])
    )
    assert [(change.record, change.action, change.code) for change in changes] == [
        (HOLDINGS[0], Action.UPDATE, ""),
        (HOLDINGS[1], Action.REFUSED, "unexpected_value"),
    ]
    assert "shelfMark" not in thing_part(changes[0].after)


def test_a_step_that_takes_back_what_the_one_before_did_leaves_nothing(desk):
    back = update(2, SetChange(at="shelfMark.label", to="Hc"))
    (change,) = planned(desk, entries(update(1, MARK), HOLDINGS[0]), entries(back, HOLDINGS[0]))
    assert (change.action, change.code, change.after) == (Action.UNCHANGED, "no_change", None)


def test_an_update_and_a_delete_are_a_delete_of_the_record_as_read(desk):
    (change,) = planned(
        desk, entries(update(1, MARK), HOLDINGS[0]), entries(step(2, StepDelete()), HOLDINGS[0])
    )
    assert (change.action, change.after) == (Action.DELETE, None)
    assert change.before == desk.catalogue.records[HOLDINGS[0]]
    assert change.pattern == "delete holding"


def test_nothing_follows_a_delete(desk):
    changes = planned(
        desk,
        entries(step(1, StepDelete()), HOLDINGS[0]),
        entries(update(2, MARK), HOLDINGS[0]),
        entries(step(3, StepDelete()), HOLDINGS[0]),
    )
    (change,) = changes
    assert (change.action, change.code) == (Action.REFUSED, "deleted_in_plan")
    assert [(part.step, part.action, part.code) for part in change.parts] == [
        (1, Action.DELETE, ""),
        (2, Action.REFUSED, "deleted_in_plan"),
        (3, Action.REFUSED, "deleted_in_plan"),
    ]


def test_a_record_deleted_twice_is_deleted_once(desk):
    changes = planned(
        desk,
        entries(step(1, StepDelete()), HOLDINGS[0]),
        entries(step(2, StepDelete()), HOLDINGS[0]),
    )
    assert [(change.action, change.code) for change in changes] == [
        (Action.DELETE, ""),
        (Action.UNCHANGED, "deleted_already"),
    ]


def test_a_refusal_of_one_step_refuses_the_record(desk):
    strict = update(1, MARK, expect={"shelfMark.label": "Hx"})
    (change,) = planned(desk, entries(strict, HOLDINGS[0]), entries(update(2, NOTE), HOLDINGS[0]))
    assert (change.action, change.code, change.after) == (Action.REFUSED, "unexpected_value", None)
    assert len(change.parts) == 2
    last = update(3, MARK, expect={"shelfMark.label": "Hx"})
    (change,) = planned(desk, entries(update(1, NOTE), HOLDINGS[1]), entries(last, HOLDINGS[1]))
    assert (change.action, change.code, change.after) == (Action.REFUSED, "unexpected_value", None)


def test_a_step_after_an_explicit_operation(desk):
    first = [set_label(HOLDINGS[0]), delete(HOLDINGS[1])]
    changes = planned(desk, first, entries(update(1, NOTE), HOLDINGS[0], HOLDINGS[1], HOLDINGS[2]))
    assert [(change.record, change.action, change.code) for change in changes] == [
        (HOLDINGS[0], Action.UPDATE, ""),
        (HOLDINGS[1], Action.REFUSED, "deleted_in_plan"),
        (HOLDINGS[2], Action.UPDATE, ""),
    ]
    assert [part.step for part in changes[0].parts] == [None, 1]


def test_a_record_named_twice_by_one_step(desk, monkeypatch):
    for size in (1, 2, 200):
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
        first, again = planned(desk, entries(update(1, MARK), HOLDINGS[0], HOLDINGS[0]))
        assert first.action is Action.UPDATE
        assert (again.action, again.code) == (Action.UNCHANGED, "repeated")
        assert again.source.line == 2
        assert "1.txt:1" in again.message


def test_a_record_twice_in_a_later_step(desk, monkeypatch):
    for size in (1, 2, 200):
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
        first, again = planned(
            desk,
            entries(update(1, MARK), HOLDINGS[0]),
            entries(update(2, NOTE), HOLDINGS[0], HOLDINGS[0]),
        )
        assert thing_part(first.after)["availability"] == ["a"]
        assert [part.step for part in first.parts] == [1, 2]
        assert (again.action, again.code) == (Action.UNCHANGED, "repeated")


def test_a_missing_record_is_told_once_with_both_steps(desk):
    missing = short_id(99)
    (change,) = planned(desk, entries(update(1, MARK), missing), entries(update(2, NOTE), missing))
    assert (change.action, change.code) == (Action.NOT_FOUND, "not_found")
    assert [part.step for part in change.parts] == [1, 2]
    (change,) = planned(desk, entries(update(1, MARK, on_missing="refuse"), missing))
    assert change.action is Action.REFUSED


def test_a_holding_is_created_and_then_changed(desk):
    bib = BIBS[0]
    del desk.catalogue.records[HOLDINGS[0]]
    create = step(1, StepCreate(sigel="Ylm", body={"shelfMark": {"label": "Hc"}}))
    (change,) = planned(desk, entries(create, bib), entries(update(2, MARK, holdings="own"), bib))
    assert (change.action, change.record) == (Action.CREATE, bib)
    assert thing_part(change.after)["shelfMark"] == {"label": "Hce"}
    assert [sorted(one)[-2:] for one in change.operation["steps"]] == [
        ["of", "sigel"],
        ["changes", "update"],
    ]


def test_a_holding_is_deleted_and_another_created(desk):
    bib, holding = BIBS[0], HOLDINGS[0]
    create = step(2, StepCreate(sigel="Ylm", body={"shelfMark": {"label": "Hce"}}))
    first, second = planned(
        desk, entries(step(1, StepDelete(), holdings="own"), bib), entries(create, bib)
    )
    assert (first.action, first.record) == (Action.DELETE, holding)
    assert (second.action, second.prerequisites) == (Action.CREATE, (1,))


def test_holdings_of_a_bib_and_then_the_bib(desk):
    first, second = planned(
        desk,
        entries(step(1, StepDelete(), holdings=("Ylm",)), BIBS[0]),
        entries(step(2, StepDelete()), BIBS[0]),
    )
    assert (first.record, first.given) == (HOLDINGS[0], BIBS[0])
    assert (second.action, second.record, second.prerequisites) == (Action.DELETE, BIBS[0], (1,))


def test_a_bib_without_such_a_holding_is_told(desk):
    del desk.catalogue.records[HOLDINGS[0]]
    only, own = step(1, StepDelete(), holdings=("NO",)), step(2, StepDelete(), holdings="own")
    changes = planned(desk, entries(only, BIBS[1]), entries(own, BIBS[0], HOLDINGS[1]))
    assert [(change.action, change.code) for change in changes] == [
        (Action.REFUSED, "foreign_sigel"),
        (Action.NOT_FOUND, "no_holding"),
        (Action.REFUSED, "not_a_bib"),
    ]


@pytest.mark.parametrize("policy", ["refuse", "skip"])
def test_duplicate_policy(desk, policy):
    create = step(1, StepCreate(sigel="Ylm"), on_duplicate=policy)
    (change,) = planned(desk, entries(create, BIBS[0]))
    assert (change.action, change.code) == (
        (Action.REFUSED, "duplicate")
        if policy == "refuse"
        else (Action.UNCHANGED, "skipped_duplicate")
    )


def test_a_plan_cut_anywhere_is_the_same_plan(desk, tmp_path, monkeypatch):
    parts = [
        entries(update(1, MARK), *HOLDINGS),
        entries(update(2, NOTE), *HOLDINGS[::-1], HOLDINGS[0]),
        entries(step(3, StepDelete()), HOLDINGS[2]),
    ]
    whole = planned(desk, *parts)
    for size in (1, 2, 3):
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
        assert planned(desk, *parts) == whole
