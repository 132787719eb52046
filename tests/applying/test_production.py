"""Runs in production: a few changes that cover every pattern come first."""

from bulkrunner.domain.run import Outcome, RunState
from tests.support.executing import after_it, appending, creating_holding, deleting, setting


def counts(rig, run):
    found = rig.ledger.outcomes(run if isinstance(run, str) else run.id)
    return {name: count for name, count in found.items() if count}


def take(own, count):
    return [next(own) for _ in range(count)]


def test_production_begins_with_one_of_every_pattern(production, own, bibs):
    records = take(own, 6)
    plan = production.plan(
        *(setting(record, "He") for record in records[:3]),
        *(appending(record, "x") for record in records[3:5]),
        deleting(records[5]),
        creating_holding(next(bibs)),
    )
    run = production.run(plan)
    assert counts(production, run) == {"applied": 7}
    first = [entry["method"] for entry in production.control.writes()[:4]]
    assert sorted(first) == ["DELETE", "POST", "PUT", "PUT"]


def test_production_stops_where_the_first_of_a_kind_is_refused(production, own):
    plan = production.plan(*(setting(record, "He") for record in take(own, 5)))
    production.control.fault("status", method="PUT", status=400, times=1)
    run = production.run(plan)
    assert run.state is RunState.STOPPED
    assert "first change of its kind" in run.stop_reason
    assert counts(production, run) == {"refused": 1, "pending": 4}
    assert production.sent() == [("PUT", 400)]


def test_production_tries_another_where_the_first_was_edited(production, own):
    records = take(own, 5)
    plan = production.plan(*(setting(record, "He") for record in records))
    production.control.edit(records[0], sigel="S")
    run = production.run(plan)
    assert run.state is RunState.COMPLETED
    assert counts(production, run) == {"applied": 4, "conflict": 1}


def test_a_limit_in_production_keeps_to_plan_order(production, own):
    records = take(own, 4)
    plan = production.plan(*(setting(record, "He") for record in records[:3]), deleting(records[3]))
    run = production.run(plan, limit=2)
    ended = [e.change.record for e in production.ended(run) if e.result.outcome is Outcome.APPLIED]
    assert ended == records[:2]


def test_a_resume_after_a_death_among_the_first(production, own):
    records = take(own, 4)
    plan = production.plan(*(setting(record, "He") for record in records))
    run = production.run_until_killed(plan, catalogue={"put": after_it})
    assert production.resume(run).state is RunState.COMPLETED
    assert counts(production, run) == {"applied": 4}
    assert len(production.sent()) == 4
