"""Moves, merges, splits and copies under every mishap; ``tests.crashes.adversary.moving`` does more."""

import os
import sys

import pytest

from tests.crashes.adversary.moving import US, Catalogue, MoveJudge, Moves, Told, moving, table
from tests.crashes.adversary.truth import Truth
from tests.support.sandbox import running_sandbox


@pytest.mark.slow
def test_nothing_is_taken_away_that_stands_nowhere_else(tmp_path):
    wish = Moves(
        seed=int(os.environ.get("SOAK_SEED", "1")),
        each=int(os.environ.get("SOAK_CHANGES", "80")) // 10,
        haste=20,
        lives=(0.2, 0.8),
        kills=3,
        severity=2,
        pause=0.2,
    )
    told = moving(wish, tmp_path)
    sys.stdout.write(table(told))
    assert told.violations == []
    assert told.figures["marks taken away"] > wish.each
    assert told.figures["processes"] > 1


@pytest.fixture
def case():
    with running_sandbox(bibs=200, holdings=600) as sandbox:
        truth = Truth(sandbox.running.test.environment, us=US)
        made = Catalogue(sandbox.staging)
        made.make(1)
        truth.begin(list(made.marks))
        sandbox.staging.clear_log()
        yield sandbox.staging, truth, made


def judged(case):
    _, truth, made = case
    told = Told()
    MoveJudge(truth, made, told).judge_history()
    return told.violations


def test_the_judge_sees_what_is_gone(case):
    staging, _, made = case
    (record, *_) = made.files["move"]
    assert judged(case) == []
    assert staging.send("DELETE", f"/{record}", client=US).status == 204
    found = judged(case)
    assert len(found) == 3
    assert all(f"of {record} was taken away and stood nowhere" in text for text in found)


def test_the_judge_sees_what_was_written_twice(case):
    staging, _, made = case
    (record, *_) = made.files["split"]
    for _ in range(2):
        now = staging.get(record)
        headers = {"If-Match": now.headers["etag"]}
        answer = staging.send("PUT", f"/{record}", now.json, client=US, headers=headers)
        assert answer.status == 204
    assert judged(case) == [f"{record} was written 2 times"]
