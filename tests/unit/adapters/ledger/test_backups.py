"""Copies of the ledger: whole, private, few, and told of in the chain."""

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.errors import LedgerUnavailable
from tests.support.ledgers import (
    SetClock,
    a_change,
    a_plan,
    fill,
    ledger_url,
    new_ledger,
    store_plan,
)


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def copies(folder):
    return sorted(path.name for path in folder.glob("ledger-backup-*"))


def test_a_copy_is_a_whole_ledger_of_that_moment(ledger, tmp_path):
    fill(ledger)
    path = ledger.backups.back_up("p1", keep=3)
    head = ledger.chain.head()
    store_plan(ledger, a_plan("p7"), [a_change(1)])
    with open_ledger(ledger_url(path), clock=SetClock()) as copy:
        assert copy.chain.head() == head
        assert copy.chain.check() == []
        assert {plan.id for plan in copy.plans.all()} == {"p0", "p1", "p2", "p3", "p4"}
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert ledger.chain.check() == []


def test_only_the_newest_copies_stay(ledger, tmp_path):
    (tmp_path / "ledger-backup.txt").write_text("mine", encoding="utf-8")
    made = [ledger.backups.back_up(f"p{number}", keep=2) for number in range(4)]
    assert copies(tmp_path) == [Path(path).name for path in made[2:]]
    assert (tmp_path / "ledger-backup.txt").exists()


def test_a_large_ledger_is_copied_once_a_day(tmp_path, monkeypatch):
    clock = SetClock()
    with new_ledger(tmp_path, clock=clock) as ledger:
        first = ledger.backups.back_up("p1", keep=3)
        assert ledger.backups.back_up("p2", keep=3) is not None
        monkeypatch.setattr("bulkrunner.adapters.ledger.maintenance.LARGE", 0)
        assert ledger.backups.back_up("p3", keep=3) is None
        clock.time += timedelta(hours=24, seconds=1)
        last = ledger.backups.back_up("p4", keep=2)
    assert copies(tmp_path)[-1] == Path(last).name
    assert Path(first).name not in copies(tmp_path)


def test_none_is_made_where_none_is_wanted(ledger, tmp_path):
    head = ledger.chain.head()
    assert ledger.backups.back_up("p1", keep=0) is None
    assert copies(tmp_path) == []
    assert ledger.chain.head() == head


def test_a_copy_that_cannot_be_written_is_told(ledger, tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(LedgerUnavailable, match="No space left") as error:
        ledger.backups.back_up("p1", keep=3)
    assert "backups = 0" in error.value.hint
    assert copies(tmp_path) == []


def test_the_chain_tells_of_copies(ledger):
    before = ledger.chain.head()
    ledger.backups.back_up("p1", keep=1)
    with ledger._database.read() as connection:
        query = "SELECT data FROM events WHERE kind = 'backed_up'"
        (data,) = connection.exec_driver_sql(query).scalars()
    assert before in data
    assert "ledger-backup-" in data
