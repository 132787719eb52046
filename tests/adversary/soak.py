"""A mixed job under every mishap at once; then the server's history is held against the ledger.

    python -m tests.adversary.soak --seeds 20 --changes 200 --kills 6

Prints one line a seed; ends 1 where anything was found.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkrunner.adapters.clock import SystemClock
from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.sandbox import seed as seeding
from bulkrunner.sandbox.seed_layout import Shape
from tests.adversary.judging import NOTE, Judge
from tests.support.cli import Workplace
from tests.support.sandbox import EnvironmentControl, running_sandbox

ROOT = Path(__file__).resolve().parents[2]
MOST_RESUMES = 60
PATIENCE = 120.0
RESUMABLE = (6, 7, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM)
DONE = (0, 5)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one soak is to be like."""

    seed: int = 1
    changes: int = 120
    kills: int = 4
    severity: float = 1.0
    concurrency: int = 8


@dataclass(frozen=True, kw_only=True)
class Found:
    """How one soak went."""

    wish: Wish
    violations: list[str]
    figures: dict[str, int]

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {count}" for name, count in sorted(self.figures.items()))
        return f"seed {self.wish.seed}: {len(self.violations)} violations; {figures}"


def soak(wish: Wish, folder: Path) -> Found:
    """Run one soak from plan to verdict."""
    dice = random.Random(wish.seed)
    with running_sandbox(bibs=500, holdings=3000) as sandbox:
        place = Workplace(folder=folder, sandbox=sandbox)
        place.configure(staging={"rate": 1000, "concurrency": wish.concurrency})
        staging = sandbox.staging
        operations = _operations(dice, wish.changes)
        lines = "\n".join(json.dumps(operation) for operation in operations)
        job = place.job("soak", operations={"file": "ops.jsonl"}, files={"ops.jsonl": lines})
        counts = place("plan", job, "--env", "staging").document["counts"]
        named = [o.get("update") or o.get("delete") for o in operations]
        initial = {record: staging.history(record) for record in named if record}
        staging.clear_log()
        for fault in _faults(dice, wish):
            staging.fault(**fault)
        trouble = _Trouble(dice, wish, place, job)
        violations = trouble.until_done()
        staging.clear_faults()
        judge = Judge(staging, initial, staging.writes())
        if not violations:
            violations += _told(place, counts)
            ledger = open_ledger(f"sqlite:///{place.ledger}", clock=SystemClock())
            try:
                judge.judge(list(ledger.ended(ledger.runs()[0].id)))
            finally:
                ledger.close()
    figures = {**judge.figures, **trouble.figures, "writes": len(judge.log)}
    return Found(wish=wish, violations=violations + judge.violations, figures=figures)


def _operations(dice: random.Random, changes: int) -> list[dict[str, Any]]:
    size = {"bibs": 500, "holdings": 3000}
    bare = seeding.example_ids(kind="holding", sigel="Ylm", shape=Shape.BARE, **size)
    marked = [
        record
        for mark in ("Hc", "Hce", "Hcf")
        for record in seeding.example_ids(kind="holding", sigel="Ylm", shelf_mark=mark, **size)
    ]
    bibs = seeding.example_ids(kind="bib", without="Ylm", **size)
    third = changes // 3
    change = [{"append": {"at": "cataloguersNote", "value": NOTE}}]
    operations = [
        *({"update": record, "changes": change} for record in marked[: changes - 2 * third]),
        *({"delete": record} for record in bare[:third]),
        *(
            {"create": "holding", "of": bib, "sigel": "Ylm", "body": {"physicalLocation": ["M"]}}
            for bib in bibs[:third]
        ),
    ]
    dice.shuffle(operations)
    return operations


def _faults(dice: random.Random, wish: Wish) -> list[dict[str, Any]]:
    """Rules that strike at random; every kind of answer that leaves doubt is among them."""

    def rule(kind: str, probability: float, **more: Any) -> dict[str, Any]:
        chance = {"probability": probability * wish.severity, "seed": dice.randrange(10**6)}
        return {"kind": kind, **chance, **more}

    rules = [rule("expire_token", 0.01)]
    for method in ("PUT", "POST", "DELETE"):
        rules += [
            rule("close_before", 0.04, method=method),
            rule("close_after", 0.05, method=method),
            rule("status", 0.03, method=method, status=500),
            rule("status", 0.03, method=method, status=502, after=True),
            rule("status", 0.02, method=method, status=503, retry_after=1),
            rule("status", 0.02, method=method, status=504, after=True),
            rule("status", 0.01, method=method, status=429),
            rule("latency", 0.05, method=method, ms=dice.choice((20, 150, 400))),
        ]
    for method in ("PUT", "DELETE"):
        rules += [
            rule("foreign_edit", 0.04, method=method, sigel="S"),
            rule("foreign_edit", 0.02, method=method),
            rule("foreign_edit", 0.02, method=method, sigel="S", delete=True),
            rule("status", 0.02, method=method, status=412, after=True),
        ]
    rules += [
        rule("foreign_edit", 0.03, method="POST", sigel="S"),
        rule("status", 0.01, method="GET", status=500),
        rule("close_before", 0.01, method="GET"),
        rule("truncate", 0.02, method="GET"),
        rule("latency", 0.02, method="GET", ms=100),
    ]
    return rules


