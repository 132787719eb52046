"""A running sandbox and a catalogue on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bulkrunner.domain.iris import IriMap
from tests.support.sandbox import EnvironmentControl, running_sandbox
from tests.unit.adapters.libris.test_over_http import open_catalogue


class Place:
    """A test environment, its client, and the map of its ids."""

    def __init__(self, here: EnvironmentControl, stack: ExitStack) -> None:
        self.here = here
        self.catalogue = stack.enter_context(open_catalogue(here))
        self.iris = IriMap(bases=(here.base_uri,), target=here.base_uri)


@pytest.fixture
def place() -> Iterator[Callable[..., Place]]:
    """Serves a sandbox with the given options."""
    with ExitStack() as stack:

        def make(**options: Any) -> Place:
            sandbox = stack.enter_context(running_sandbox(index_lag_ms=-1, **options))
            return Place(sandbox.staging, stack)

        yield make
