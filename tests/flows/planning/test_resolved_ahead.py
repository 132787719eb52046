"""Entries are resolved ahead of their turn: what that reads, and that no batch decides anything."""

from dataclasses import replace

import pytest

from bulkrunner.domain.changes.verbs import SetChange
from bulkrunner.domain.manifest import Create, Creates
from bulkrunner.domain.plan import Action, record_key
from bulkrunner.domain.steps import Step, StepCreate, StepEntry, StepUpdate
from bulkrunner.errors import CatalogueUnreachable, Source
from bulkrunner.services.planning.assembler import Assembler
from bulkrunner.services.planning.draft import Draft
from bulkrunner.services.planning.plan_so_far import Look, NotYet, PlanSoFar
from tests.support.catalogue import MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.ledgers import a_change
from tests.support.planning import HERE, Desk, delete, listed, set_label

BIBS = [short_id(number, "b") for number in range(6)]
HOLDINGS = [short_id(number) for number in range(4)]
SIZES = [1, 2, 3, 200]


@pytest.fixture
def desk(tmp_path):
    records = {bib: a_bib(bib) for bib in BIBS}
    for record, bib in zip(HOLDINGS, BIBS, strict=False):
        records[record] = a_holding(record, bib, shelfMark={"label": "Hc"})
    return Desk(tmp_path, MemoryCatalogue(records=records, writes_bibs=True))


def planned(desk, *entries):
    return desk.changes(desk.plan(listed(*entries)))


def outcomes(changes):
    return [(change.action, change.code) for change in changes]


def of_step(action, *refs):
    step = Step(number=1, source=HERE, action=action)
    return [
        StepEntry(source=Source(file="1.txt", line=line), step=step, given=ref, ref=ref)
        for line, ref in enumerate(refs, start=1)
    ]


def on_bib(bib):
    return Create(source=HERE, creates=Creates.HOLDING, sigel="Ylm", of=bib, body={}, record={})


MARK = StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),))


def test_a_record_that_a_step_names_twice_is_read_once(desk):
    changes = planned(desk, *of_step(MARK, HOLDINGS[0], HOLDINGS[1], HOLDINGS[0]))
    assert outcomes(changes)[2] == (Action.UNCHANGED, "repeated")
    assert [desk.catalogue.asked.count(one) for one in HOLDINGS[:2]] == [1, 1]


def test_a_bib_that_gets_holdings_of_several_operations_is_read_once(desk):
    planned(desk, on_bib(BIBS[4]), on_bib(BIBS[5]), on_bib(BIBS[4]))
    assert [desk.catalogue.asked.count(one) for one in BIBS[4:]] == [1, 1]


def test_an_operation_that_waits_for_one_of_its_batch_reads_its_record_once(desk):
    later = replace(set_label(HOLDINGS[1]), after=(1,))
    changes = planned(desk, set_label(HOLDINGS[0]), later)
    assert [change.prerequisites for change in changes] == [(), (1,)]
    assert desk.catalogue.asked.count(HOLDINGS[1]) == 1


@pytest.mark.parametrize("size", SIZES)
def test_a_holding_on_a_bib_that_the_plan_deletes(desk, monkeypatch, size):
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
    entries = [delete(BIBS[5]), *map(set_label, HOLDINGS), on_bib(BIBS[5])]
    assert outcomes(planned(desk, *entries))[-1] == (Action.REFUSED, "deleted_in_plan")


@pytest.mark.parametrize("size", SIZES)
def test_what_waits_for_a_change_that_falls_in_its_batch(desk, monkeypatch, size):
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
    later = replace(set_label(HOLDINGS[2]), after=(1,))
    entries = [set_label(HOLDINGS[0]), set_label(HOLDINGS[1]), delete(HOLDINGS[0]), later]
    assert outcomes(planned(desk, *entries)) == [
        (Action.REFUSED, "prerequisite"),
        (Action.UPDATE, ""),
        (Action.REFUSED, "duplicate_operation"),
        (Action.REFUSED, "prerequisite"),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_bib_named_twice_gets_one_holding(desk, monkeypatch, size):
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
    same = f"https://libris.kb.se/{BIBS[4]}"
    changes = planned(desk, *of_step(StepCreate(sigel="Ylm"), BIBS[4], BIBS[5], same, BIBS[4]))
    assert outcomes(changes) == [
        (Action.CREATE, ""),
        (Action.CREATE, ""),
        (Action.UNCHANGED, "repeated"),
        (Action.UNCHANGED, "repeated"),
    ]


def test_a_look_ahead_does_not_tell_what_its_batch_will_bring(desk):
    plan = desk.plan(listed(set_label(HOLDINGS[0])))
    so_far = PlanSoFar(desk.ledger, plan.id)
    ahead = Look(so_far, ahead=True)
    assert ahead.numbered(1).record == HOLDINGS[0]
    with pytest.raises(NotYet):
        ahead.numbered(2)
    with pytest.raises(NotYet):
        ahead.expect([record_key(HOLDINGS[0]), record_key(HOLDINGS[1])])
    ahead.expect([record_key(HOLDINGS[0])] * 2)
    in_turn = Look(so_far)
    assert in_turn.numbered(2) is None
    in_turn.expect([record_key(HOLDINGS[1])])


def test_a_look_notes_what_a_later_change_may_make_untrue(desk):
    plan = desk.plan(listed(set_label(HOLDINGS[0])))
    so_far = PlanSoFar(desk.ledger, plan.id)
    keyed, numbered, placed = (Look(so_far, ahead=True) for _ in range(3))
    assert keyed.at("record:x") is None
    assert numbered.numbered(1) is not None
    assert placed.numbers_at("copied:x") == ()
    looks = (keyed, numbered, placed)
    assert not any(so_far.has_written(look.asked) for look in looks)
    so_far.add(replace(a_change(2), target_key="record:x"))
    assert [so_far.has_written(look.asked) for look in looks] == [True, False, False]
    so_far.add(replace(a_change(1), target_key="record:y", place="copied:x"))
    assert [so_far.has_written(look.asked) for look in looks] == [True, True, True]


def entered(assembler, *changes, fails=False):
    with assembler.whole():
        for change in changes:
            assembler.enter([Draft(change=change)])
        if fails:
            raise CatalogueUnreachable("no answer")


def test_an_entry_that_fails_half_way_leaves_nothing(desk):
    plan = desk.plan(listed(set_label(HOLDINGS[0])))
    assembler = Assembler(PlanSoFar(desk.ledger, plan.id))
    one, other = (replace(a_change(0), target_key=f"record:{name}") for name in "xy")
    entered(assembler, one)
    with pytest.raises(CatalogueUnreachable):
        entered(assembler, other, a_change(1), fails=True)
    assert [change.target_key for change in assembler.added] == ["record:x"]
    assert assembler.replaced == []
