"""Faults of every kind at random and a process that keeps dying: the ledger tells the truth."""

import random

import pytest

from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import MAX_SENDS, Outcome, RunState
from bulkrunner.errors import BulkRunnerError
from tests.support.executing import (
    after_it,
    appending,
    before_it,
    creating_holding,
    deleting,
    held,
)

NOTE = "at random"
WRITE_FAULTS = (
    {"kind": "close_before"},
    {"kind": "close_after"},
    {"kind": "truncate"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502, "body": "<h1>Bad Gateway</h1>", "after": True},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 401},
)
DEATHS = (
    ("ledger", "runs.intend"),
    ("ledger", "runs.answered"),
    ("ledger", "runs.conclude"),
    ("catalogue", "put"),
    ("catalogue", "post"),
    ("catalogue", "delete"),
)


def let_loose(control, seed):
    for number, fault in enumerate(WRITE_FAULTS):
        for method in ("PUT", "DELETE", "POST"):
            where = {"path": "/data"} if method == "POST" else {}
            control.fault(method=method, probability=0.05, seed=seed + number, **where, **fault)
    for kind in ("close_before", "truncate"):
        control.fault(kind, method="GET", probability=0.04, seed=seed)
    for method in ("PUT", "DELETE"):
        control.fault("foreign_edit", method=method, probability=0.06, seed=seed, sigel="S")


def dying(chance):
    """Stand-ins that kill the process at some call of one of its methods."""
    part, name = chance.choice(DEATHS)
    left, end = iter(range(chance.randint(0, 12))), chance.choice([before_it, after_it])

    def hook(dead, real, *args, **kwargs):
        if next(left, None) is None:
            return end(dead, real, *args, **kwargs)
        return real(*args, **kwargs)

    return {part: {name: hook}}


def finish(rig, run):
    for _ in range(30):
        try:
            done = rig.resume(run)
        except BulkRunnerError:
            continue
        if done.state is RunState.COMPLETED:
            return
    raise AssertionError("the run does not come to its end")


def times_made(rig, change):
    """How often a change was made, by what is stored now."""
    match change.action:
        case Action.CREATE:
            return len(held(rig, change.bib.id))
        case Action.DELETE:
            return int(rig.control.get(change.record).status == 410)
        case _:
            notes = rig.control.document(change.record)["@graph"][1].get("cataloguersNote", [])
            return (notes if isinstance(notes, list) else [notes]).count(NOTE)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_change_is_made_once_where_the_ledger_says_so_and_else_not_at_all(
    rig, own, bibs, seed
):
    chance = random.Random(seed)
    operations = [
        *(appending(next(own), NOTE) for _ in range(30)),
        *(deleting(next(own)) for _ in range(12)),
        *(creating_holding(next(bibs), physicalLocation=["M"]) for _ in range(12)),
    ]
    chance.shuffle(operations)
    plan = rig.plan(*operations)
    run = rig.begin(plan)
    let_loose(rig.control, seed * 100)
    for _ in range(6):
        try:
            rig.resume_until_killed(run, **dying(chance))
        except BulkRunnerError:
            continue
    finish(rig, run)
    rig.control.clear_faults()
    for ended in rig.ended(run):
        applied = ended.result.outcome is Outcome.APPLIED
        assert times_made(rig, ended.change) == int(applied), ended.result
        assert len([a for a in ended.attempts if a.answer != "not_sent"]) <= MAX_SENDS
