"""A process that is killed at each point of a change; another one takes the run up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulkrunner.adapters.machine import is_alive
from bulkrunner.domain.run import Outcome, RunState
from tests.crashes.adversary.hooks import hooked
from tests.crashes.dying import Place, Reaper, start_run, take_up, until_killed
from tests.crashes.matrix import CELLS, Cell, Doom, Point
from tests.support.executing import Rig

RUN = "r-killed"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_killed(cell: Cell, place: Place, rig: Rig, reaper: Reaper) -> None:
    case = cell.operation.prepare(rig)
    plan = rig.plan(case.declared, **(case.head or {}))
    before = versions(rig, case.record)
    if cell.point.earlier:
        die_at(cell.point.earlier, reaper, start_run, place, plan, RUN)
        die_at(cell.point, reaper, take_up, place, RUN)
    else:
        die_at(cell.point, reaper, start_run, place, plan, RUN)
    left = rig.ledger.runs.get(RUN)
    assert left.state is (RunState.COMPLETED if cell.point.name == "ended" else RunState.RUNNING)
    assert len(stored(rig)) == (cell.point.written and cell.point.doom is not Doom.HELD)

    resumed = rig.resume(RUN, alive=is_alive, **letting_through(rig, reaper))
    reaper.let_through()

    assert resumed.state is RunState.COMPLETED
    (ended,) = rig.ended(RUN)
    assert (ended.result.outcome, ended.result.code) == (cell.outcome, cell.code)
    assert len(stored(rig)) == cell.stored
    assert versions(rig, case.record) == before + (cell.stored if case.record else 0)
    if cell.outcome is Outcome.APPLIED:
        assert stored(rig) == [ended.result.record]
    assert len(rig.sent()) <= 1 + (cell.point.doom is Doom.HELD)
    assert rig.ledger.chain.check() == []


def die_at(
    point: Point, reaper: Reaper, work: Callable[..., None], place: Place, *arguments: Any
) -> None:
    if point.doom is None:
        until_killed(work, place, *arguments, point)
    else:
        reaper.until_killed(point.doom, work, place, *arguments, point)


def letting_through(rig: Rig, reaper: Reaper) -> dict[str, Any]:
    """Parts whose first write is overtaken by what the dead process had sent."""

    def overtaken(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        reaper.let_through()
        return real(*args, **kwargs)

    return hooked(rig, **dict.fromkeys(("put", "post", "delete"), overtaken))


def versions(rig: Rig, record: str | None) -> int:
    return len(rig.control.history(record)) if record else 0


def stored(rig: Rig) -> list[str]:
    """Records that the server has stored since the plan, one entry for each version."""
    return [record for entry in rig.control.writes() for record in entry["stored"]]
