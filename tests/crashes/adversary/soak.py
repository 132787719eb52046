"""A mixed job under every mishap at once; then the server's history is held against the ledger.

    make soak                                             # 10,000 changes, some minutes
    python -m tests.crashes.adversary.soak --changes 2000 --seed 7

Prints a table; ends 1 where the run did anything that it must not.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkrunner.adapters.ledger import LedgerStore, open_ledger
from bulkrunner.adapters.machine import SystemClock
from tests.crashes.adversary.judging import LOST, OTHER, Judge, Violation
from tests.crashes.adversary.lives import Fate, Lives
from tests.crashes.adversary.mishaps import Odds, Somebody, between_reads, faults
from tests.crashes.adversary.taking_back import UndoJudge
from tests.crashes.adversary.telling import table
from tests.crashes.adversary.truth import Truth
from tests.crashes.adversary.workload import OWN, Size, Task, tasks
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

US = "cataloguer"


@dataclass(frozen=True, kw_only=True)
class Wish(Fate):
    """What one soak is to be like.

    Attributes:
        tokens_every: seconds between two moments at which all tokens end.
        fails_every: seconds between two moments at which the login fails for a while.
        pause: mean seconds between two edits of somebody else's. edited: most, for each change.
        undo: take everything back at the end, under the same faults.
    """

    seed: int
    changes: int = 10_000
    concurrency: int = 8
    severity: float = 1.0
    tokens_every: float = 30.0
    fails_every: float = 40.0
    pause: float = 1.0
    edited: float = 0.1
    undo: bool = False


@dataclass(kw_only=True)
class Found:
    """How one soak went."""

    wish: Wish
    judge: Judge
    undo: UndoJudge | None = None
    log: list[dict[str, object]] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    back: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def violations(self) -> list[Violation]:
        return self.judge.violations + (self.undo.violations if self.undo else [])


def soak(wish: Wish, folder: Path, *, say: Callable[[str], None] = lambda _: None) -> Found:
    """Run one soak from plan to verdict."""
    dice = random.Random(wish.seed)
    size = Size.of(wish.changes)
    job = tasks(dice, wish.changes, size)
    with running_sandbox(bibs=size.bibs, holdings=size.holdings) as sandbox:
        assert sandbox.running is not None
        truth = Truth(sandbox.running.test.environment, us=US)
        place = Workplace(folder=folder, sandbox=sandbox, client=US)
        place.configure(staging={"rate": 5000, "read_rate": 50000, "concurrency": wish.concurrency})
        found = Found(wish=wish, judge=Judge(truth, job))
        _Soaking(wish, dice, place, truth, job, found, say).soak()
    return found


class _Soaking:
    """Plans the job, has it run under mishaps, and has it judged."""

    def __init__(
        self,
        wish: Wish,
        dice: random.Random,
        place: Workplace,
        truth: Truth,
        job: list[Task],
        found: Found,
        say: Callable[[str], None],
    ) -> None:
        self._wish = wish
        self._dice = dice
        self._place = place
        self._staging = place.sandbox.staging
        self._truth = truth
        self._tasks = job
        self._found = found
        self._say = say
        self._lives = Lives(wish, dice, place, truth, found.figures, say)

    def soak(self) -> None:
        folder = self._plan()
        began = time.monotonic()
        for fault in faults(self._dice, Odds().times(self._wish.severity)):
            self._staging.fault(**fault)
        somebody = Somebody(
            self._dice,
            self._tasks,
            self._staging,
            self._truth,
            pause=self._wish.pause,
            tokens_every=self._wish.tokens_every,
            fails_every=self._wish.fails_every,
            most=round(self._wish.edited * self._wish.changes),
        )
        somebody.start()
        fault = self._lives.until_done(folder)
        somebody.end()
        self._staging.clear_faults()
        self._found.seconds = time.monotonic() - began
        self._found.log = self._truth.log()
        self._found.figures += somebody.figures
        self._complain(fault)
        run = self._judge()
        if self._wish.undo and not fault:
            self._take_back(run)

    def _complain(self, fault: str) -> None:
        if fault:
            self._found.judge.violations.append(Violation(kind=OTHER, about=fault))

    def _plan(self) -> Path:
        lines = "\n".join(json.dumps(task.operation) for task in self._tasks)
        folder = self._place.job(
            "soak",
            sigels=list(OWN),
            agreement={
                "reference": "KB 1",
                "contact": "a@example.org",
                "covers": ["holdings", "bibs"],
            },
            operations={"file": "ops.jsonl"},
            files={"ops.jsonl": lines},
        )
        began = time.monotonic()
        counts = self._planned(folder)["counts"]
        self._found.figures["planning, seconds"] = round(time.monotonic() - began)
        self._say(f"planned {counts}")
        planned = Counter(task.action for task in self._tasks)
        assert {name: counts[name] for name in planned} == planned, counts
        self._truth.begin([task.record for task in self._tasks if task.action != "create"])
        self._staging.clear_log()
        return folder

    def _planned(self, folder: Path) -> dict[str, Any]:
        """Make a plan while something in between answers many a read; returns what is said of it."""
        for fault in between_reads(self._dice, Odds(between=0.05).times(self._wish.severity)):
            self._staging.fault(**fault)
        done = self._place("plan", folder, "--env", "staging", expect=None)
        while done.exit_code == 6:
            self._found.figures["plans interrupted"] += 1
            done = self._place("resume", done.document["plan"], expect=None)
        self._staging.clear_faults()
        assert done.exit_code == 0, done
        return done.document

    def _judge(self) -> str:
        """Judge the run; returns its id."""
        judge = self._found.judge
        with self._ledger() as ledger:
            run = ledger.runs.all()[0]
            judge.judge(ledger.runs.ended(run.id))
        judge.violations += self._told(run.id)
        # verify shows the reviewer what others did meanwhile; it must not miss a revived record,
        # nor list what only something in between has said.
        for fault in between_reads(self._dice, Odds(between=0.05).times(self._wish.severity)):
            self._staging.fault(**fault)
        verified = self._place("verify", run.id, expect=None)
        while verified.exit_code == 6:
            verified = self._place("verify", run.id, expect=None)
        self._staging.clear_faults()
        judge.hear(verified.document["differences"])
        return run.id

    @contextmanager
    def _ledger(self) -> Iterator[LedgerStore]:
        ledger = open_ledger(self._place.ledger_url, clock=SystemClock())
        try:
            yield ledger
        finally:
            ledger.close()

    def _take_back(self, run: str) -> None:
        """Undo the run under the same faults and deaths, and judge what came of it."""
        folder = self._place.folder / "jobs" / "back"
        self._place("undo", run, "--out", folder)
        self._say(f"planned to take back {self._planned(folder)['counts']}")
        for fault in faults(self._dice, Odds().times(self._wish.severity)):
            self._staging.fault(**fault)
        back = (self._place, self._truth, self._found.back, self._say)
        fault = Lives(self._wish, self._dice, *back).until_done(folder)
        self._staging.clear_faults()
        self._complain(fault)
        with self._ledger() as ledger:
            back = ledger.runs.all()[0]
            judge = UndoJudge(
                truth=self._truth,
                tasks=self._tasks,
                done=list(ledger.runs.ended(run)),
                undoing=list(ledger.plans.changes(back.plan, documents=False)),
                ended={one.change.number: one for one in ledger.runs.ended(back.id)},
            )
        judge.judge()
        self._found.undo = judge

    def _told(self, run: str) -> list[Violation]:
        """What the program says of itself afterwards."""
        shown = self._place("resume", run, expect=None).document
        found = []
        outcomes = shown["outcomes"]
        if sum(outcomes.values()) != len(self._tasks) or outcomes["pending"]:
            found.append(Violation(kind=LOST, about=f"{outcomes}, not {len(self._tasks)}"))
        checked = self._place("ledger", "check", expect=None)
        if checked.exit_code:
            found.append(Violation(kind=OTHER, about=f"ledger check: {checked.document}"))
        return found


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--seeds", type=int, default=1, help="how many soaks, one after the other")
    parser.add_argument("--changes", type=int, default=Wish.changes)
    parser.add_argument("--haste", type=float, default=Wish.haste, help="1: real waits")
    parser.add_argument("--severity", type=float, default=1.0, help="multiplies every probability")
    parser.add_argument("--concurrency", type=int, default=Wish.concurrency)
    parser.add_argument("--undo", action="store_true", help="take everything back at the end")
    parser.add_argument("--kills", type=int, default=Wish.kills, help="at most")
    parser.add_argument("--keep", type=Path, help="keep the ledger in this folder")
    given = parser.parse_args()
    first = given.seed if given.seed is not None else secrets.randbelow(10**6)
    bad = 0
    for seed in range(first, first + given.seeds):
        wish = Wish(
            seed=seed,
            changes=given.changes,
            haste=given.haste,
            severity=given.severity,
            concurrency=given.concurrency,
            kills=given.kills,
            undo=given.undo,
        )
        with tempfile.TemporaryDirectory() as folder:
            found = soak(wish, given.keep or Path(folder), say=_say)
        sys.stdout.write(table(found) + "\n")
        sys.stdout.flush()
        bad += len(found.violations)
    return 1 if bad else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


if __name__ == "__main__":
    sys.exit(_main())
