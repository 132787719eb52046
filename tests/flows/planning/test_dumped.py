"""Records read from a library's dump give the plan that reading them one by one gives."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.domain.manifest import SetChange, Source
from bulkrunner.domain.plan import Plan, PlannedChange
from bulkrunner.domain.steps import Step, StepDelete, StepEntry, StepSelection, StepUpdate
from tests.support.executing import Rig
from tests.support.sandbox import EnvironmentControl, running_sandbox

HERE = Source(file="job.yaml", line=1)
MARK = SetChange(at="shelfMark.label", to="Ny")


@pytest.fixture(scope="module")
def here() -> Iterator[EnvironmentControl]:
    with running_sandbox(holdings=800, bibs=260) as sandbox:
        yield sandbox.staging


@pytest.fixture
def rig(here: EnvironmentControl, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(here, tmp_path)
    yield made
    made.close()
    here.clear_faults()


def a_step(action: Any, number: int = 1, **more: Any) -> Step:
    return Step(number=number, source=HERE, action=action, **more)


UPDATE = a_step(StepUpdate(changes=(MARK,)))
DELETE = a_step(StepDelete())


def of_library(step: Step, sigel: str = "Ylm") -> StepSelection:
    return StepSelection(source=HERE, step=step, selects={"library": sigel})


def of_list(step: Step, *records: str) -> list[StepEntry]:
    return [
        StepEntry(source=Source(file="ids.txt", line=line), step=step, given=one, ref=one)
        for line, one in enumerate(records, start=1)
    ]


def planned(rig: Rig, *entries: Any, reads: str = "auto") -> Plan:
    request = replace(rig.request(*entries, job="dumped"), reads=reads)
    return rig.planner().make(request, f"p-{reads}-{random.random()}")


def changes(rig: Rig, plan: Plan) -> list[PlannedChange]:
    return list(rig.ledger.plans.changes(plan.id))


def alike(change: PlannedChange) -> PlannedChange:
    """What must be the same however a record was read."""
    return replace(change, etag=None, read_by="")


def seen_in_dump(change: PlannedChange) -> bool:
    return "item_of_record" not in dict(change.notes)


def test_a_library_is_planned_alike_from_its_dump(rig: Rig) -> None:
    for step in (UPDATE, DELETE):
        before = rig.control.came()
        dumped = planned(rig, of_library(step))
        between = rig.control.came()
        singly = planned(rig, of_library(step), reads="get")
        many = changes(rig, singly)
        assert len(many) > 150
        asked = (between - before, rig.control.came() - between)
        assert asked[0] * 5 < asked[1], asked
        known = {change.record for change in many if seen_in_dump(change)}
        found = [change for change in changes(rig, dumped) if change.record in known]
        assert [alike(one) for one in found] == [alike(o) for o in many if o.record in known]
        assert {change.read_by for change in many} == {""}
        assert {change.etag is None for change in found} == {True}
        assert {change.read_by for change in found} == {"dump"}
