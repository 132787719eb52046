"""A ledger that holds something of everything."""

import sqlite3

import pytest

from tests.support.ledgers import fill, new_ledger
from tests.support.postgresql import stop_server, the_server


@pytest.fixture
def full_ledger(tmp_path):
    with new_ledger(tmp_path) as ledger:
        fill(ledger)
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture
def server():
    """A PostgreSQL server of the test process."""
    yield the_server()
    the_server().release()


@pytest.fixture(scope="session", autouse=True)
def _server_stopped_at_the_end():
    yield
    stop_server()
