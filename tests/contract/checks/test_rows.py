"""Each row of the server's check tables that a run can meet: outcome, code, message, exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import BulkRunnerError
from tests.contract.checks.rows import ROWS
from tests.contract.checks.scene import Row, Scene
from tests.support.executing import Rig
from tests.support.sandbox import SandboxControl, running_sandbox

SMALL = {"bibs": 20, "holdings": 40, "index_lag_ms": 0}


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxControl]:
    with running_sandbox(**SMALL) as control:
        yield control


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    row: Row = request.node.callspec.params["row"]
    if row.own_sandbox:
        with running_sandbox(**SMALL) as control:
            yield from set_up(control, tmp_path)
    else:
        yield from set_up(request.getfixturevalue("shared"), tmp_path)


def set_up(control: SandboxControl, folder: Path) -> Iterator[Scene]:
    assert control.running is not None
    environment = control.running.test.environment
    rig = Rig(control.staging, folder, client="cataloguer")
    clients = environment.login.clients()
    yield Scene(rig=rig, environment=environment)
    environment.__dict__.pop("answer", None)
    rig.control.clear_faults()
    for client in clients:
        environment.login.register(client)
    rig.close()


@pytest.mark.parametrize("row", ROWS.all, ids=lambda row: row.id)
def test_row(row: Row, scene: Scene) -> None:
    rig = scene.rig
    steps = row.steps(scene)
    plan = rig.plan(next(steps), **scene.head)
    next(steps, None)
    run = rig.begin(plan)
    error = None
    try:
        rig.resume(run)
    except BulkRunnerError as caught:
        error = caught
    (ended,) = rig.ended(run)
    result = ended.result
    if row.outcome is None:
        assert error is not None
        assert (error.exit_code, error.code) == (row.exit_code, row.code)
        assert row.words in error.message
        assert result.outcome is Outcome.PENDING
        assert rig.ledger.runs.get(run).state in (RunState.INTERRUPTED, RunState.STOPPED)
        return
    assert error is None
    assert (result.outcome, result.code) == (row.outcome, row.code)
    assert row.words in result.message
    assert rig.ledger.runs.get(run).state is RunState.COMPLETED
