"""A process that dies at each point of a change; another one takes the run up."""

import pytest

from bulkrunner.domain.run import Outcome, RunState
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

WINDOWS = {
    "before the intent": {"ledger": {"intend": before_it}},
    "after the intent": {"ledger": {"intend": after_it}},
    "before the send": {"catalogue": dict.fromkeys(("put", "post", "delete"), before_it)},
    "after the send": {"catalogue": dict.fromkeys(("put", "post", "delete"), after_it)},
    "before the answer is stored": {"ledger": {"answered": before_it}},
    "after the answer is stored": {"ledger": {"answered": after_it}},
    "before the outcome": {"ledger": {"conclude": before_it}},
    "after the outcome": {"ledger": {"conclude": after_it}},
}
DONE_BY_THEN = (
    "after the send",
    "before the answer is stored",
    "after the answer is stored",
    "before the outcome",
    "after the outcome",
)

window = pytest.mark.parametrize("window", WINDOWS)


def outcomes(rig, run):
    return [ended.result.outcome for ended in rig.ended(run)]


def versions(rig, record):
    return len(rig.control.history(record))


@window
def test_an_update(rig, own, window):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    run = rig.run_until_killed(plan, **WINDOWS[window])
    assert versions(rig, record) - before == (window in DONE_BY_THEN)
    assert rig.ledger.run(run).state is RunState.RUNNING
    resumed = rig.resume(run)
    assert resumed.state is RunState.COMPLETED
    assert outcomes(rig, run) == [Outcome.APPLIED]
    assert versions(rig, record) == before + 1
    assert len(rig.sent()) == 1


@window
def test_a_delete(rig, own, window):
    record = next(own)
    plan = rig.plan(deleting(record))
    before = versions(rig, record)
    run = rig.run_until_killed(plan, **WINDOWS[window])
    rig.resume(run)
    (ended,) = rig.ended(run)
    assert ended.result.outcome is Outcome.APPLIED
    # Without an answer on disk nobody can prove whose deletion it was.
    unproven = window in ("after the send", "before the answer is stored")
    assert ended.result.code == ("author_unproven" if unproven else "")
    assert versions(rig, record) == before + 1
    assert len(rig.sent()) == 1


@window
def test_a_new_holding(rig, bibs, window):
    bib = next(bibs)
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    run = rig.run_until_killed(plan, **WINDOWS[window])
    rig.resume(run)
    (ended,) = rig.ended(run)
    assert ended.result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [ended.result.record]
    assert len(rig.sent()) == 1


@window
def test_a_new_bib(sandbox, tmp_path, window):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    before = len(rig.control.records("bib"))
    plan = rig.plan(creating_bib("En bok"))
    run = rig.run_until_killed(plan, **WINDOWS[window])
    rig.resume(run)
    known = window not in (
        "after the intent",
        "before the send",
        "after the send",
        "before the answer is stored",
    )
    assert outcomes(rig, run) == [Outcome.APPLIED if known else Outcome.UNKNOWN]
    assert len(rig.control.records("bib")) - before <= 1
    assert len(rig.sent()) <= 1
    rig.close()


@pytest.mark.parametrize("window", ["before the send", "after the send"])
def test_somebody_edits_before_the_run_is_taken_up(rig, own, window):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    run = rig.run_until_killed(plan, **WINDOWS[window])
    rig.control.edit(record, sigel="S")
    rig.resume(run)
    (ended,) = rig.ended(run)
    if window == "after the send":
        assert ended.result.outcome is Outcome.APPLIED
        assert ended.result.detail["changed_since"]["by"] == "S"
    else:
        assert ended.result.outcome is Outcome.CONFLICT
        assert ended.result.detail["by"] == "S"


def test_killed_again_and_again(rig, own):
    record = next(own)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    run = rig.run_until_killed(plan, **WINDOWS["before the send"])
    for _ in range(2):
        rig.resume_until_killed(run, **WINDOWS["before the send"])
    # Three sends are on record, none of which came through: there is no fourth.
    rig.resume(run)
    (ended,) = rig.ended(run)
    assert (ended.result.outcome, len(ended.attempts)) == (Outcome.FAILED, 3)
    assert rig.sent() == []
    assert versions(rig, record) == before


def test_many_changes_and_many_deaths(rig, own, bibs):
    """A mixed run, killed after every few sends, makes each change exactly once."""
    updated = [next(own) for _ in range(12)]
    deleted = [next(own) for _ in range(6)]
    created = [next(bibs) for _ in range(6)]
    operations = [
        *(setting(record, "He") for record in updated),
        *(deleting(record) for record in deleted),
        *(creating_holding(bib) for bib in created),
    ]
    plan = rig.plan(*operations)
    before = {record: versions(rig, record) for record in (*updated, *deleted)}

    def after(count):
        left = iter(range(count))

        def hook(dead, real, *args, **kwargs):
            if next(left, None) is None:
                return after_it(dead, real, *args, **kwargs)
            return real(*args, **kwargs)

        return hook

    deaths = [("put", 3), ("delete", 1), ("post", 1), ("put", 2), ("post", 0), ("delete", 2)]
    name, count = deaths[0]
    run = rig.run_until_killed(plan, catalogue={name: after(count)})
    for name, count in deaths[1:]:
        rig.resume_until_killed(run, catalogue={name: after(count)})
    done = rig.resume(run)
    assert done.state is RunState.COMPLETED
    assert outcomes(rig, run) == [Outcome.APPLIED] * len(operations)
    assert {record: versions(rig, record) for record in before} == {
        record: count + 1 for record, count in before.items()
    }
    assert [len(held(rig, bib)) for bib in created] == [1] * len(created)
