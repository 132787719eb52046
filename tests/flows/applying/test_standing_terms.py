"""A run that rests on a standing approval: its last day, a no, an end and conditions while it goes on."""

from datetime import timedelta

import pytest

from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.run import RunState
from bulkrunner.services.recurring import StandingApprovals
from bulkrunner.services.running.executor import Executor
from tests.support.executing import setting
from tests.support.ledgers import RULE, a_claim, an_approval, bounds


def take(own, count):
    return [next(own) for _ in range(count)]


@pytest.fixture
def nights(production, own):
    """An approved plan, and a later one that rests on its answer."""
    approved = production.plan(*(setting(one, "He") for one in take(own, 1)), job="nightly")
    later = production.plan(*(setting(one, "Hf") for one in take(own, 6)), job="nightly")
    return approved, later


def approve(rig, plan, until, **values):
    given = bounds(until=until.date(), per_run={"update": 9}, per_day={"records": 9, "update": 9})
    rig.ledger.approvals.add(an_approval(plan, statements=(), standing=given, **values))
    return given


def executed(rig, plan, approved, given, meanwhile):
    """Run a plan under a standing approval; something happens after its first change, before others."""
    gate, sent = rig.catalogue().write_gate, []

    def one_then_wait():
        if len(sent) == 1:
            meanwhile()
        sent.append(1)
        tries = 0
        while len(sent) > 1 and tries < 200 and executor._control.ending is None:
            executor._control.pause(0.05)
            tries += 1
        return gate()

    waits = meanwhile is not None
    executor = Executor(rig.parts(gate=one_then_wait if waits else gate, recheck=lambda: None))
    claim = a_claim(plan, "r-1", approved=approved.id, rule=RULE, bounds=given)
    executor.start(plan, "r-1", claim=claim)
    return executor.run("r-1")


def test_it_is_stopped_on_its_last_midnight(production, nights):
    approved, later = nights
    now = production.clock.now()
    given = approve(production, approved, now)
    clock = production.clock
    real = clock.now

    def tomorrow():
        clock.now = lambda: real() + timedelta(days=2)

    run = executed(production, later, approved, given, tomorrow)
    assert run.state is RunState.STOPPED
    assert "was valid until" in run.stop_reason
    assert 0 < len(production.sent()) < 6


@pytest.mark.parametrize("what", ["no to the approved plan", "no to this plan", "end"])
def test_it_is_stopped_by_a_no_and_by_an_end(production, nights, what):
    approved, later = nights
    given = approve(production, approved, production.clock.now() + timedelta(days=30))

    def meanwhile():
        if what == "end":
            production.ledger.standing.end(approved.id, by="Ulla", reason="nog")
            return
        plan = approved if what == "no to the approved plan" else later
        production.ledger.approvals.add(an_approval(plan, approved=False, by="Ulla"))

    run = executed(production, later, approved, given, meanwhile)
    assert run.state is RunState.STOPPED
    assert "Ulla" in run.stop_reason
    assert 0 < len(production.sent()) < 6


def test_the_conditions_of_its_answers_are_kept(production, nights, own):
    approved, later = nights
    left = next(iter(production.ledger.plans.changes(later.id))).record
    excluded = Conditions(excluded=(left,))
    until = production.clock.now() + timedelta(days=30)
    given = approve(production, approved, until, conditions=excluded)
    run = executed(production, later, approved, given, None)
    assert run.state is RunState.COMPLETED
    assert production.ledger.runs.outcomes(run.id)["refused"] == 1
    assert len(production.sent()) == 5
    (basis,) = StandingApprovals(production.ledger, production.clock).given(later.job)
    assert basis.conditions == excluded
