"""Processes that die and processes that share a ledger."""

import os
import signal
import subprocess
import sys

import pytest

from bulkrunner.domain.run import RunState
from tests.support.ledgers import (
    a_change,
    a_plan,
    begin_ledger,
    new_ledger,
    send,
    start_run,
    store_plan,
)

DYING = """
import os, signal, sys
from pathlib import Path
from tests.support.ledgers import *

ledger = new_ledger(Path(sys.argv[1]))
plan = store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 51)])
start_run(ledger, plan)
for number in range(1, 11):
    send(ledger, "r1", number)
for number in range(11, 21):
    ledger.runs.intend("r1", an_attempt(number)).result()
    print(number, flush=True)
waiting = [ledger.runs.intend("r1", an_attempt(number)) for number in range(21, 51)]
os.kill(os.getpid(), signal.SIGKILL)
"""

DYING_IN_A_COMMIT = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from bulkrunner.adapters.ledger.writer import GroupWriter
from tests.support.ledgers import *

ledger = new_ledger(Path(sys.argv[1]))
plan = store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 51)])
start_run(ledger, plan)
send(ledger, "r1", 1)
ledger.runs.intend("r1", an_attempt(2)).result()
ledger.runs.intend("r1", an_attempt(3)).result()
real = GroupWriter._store

def store(self, connection, group):
    real(self, connection, group)
    if len(group) > 1:
        print(*(f"{entry.kind}-{entry.change}" for entry in group), flush=True)
        event.listen(ledger._database._engine, "commit", die)

def die(connection):
    os.kill(os.getpid(), signal.SIGKILL)

GroupWriter._store = store
with ledger._database.write():
    ledger.runs.intend("r1", an_attempt(50))
    while not ledger._writer._queue.empty():
        pass
    # The writer waits with that one; what comes now goes into one group.
    ledger.runs.answered("r1", replace(an_attempt(2), answer="done", status=204))
    ledger.runs.answered("r1", replace(an_attempt(3), answer="done", status=204))
    ledger.runs.conclude("r1", 2, Result(outcome=Outcome.APPLIED))
    last = ledger.runs.intend("r1", an_attempt(4))
last.result()
"""

SHARING = """
import sys
from pathlib import Path
from tests.support.ledgers import *

with new_ledger(Path(sys.argv[1])) as ledger:
    for number in range(int(sys.argv[2]), 201, 4):
        send(ledger, "r1", number)
        ledger.chain.append("note", {"number": number}, at=START)
"""

PLANNING = """
import os, signal, sys
from pathlib import Path
from tests.support.ledgers import *

ledger = new_ledger(Path(sys.argv[1]))
ledger.plans.begin(a_plan())
for first in range(1, 1001, 100):
    ledger.plans.add_changes("p1", [a_change(first + i) for i in range(100)], cursor=first + 99)
    if first == 301:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _process(code, folder, *arguments):
    begin_ledger(folder / "ledger.db")
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, (folder, *arguments))],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def shared(tmp_path):
    with new_ledger(tmp_path) as ledger:
        plan = store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 201)])
        start_run(ledger, plan)
    return tmp_path


def test_a_killed_process_leaves_every_intent_that_was_done(tmp_path):
    process = _process(DYING, tmp_path)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert told.split() == [str(number) for number in range(11, 21)]
    with new_ledger(tmp_path) as ledger:
        assert ledger.chain.check() == []
        assert ledger.runs.get("r1").state is RunState.RUNNING
        assert ledger.runs.outcomes("r1")["applied"] == 10
        sent = {item.change.number: len(item.attempts) for item in ledger.runs.pending("r1")}
        assert set(sent) == set(range(11, 51))
        assert [sent[number] for number in range(11, 21)] == [1] * 10
        send(ledger, "r1", 11, number=2)
        ledger.runs.move("r1", RunState.INTERRUPTED, at=ledger.runs.get("r1").active_at)
        assert ledger.chain.verify() is None


def test_a_process_killed_in_a_group_commit_leaves_nothing_of_the_group(tmp_path):
    process = _process(DYING_IN_A_COMMIT, tmp_path)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert told.split() == ["answer-2", "answer-3", "outcome-2", "intent-4"]
    with new_ledger(tmp_path) as ledger:
        assert ledger.chain.check() == []
        assert ledger.runs.outcomes("r1")["applied"] == 1
        sent = {item.change.number: item.attempts for item in ledger.runs.pending("r1")}
        assert [attempt.answer for attempt in (*sent[2], *sent[3])] == [None, None]
        assert (len(sent[50]), len(sent[4])) == (1, 0)


def test_a_killed_planner_leaves_what_it_stored_with_its_cursor(tmp_path):
    process = _process(PLANNING, tmp_path)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    with new_ledger(tmp_path) as ledger:
        plan = ledger.plans.reopen("p1")
        assert plan.cursor == 400
        assert [change.number for change in ledger.plans.changes("p1")] == list(range(1, 401))
        assert ledger.chain.check() == []


def test_processes_that_share_a_ledger_keep_one_chain(shared):
    processes = [_process(SHARING, shared, first) for first in range(1, 5)]
    for process in processes:
        process.communicate(timeout=240)
    assert [process.returncode for process in processes] == [0] * 4
    with new_ledger(shared) as ledger:
        assert ledger.runs.outcomes("r1")["applied"] == 200
        assert ledger.chain.check() == []


def test_a_ledger_is_whole_at_every_moment_while_another_writes(shared):
    """A reader in another process sees whole transactions only."""
    process = _process(SHARING, shared, 1)
    with new_ledger(shared) as ledger:
        while process.poll() is None:
            assert ledger.chain.verify() is None
    process.communicate(timeout=1)
    assert process.returncode == os.EX_OK
