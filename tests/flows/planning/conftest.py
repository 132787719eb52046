"""One sandbox for a module's tests; a workplace of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkrunner.sandbox import seed
from tests.support.cli import Workplace
from tests.support.sandbox import BIBS, HOLDINGS, SandboxControl, running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture(scope="module")
def own() -> list[str]:
    """Ylm's holdings with a shelf mark on the item, alike in both environments."""
    marks = ("Hc", "Hce", "Hcf")
    return [
        record
        for mark in marks
        for record in seed.example_ids(
            kind="holding", sigel="Ylm", shelf_mark=mark, bibs=BIBS, holdings=HOLDINGS
        )
    ]


@pytest.fixture(scope="module")
def free_bibs() -> list[str]:
    """Bibs that Ylm holds nowhere."""
    return seed.example_ids(kind="bib", without="Ylm", bibs=BIBS, holdings=HOLDINGS)
