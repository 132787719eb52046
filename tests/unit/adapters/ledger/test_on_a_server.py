"""What a ledger on a server has to put up with: connections that are lost, and other clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, select, text

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.ledger.seals import first_fault
from bulkrunner.adapters.ledger.stretches import page_of
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, events
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.errors import LedgerAway
from tests.support.ledgers import SetClock, fill
from tests.support.postgresql import the_server

CUT = text("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.fixture
def url(tmp_path):
    yield the_server().of(tmp_path)
    the_server().release()


@pytest.fixture
def ledger(url):
    with open_ledger(url, clock=SetClock()) as opened:
        fill(opened)
        yield opened


def cut(url):
    """End every connection to the database but this one."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(
            text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        )
    engine.dispose()


@pytest.mark.parametrize("asked", ["a statement", "a page of events"])
def test_a_lost_connection_is_no_fault_of_the_ledger(ledger, url, asked):
    def look(connection):
        connection.execute(select(events).limit(1)).all()
        cut(url)
        if asked == "a statement":
            connection.execute(select(events).limit(1)).all()
        yield from filter(None, [page_of(connection, MAIN_CHAIN, 0)[1]])

    with pytest.raises(LedgerAway, match="connection to the ledger's server was lost"):
        first_fault(ledger._database, look)
    assert ledger.chain.check() == []


def test_a_transaction_whose_connection_is_lost_leaves_nothing(ledger):
    before = ledger.chain.head()
    with pytest.raises(LedgerAway), ledger._database.write() as connection:
        connection.execute(CUT)
    assert ledger.chain.head() == before


def test_a_server_that_is_not_there(ledger, url):
    with pytest.raises(LedgerAway):
        open_ledger(url.replace("host=", "host=%2Fnowhere"), clock=SetClock())


def test_every_process_goes_by_the_server_s_clock(ledger):
    clock = SystemClock()
    hours = timedelta(hours=5)
    clock.follow(lambda: ledger.time() + hours)
    assert abs(clock.now() - datetime.now(UTC) - hours) < timedelta(seconds=5)
    clock.follow(lambda: None)
    assert clock.now() - datetime.now(UTC) > timedelta(hours=4), "reckoned on while it is away"
    clock.follow(None)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
