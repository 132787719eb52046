"""Runs in production: a few changes that cover every pattern come first."""

import copy

from bulkrunner.domain.run import Outcome, RunState
from tests.crashes.adversary.hooks import hooked
from tests.support.executing import after_it, appending, creating_holding, deleting, setting


def counts(rig, run):
    found = rig.ledger.runs.outcomes(run if isinstance(run, str) else run.id)
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


def test_production_goes_on_trying_until_a_kind_is_proven(production, own):
    """Whatever the first ones of a kind say, the crowd comes after one that was stored as planned."""
    records = take(own, 9)
    plan = production.plan(*(setting(record, "He") for record in records))
    for record in records[:7]:
        production.control.edit(record, sigel="S")
    production.control.clear_log()
    run = production.run(plan)
    assert counts(production, run) == {"applied": 2, "conflict": 7}
    asked = [
        entry["path"].strip("/")
        for entry in production.control.log()
        if "/oauth" not in entry["path"]
    ]
    # One after the other, until the eighth is stored and read back.
    assert asked[:7] == records[:7]
    assert asked[7:10] == [records[7]] * 3


def test_production_stops_where_the_first_of_a_kind_is_not_stored_as_planned(production, own):
    records = take(own, 4)
    plan = production.plan(*(setting(record, "He") for record in records))

    def put(real, record, document, **sent):
        document = copy.deepcopy(document)
        document["@graph"][1]["shelfMark"]["label"] = "Hf"
        return real(record, document, **sent)

    run = production.run(plan, **hooked(production, put=put))
    assert run.state is RunState.STOPPED
    assert "was not stored as planned: shelfMark.label" in run.stop_reason
    assert counts(production, run) == {"applied": 1, "pending": 3}
    # Nor does the next process trust the kind because of the first.
    again = production.resume(run.id, **hooked(production, put=put))
    assert again.state is RunState.STOPPED
    assert counts(production, run) == {"applied": 2, "pending": 2}


def test_a_resume_does_not_begin_with_what_is_proven_already(production, own):
    records = take(own, 6)
    plan = production.plan(
        *(setting(record, "He") for record in records[:3]),
        *(appending(record, "x") for record in records[3:]),
    )
    run = production.run(plan, limit=2)
    assert counts(production, run) == {"applied": 2, "pending": 4}
    production.control.clear_log()
    assert production.resume(run.id).state is RunState.COMPLETED
    whole = [e for e in production.control.log() if e["conditional"] and e["status"] == 200]
    assert [e["path"].strip("/") for e in whole] == [records[3]], "only the other kind is new"


def test_a_limited_run_begins_with_one_of_every_kind_within_the_limit(production, own):
    records = take(own, 6)
    plan = production.plan(
        *(setting(record, "He") for record in records[:3]),
        *(appending(record, "x") for record in records[3:]),
    )
    run = production.run(plan, limit=5)
    assert (run.state, counts(production, run)) == (RunState.STOPPED, {"applied": 5, "pending": 1})
    first = [entry["path"].strip("/") for entry in production.control.writes()[:2]]
    assert sorted(first) == sorted([records[0], records[3]])


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
