"""Selected tests of the ledger are run on a real PostgreSQL server as well as on a file."""

import pytest

from tests.support.ledgers import DATABASES
from tests.support.postgresql import stop_server, the_server

ON_BOTH = {
    *("test_approvals", "test_clients", "test_evidence", "test_plans"),
    *("test_round_trips", "test_runs", "test_shared", "test_standing_claims", "test_writer"),
}
"""Modules whose tests say nothing of the database itself."""

ON_A_FILE = {
    "test_a_client_taken_back_behind_the_chain_s_back_is_found",
    "test_no_window_of_a_day_ever_holds_more_than_was_given",
    "test_a_full_disk_fails_what_was_handed_in_and_everything_after",
    "test_a_file_that_cannot_be_written_any_more",
}
"""Tests of these modules that look into the file, or make many ledgers."""


def pytest_generate_tests(metafunc):
    module = metafunc.module.__name__.rpartition(".")[2]
    if module in ON_BOTH and metafunc.function.__name__ not in ON_A_FILE:
        metafunc.fixturenames.append("database")
        metafunc.parametrize("database", ["file", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def database(request):
    """The database that ``new_ledger`` opens."""
    if getattr(request, "param", "file") == "file":
        yield
        return
    DATABASES.append(the_server().of)
    yield
    DATABASES.pop()
    the_server().release()


@pytest.fixture(scope="session", autouse=True)
def _server_stopped_at_the_end():
    yield
    stop_server()
