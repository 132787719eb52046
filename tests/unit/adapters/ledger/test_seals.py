"""What is verified before its use: any edit is found in the block that it is in, and by the walk."""

import json
import shutil
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.ledger import writer
from bulkrunner.domain import ledger_port
from bulkrunner.domain.ledger_port import block_of
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.errors import ChainBroken, LedgerUnavailable
from tests.support.ledgers import (
    START,
    a_change,
    a_plan,
    an_attempt,
    fill,
    new_ledger,
    start_run,
    store_plan,
)
from tests.support.sizes import examples

CHANGES = 58
TRIED_FIRST = 55
INTENDED = 31

BLOCKS = (1, 21, 41)
"""A change of each block."""


@pytest.fixture(scope="module", autouse=True)
def _small():
    """Blocks of twenty changes, and a seal every 25 events."""
    with pytest.MonkeyPatch.context() as small:
        small.setattr(ledger_port, "BLOCK", 20)
        small.setattr(writer, "CHECKPOINT", 25)
        yield


def carry_out(ledger, changes):
    """Store intents, answers and outcomes, a change after the other."""
    for change in changes:
        attempt = an_attempt(change, etag="123")
        ledger.runs.intend("r1", attempt)
        done = replace(attempt, answer="stored", status=204, answered_at=START)
        ledger.runs.answered("r1", done)
        ledger.runs.conclude("r1", change, Result(outcome=Outcome.APPLIED)).result()


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run that died: a change of the third block went first, the second block is half done."""
    folder = tmp_path_factory.mktemp("begun")
    with new_ledger(folder) as ledger:
        ledger.plans.begin(a_plan())
        for first in range(1, CHANGES + 1, 10):
            numbers = range(first, min(first + 10, CHANGES + 1))
            ledger.plans.add_changes("p1", [a_change(n) for n in numbers], cursor=numbers[-1])
        ledger.plans.finish(
            "p1", plan_digest="sha256:0", counts={"update": CHANGES}, requests=1, at=START
        )
        start_run(ledger, ledger.plans.get("p1"))
        carry_out(ledger, [TRIED_FIRST, *range(1, INTENDED)])
        ledger.runs.intend("r1", an_attempt(INTENDED)).result()
    return folder


@pytest.fixture
def folder(begun, tmp_path):
    shutil.copy(begun / "ledger.db", tmp_path / "ledger.db")
    return tmp_path


def edit(folder, statement, *values):
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as raw:
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA foreign_keys=OFF")
        raw.execute("PRAGMA ignore_check_constraints=ON")
        return raw.execute(statement, values).rowcount


def found(folder, *changes):
    """What does not fit of all but the sealed rows, of the blocks of some changes, and of the rest."""
    with new_ledger(folder) as ledger:
        seals = ledger.chain.seals()
        blocks = {change: seals.block("p1", "r1", change) for change in changes}
        rest = next(filter(None, seals.rest("p1")), None)
        return seals.fault, blocks, rest


def test_all_is_sound_as_it_was_stored(begun):
    assert found(begun, *BLOCKS) == (None, dict.fromkeys(BLOCKS), None)


def test_a_seal_names_the_blocks_that_its_events_are_about(begun):
    with closing(sqlite3.connect(begun / "ledger.db")) as raw:
        seals = raw.execute(
            "SELECT data FROM events WHERE chain = '' AND kind LIKE 'run_%' ORDER BY position"
        ).fetchall()
    blocks = [json.loads(data)["blocks"] for (data,) in seals]
    assert blocks[:2] == [[], [0, 2]]
    assert set(blocks[-1]) <= {0, 1}


WORK = {
    "planned_changes": "number",
    "attempts": "change",
    "results": "change",
    "events": "json_extract(data, '$.change')",
    "documents": None,
}
"""By table: what says which change a row is about; of a document the plan does."""


def _rows(folder):
    """Row, table, and a change of its block."""
    with closing(sqlite3.connect(folder / "ledger.db")) as raw:
        for table, change in WORK.items():
            if change is None:
                query = (
                    "SELECT d.rowid, min(c.number) FROM documents d JOIN planned_changes c "
                    "ON d.digest IN (c.before, c.after) GROUP BY d.rowid"
                )
            else:
                query = f"SELECT rowid, {change} FROM {table} WHERE {change} IS NOT NULL"
            for rowid, number in raw.execute(query).fetchall():
                yield table, rowid, number


@pytest.fixture(scope="module")
def rows(begun):
    return list(_rows(begun))


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_edit_of_a_row_is_found_before_its_block_is_used_and_by_the_walk(
    begun, rows, tmp_path_factory, data
):
    table, rowid, change = data.draw(st.sampled_from(rows))
    folder = tmp_path_factory.mktemp("edited")
    shutil.copy(begun / "ledger.db", folder / "ledger.db")
    with closing(sqlite3.connect(folder / "ledger.db")) as raw:
        names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        column = data.draw(st.sampled_from(names))
        (old,) = raw.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", [rowid]).fetchone()
    how = data.draw(st.sampled_from(["edited", "emptied", "removed"]))
    if how == "removed":
        assert edit(folder, f"DELETE FROM {table} WHERE rowid = ?", rowid) == 1
    else:
        new = None if how == "emptied" else _other(old, data.draw(st.integers(0, 4000)))
        assume(new != old)
        set_it = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?"
        try:
            assume(edit(folder, set_it, new, rowid) == 1)
        except sqlite3.IntegrityError:
            assume(False)
    fault, blocks, rest = found(folder, change)
    assert fault or blocks[change], (table, rowid, column, old)
    assert fault or rest, (table, rowid, column, old)


def _other(value, bit):
    match value:
        case None:
            return "x"
        case int():
            return value + 1 + bit
        case bytes():
            raw = bytearray(value)
            raw[bit // 8 % len(raw)] ^= 1 << bit % 8
            return bytes(raw)
        case _:
            return value + "x"


@pytest.mark.parametrize("change", [1, 30, 40, TRIED_FIRST])
def test_an_edit_closes_the_block_that_it_is_in_and_no_other(folder, change):
    edit(folder, "UPDATE planned_changes SET etag = 'x' WHERE number = ?", change)
    fault, blocks, rest = found(folder, *BLOCKS)
    assert fault is None
    told = f"change {change} of plan p1 is not as event"
    assert [block_of(number) for number, why in blocks.items() if why] == [block_of(change)]
    assert told in blocks[BLOCKS[block_of(change)]]
    assert told in rest


NOW = "2026-03-02T09:00:00.000000+00:00"
ENDED = "run, change, outcome, decided_at, event"
COLUMNS = "run, change, number, intent_at, method, event, answer_event"


@pytest.mark.parametrize("change", [18, 35, 45])
@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO attempts ({COLUMNS}) VALUES ('r1', ?, 9, '{NOW}', 'PUT', 5, NULL)",
        f"INSERT INTO attempts ({COLUMNS}) VALUES ('r1', ?, 9, '{NOW}', 'PUT', 999, NULL)",
        f"INSERT OR REPLACE INTO results ({ENDED}) VALUES ('r1', ?, 'applied', '{NOW}', 7)",
        f"INSERT OR REPLACE INTO results ({ENDED}) VALUES ('r1', ?, 'applied', '{NOW}', 999)",
    ],
)
def test_a_row_that_no_event_stored_is_found_in_its_block(folder, change, statement):
    edit(folder, statement, change)
    fault, blocks, rest = found(folder, change)
    assert fault or blocks[change]
    assert fault or rest


OUTSET = {
    "a plan": "UPDATE plans SET policy = '{}'",
    "counts of a plan": "UPDATE plans SET counts = '{}'",
    "a run": "UPDATE runs SET state = 'stopped'",
    "when a run was active": "UPDATE runs SET active_at = replace(active_at, '2026', '2027')",
    "the newest intent": f"DELETE FROM attempts WHERE change = {INTENDED}",
    "the newest event": """
        DELETE FROM events
        WHERE chain = 'r1' AND position = (SELECT position FROM chains WHERE chain = 'r1')
    """,
    "a seal": """
        UPDATE events SET data = replace(data, '"blocks":[0,2]', '"blocks":[0]')
        WHERE kind = 'run_checkpoint' AND data LIKE '%"blocks":[0,2]%'
    """,
    "the end of a chain": "UPDATE chains SET entered = 7 WHERE chain = 'r1'",
}


@pytest.mark.parametrize("statement", OUTSET.values(), ids=OUTSET)
def test_what_is_no_sealed_row_is_looked_at_at_once(folder, statement):
    assert edit(folder, statement) == 1
    assert found(folder)[0] is not None


def test_an_outcome_and_the_seal_over_it_are_stored_together_or_not_at_all(tmp_path, monkeypatch):
    """Whoever dies between the last outcome of a block and its seal leaves neither, or both."""
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(n) for n in range(1, 4)])
        start_run(ledger, plan)
        carry_out(ledger, [1, 2])
        with monkeypatch.context() as dying:

            def die(*_arguments, **_more):
                raise LedgerUnavailable("the process is gone")

            dying.setattr(writer, "CHECKPOINT", 1)
            dying.setattr(writer, "enter_head", die)
            with pytest.raises(LedgerUnavailable):
                ledger.runs.conclude("r1", 3, Result(outcome=Outcome.APPLIED)).result()
    with new_ledger(tmp_path) as ledger:
        assert ledger.runs.outcomes("r1")["applied"] == 2
        assert ledger.chain.check() == []
        monkeypatch.setattr(writer, "CHECKPOINT", 1)
        carry_out(ledger, [3])
        assert ledger.chain.check() == []
        assert ledger.chain.seals().block("p1", "r1", 1) is None
    assert found(tmp_path, 1) == (None, {1: None}, None)


@pytest.mark.parametrize("tail", [1, 2, 3])
def test_what_came_after_the_last_seal_is_looked_at_at_once(tmp_path, monkeypatch, tail):
    """The window after a seal: of the events that no seal covers yet, each row is compared."""
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(n) for n in range(1, 6)])
        start_run(ledger, plan)
        with monkeypatch.context() as soon:
            soon.setattr(writer, "CHECKPOINT", 1)
            carry_out(ledger, [1])
        carry_out(ledger, range(2, 2 + tail))
    assert found(tmp_path, 1) == (None, {1: None}, None)
    edit(tmp_path, "UPDATE results SET outcome = 'unchanged' WHERE change = ?", 1 + tail)
    assert f"(outcome, change {1 + tail}) was changed" in found(tmp_path)[0]


def test_a_run_that_goes_on_while_it_is_walked_is_sound(tmp_path):
    """Rows that are stored, or decided anew, after the outset are another walk's."""
    with new_ledger(tmp_path) as ledger:
        fill(ledger)
        seals = ledger.chain.seals()
        ledger.runs.move("r1", RunState.RUNNING, at=START)
        ledger.runs.conclude("r1", 3, Result(outcome=Outcome.UNKNOWN)).result()
        ledger.runs.conclude("r1", 2, Result(outcome=Outcome.APPLIED)).result()
        ledger.plans.add_changes("p2", [a_change(2)], cursor=4, replaced=[a_change(1, code="x")])
        assert [fault for fault in seals.rest("p1", ["p2", "p0"]) if fault] == []
        assert ledger.chain.check() == []


