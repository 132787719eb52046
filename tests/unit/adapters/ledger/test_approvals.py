"""Approvals, and what the chain says of them."""

import pytest

from tests.support.ledgers import a_change, a_plan, an_approval, new_ledger, store_plan


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def test_answers_come_back_oldest_first(ledger):
    plan = store_plan(ledger, a_plan(), [a_change(1)])
    other = store_plan(ledger, a_plan("p2"), [a_change(1)])
    yes, no = an_approval(plan), an_approval(plan, approved=False, by="Åke", text="Nej\x00 ")
    for answer in (yes, an_approval(other), no):
        ledger.approvals.add(answer)
    assert ledger.approvals.of_plan("p1") == [yes, no]
    assert ledger.approvals.of_plan("p9") == []
    assert ledger.chain.verify() is None
