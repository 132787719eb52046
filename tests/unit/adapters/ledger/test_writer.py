"""The group writer: what is done is on disk, and what cannot be stored is not done."""

import threading
from concurrent.futures import wait

import pytest
from sqlalchemy import event

from bulkrunner.adapters.ledger import writer
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.errors import LedgerUnavailable
from tests.support.ledgers import (
    START,
    a_change,
    a_plan,
    an_attempt,
    new_ledger,
    send,
    start_run,
    store_plan,
)

CHANGES = 400


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        plan = store_plan(store, a_plan(), [a_change(number) for number in range(1, CHANGES + 1)])
        start_run(store, plan)
        yield store


@pytest.fixture
def commits(ledger):
    """Count transactions that are committed."""
    seen = []
    event.listen(ledger._database._engine, "commit", seen.append)
    return seen


def test_eight_threads_lose_nothing(ledger):
    def work(first):
        for number in range(first, CHANGES + 1, 8):
            send(ledger, "r1", number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.runs.outcomes("r1")["applied"] == CHANGES
    assert ledger.runs.pending("r1") == []
    assert all(len(ended.attempts) == 1 for ended in ledger.runs.ended("r1"))
    assert ledger.chain.verify() is None


def test_what_arrives_together_is_committed_together(ledger, commits):
    with ledger._database._writing:  # the writer has to wait, and entries gather
        futures = [ledger.runs.intend("r1", an_attempt(number)) for number in range(1, 301)]
        assert not any(future.done() for future in futures)
    wait(futures, timeout=30)
    assert all(future.exception() is None for future in futures)
    assert len(commits) <= 2  # the one that waited, and the one for all others


def test_a_lone_entry_waits_for_nobody(ledger, commits):
    ledger.runs.intend("r1", an_attempt(1)).result(timeout=30)
    assert len(commits) == 1


def test_answers_and_outcomes_go_with_the_next_intent(ledger, commits, monkeypatch):
    monkeypatch.setattr(writer, "LINGER", 60)
    for number in range(1, 11):
        ledger.runs.intend("r1", an_attempt(number)).result(timeout=30)
        ledger.runs.answered("r1", an_attempt(number, answer="stored", status=204))
        ledger.runs.conclude("r1", number, Result(outcome=Outcome.APPLIED))
    assert len(commits) == 10
    ledger.runs.intend("r1", an_attempt(11)).result(timeout=30)
    assert ledger.runs.outcomes("r1")["applied"] == 10


def test_what_somebody_waits_for_is_written_at_once(ledger, monkeypatch):
    monkeypatch.setattr(writer, "LINGER", 60)
    ledger.runs.intend("r1", an_attempt(1))
    ledger.runs.answered("r1", an_attempt(1, answer="stored", status=204)).result(timeout=30)
    stored = ledger.runs.conclude("r1", 1, Result(outcome=Outcome.APPLIED))
    assert stored.exception(timeout=30) is None


def test_what_nobody_waits_for_is_written_soon(ledger):
    done = threading.Event()
    ledger.runs.conclude("r1", 1, Result(outcome=Outcome.APPLIED)).add_done_callback(
        lambda _: done.set()
    )
    assert done.wait(30)


def test_what_a_creation_was_answered_is_written_at_once(ledger, monkeypatch):
    monkeypatch.setattr(writer, "LINGER", 60)
    ledger.runs.intend("r1", an_attempt(1, method="POST")).result(timeout=30)
    done = threading.Event()
    answer = an_attempt(1, method="POST", answer="done", status=201, words="new000001")
    ledger.runs.answered("r1", answer).add_done_callback(lambda _: done.set())
    assert done.wait(30)


def test_a_future_is_done_only_when_another_reader_sees_the_row(ledger, tmp_path):
    with new_ledger(tmp_path) as other:
        for number in range(1, 21):
            ledger.runs.intend("r1", an_attempt(number)).result()
            (item,) = other.runs.pending("r1", after=number - 1, limit=1)
            assert item.attempts == (an_attempt(number),)


def test_intent_answer_and_outcome_in_one_group(ledger):
    with ledger._database._writing:
        futures = [
            ledger.runs.intend("r1", an_attempt(1)),
            ledger.runs.answered("r1", an_attempt(1, answer="stored", status=204)),
            ledger.runs.intend("r1", an_attempt(1, 2)),
            ledger.runs.conclude("r1", 1, Result(outcome=Outcome.UNKNOWN)),
            ledger.runs.conclude("r1", 1, Result(outcome=Outcome.APPLIED)),
        ]
    for future in futures:
        future.result()
    (ended,) = ledger.runs.ended("r1", outcomes=[Outcome.APPLIED])
    assert [attempt.answer for attempt in ended.attempts] == ["stored", None]
    assert ledger.chain.verify() is None


def test_one_wrong_entry_does_not_harm_the_others_of_its_group(ledger):
    ledger.runs.intend("r1", an_attempt(5)).result()
    with ledger._database._writing:
        good = [ledger.runs.intend("r1", an_attempt(number)) for number in (1, 2, 3)]
        bad = ledger.runs.intend("r1", an_attempt(5))
        more = [ledger.runs.intend("r1", an_attempt(number)) for number in (6, 7)]
    for future in good + more:
        future.result()
    assert "unique" in str(bad.exception()).lower()
    assert sum(len(item.attempts) for item in ledger.runs.pending("r1")) == 6
    assert ledger.chain.verify() is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 2**70},
        {"server_date": START.replace(tzinfo=None)},
        {"words": object()},
    ],
)
def test_a_value_that_cannot_be_stored_fails_alone(ledger, wrong):
    ledger.runs.intend("r1", an_attempt(1)).result()
    assert (
        ledger.runs.answered("r1", an_attempt(1, answer="stored", **wrong)).exception() is not None
    )
    ledger.runs.answered("r1", an_attempt(1, answer="stored", status=204)).result()
    assert ledger.chain.verify() is None


