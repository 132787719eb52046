"""The chain of events finds every row that was changed, removed or put in between."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.ledger.chain import ORIGIN, event_content, event_hash
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.run import RunState
from bulkrunner.errors import ChainBroken, LedgerUnavailable
from tests.support.ledgers import (
    START,
    a_change,
    a_plan,
    fill,
    new_ledger,
    send,
    start_run,
    store_plan,
)
from tests.support.sizes import examples

CHAINED = {
    "events": ("chain", "position", "at", "kind", "data", "hash"),
    "chains": ("chain", "position", "head"),
    "plans": (
        *("id", "job", "environment", "kind", "addresses", "manifest_digest", "effect_digest"),
        *("policy", "manifest", "rights", "program_version", "folder", "created_at", "state"),
        *("finished_at", "plan_digest", "counts", "event"),
    ),
    "runs": ("id", "plan", "job", "environment", "state", "started_at", "stop_reason", "event"),
    "attempts": (
        *("run", "change", "number", "intent_at", "method", "etag", "answer", "status"),
        *("answered_at", "words", "error_id", "event", "answer_event"),
    ),
    "results": ("run", "change", "outcome", "code", "message", "record", "decided_at", "event"),
    "approvals": (
        *("plan", "plan_digest", "approved", "given_by", "reference", "answer", "statements"),
        *("recorded_by", "recorded_at", "event"),
    ),
    "client_uses": ("environment", "client", "use", "first_used_at", "event"),
}
"""Columns whose values the chain vouches for."""

STORED = {
    "planned_changes": (
        *("plan", "number", "action", "record", "given", "operation", "operation_digest", "sigel"),
        *("etag", "before", "after", "predicted", "before_fingerprint", "target_key", "pattern"),
    ),
    "documents": ("digest", "content"),
    "compactions": ("plan", "event"),
    "dropped": ("digest", "event"),
}
"""Columns whose values only the whole check looks at."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    with new_ledger(folder) as ledger:
        fill(ledger)
        assert ledger.chain.verify() is None
        assert ledger.chain.check() == []
    return folder


