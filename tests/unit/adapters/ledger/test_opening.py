"""Opening a ledger: where it may be, who may read it, and what is not one."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from bulkrunner.adapters.ledger import open_ledger, upgrade
from bulkrunner.errors import ConfigError, LedgerDamaged, LedgerUnavailable
from tests.support.ledgers import SetClock, a_change, a_plan, ledger_url, new_ledger, store_plan


def _open(url):
    return open_ledger(url, clock=SetClock())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_may_read_the_file_and_its_companions(tmp_path, umask):
    old = os.umask(umask)
    try:
        with _open(ledger_url(tmp_path / "ledger.db")) as ledger:
            store_plan(ledger, a_plan(), [a_change(1)])
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(
        ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-head"), 0o600
    )


def test_every_commit_is_on_disk_when_it_is_done(tmp_path):
    with new_ledger(tmp_path) as ledger, ledger._database.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_what_was_stored_is_there_when_opened_again(tmp_path):
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(1)])
    with new_ledger(tmp_path) as ledger:
        assert ledger.plans.get("p1") == plan


def test_an_empty_file_is_no_new_ledger(tmp_path):
    """It may have been one: whoever wants a new one removes it."""
    (tmp_path / "ledger.db").touch()
    with pytest.raises(LedgerDamaged, match="is empty") as caught:
        _open(ledger_url(tmp_path / "ledger.db"))
    assert f"rm {tmp_path / 'ledger.db'}" in caught.value.hint
    assert (tmp_path / "ledger.db").stat().st_size == 0
    (tmp_path / "ledger.db").unlink()
    with _open(ledger_url(tmp_path / "ledger.db")) as ledger:
        assert ledger.plans.all() == []


def test_nothing_but_the_ledger_is_left_when_one_was_made(tmp_path):
    with _open(ledger_url(tmp_path / "ledger.db")):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_a_new_ledger_where_files_can_have_one_name_only(tmp_path, monkeypatch):
    def link(*_arguments):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", link)
    with _open(ledger_url(tmp_path / "ledger.db")) as ledger:
        assert ledger.plans.all() == []
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "cannot be read"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("mysql://localhost/x", "mysql"),
        ("sqlite+aiosqlite:///x.db", "driver"),
        ("sqlite:////nowhere/at/all/ledger.db", "/nowhere/at/all does not exist"),
    ],
)
def test_wrong_urls(url, words):
    for attempt in (_open, upgrade):
        with pytest.raises(ConfigError, match=words):
            attempt(url)


def test_a_password_in_a_wrong_url_is_not_shown():
    for url in ("postgresql+nodriver://me:s3cret@localhost/x", "me:s3cret@localhost"):
        with pytest.raises(ConfigError) as raised:
            _open(url)
        assert "s3cret" not in raised.value.message + raised.value.hint


def test_a_folder_is_no_ledger(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        _open(ledger_url(tmp_path))


def test_a_file_of_something_else_is_no_ledger(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("dear diary, " * 1000)
    for attempt in (_open, upgrade):
        with pytest.raises((ConfigError, LedgerUnavailable), match="not a ledger"):
            attempt(ledger_url(path))
    assert path.read_text().startswith("dear diary")


def test_importing_opens_nothing_and_loads_no_migrations():
    code = (
        "import sys, bulkrunner.adapters.ledger as m\n"
        "sys.exit('alembic' in sys.modules and 'alembic is loaded' or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_two_processes_that_create_the_same_ledger_get_one(tmp_path):
    code = (
        "import sys\n"
        "from tests.support.ledgers import *\n"
        "with open_ledger(sys.argv[1], clock=SetClock()) as ledger:\n"
        "    ledger.plans.begin(a_plan(sys.argv[2]))\n"
    )
    url = ledger_url(tmp_path / "ledger.db")
    started = [
        subprocess.Popen([sys.executable, "-c", code, url, f"p{number}"]) for number in range(4)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0, 0]
    with new_ledger(tmp_path) as ledger:
        assert {plan.id for plan in ledger.plans.all()} == {"p0", "p1", "p2", "p3"}
        assert ledger.chain.check() == []


def test_a_locked_ledger_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr("bulkrunner.adapters.ledger.database.BUSY_SECONDS", 0.01)
    with new_ledger(tmp_path) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable, match="locked by another process"):
                ledger.plans.begin(a_plan())
            assert ledger.plans.all() == []
            other.execute("ROLLBACK")
        ledger.plans.begin(a_plan())