def test_two_runs_at_the_same_time(ledger):
    other = store_plan(ledger, a_plan("p2", environment="other"), [a_change(1)])
    start_run(ledger, other, "r2")
    with ledger._database._writing:
        futures = [ledger.runs.intend(run, an_attempt(1)) for run in ("r1", "r2", "r1", "r2")[:2]]
    for future in futures:
        future.result()
    assert [len(ledger.runs.pending(run)[0].attempts) for run in ("r1", "r2")] == [1, 1]
    assert ledger.chain.verify() is None


def _fill_disk(ledger):
    """Let the file grow by nothing more."""

    def limit(connection, _record, _proxy):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(ledger._database._engine, "checkout", limit)


def test_a_full_disk_fails_what_was_handed_in_and_everything_after(ledger, tmp_path):
    ledger.runs.intend("r1", an_attempt(1)).result()
    _fill_disk(ledger)
    with pytest.raises(LedgerUnavailable, match="disk is full") as raised:
        ledger.runs.answered("r1", an_attempt(1, answer="stored", words="x" * 100_000)).result()
    assert "resume" in raised.value.hint
    for later in (
        ledger.runs.intend("r1", an_attempt(2)),
        ledger.runs.conclude("r1", 2, Result(outcome=Outcome.APPLIED)),
    ):
        with pytest.raises(LedgerUnavailable):
            later.result()
    with pytest.raises(LedgerUnavailable):
        ledger.runs.move("r1", RunState.STOPPED, at=START)
    ledger.close()
    with new_ledger(tmp_path) as again:
        assert again.runs.pending("r1")[0].attempts == (an_attempt(1),)
        assert again.runs.get("r1").state is RunState.RUNNING
        assert again.chain.check() == []


def test_a_file_that_cannot_be_written_any_more(ledger):
    def forbid(connection, _record, _proxy):
        connection.execute("PRAGMA query_only=ON")

    event.listen(ledger._database._engine, "checkout", forbid)
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        ledger.runs.intend("r1", an_attempt(1)).result()
    with pytest.raises(LedgerUnavailable):
        ledger.runs.intend("r1", an_attempt(2)).result()
    assert len(ledger.runs.pending("r1")) == 200


def test_closing_writes_what_is_waiting(ledger, tmp_path):
    futures = [ledger.runs.intend("r1", an_attempt(number)) for number in range(1, 101)]
    ledger.close()
    assert all(future.exception(timeout=0) is None for future in futures)
    with new_ledger(tmp_path) as again:
        assert sum(len(item.attempts) for item in again.runs.pending("r1")) == 100


def test_nothing_is_taken_after_closing(ledger):
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="closed"):
        ledger.runs.intend("r1", an_attempt(1)).result(timeout=30)
    ledger.close()
