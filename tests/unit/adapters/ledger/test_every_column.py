"""Every column of every table is edited, every row removed, and two are swapped: each is found.

The tables are read from the file, so a table or column that is added later is tried too; what is
not covered must stand below, with the reason.
"""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from bulkrunner.adapters.ledger.tables import metadata
from tests.support.ledgers import fill, new_ledger

NO_DECISION = {
    "alembic_version": "another version is refused before anything is read",
    "leases": "who drives a run just now; whoever takes one over reads before it writes",
    "paces": "when the next request may be sent; the environment's rate bounds it anew",
    "places": "how many requests are under way; the environment's concurrency bounds it anew",
    "advances": "who takes a job forward just now; every gate is asked all the same",
    "waits": "what a run says it waits for; it is written anew while it waits",
}
"""Tables that nothing rests on that was decided or is reported: they hold the present only."""

ORDER_ONLY = {"plans.seq", "runs.seq", "approvals.seq"}
"""Numbers of which only the order counts; it is that of the events."""

NOTHING_ADDED = {"documents": "no change and no outcome names a document that is put in"}

COMPARED = sorted(set(metadata.tables) - set(NO_DECISION))

COLUMNS = [(table, column.name) for table in COMPARED for column in metadata.tables[table].columns]

NAMES = {
    "jobs": r"job \w+",
    "plans": r"plan p\d|event \d+|plans",
    "documents": r"document sha256:\w+",
    "compactions": r"event \d+|compactions",
    "dropped": r"event \d+|dropped",
    "planned_changes": r"change \d+ of plan p\d|plan p\d|event \d+",
    "selections": r"selection of step \d of plan p2|plan p\w",
    "selected": r"record \d of step \d of plan p2|plan p\w",
    "input_lines": r"line \d of plan p2|plan p\w",
    "runs": r"run r\d|event \d+|id r\d",
    "attempts": r"event \d+ of the chain of run r\d|attempts \(run r\d, change \d+, number \d+\)",
    "results": r"event \d+ of the chain of run r\d|results \(run r\d, change \d+\)|document",
    "approvals": r"event \d+|approvals \(plan p1, seq \d+\)",
    "standing_claims": r"event \d+|standing_claims",
    "standing_ends": r"event \d+|standing_ends",
    "clients": r"client (staging|production) client-\d|event \d+|clients",
    "client_uses": r"client (staging|production) client-\d|event \d+|client_uses",
    "events": r"event \d+|chain",
    "chains": r"chain",
}
"""How the row is named, table by table; where a key was changed, another row may be the first."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    with new_ledger(folder) as ledger:
        fill(ledger)
        assert ledger.chain.check() == []
    with closing(_raw(folder)) as raw:
        for table in COMPARED:
            (count,) = raw.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count >= 2, f"{table} needs two rows to swap"
    return folder


@pytest.fixture
def folder(filled, tmp_path):
    shutil.copy(filled / "ledger.db", tmp_path / "ledger.db")
    return tmp_path


def _raw(folder):
    """Open the file as somebody would who knows SQL, triggers, keys and all."""
    raw = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute("PRAGMA foreign_keys=OFF")
    raw.execute("PRAGMA ignore_check_constraints=ON")
    return raw


def _require_named(folder, table):
    with new_ledger(folder) as ledger:
        faults = ledger.chain.check()
        assert faults, "not found"
        assert re.search(NAMES[table], "\n".join(faults)), faults
        closed = ledger.chain.verify() or _of_plans(ledger)
        assert closed, f"the gate stays open: {faults}"


def _of_plans(ledger):
    return next(
        (fault for plan in ("p1", "p2", "p4") if (fault := ledger.chain.verify_plan(plan))), None
    )


def _other(value, column):
    """Another value of the same form."""
    if value is None:
        return ANOTHER[type(column.type).__name__]
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
    if isinstance(value, str):
        return _other_text(value)
    return 1 - value if type(column.type).__name__ == "Boolean" else value + 100


def _other_text(text):
    if re.match(r"\d{4}-", text):
        return str(int(text[:4]) + 1) + text[4:]
    if text.startswith(("[", "{")):
        comma = "," if len(text) > 2 else ""
        return text[:-1] + comma + ("1]" if text.startswith("[") else '"x":1}')
    return text + "x"


ANOTHER = {
    "Integer": 7,
    "Float": 0.5,
    "Boolean": 1,
    "Words": "x",
    "String": "x",
    "Text": "x",
    "Instant": "2026-03-02T09:00:00.000000+00:00",
    "Json": "[1]",
    "Digest": b"x" * 32,
}
"""By the type of a column: a value to put where there was none."""


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda word: word)
def test_an_edited_value_is_found_named_and_closes_the_gate(folder, table, column):
    with closing(_raw(folder)) as raw:
        rows = [row for (row,) in raw.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
        chosen = rows[0] if f"{table}.{column}" not in ORDER_ONLY else rows[-1]
        query = f"SELECT {column} FROM {table} WHERE rowid = ?"
        (old,) = raw.execute(query, [chosen]).fetchone()
        new = _other(old, metadata.tables[table].c[column])
        if f"{table}.{column}" in ORDER_ONLY:
            new = -1
        raw.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [new, chosen])
    _require_named(folder, table)


@pytest.mark.parametrize("table", COMPARED)
@pytest.mark.parametrize("which", ["first", "last"])
def test_a_removed_row_is_found_named_and_closes_the_gate(folder, table, which):
    end = "min" if which == "first" else "max"
    with closing(_raw(folder)) as raw:
        raw.execute(f"DELETE FROM {table} WHERE rowid = (SELECT {end}(rowid) FROM {table})")
    _require_named(folder, table)


@pytest.mark.parametrize("table", sorted(set(COMPARED) - set(NOTHING_ADDED)))
def test_an_added_row_is_found_named_and_closes_the_gate(folder, table):
    """A copy of the last row, under another key."""
    columns = [column.name for column in metadata.tables[table].columns]
    key = list(metadata.tables[table].primary_key)[-1].name
    with closing(_raw(folder)) as raw:
        raw.execute("DROP INDEX IF EXISTS uq_runs_running")
        last = raw.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
        row = dict(zip(columns, last, strict=True))
        for name in {key, "id", "target_key"} & set(columns):
            row[name] = _other(row[name], metadata.tables[table].c[name])
        marks = ", ".join("?" * len(row))
        raw.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])
    _require_named(folder, table)


@pytest.mark.parametrize("table", COMPARED)
def test_two_swapped_rows_are_found_named_and_close_the_gate(folder, table):
    """All but the keys of two rows change places."""
    keys = {column.name for column in metadata.tables[table].primary_key}
    names = [column.name for column in metadata.tables[table].columns if column.name not in keys]
    listed = ", ".join(names)
    marks = ", ".join(f"{name} = ?" for name in names)
    with closing(_raw(folder)) as raw:
        raw.execute("DROP INDEX IF EXISTS uq_runs_running")
        found = raw.execute(f"SELECT rowid, {listed} FROM {table} ORDER BY rowid").fetchall()
        one = found[0]
        two = next(row for row in found if row[1:] != one[1:])
        _without_uniqueness(raw, table)
        for row, values in ((one[0], two[1:]), (two[0], one[1:])):
            raw.execute(f"UPDATE {table} SET {marks} WHERE rowid = ?", [*values, row])
    _require_named(folder, table)


def _without_uniqueness(raw, table):
    """Free the unique values of a table, for the moment in which two rows have the same."""
    for column in ("id", "target_key"):
        if column in metadata.tables[table].c:
            raw.execute(f"UPDATE {table} SET {column} = {column} || '-' || rowid")
