"""Migrations give what the tables in the code say, and ledgers of other versions are left alone."""

import re
import shutil
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from bulkrunner.adapters.ledger import open_ledger, opening, upgrade
from bulkrunner.adapters.ledger.database import Database, parse_url
from bulkrunner.adapters.ledger.tables import SCHEMA_REVISION, metadata
from bulkrunner.adapters.machine import share_folder
from bulkrunner.errors import ConfigError, LedgerUnavailable, UsageError
from tests.support.ledgers import (
    PRODUCTION_ADDRESSES,
    SetClock,
    a_plan,
    fill,
    ledger_url,
    new_ledger,
)


def _shapes(path):
    """Return the words of every table and index, whatever their order."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL "
        "AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
    ).fetchall()
    connection.close()
    return {name: sorted(re.findall(r"'[^']*'|\w+|[=()]", sql)) for name, sql in rows}


def test_an_empty_database_becomes_what_the_code_says(tmp_path):
    open_ledger(ledger_url(tmp_path / "ledger.db"), clock=SetClock()).close()
    database = Database(parse_url(ledger_url(tmp_path / "ledger.db")))
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_an_empty_postgresql_database_becomes_what_the_code_says(server):
    url = server.empty("upgraded")
    assert upgrade(url) == (None, SCHEMA_REVISION)
    assert upgrade(url) == (SCHEMA_REVISION, SCHEMA_REVISION)
    database = Database(parse_url(url))
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_an_older_postgresql_ledger_is_not_opened_until_it_is_upgraded(server, one_more_revision):
    url = server.empty("older")
    assert upgrade(url) == (None, SCHEMA_REVISION)
    with open_ledger(url, clock=SetClock()) as ledger:
        fill(ledger)
    one_more_revision()
    _is_upgraded_only_when_told(url)


def test_an_older_file_is_not_opened_until_it_is_upgraded(tmp_path, one_more_revision):
    with new_ledger(tmp_path) as ledger:
        fill(ledger)
    one_more_revision()
    _is_upgraded_only_when_told(ledger_url(tmp_path / "ledger.db"))


@pytest.fixture
def one_more_revision(tmp_path, monkeypatch):
    """Let the program be a later one, with a migration more than this one."""

    def go_on():
        folder = tmp_path / "migrations"
        shutil.copytree(share_folder("migrations"), folder)
        (folder / "versions" / "0002_more.py").write_text(
            "import sqlalchemy as sa\n"
            "from alembic import op\n"
            "revision, down_revision = '0002', '0001'\n"
            "def upgrade():\n"
            "    op.add_column('plans', sa.Column('more', sa.Text()))\n"
        )
        monkeypatch.setattr(opening, "share_folder", lambda _name: folder)
        monkeypatch.setattr(opening, "SCHEMA_REVISION", "0002")

    return go_on


def _is_upgraded_only_when_told(url):
    for _ in range(2):
        with pytest.raises(UsageError, match="older") as raised:
            open_ledger(url, clock=SetClock())
        assert raised.value.code == "ledger_outdated"
    assert upgrade(url) == ("0001", "0002")
    assert upgrade(url) == ("0002", "0002")
    with open_ledger(url, clock=SetClock()) as ledger:
        assert ledger.plans.get("p2") == a_plan(
            "p2", environment="production", addresses=PRODUCTION_ADDRESSES, cursor=3
        )
        assert ledger.chain.check() == []
        database = ledger._database
        with database.read() as connection:
            columns = {column["name"] for column in inspect(connection).get_columns("plans")}
        assert "more" in columns


def test_constraints_and_partial_indexes_are_the_same_too(tmp_path):
    open_ledger(ledger_url(tmp_path / "ledger.db"), clock=SetClock()).close()
    (tmp_path / "created.db").touch()
    database = Database(parse_url(ledger_url(tmp_path / "created.db")))
    with database.write() as connection:
        metadata.create_all(connection)
    database.close()
    assert _shapes(tmp_path / "ledger.db") == _shapes(tmp_path / "created.db")


def test_the_code_knows_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", str(share_folder("migrations")))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [SCHEMA_REVISION]
    revisions = [item.revision for item in script.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True), "revisions are compared as text"


def test_upgrading_again_changes_nothing(tmp_path):
    url = ledger_url(tmp_path / "ledger.db")
    assert upgrade(url) == (None, SCHEMA_REVISION)
    before = _shapes(tmp_path / "ledger.db")
    assert upgrade(url) == (SCHEMA_REVISION, SCHEMA_REVISION)
    assert _shapes(tmp_path / "ledger.db") == before


def test_what_is_stored_survives_an_upgrade(tmp_path):
    with new_ledger(tmp_path) as ledger:
        ledger.plans.begin(a_plan())
    upgrade(ledger_url(tmp_path / "ledger.db"))
    with new_ledger(tmp_path) as ledger:
        assert ledger.plans.get("p1") == a_plan()
        assert ledger.chain.check() == []


def _set_revision(path, revision):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
    connection.commit()
    connection.close()


def test_an_older_ledger_is_not_opened(tmp_path):
    new_ledger(tmp_path).close()
    _set_revision(tmp_path / "ledger.db", "0000")
    with pytest.raises(UsageError, match="older") as raised:
        new_ledger(tmp_path)
    assert raised.value.code == "ledger_outdated"
    assert "bulkrunner ledger upgrade" in raised.value.hint


def test_a_newer_ledger_is_neither_opened_nor_touched(tmp_path):
    new_ledger(tmp_path).close()
    _set_revision(tmp_path / "ledger.db", "9999")
    for attempt in (
        lambda: new_ledger(tmp_path),
        lambda: upgrade(ledger_url(tmp_path / "ledger.db")),
    ):
        with pytest.raises(UsageError, match="newer") as raised:
            attempt()
        assert raised.value.code == "ledger_newer"


def test_another_program_s_database_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    for attempt in (
        lambda: open_ledger(ledger_url(path), clock=SetClock()),
        lambda: upgrade(ledger_url(path)),
    ):
        with pytest.raises(ConfigError, match="something else"):
            attempt()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    connection.close()


@pytest.mark.parametrize("table", ["events", "documents", "planned_changes", "approvals"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_what_is_written_cannot_be_rewritten(full_ledger, table, verb):
    column = {
        "events": "kind",
        "documents": "content",
        "planned_changes": "code",
        "approvals": "answer",
    }
    text = (
        f"UPDATE {table} SET {column[table]} = ''" if verb == "UPDATE" else f"DELETE FROM {table}"
    )
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        full_ledger.execute(text)


NEVER = [
    *(f"DELETE FROM {table}" for table in ("events", "documents", "planned_changes", "approvals")),
    "UPDATE events SET kind = ''",
    "UPDATE documents SET content = '\\x01'",
    "UPDATE planned_changes SET code = '' WHERE plan = 'p1'",
    "UPDATE approvals SET answer = ''",
]


@pytest.mark.parametrize("text", NEVER)
def test_postgresql_forbids_the_same(server, tmp_path, text):
    url = server.of(tmp_path)
    with open_ledger(url, clock=SetClock()) as ledger:
        fill(ledger)
        with (
            pytest.raises(LedgerUnavailable, match="never"),
            ledger._database.write() as connection,
        ):
            connection.exec_driver_sql(text)


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE plans SET folder = '' WHERE id = 'p1'",
        "INSERT INTO planned_changes SELECT * FROM planned_changes WHERE plan = 'p1'",
        "DELETE FROM plans",
        "DELETE FROM runs",
        "DELETE FROM attempts",
        "DELETE FROM results",
        "DELETE FROM chains",
        "DELETE FROM jobs",
    ],
)
def test_a_complete_plan_and_what_was_done_stay(full_ledger, text):
    with pytest.raises(sqlite3.IntegrityError, match=r"never|takes no change"):
        full_ledger.execute(text)
