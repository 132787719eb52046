"""A ledger that holds something of everything."""

import sqlite3

import pytest

from tests.support.ledgers import fill, new_ledger


@pytest.fixture
def full_ledger(tmp_path):
    with new_ledger(tmp_path) as ledger:
        fill(ledger)
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield connection
    connection.close()
