"""Shared set-up of the test suite."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.support.ledgers import DATABASES, on_server  # noqa: E402 (found by the path above)
from tests.support.postgresql import stop_server, the_server  # noqa: E402
from tests.support.sizes import examples  # noqa: E402

# Hundreds of processes would compile the program and its libraries anew. Where the surroundings want no
# bytecode beside the sources, it is kept in a folder of its own.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(ROOT / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# Generated cases take the time they take: a busy machine fails no test.
settings.register_profile("unhurried", deadline=None, max_examples=examples())
settings.load_profile("unhurried")

# What these assert is told as in a test.
pytest.register_assert_rewrite("tests.support.cases")


def pytest_addoption(parser: pytest.Parser) -> None:
    databases = ("file", "postgresql")
    parser.addoption("--ledger", choices=databases, default="file", help="where ledgers are")


@pytest.fixture(autouse=True)
def _ledgers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the test's ledgers on the server, where the suite is run so."""
    if request.config.getoption("--ledger") == "file":
        yield
        return
    DATABASES.append(on_server(the_server().of))
    yield
    DATABASES.pop()
    the_server().release()


def pytest_sessionfinish() -> None:
    stop_server()


SLOWEST = (
    "browser",
    "crashes/adversary",
    "flows/acceptance",
    "flows/undo",
    "crashes",
    "flows/planning",
    "flows/applying",
    "unit/adapters/ledger",
)
"""Folders whose files take longest: begun first, so that none is left for one process at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.relative_to(ROOT / "tests").as_posix()
        return next((n for n, slow in enumerate(SLOWEST) if folder.startswith(slow)), len(SLOWEST))

    items.sort(key=rank)
