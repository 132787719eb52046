"""One sandbox for a module's tests; a workplace of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.sandbox import seed
from tests.support.cli import Workplace
from tests.support.sandbox import BIBS, HOLDINGS, SandboxControl, running_sandbox

MORE_BIBS, MORE_HOLDINGS = 2 * BIBS, 2 * HOLDINGS
"""Each test takes records of its own."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(bibs=MORE_BIBS, holdings=MORE_HOLDINGS) as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture(scope="module")
def own(sandbox: SandboxControl) -> list[str]:
    """Ylm's holdings with a shelf mark on the item, in both environments."""
    elsewhere = set(sandbox.production.records("hold", "Ylm"))
    here = [record for record in sandbox.staging.records("hold", "Ylm") if record in elsewhere]
    return [
        record
        for record in here
        if all(
            isinstance(marked(environment.document(record)).get("label"), str)
            for environment in sandbox.environments
        )
    ]


@pytest.fixture(scope="module")
def free_bibs() -> list[str]:
    """Bibs that Ylm holds nowhere."""
    return seed.example_ids(kind="bib", without="Ylm", bibs=MORE_BIBS, holdings=MORE_HOLDINGS)


def marked(document: dict[str, Any]) -> dict[str, Any]:
    mark = document["@graph"][1].get("shelfMark")
    return mark if isinstance(mark, dict) else {}
