"""The ledger's file, watched while it is open."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from bulkrunner.errors import LedgerDamaged, LedgerGone
from tests.support.ledgers import a_change, a_plan, new_ledger, store_plan


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "folder"
    made.mkdir()
    return made


@pytest.fixture
def ledger(folder):
    with new_ledger(folder) as store:
        store_plan(store, a_plan(), [a_change(number) for number in range(1, 200)])
        yield store


def uses(ledger):
    """Each kind of access."""
    yield lambda: ledger.plans.all()
    yield lambda: ledger.plans.begin(a_plan("p9"))
    yield lambda: ledger.orders.note_wait("r1", None)


def test_what_was_removed_is_saved_once_with_everything_in_it(ledger, folder):
    for file in folder.iterdir():
        file.unlink()
    for use in uses(ledger):
        with pytest.raises(LedgerGone, match="removed"):
            use()
    (saved,) = folder.iterdir()
    saved.rename(folder / "ledger.db")
    with new_ledger(folder) as again:
        assert len(list(again.plans.changes("p1"))) == 199
        assert again.chain.check() == []


def test_what_cannot_be_saved_is_told(ledger, folder):
    shutil.rmtree(folder)
    with pytest.raises(LedgerGone) as caught:
        ledger.plans.all()
    assert "put it back" in caught.value.hint
    assert not folder.exists()


def test_another_file_in_its_place_is_not_written(ledger, folder, tmp_path):
    with new_ledger(tmp_path):
        pass
    other = (tmp_path / "ledger.db").read_bytes()
    (tmp_path / "ledger.db").rename(folder / "ledger.db")
    for use in uses(ledger):
        with pytest.raises(LedgerGone, match="replaced"):
            use()
    assert (folder / "ledger.db").read_bytes() == other


def test_a_file_that_was_cut_short_is_not_written(ledger, folder):
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.plans.all()
    os.truncate(path, path.stat().st_size - 4096)
    left = path.read_bytes()
    for use in uses(ledger):
        with pytest.raises(LedgerDamaged, match="bytes are left"):
            use()
    assert path.read_bytes() == left


def test_a_file_that_gave_room_back_is_whole(ledger, folder):
    """Compaction, or a person with `vacuum`, makes the file shorter and leaves nothing out."""
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path)) as other:
        other.executescript("CREATE TABLE big (x); INSERT INTO big VALUES (zeroblob(400000));")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ledger.plans.all()
        before = path.stat().st_size
        other.executescript("DROP TABLE big; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
    assert path.stat().st_size < before
    ledger.plans.begin(a_plan("p2"))
    assert len(list(ledger.plans.changes("p1"))) == 199
    assert ledger.chain.check() == []