def read_after(folder, statement):
    """What of change 31, which was sent and not answered, is noticed: edited once it was verified."""
    with new_ledger(folder) as ledger:
        seals = ledger.chain.seals()
        assert seals.block("p1", "r1", INTENDED) is None
        if statement:
            edit(folder, statement)
        try:
            (item,) = ledger.runs.pending("r1", after=INTENDED - 1, until=INTENDED)
        except ChainBroken as broken:
            return broken.said
        return seals.recognise(item)


# Columns by which a row is found, and the one that says which rows were stored together.
KEYS = ("plan", "run", "number", "change", "batch")


@pytest.mark.parametrize("table", ["planned_changes", "attempts"])
def test_what_is_edited_after_its_block_was_verified_is_noticed_when_it_is_read(
    begun, table, tmp_path
):
    which = {"planned_changes": "number", "attempts": "change"}[table]
    with closing(sqlite3.connect(begun / "ledger.db")) as raw:
        columns = [row[1:3] for row in raw.execute(f"PRAGMA table_info({table})")]
    others = "(SELECT digest FROM documents ORDER BY digest LIMIT 1)"
    missed = []
    for name, kind in [column for column in columns if column[0] not in KEYS]:
        new = others if kind == "BLOB" else "7" if kind == "INTEGER" else "'{}'"
        if name == "action":
            new = "'delete'"
        elif name.endswith("_at") or name == "server_date":
            new = "'2026-01-01T00:00:00.000000+00:00'"
        elif name == "kind":
            new = "'bib'"
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(begun / "ledger.db", folder / "ledger.db")
        if read_after(folder, f"UPDATE {table} SET {name} = {new} WHERE {which} = 31") is None:
            missed.append(name)
    assert missed == []


def test_an_attempt_that_goes_after_its_block_was_verified_is_noticed(folder):
    assert "31" in read_after(folder, "DELETE FROM attempts WHERE change = 31")


def test_what_was_not_edited_is_read_as_it_was_verified(folder):
    assert read_after(folder, "") is None


def test_what_is_looked_at_does_not_stay_in_memory(tmp_path):
    """Of 12,000 records more that a step selected, a few bytes each are kept while they are checked."""
    peaks = []
    for count in (4_000, 16_000):
        (tmp_path / str(count)).mkdir()
        with new_ledger(tmp_path / str(count)) as ledger:
            ledger.plans.begin(a_plan("p1"))
            ledger.selections.keep("p1", 1, (f"rec{number:012}" for number in range(count)))
            assert ledger.chain.verify_plan("p1") is None, "what is compiled once is not counted"
            tracemalloc.start()
            assert ledger.chain.verify_plan("p1") is None
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 12_000 * 20
