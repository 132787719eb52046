"""More than one death, more than one change, and somebody else at work in between."""

from __future__ import annotations

import pytest

from bulkrunner.adapters.machine import is_alive
from bulkrunner.domain.run import Outcome, RunState
from tests.crashes.dying import Place, Reaper, start_run, take_up, until_killed
from tests.crashes.matrix import POINTS, Doom
from tests.support.executing import Rig, creating_holding, deleting, held, setting

RUN = "r-killed"
AT = {point.name: point for point in POINTS}


def own(rig: Rig) -> str:
    return rig.made_holding(rig.made_bib(), shelfMark={"@type": "ShelfMark", "label": "Hc"})


def versions(rig: Rig, record: str) -> int:
    return len(rig.control.history(record))


@pytest.mark.parametrize("doom", [Doom.DROPPED, Doom.DONE], ids=lambda doom: doom.name.lower())
def test_somebody_edits_before_the_run_is_taken_up(
    doom: Doom, place: Place, rig: Rig, reaper: Reaper
) -> None:
    record = own(rig)
    plan = rig.plan(setting(record, "He"))
    reaper.until_killed(doom, start_run, place, plan, RUN)
    rig.control.edit(record, sigel="S")
    rig.resume(RUN, alive=is_alive)
    (ended,) = rig.ended(RUN)
    if doom is Doom.DONE:
        assert ended.result.outcome is Outcome.APPLIED
        assert ended.result.detail["changed_since"]["by"] == "S"
    else:
        assert ended.result.outcome is Outcome.CONFLICT
        assert ended.result.detail["by"] == "S"


@pytest.mark.parametrize("doom", [Doom.DROPPED, Doom.DONE], ids=lambda doom: doom.name.lower())
def test_somebody_deletes_before_the_run_is_taken_up(
    doom: Doom, place: Place, rig: Rig, reaper: Reaper
) -> None:
    record = own(rig)
    plan = rig.plan(setting(record, "He"))
    reaper.until_killed(doom, start_run, place, plan, RUN)
    rig.control.edit(record, sigel="S", delete=True)
    rig.resume(RUN, alive=is_alive)
    (ended,) = rig.ended(RUN)
    expected = Outcome.APPLIED if doom is Doom.DONE else Outcome.CONFLICT
    assert ended.result.outcome is expected
    assert rig.control.get(record).status == 410


def test_a_deletion_that_the_write_of_a_dead_process_undid(
    place: Place, rig: Rig, reaper: Reaper
) -> None:
    """By its short id the deletion below leads to the record itself; it is known as one."""
    record = own(rig)
    modifier = rig.control.document(record)["@graph"][0]["descriptionLastModifier"]["@id"]
    plan = rig.plan(setting(record, "He"))
    sigel = modifier.rpartition("/")[2]
    rig.control.fault("foreign_edit", method="PUT", times=1, sigel=sigel, delete=True)
    reaper.until_killed(Doom.DONE, start_run, place, plan, RUN)
    rig.resume(RUN, alive=is_alive)
    (ended,) = rig.ended(RUN)
    assert (ended.result.outcome, ended.result.code) == (Outcome.APPLIED, "revived")
    assert rig.control.get(record, "version=-2").status == 302
    differences = rig.verify(rig.ledger.runs.get(RUN)).differences
    assert [found["code"] for found in differences] == ["revived"]


@pytest.mark.parametrize("doom", [Doom.DROPPED, Doom.DONE], ids=lambda doom: doom.name.lower())
def test_somebody_makes_the_same_holding_before_the_run_is_taken_up(
    doom: Doom, place: Place, rig: Rig, reaper: Reaper
) -> None:
    bib = rig.made_bib()
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    reaper.until_killed(doom, start_run, place, plan, RUN)
    if doom is Doom.DROPPED:
        theirs = rig.made_holding(bib, physicalLocation=["M"])
    rig.resume(RUN, alive=is_alive)
    (ended,) = rig.ended(RUN)
    if doom is Doom.DONE:
        assert ended.result.outcome is Outcome.APPLIED
    else:
        assert (ended.result.outcome, ended.result.code) == (Outcome.REFUSED, "duplicate")
        assert ended.result.detail["existing"] == [theirs]
    assert len(held(rig, bib)) == 1


def test_killed_again_and_again(place: Place, rig: Rig) -> None:
    record = own(rig)
    plan = rig.plan(setting(record, "He"))
    before = versions(rig, record)
    until_killed(start_run, place, plan, RUN, AT["intent"])
    for _ in range(2):
        until_killed(take_up, place, RUN, AT["intent"])
    # Three sends are on record, none of which came through: there is no fourth.
    rig.resume(RUN, alive=is_alive)
    (ended,) = rig.ended(RUN)
    assert (ended.result.outcome, len(ended.attempts)) == (Outcome.FAILED, 3)
    assert rig.sent() == []
    assert versions(rig, record) == before


def test_what_was_committed_in_a_group_is_there_and_nothing_else(place: Place, rig: Rig) -> None:
    """Four threads at once: whatever is on disk was not sent, or is settled by reading."""
    records = [own(rig) for _ in range(8)]
    plan = rig.plan(*(setting(record, "He") for record in records))
    before = [versions(rig, record) for record in records]
    for point in ("intent-commit", "answer-commit", "outcome-commit"):
        if point == "intent-commit":
            until_killed(start_run, place, plan, RUN, AT[point])
        else:
            until_killed(take_up, place, RUN, AT[point])
        assert rig.ledger.chain.check() == []
    done = rig.resume(RUN, alive=is_alive)
    assert done.state is RunState.COMPLETED
    assert rig.ledger.runs.outcomes(RUN)["applied"] == len(records)
    assert [versions(rig, record) for record in records] == [count + 1 for count in before]


def test_many_changes_and_many_deaths(place: Place, rig: Rig, reaper: Reaper) -> None:
    """A mixed run, killed after every few sends, makes each change exactly once."""
    updated = [own(rig) for _ in range(12)]
    deleted = [own(rig) for _ in range(6)]
    created = [rig.made_bib() for _ in range(6)]
    operations = [
        *(setting(record, "He") for record in updated),
        *(deleting(record) for record in deleted),
        *(creating_holding(bib) for bib in created),
    ]
    plan = rig.plan(*operations)
    before = {record: versions(rig, record) for record in (*updated, *deleted)}
    reaper.until_killed(Doom.DONE, start_run, place, plan, RUN, nth=3)
    for nth, doom in enumerate([Doom.DONE, Doom.DROPPED, Doom.DONE, Doom.DROPPED], start=2):
        reaper.until_killed(doom, take_up, place, RUN, nth=nth)
    done = rig.resume(RUN, alive=is_alive)
    assert done.state is RunState.COMPLETED
    assert rig.ledger.runs.outcomes(RUN)["applied"] == len(operations)
    assert {record: versions(rig, record) for record in before} == {
        record: count + 1 for record, count in before.items()
    }
    assert [len(held(rig, bib)) for bib in created] == [1] * len(created)
    assert rig.ledger.chain.check() == []
