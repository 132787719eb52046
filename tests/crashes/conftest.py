"""A small sandbox for a module's tests; every test has a ledger, and makes its own records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crashes.dying import Place, Reaper
from tests.support.executing import Rig
from tests.support.sandbox import SandboxControl, running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(bibs=20, holdings=40, index_lag_ms=0) as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Place:
    sandbox.staging.clear_faults()
    return Place(control=sandbox.staging, folder=tmp_path)


@pytest.fixture
def rig(place: Place) -> Iterator[Rig]:
    made = place.rig()
    yield made
    made.close()


@pytest.fixture
def reaper(sandbox: SandboxControl) -> Reaper:
    assert sandbox.running is not None
    return Reaper(environment=sandbox.running.test.environment)