class _Trouble:
    """Runs the job in processes that are killed, and starts the next, until it is done."""

    def __init__(self, dice: random.Random, wish: Wish, place: Workplace, job: Path) -> None:
        self._dice = dice
        self._wish = wish
        self._place = place
        self._job = job
        self._staging: EnvironmentControl = place.sandbox.staging
        self.figures = {"killed": 0, "signalled": 0, "resumed": 0}

    def until_done(self) -> list[str]:
        kills = self._wish.kills
        arguments: tuple[str, ...] = ("run", str(self._job), "--env", "staging")
        for _ in range(MOST_RESUMES):
            process = self._start(*arguments)
            if kills:
                kills -= 1
                self._strike(process)
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                return [f"a process did not end: {err.decode()[-800:]}"]
            code = process.returncode
            if code in DONE:
                return []
            if code not in RESUMABLE:
                return [f"exit code {code}: {out.decode()[-800:]} {err.decode()[-1500:]}"]
            runs = self._place("status").document["runs"]
            if runs and runs[0]["state"] == "completed":
                return []  # struck after its last word
            if runs:
                arguments = ("resume",)
            self.figures["resumed"] += 1
            if self._dice.random() < 0.4:
                self._meddle()
        return ["not done after many resumes"]

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        given = ["--config", str(self._place.config), "--json", *arguments]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.adversary.hurried", *given],
            env={**os.environ, **self._place.environ(), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._place.folder,
        )

    def _strike(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for some writes of the process, and then a moment, and strike."""
        before, wanted = len(self._staging.writes()), self._dice.randint(0, 30)
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            if len(self._staging.writes()) - before >= wanted:
                break
            time.sleep(0.003)
        time.sleep(self._dice.random() * 0.05)
        blow = self._dice.choice((signal.SIGKILL,) * 4 + (signal.SIGINT, signal.SIGTERM))
        if process.poll() is None:
            process.send_signal(blow)
            self.figures["killed" if blow == signal.SIGKILL else "signalled"] += 1

    def _meddle(self) -> None:
        """Somebody else works on a record while no process runs."""
        lines = (self._job / "ops.jsonl").read_text(encoding="utf-8").splitlines()
        operation = json.loads(self._dice.choice(lines))
        record = operation.get("update") or operation.get("delete")
        if record and not self._staging.history(record)[-1]["deleted"]:
            self._staging.edit(record, sigel=self._dice.choice(("S", "Ylm")))


def _told(place: Workplace, counts: dict[str, int]) -> list[str]:
    """What the program says of itself afterwards."""
    run = place("status").document["runs"][0]["run"]
    shown = place("resume", run, expect=None).document
    found = []
    planned = sum(counts[name] for name in ("create", "update", "delete"))
    if sum(shown["outcomes"].values()) != planned or shown["outcomes"]["pending"]:
        found.append(f"{shown['outcomes']} do not add up to {planned}")
    checked = place("ledger", "check", expect=None)
    if checked.exit_code:
        found.append(f"ledger check: {checked.document}")
    return found


def _wishes(arguments: argparse.Namespace) -> list[Wish]:
    return [
        Wish(
            seed=number,
            changes=arguments.changes,
            kills=arguments.kills,
            severity=arguments.severity,
            concurrency=arguments.concurrency,
        )
        for number in range(arguments.first, arguments.first + arguments.seeds)
    ]


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--changes", type=int, default=150)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--severity", type=float, default=1.0, help="multiplies every probability")
    parser.add_argument("--concurrency", type=int, default=8)
    bad = 0
    for wish in _wishes(parser.parse_args()):
        with tempfile.TemporaryDirectory() as folder:
            found = soak(wish, Path(folder))
        sys.stdout.write(f"{found}\n")
        for violation in found.violations:
            sys.stdout.write(f"  {violation}\n")
        sys.stdout.flush()
        bad += len(found.violations)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(_main())
