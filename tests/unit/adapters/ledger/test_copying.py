"""A ledger moved from a file to a server and back: whole, or not at all."""

import sqlite3
from datetime import timedelta

import pytest

from bulkrunner.adapters.ledger import copying, open_ledger
from bulkrunner.adapters.ledger.copying import move_ledger
from bulkrunner.errors import ChainBroken, LedgerDamaged, UsageError
from tests.support.ledgers import (
    START,
    SetClock,
    a_change,
    a_plan,
    fill,
    ledger_url,
    store_plan,
)
from tests.support.postgresql import the_server


def opened(url):
    return open_ledger(url, clock=SetClock())


@pytest.fixture
def old(tmp_path):
    with opened(ledger_url(tmp_path / "old.db")) as ledger:
        fill(ledger)
        yield ledger


@pytest.fixture
def server():
    yield the_server()
    the_server().release()


def move(source, target):
    later = SetClock(START + timedelta(hours=1))
    return move_ledger(source, target, clock=later, by="eva@desk")


def test_to_a_server_and_back(old, server, tmp_path):
    plans = [plan.id for plan in old.plans.all()]
    lease = old.leases.of("r1")
    with opened(server.of(tmp_path)) as new:
        moved = move(old, new)
        assert moved.rows > 20
        assert new.chain.head() == moved.head
        assert new.chain.check() == []
        assert new.provenance.copied() is None
        assert [plan.id for plan in new.plans.all()] == plans
        assert new.leases.of("r1") == lease
        store_plan(new, a_plan("p9"), [a_change(1)])
        assert [plan.id for plan in new.plans.all()] == ["p9", *plans], "numbered on"
        assert "was moved to postgresql" in old.provenance.copied()
        assert old.chain.check() == []

        with opened(ledger_url(tmp_path / "back.db")) as back:
            move(new, back)
            assert back.chain.check() == []
            assert back.provenance.copied() is None
            assert "back.db" in new.provenance.copied()
            store_plan(back, a_plan("p10"), [a_change(1)])
        with opened(ledger_url(tmp_path / "back.db")) as back:
            assert back.provenance.copied() is None
            assert back.chain.check() == []


def test_one_that_was_moved_is_moved_again_only_by_a_persons_word(old, tmp_path):
    with opened(ledger_url(tmp_path / "new.db")) as new:
        move(old, new)
    with opened(ledger_url(tmp_path / "other.db")) as other:
        with pytest.raises(UsageError, match="was moved to"):
            move(old, other)
        old.provenance.restore(by="Eva Berg", reason="a mistake", recorded_by="eva@desk")
        assert old.provenance.copied() is None
        move(old, other)
        assert other.chain.check() == []


@pytest.mark.parametrize("fails", ["while copying", "while comparing", "at the end"])
def test_what_ends_in_the_middle_leaves_nothing(old, tmp_path, monkeypatch, fails):
    head = old.chain.head()

    def broken(*_given):
        raise OSError("the disk is full")

    name = {"while copying": "_count_on", "while comparing": "_sum", "at the end": "home_of"}[fails]
    with opened(ledger_url(tmp_path / "new.db")) as new:
        with monkeypatch.context() as patched:
            patched.setattr(copying, name, broken)
            with pytest.raises(OSError, match="full"):
                move(old, new)
        assert (new.chain.length(), new.plans.all()) == (0, [])
        assert old.chain.head() == head
        move(old, new)
        assert new.chain.check() == []


def test_a_row_that_is_not_the_same_is_found(old, tmp_path, monkeypatch):
    real = copying._copied

    def copied(table, out, into):
        count = real(table, out, into)
        if table.name == "results":
            into.exec_driver_sql("UPDATE results SET message = 'x' WHERE change = 1")
        return count

    monkeypatch.setattr(copying, "_copied", copied)
    with opened(ledger_url(tmp_path / "new.db")) as new:
        with pytest.raises(LedgerDamaged, match="table results"):
            move(old, new)
        assert new.chain.length() == 0
    assert old.provenance.copied() is None


def test_into_one_that_holds_something(old, tmp_path):
    with opened(ledger_url(tmp_path / "new.db")) as new:
        store_plan(new, a_plan("p9"), [a_change(1)])
        with pytest.raises(UsageError, match="holds a ledger already"):
            move(old, new)
        with pytest.raises(UsageError, match="holds a ledger already"):
            move(old, old)
    assert old.provenance.copied() is None


def test_while_a_run_may_be_driven(old, tmp_path):
    with opened(ledger_url(tmp_path / "new.db")) as new:
        with pytest.raises(UsageError, match=r"run r1 .*may still be driven"):
            move_ledger(old, new, clock=SetClock(), by="eva@desk")
        assert new.chain.length() == 0
    assert old.provenance.copied() is None


def test_one_that_is_broken(old, tmp_path):
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute("UPDATE runs SET stop_reason = 'x' WHERE id = 'r2'")
    with opened(ledger_url(tmp_path / "new.db")) as new:
        with pytest.raises(ChainBroken):
            move(old, new)
        assert new.chain.length() == 0


def test_one_with_nothing_in_it(old, tmp_path):
    one, two = (ledger_url(tmp_path / name) for name in ("one.db", "two.db"))
    with opened(one) as empty, opened(two) as new, pytest.raises(UsageError, match="holds nothing"):
        move(empty, new)
