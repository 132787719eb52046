"""Changes that refer to records which the same run creates, and changes that wait for others."""

from dataclasses import replace

import pytest

from bulkrunner.domain.changes.verbs import AppendChange
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import item_of, thing_part
from bulkrunner.domain.run import Outcome, RunState
from tests.flows.applying.conftest import BIBS, HOLDINGS
from tests.flows.applying.test_prerequisites import WINDOWS, results
from tests.support.executing import (
    Rig,
    after_it,
    before_it,
    creating_bib,
    creating_holding,
    deleting,
    held,
    setting,
)
from tests.support.sandbox import running_sandbox

CREATING = {
    **{name: hooks for name, hooks in WINDOWS.items() if "send" not in name},
    "before the send": {"catalogue": {"post": before_it}},
    "after the send": {"catalogue": {"post": after_it}},
}


NOBODY_KNOWS = {"after the intent", "before the send"}
"""Where a bib may have been sent and is not found, nobody says that it was not."""


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(bibs=BIBS, holdings=HOLDINGS, index_lag_ms=0) as control:
        yield control


@pytest.fixture
def level2(sandbox, tmp_path):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    yield rig
    sandbox.staging.clear_faults()
    rig.close()


def linking(record, iri):
    change = AppendChange(at="isPartOf", value={"@id": iri})
    return replace(setting(record, ""), changes=(change,))


def isbn(number):
    return {"identifiedBy": [{"@type": "ISBN", "value": str(number)}]}


def a_chain(rig, own, number):
    """A new bib, two holdings on it, and an old record that links to it."""
    return (
        creating_bib("Ny", **isbn(number)),
        creating_holding("new:1", physicalLocation=["MAG"]),
        creating_holding("new:1", sigel="NO"),
        linking(next(own), "new:1#it"),
    )


def check_chain(rig, run):
    bib, first, second, linked = rig.ended(run)
    ended = [(one.result.outcome, one.result.message) for one in rig.ended(run)]
    assert [outcome for outcome, _ in ended] == [Outcome.APPLIED] * 4, ended
    new = bib.result.record
    assert held(rig, new) == [first.result.record]
    assert held(rig, new, "NO") == [second.result.record]
    stored = rig.control.document(linked.change.record)
    assert {"@id": rig.control.thing_iri(new)} in thing_part(stored)["isPartOf"]
    assert rig.verify(rig.ledger.runs.get(run)).differences == []


def check_nothing_followed(rig, run):
    first, *others = [(one.result.outcome, one.result.code) for one in rig.ended(run)]
    assert first == (Outcome.UNKNOWN, "bib_create_unproven")
    assert others == [(Outcome.REFUSED, "prerequisite")] * 3


def test_a_bib_its_holdings_and_a_link_to_it(level2, own):
    plan = level2.plan(*a_chain(level2, own, 9786500000001), sigels=["Ylm", "NO"])
    changes = list(level2.ledger.plans.changes(plan.id))
    assert [change.prerequisites for change in changes] == [(), (1,), (1,), (1,)]
    assert [change.record for change in changes[:3]] == ["new:1"] * 3
    assert item_of(changes[1].after) == "new:1#it"
    run = level2.run(plan)
    check_chain(level2, run.id)
    posted = [entry for entry in level2.control.writes() if entry["method"] == "POST"]
    assert len(posted) == 3


@pytest.mark.parametrize("window", CREATING)
def test_killed_anywhere_and_taken_up(level2, own, window):
    number = 9786500000100 + list(CREATING).index(window)
    plan = level2.plan(*a_chain(level2, own, number), sigels=["Ylm", "NO"])
    run = level2.run_until_killed(plan, **CREATING[window])
    for _ in range(4):
        level2.resume_until_killed(run, **CREATING[window])
    level2.resume(run)
    if window in NOBODY_KNOWS:
        check_nothing_followed(level2, run)
    else:
        check_chain(level2, run)


@pytest.mark.parametrize("kind", ["close_before", "close_after"])
def test_lost_answers(level2, own, kind):
    number = 9786500000200 + len(kind)
    plan = level2.plan(*a_chain(level2, own, number), sigels=["Ylm", "NO"])
    level2.control.fault(kind, method="POST", path="/data", times=2)
    check = check_chain if kind == "close_after" else check_nothing_followed
    check(level2, level2.run(plan).id)


