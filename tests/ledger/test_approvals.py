"""Approvals, clients and events of their own."""

from datetime import timedelta

import pytest

from tests.support.ledgers import START, a_change, a_plan, an_approval, new_ledger, store_plan


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def test_answers_come_back_oldest_first(ledger):
    plan = store_plan(ledger, a_plan(), [a_change(1)])
    other = store_plan(ledger, a_plan("p2"), [a_change(1)])
    yes, no = an_approval(plan), an_approval(plan, approved=False, by="Åke", text="Nej\x00 ")
    for answer in (yes, an_approval(other), no):
        ledger.add_approval(answer)
    assert ledger.approvals("p1") == [yes, no]
    assert ledger.approvals("p9") == []
    assert ledger.verify_chain() is None


def test_clients_are_noted_with_their_first_and_last_use(ledger):
    later = START + timedelta(days=2)
    ledger.note_client("staging", "c1", use="plan p1", at=START)
    ledger.note_client("production", "c1", use="plan p2", at=START + timedelta(days=1))
    ledger.note_client("staging", "c1", use="run r1", at=later)
    first, second = ledger.clients()
    assert (first.environment, first.client, first.last_use) == ("staging", "c1", "run r1")
    assert (first.first_used_at, first.last_used_at) == (START, later)
    assert (second.environment, second.first_used_at) == ("production", START + timedelta(days=1))
