"""A sandbox for a module's tests; each test takes records that no other test has touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkrunner.sandbox import seed
from tests.support.executing import Rig
from tests.support.sandbox import SandboxControl, running_sandbox

BIBS, HOLDINGS = 500, 3000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(bibs=BIBS, holdings=HOLDINGS) as control:
        yield control


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    """Ylm's holdings with a shelf mark on the item."""
    return iter(
        [
            record
            for mark in ("Hc", "Hce", "Hcf")
            for record in seed.example_ids(
                kind="holding", sigel="Ylm", shelf_mark=mark, bibs=BIBS, holdings=HOLDINGS
            )
        ]
    )


@pytest.fixture(scope="module")
def bibs() -> Iterator[str]:
    """Bibs on which Ylm holds nothing."""
    return iter(seed.example_ids(kind="bib", without="Ylm", bibs=BIBS, holdings=HOLDINGS))


@pytest.fixture
def rig(sandbox: SandboxControl, tmp_path: Path) -> Iterator[Rig]:
    sandbox.staging.clear_faults()
    made = Rig(sandbox.staging, tmp_path)
    yield made
    sandbox.staging.clear_faults()
    made.close()


@pytest.fixture
def production(sandbox: SandboxControl, tmp_path: Path) -> Iterator[Rig]:
    sandbox.production.clear_faults()
    folder = tmp_path / "production"
    folder.mkdir()
    made = Rig(sandbox.production, folder)
    yield made
    sandbox.production.clear_faults()
    made.close()