def _open_raw(path):
    """Open the file as somebody would who means to change it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    return connection


def _copy(filled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(filled / "ledger.db", folder / "ledger.db")
    return folder


def _tampered(value, bit):
    """Return the value with one bit turned over, or something else where it has no bits."""
    match value:
        case None:
            return 7
        case 0 | 1:
            return 1 - value
        case int():
            return value ^ (1 << (bit % 31))
        case str() if value:
            raw = bytearray(value.encode())
        case bytes() if value:
            raw = bytearray(value)
        case _:
            return "x"
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    return bytes(raw)


@settings(
    max_examples=examples(250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_bit_turned_over_is_found(filled, tmp_path_factory, data):
    table = data.draw(st.sampled_from(sorted([*CHAINED, *STORED])))
    column = data.draw(st.sampled_from(CHAINED.get(table) or STORED[table]))
    folder = _copy(filled, tmp_path_factory)
    with closing(_open_raw(folder / "ledger.db")) as raw:
        rowids = [row[0] for row in raw.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
        rowid = data.draw(st.sampled_from(rowids))
        (old,) = raw.execute(f'SELECT "{column}" FROM {table} WHERE rowid = ?', [rowid]).fetchone()
        new = _tampered(old, data.draw(st.integers(0, 4000)))
        as_text = "CAST(? AS TEXT)" if isinstance(old, str) else "?"
        set_it = f'UPDATE OR IGNORE {table} SET "{column}" = {as_text} WHERE rowid = ?'
        assume(raw.execute(set_it, [new, rowid]).rowcount == 1)
    with new_ledger(folder) as ledger:
        if table in CHAINED:
            assert ledger.chain.verify() is not None, (table, column, old, new)
        assert ledger.chain.check() != [], (table, column, old, new)


@pytest.mark.parametrize("table", [*CHAINED, *STORED])
def test_any_row_removed_is_found(filled, tmp_path_factory, table):
    with closing(_open_raw(filled / "ledger.db")) as raw:
        rowids = [row[0] for row in raw.execute(f"SELECT rowid FROM {table}")]
    for rowid in rowids:
        folder = _copy(filled, tmp_path_factory)
        with closing(_open_raw(folder / "ledger.db")) as raw:
            raw.execute(f"DELETE FROM {table} WHERE rowid = ?", [rowid])
        with new_ledger(folder) as ledger:
            if table in CHAINED:
                assert ledger.chain.verify() is not None, rowid
            assert ledger.chain.check() != [], rowid


@pytest.mark.parametrize(
    ("name", "fault"), [(MAIN_CHAIN, "event_misfit"), ("r1", "chain_entered_other")]
)
def test_an_event_replaced_with_its_own_hash_is_found(filled, tmp_path_factory, name, fault):
    """Whoever changes one event must write every later one of its chain anew."""
    folder = _copy(filled, tmp_path_factory)
    with closing(_open_raw(folder / "ledger.db")) as raw:
        at, kind, data = raw.execute(
            "SELECT at, kind, data FROM events WHERE chain = ? AND position = 1", [name]
        ).fetchone()
        later = at[:-7] + str((int(at[-7]) + 1) % 10) + at[-6:]
        made = event_hash(ORIGIN, chain=name, position=1, at=later, kind=kind, data=data)
        raw.execute(
            "UPDATE events SET at = ?, hash = ? WHERE chain = ? AND position = 1",
            [later, made, name],
        )
    with new_ledger(folder) as ledger:
        found = ledger.chain.verify()
    assert found is not None
    assert found.key == fault


NOW = "'2026-03-02T09:00:00.000000+00:00'"


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        (
            "results",
            "run, change, outcome, decided_at, event",
            f"VALUES ('r1', 4, 'applied', {NOW}, 3)",
        ),
        (
            "approvals",
            "plan, plan_digest, approved, statements, recorded_at, event",
            f"VALUES ('p1', 'x', 1, '[]', {NOW}, 1)",
        ),
        (
            "attempts",
            "run, change, number, intent_at, method, event",
            f"VALUES ('r1', 4, 1, {NOW}, 'PUT', 2)",
        ),
        (
            "attempts",
            "run, change, number, intent_at, method, event, answer_event",
            f"VALUES ('r1', 4, 1, {NOW}, 'PUT', 2, 3)",
        ),
        (
            "runs",
            "id, plan, job, environment, state, started_at, active_at, event",
            f"VALUES ('r9', 'p1', 'marks', 'staging', 'completed', {NOW}, {NOW}, 1)",
        ),
        (
            "events",
            "chain, position, at, kind, data, hash",
            "SELECT chain, position + 1, at, kind, data, hash FROM events ORDER BY chain, position DESC LIMIT 1",
        ),
    ],
)
def test_a_row_put_in_is_found(filled, tmp_path_factory, table, columns, values):
    folder = _copy(filled, tmp_path_factory)
    _tamper(folder, f"INSERT INTO {table} ({columns}) {values}")
    with new_ledger(folder) as ledger:
        assert ledger.chain.verify() is not None


def _tamper(folder, text):
    with closing(_open_raw(folder / "ledger.db")) as raw:
        raw.execute(text)


def test_the_first_row_that_does_not_fit_is_named(filled, tmp_path_factory):
    folder = _copy(filled, tmp_path_factory)
    _tamper(folder, "UPDATE events SET kind = 'x' WHERE chain = 'r1' AND position IN (3, 5)")
    with new_ledger(folder) as ledger:
        assert ledger.chain.verify() == (
            "event 3 of the chain of run r1 does not fit the one before it"
        )


def test_an_outcome_changed_behind_the_chain_s_back_is_named(filled, tmp_path_factory):
    folder = _copy(filled, tmp_path_factory)
    _tamper(folder, "UPDATE results SET outcome = 'applied' WHERE change = 2")
    with new_ledger(folder) as ledger:
        assert "(outcome, change 2) was changed afterwards" in ledger.chain.verify()


def test_a_run_s_chain_replaced_as_a_whole_is_found_by_the_ledger_s(tmp_path):
    """Forge a run's chain so that it fits in itself; the ledger's own chain holds its head."""
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(1)])
        start_run(ledger, plan)
    with closing(_open_raw(tmp_path / "ledger.db")) as raw:
        raw.execute("DELETE FROM events WHERE chain = 'r1'")
        raw.execute(
            "UPDATE chains SET position = 0, head = zeroblob(32), entered = 0 WHERE chain = 'r1'"
        )
    with new_ledger(tmp_path) as ledger:
        assert ledger.chain.verify() is not None


def test_a_changed_document_is_not_handed_out(filled, tmp_path_factory):
    folder = _copy(filled, tmp_path_factory)
    _tamper(folder, "UPDATE documents SET content = (SELECT content FROM documents LIMIT 1)")
    with new_ledger(folder) as ledger:
        digests = list(ledger.plans.change_digests("p1"))
        with pytest.raises(ChainBroken):
            list(ledger.plans.changes("p1"))
    assert digests != [a_change(1).digest(), a_change(2).digest()]


def test_a_damaged_page_is_named(filled, tmp_path_factory):
    folder = _copy(filled, tmp_path_factory)
    path = folder / "ledger.db"
    with closing(_open_raw(path)) as raw:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'results'"
        (root,) = raw.execute(query).fetchone()
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : (root - 1) * 4096 + 200] = b"\xff" * 200
    path.write_bytes(bytes(content))
    with new_ledger(folder) as ledger:
        assert "damaged" in ledger.chain.verify()
        assert any("damaged" in fault for fault in ledger.chain.check())
        with pytest.raises(LedgerUnavailable, match="damaged") as raised:
            ledger.runs.outcomes("r1")
    assert "bulkrunner ledger check" in raised.value.hint


def test_the_head_moves_with_every_state(tmp_path):
    with new_ledger(tmp_path) as ledger:
        heads = [ledger.chain.head()]
        plan = store_plan(ledger, a_plan(), [a_change(1)])
        heads.append(ledger.chain.head())
        start_run(ledger, plan)
        heads.append(ledger.chain.head())
        send(ledger, "r1", 1)
        ledger.runs.move("r1", RunState.COMPLETED, at=START)
        heads.append(ledger.chain.head())
        ledger.chain.append("note", {"text": "å\ud800"}, at=START)
        heads.append(ledger.chain.head())
        assert len(set(heads)) == 5
        assert all(head.startswith("sha256:") and len(head) == 71 for head in heads)
        assert ledger.chain.verify() is None


def test_long_runs_are_entered_at_checkpoints(tmp_path):
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 401)])
        start_run(ledger, plan)
        for number in range(1, 401):
            send(ledger, "r1", number)
        with ledger._database.read() as connection:
            entered = (
                connection.exec_driver_sql(
                    "SELECT json_extract(data, '$.position') FROM events WHERE kind = 'run_checkpoint'"
                )
                .scalars()
                .all()
            )
        assert entered == [1001]
        assert ledger.chain.verify() is None


def test_a_row_that_refers_to_nothing_is_told(filled, tmp_path_factory):
    folder = _copy(filled, tmp_path_factory)
    _tamper(folder, "DELETE FROM jobs")
    with new_ledger(folder) as ledger:
        assert any("refers to nothing" in fault for fault in ledger.chain.check())


@given(
    st.text(max_size=20) | st.just(""),
    st.integers(1, 10**9),
    st.text(max_size=20),
    st.text("abc_", max_size=10),
    st.text(max_size=60) | st.text('{}"\\:,ab\x7f', max_size=60),
)
def test_an_event_s_content_is_canonical_json_whatever_is_in_it(chain, position, at, kind, data):
    wanted = canonical_bytes([chain, position, at, kind, data])
    assert event_content(chain, position, at, kind, data) == wanted
