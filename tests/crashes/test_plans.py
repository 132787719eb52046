"""A process that is killed at each point of planning; another one goes on with the plan."""

from __future__ import annotations

import pytest

from bulkrunner.domain.plan import PlanState
from bulkrunner.services.planning.planner import PlanRequest
from tests.crashes.dying import Place, make_plan, until_killed
from tests.crashes.matrix import PLAN_CELLS, Cell
from tests.support.executing import Rig

PLAN = "p-killed"
STORED = {"plan-stored": 1, "plan-whole": 2, "plan-finished": 2}
"""Changes that are in the ledger when the process dies, of two."""


@pytest.mark.parametrize("cell", PLAN_CELLS, ids=lambda cell: cell.id)
def test_killed(cell: Cell, place: Place, rig: Rig) -> None:
    request = request_of(rig, cell)
    rig.control.clear_log()
    until_killed(make_plan, place, request, PLAN, cell.point)
    left = rig.ledger.plans.get(PLAN)
    finished = cell.point.name == "plan-finished"
    assert left.state is (PlanState.COMPLETE if finished else PlanState.PLANNING)
    expected = min(STORED.get(cell.point.name, 0), len(request.source.operations_))
    assert len(list(rig.ledger.plans.changes(PLAN))) == expected
    assert (left.plan_digest is not None) == finished

    if not finished:
        left = rig.planner().resume(left, request)
    assert left.state is PlanState.COMPLETE
    whole = rig.planner().make(request, "p-whole")
    digests = [list(rig.ledger.plans.change_digests(plan)) for plan in (PLAN, "p-whole")]
    assert digests[0] == digests[1]
    assert len(digests[0]) == len(request.source.operations_)
    assert left.counts == whole.counts
    assert rig.sent() == []
    assert rig.ledger.chain.check() == []


def request_of(rig: Rig, cell: Cell) -> PlanRequest:
    cases = [cell.operation.prepare(rig)]
    if cases[0].head is None:
        cases.append(cell.operation.prepare(rig))
    return rig.request(*(case.declared for case in cases), **(cases[0].head or {}))