def test_what_refers_to_a_record_that_was_not_created_is_not_sent(level2, own):
    record = next(own)
    plan = level2.plan(
        creating_bib("Ny", **isbn(9786500000302)),
        creating_holding("new:1"),
        linking(record, "new:1#it"),
    )
    level2.control.fault("status", status=400, method="POST", path="/data", times=1)
    run = level2.run(plan)
    first, *others = results(level2, run)
    assert first[0] is Outcome.REFUSED
    assert others == [(Outcome.REFUSED, "prerequisite")] * 2
    assert [method for method, _ in level2.sent()] == ["POST"]


def test_what_waits_is_sent_when_the_others_have_ended_well(level2, own):
    one, two, three = next(own), next(own), next(own)
    last = replace(deleting(three), after=(1, 2))
    plan = level2.plan(setting(one, "H1"), setting(two, "H2"), last)
    level2.control.edit(two, sigel="S")
    run = level2.run(plan)
    assert results(level2, run) == [
        (Outcome.APPLIED, ""),
        (Outcome.CONFLICT, "edited"),
        (Outcome.REFUSED, "prerequisite"),
    ]
    assert level2.control.get(three).status == 200


def test_what_the_plan_finds_unchanged_has_ended_well(level2, own):
    done, gone = next(own), next(own)
    level2.run(level2.plan(setting(done, "Hx")))
    request = level2.request(setting(done, "Hx"), replace(deleting(gone), after=(1,)))
    plan = level2.planner().make(request, "p-unchanged")
    first, second = level2.ledger.plans.changes(plan.id)
    assert (first.action, second.action) == (Action.UNCHANGED, Action.DELETE)
    assert second.prerequisites == ()


def test_what_waits_for_a_refused_operation_is_refused(level2, own):
    strict = replace(setting(next(own), "Hx"), expect={"shelfMark.label": "never"})
    request = level2.request(strict, replace(deleting(next(own)), after=(1,)))
    plan = level2.planner().make(request, "p-refused")
    assert [change.code for change in level2.ledger.plans.changes(plan.id)] == [
        "unexpected_value",
        "prerequisite",
    ]


def test_a_second_plan_goes_on_with_the_record_that_the_first_created(level2, own):
    chain = a_chain(level2, own, 9786500000301)
    first = level2.plan(*chain, job="again", sigels=["Ylm", "NO"])
    run = level2.run(first, limit=2)
    assert run.state is RunState.STOPPED
    bib, holding = (ended.result.record for ended in level2.ended(run)[:2])
    request = level2.request(*chain, job="again", sigels=["Ylm", "NO"])
    second = level2.planner().make(request, "p-again")
    changes = list(level2.ledger.plans.changes(second.id))
    assert [(change.action, change.code, change.made) for change in changes] == [
        (Action.UNCHANGED, "applied_earlier", bib),
        (Action.UNCHANGED, "applied_earlier", holding),
        (Action.CREATE, "", None),
        (Action.UPDATE, "", None),
    ]
    assert item_of(changes[2].after) == level2.control.thing_iri(bib)
    assert [change.prerequisites for change in changes] == [(), (), (), ()]
    run = level2.run(second)
    assert [ended.result.outcome for ended in level2.ended(run)] == [Outcome.APPLIED] * 2
    assert held(level2, bib, "NO") == [level2.ended(run)[0].result.record]


def test_the_operation_is_the_same_wherever_it_stands_in_the_list(level2, own):
    bib, holding, *_ = a_chain(level2, own, 9786500000401)
    one = level2.plan(bib, holding)
    other = level2.plan(setting(next(own), "Hx"), bib, replace(holding, of="new:2"))
    (first,) = [c for c in level2.ledger.plans.changes(one.id) if c.kind == "holding"]
    (second,) = [
        c
        for c in level2.ledger.plans.changes(other.id)
        if c.action is Action.CREATE and c.kind == "holding"
    ]
    assert first.operation == second.operation
