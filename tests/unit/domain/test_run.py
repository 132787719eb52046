"""States of a run, and the moves between them."""

import pytest

from bulkrunner.domain.run import (
    ALLOWED,
    IllegalTransition,
    Owner,
    RunState,
    empty_outcomes,
    transition,
)

RUNNING, INTERRUPTED, STOPPED, COMPLETED = (
    RunState.RUNNING,
    RunState.INTERRUPTED,
    RunState.STOPPED,
    RunState.COMPLETED,
)
MOVES = {
    (RUNNING, INTERRUPTED),
    (RUNNING, STOPPED),
    (RUNNING, COMPLETED),
    (INTERRUPTED, RUNNING),
    (INTERRUPTED, STOPPED),
    (INTERRUPTED, COMPLETED),
    (STOPPED, RUNNING),
    (STOPPED, STOPPED),  # for another reason: it is put away
    (STOPPED, COMPLETED),
}


@pytest.mark.parametrize("old", RunState)
@pytest.mark.parametrize("new", RunState)
def test_moves(old, new):
    if (old, new) in MOVES:
        assert transition(old, new) is new
        return
    with pytest.raises(IllegalTransition, match=f"{old} to {new}"):
        transition(old, new)


def test_a_completed_run_never_moves():
    assert set(ALLOWED) == set(RunState)
    assert ALLOWED[COMPLETED] == frozenset()


def test_outcomes_of_the_contract():
    names = ["applied", "unchanged", "conflict", "refused", "failed", "unknown", "pending"]
    assert empty_outcomes() == dict.fromkeys(names, 0)


def test_an_owner_is_described_without_the_machine_id():
    owner = Owner(host="anna/4f2c", boot="b", pid=12, started="99")
    assert owner.describe() == "process 12 on anna"
