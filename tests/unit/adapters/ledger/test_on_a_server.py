"""What a ledger on a server has to put up with: connections that are lost, and other clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Integer, LargeBinary, create_engine, select, text

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.ledger.seals import first_fault
from bulkrunner.adapters.ledger.stretches import page_of
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, events, metadata
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.errors import LedgerAway
from tests.support.ledgers import SetClock, fill
from tests.support.postgresql import the_server
from tests.unit.adapters.ledger.test_every_column import COMPARED

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


@pytest.mark.parametrize("table", COMPARED)
def test_an_edit_is_found_in_every_table(ledger, url, table):
    """One text or number of one row; every column of every table is edited in a file."""
    of_table = metadata.tables[table]
    keys = {*of_table.primary_key.columns, *(key.parent for key in of_table.foreign_keys)}
    columns = [column for column in of_table.columns if column not in keys] or [*keys]
    row = f"ctid = (SELECT ctid FROM {table} LIMIT 1)"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(f"UPDATE {table} SET {_other(columns[-1])} WHERE {row}"))
    engine.dispose()
    assert ledger.chain.check() != []


def _other(column):
    """Give a column another value."""
    kind = getattr(column.type, "impl_instance", column.type)
    if isinstance(kind, LargeBinary):
        return f"{column.name} = sha256('other')"
    if isinstance(kind, Integer):
        return f"{column.name} = coalesce({column.name}, 0) + 1"
    return f"{column.name} = 'other'"


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
