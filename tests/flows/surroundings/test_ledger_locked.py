"""Another process holds the ledger's lock: a backup, a forgotten shell, a stopped process."""

from __future__ import annotations

import sqlite3

import pytest

from tests.flows.surroundings.conftest import ALL, at_request


class Lock:
    """Another program's hold on the file."""

    def __init__(self, ledger):
        self._ledger = ledger
        self._connection = None

    def take(self):
        self._connection = sqlite3.connect(
            self._ledger, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("begin immediate")

    def give_back(self):
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def lock(place, monkeypatch):
    monkeypatch.setattr("bulkrunner.adapters.ledger.database.BUSY_SECONDS", 0.05)
    monkeypatch.setattr("bulkrunner.adapters.pacing.shared.LIFE", 1.0)
    held = Lock(place.ledger)
    yield held
    held.give_back()


def test_locked_under_a_run(mixed, lock, monkeypatch):
    place = mixed.place
    plan = mixed.plan()
    with at_request(place.sandbox, 8, lock.take, writes=True):
        done = place("run", mixed.folder, "--env", "staging", expect=6)
    error = done.document["error"]
    assert error["code"] == "ledger_unavailable"
    assert "locked by another process" in error["message"]
    assert error["hint"] == "wait for it or end it, then resume"
    assert done.document["plan"] == plan
    assert max(mixed.written().values()) == 1
    lock.give_back()
    # It could not give the run back; by now its process would be gone.
    monkeypatch.setattr("bulkrunner.adapters.machine.is_alive", lambda _owner: False)
    resumed = place("resume", done.document["run"])
    assert resumed.document["outcomes"]["applied"] == ALL
    assert set(mixed.written().values()) == {1}


def test_locked_before_a_run(mixed, lock):
    mixed.plan()
    lock.take()
    done = mixed.place("run", mixed.folder, "--env", "staging", expect=6)
    assert done.document["error"]["code"] == "ledger_unavailable"
    assert mixed.place.sandbox.staging.writes() == []
    lock.give_back()
    mixed.place("run", mixed.folder, "--env", "staging")
    assert set(mixed.written().values()) == {1}


def test_locked_for_a_while_is_waited_for(mixed, lock, monkeypatch):
    """A lock that is let go in time stops nothing."""
    monkeypatch.setattr("bulkrunner.adapters.ledger.database.BUSY_SECONDS", 30.0)
    place = mixed.place
    mixed.plan()

    def briefly():
        lock.take()
        lock.give_back()

    with at_request(place.sandbox, 8, briefly, writes=True):
        place("run", mixed.folder, "--env", "staging")
    assert set(mixed.written().values()) == {1}


def test_locked_under_a_plan(mixed, lock, monkeypatch):
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", 4)
    place = mixed.place
    with at_request(place.sandbox, 20, lock.take, writes=False):
        done = place("plan", mixed.folder, "--env", "staging", expect=6)
    assert done.document["error"]["code"] == "ledger_unavailable"
    lock.give_back()
    resumed = place("resume").document
    assert resumed["state"] == "complete"
    assert sum(resumed["counts"].values()) == ALL
