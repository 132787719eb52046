"""API clients in the ledger: what each did, and which are used no more."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from tests.support.ledgers import START, new_ledger

LATER = START + timedelta(days=2)


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def test_clients_are_noted_with_their_first_and_last_use(ledger):
    ledger.clients.note("staging", "c1", use="p1", at=START)
    ledger.clients.note("production", "c1", use="p2", at=START + timedelta(days=1))
    ledger.clients.note("staging", "c1", use="r1", at=LATER)
    first, second = ledger.clients.all()
    assert (first.environment, first.client, first.last_use) == ("staging", "c1", "r1")
    assert (first.first_used_at, first.last_used_at) == (START, LATER)
    assert [use.use for use in first.uses] == ["r1", "p1"]
    assert (second.environment, second.first_used_at) == ("production", START + timedelta(days=1))
    assert ledger.chain.check() == []


def test_a_use_that_goes_on_stays_one(ledger):
    ledger.clients.note("staging", "c1", use="r1", at=START)
    head = ledger.chain.head()
    ledger.clients.note("staging", "c1", use="r1", at=LATER)
    ((use,),) = (client.uses for client in ledger.clients.all())
    assert (use.first_used_at, use.last_used_at) == (START, LATER)
    assert ledger.chain.head() != head, "when it was used last is told to the chain"
    assert ledger.chain.check() == []


def test_a_retired_client_stays_retired_when_it_is_noted_again(ledger):
    ledger.clients.note("staging", "c1", use="r1", at=START)
    retired = ledger.clients.retire("staging", "c1", by="eva@desk", at=LATER)
    assert (retired.retired_at, retired.retired_by) == (LATER, "eva@desk")
    ledger.clients.note("staging", "c1", use="r2", at=LATER + timedelta(days=1))
    (found,) = ledger.clients.all()
    assert found.retired_at == LATER
    assert ledger.chain.check() == []


def test_one_that_was_never_used_can_be_retired(ledger):
    retired = ledger.clients.retire("staging", "c9", by="eva@desk", at=LATER)
    assert (retired.last_use, retired.uses) == ("", ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clients SET retired_at = NULL, retired_by = NULL, event = NULL",
        "UPDATE clients SET retired_at = NULL",
        "UPDATE clients SET retired_by = 'somebody'",
        "DELETE FROM clients",
        "UPDATE client_uses SET client = 'c2'",
    ],
)
def test_a_client_taken_back_behind_the_chain_s_back_is_found(ledger, tmp_path, statement):
    ledger.clients.note("staging", "c1", use="r1", at=START)
    ledger.clients.retire("staging", "c1", by="eva@desk", at=LATER)
    assert ledger.chain.verify() is None
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as raw:
        raw.execute(statement)
    assert ledger.chain.verify() is not None
