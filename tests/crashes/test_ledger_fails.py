"""The ledger takes no more in the middle of a change: the process lives, and ends the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bulkrunner.adapters.ledger.writer import Entry, GroupWriter
from bulkrunner.adapters.machine import is_alive, this_process
from bulkrunner.domain.run import RunState
from bulkrunner.errors import LedgerUnavailable
from bulkrunner.services.running.executor import Executor
from tests.crashes.dying import Place, wait_for_answers
from tests.crashes.matrix import OPERATIONS, Cell, Operation, Point, When
from tests.support.executing import Rig

RUN = "r-failed"

# What is on disk then, and at the server, is as where a process dies in that commit.
KINDS = {
    "intent": Point(name="intent", when=When.IN_COMMIT),
    "answer": Point(name="answer", when=When.IN_COMMIT, sent=True, written=True),
    "outcome": Point(name="outcome", when=When.IN_COMMIT, sent=True, written=True, known=True),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk(
    kind: str, operation: Operation, place: Place, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(point=KINDS[kind], operation=operation)
    case = operation.prepare(rig)
    plan = rig.plan(case.declared, **(case.head or {}))
    before = len(rig.control.history(case.record)) if case.record else 0
    with monkeypatch.context() as patched:
        patched.setattr(GroupWriter, "_store", failing(kind))
        other = place.rig()
        if cell.point.known:
            wait_for_answers(other.ledger)
        executor = Executor(other.parts(owner=this_process(), alive=is_alive))
        executor.start(plan, RUN)
        with pytest.raises(LedgerUnavailable, match="disk is full"):
            executor.run(RUN)
        other.close()
    assert len(rig.sent()) == cell.point.sent

    resumed = rig.resume(RUN, alive=lambda _owner: False)
    assert resumed.state is RunState.COMPLETED
    (ended,) = rig.ended(RUN)
    assert (ended.result.outcome, ended.result.code) == (cell.outcome, cell.code)
    stored = [record for entry in rig.control.writes() for record in entry["stored"]]
    assert len(stored) == cell.stored
    if case.record:
        assert len(rig.control.history(case.record)) == before + 1
    assert rig.ledger.chain.check() == []


def failing(kind: str) -> Any:
    real = GroupWriter._store

    def store(self: GroupWriter, connection: Any, group: Sequence[Entry]) -> None:
        real(self, connection, group)
        if any(entry.kind == kind for entry in group):
            full = Exception("database or disk is full")
            raise OperationalError("insert", {}, full)

    return store
