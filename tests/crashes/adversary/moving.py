"""A job whose steps write several records each, under every mishap; then nothing may be lost.

    python -m tests.crashes.adversary.moving --each 200 --seed 7

Holdings are moved, merged, split and copied. What is taken away somewhere carries a mark of its
own; the server's history must show that at that very moment the mark stood in a record of ours.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.plan import Action
from bulkrunner.domain.run import Outcome
from bulkrunner.sandbox.store import Version
from tests.crashes.adversary.lives import Fate, Lives
from tests.crashes.adversary.mishaps import Odds, faults
from tests.crashes.adversary.truth import Truth
from tests.support.cli import Workplace
from tests.support.sandbox import EnvironmentControl, running_sandbox

US, OTHERS = "cataloguer", "supplier"
FROM, TO = "Ylm", "NO"
LIBRARY = "https://libris.kb.se/library/"
HERE, THERE = "kvar", "bort"
"""Marks of the components that stay and go."""


@dataclass(frozen=True, kw_only=True)
class Moves(Fate):
    """What one such job is to be like.

    Attributes:
        each: holdings of each kind of step.
        pause: mean seconds between two edits of somebody else's.
    """

    seed: int
    each: int = 10
    concurrency: int = 8
    severity: float = 1.0
    pause: float = 0.3


@dataclass(kw_only=True)
class Told:
    """How it went: what must not be, and what was."""

    violations: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)


class Catalogue:
    """Makes the records that the job is about."""

    def __init__(self, staging: EnvironmentControl) -> None:
        self._staging = staging
        self._numbers = 0
        self.marks: dict[str, str] = {}
        self.files: dict[str, list[str]] = {"move": [], "merge": [], "split": [], "copy": []}
        self.targets: list[str] = []

    def make(self, each: int) -> None:
        for _ in range(each):
            for name in ("move", "split", "copy"):
                self.files[name].append(self._holding(self._bib()))
            target = self._holding(self._bib())
            self.targets.append(target)
            for _ in range(2):
                self.files["merge"].append(f"{self._holding(self._bib())};{target}")

    def _bib(self) -> str:
        self._numbers += 1
        title = {"@type": "Title", "mainTitle": f"Bok {self._numbers}"}
        return self._made({"@type": "Instance", "hasTitle": [title]})

    def _holding(self, bib: str) -> str:
        self._numbers += 1
        mark = f"mark-{self._numbers}-"
        held = {"heldBy": {"@id": LIBRARY + FROM}}
        parts = [
            {"@type": "Item", **held, "physicalLocation": where, "cataloguersNote": mark + where}
            for where in (HERE, THERE)
        ]
        thing = {
            "@type": "Item",
            **held,
            "itemOf": {"@id": self._staging.thing_iri(bib)},
            "cataloguersNote": [mark],
            "hasComponent": parts,
        }
        record = self._made(thing)
        self.marks[record] = mark
        return record

    def _made(self, thing: dict[str, Any]) -> str:
        record = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
        graph = [record, {"@id": "_:T#it", **thing}]
        answer = self._staging.send("POST", "/data", {"@graph": graph}, client=US)
        assert answer.status == 201, answer
        return str(answer.headers["location"].rpartition("/")[2])


class Somebody(threading.Thread):
    """Edits the job's records while it runs; what was saved elsewhere he leaves in peace.

    Else he could take it away between our last look and our deletion, which nobody can rule out.
    """

    def __init__(
        self, dice: random.Random, records: list[str], staging: EnvironmentControl, pause: float
    ) -> None:
        super().__init__(name="somebody", daemon=True)
        self._dice = dice
        self._records = records
        self._staging = staging
        self._pause = pause
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._dice.expovariate(1 / self._pause)):
            # A deleted record cannot be edited.
            with contextlib.suppress(AssertionError):
                sigel = self._dice.choice(("S", FROM))
                self._staging.edit(self._dice.choice(self._records), sigel=sigel)

    def end(self) -> None:
        self._over.set()
        self.join()


def moving(wish: Moves, folder: Path) -> Told:
    """Run such a job from plan to verdict."""
    dice, told = random.Random(wish.seed), Told()
    with running_sandbox(bibs=200, holdings=600) as sandbox:
        assert sandbox.running is not None
        truth = Truth(sandbox.running.test.environment, us=US)
        staging = sandbox.staging
        made = Catalogue(staging)
        made.make(wish.each)
        place = Workplace(folder=folder, sandbox=sandbox, client=US)
        place.configure(staging={"rate": 5000, "read_rate": 50000, "concurrency": wish.concurrency})
        job = _job(place, made)
        planned = place("plan", job, "--env", "staging").document["counts"]
        wanted = {"create": 3 * wish.each, "delete": 3 * wish.each, "update": 2 * wish.each}
        assert {name: planned[name] for name in wanted} == wanted, planned
        truth.begin(list(made.marks))
        staging.clear_log()
        for fault in faults(dice, Odds().times(wish.severity)):
            staging.fault(**fault)
        edited = [*made.files["move"], *made.files["split"], *made.files["copy"], *made.targets]
        somebody = Somebody(dice, edited, staging, wish.pause)
        somebody.start()
        fault = Lives(wish, dice, place, truth, told.figures, lambda _: None).until_done(job)
        somebody.end()
        staging.clear_faults()
        if fault:
            told.violations.append(fault)
        MoveJudge(truth, made, told).judge(place)
    return told


def _job(place: Workplace, made: Catalogue) -> Path:
    files = {f"{name}.txt": "\n".join(lines) for name, lines in made.files.items()}
    files["merge.csv"] = "\n".join(("Bort;Kvar", *made.files["merge"]))
    del files["merge.txt"]
    merge = {"into": {"$value": "@row.Kvar"}, "take": ["cataloguersNote", "hasComponent"]}
    return place.job(
        "moving",
        sigels=[FROM, TO],
        files=files,
        steps=[
            {"ids": "move.txt", "move": {"to": TO}},
            {"rows": {"file": "merge.csv", "key": "Bort"}, "merge": merge},
            {
                "ids": "split.txt",
                "split": {"components": {"physicalLocation": THERE}, "sigel": TO},
            },
            {"ids": "copy.txt", "copy": {"sigel": TO}},
        ],
    )


class MoveJudge:
    """Holds the server's own history against what may be."""

    def __init__(self, truth: Truth, made: Catalogue, told: Told) -> None:
        self._truth = truth
        self._made = made
        self._told = told
        self._ours = self._written()

    def judge(self, place: Workplace) -> None:
        self.judge_history()
        ledger = open_ledger(place.ledger_url, clock=SystemClock())
        try:
            for ended in ledger.runs.ended(ledger.runs.all()[0].id):
                self._as_told(ended)
        finally:
            ledger.close()
        checked = place("ledger", "check", expect=None)
        if checked.exit_code:
            self._bad(f"ledger check: {checked.document}")

    def judge_history(self) -> None:
        """Judge what the server did, whatever the ledger says."""
        self._nothing_lost()
        self._nothing_twice()

    def _bad(self, text: str) -> None:
        self._told.violations.append(text)

    def _written(self) -> dict[str, list[Version]]:
        """Every record that we wrote during the run, with all its versions."""
        return {record: self._truth.versions(record) for record in self._truth.stored()}

    def _nothing_lost(self) -> None:
        for record, mark in self._made.marks.items():
            versions = self._truth.versions(record)
            for place in self._truth.ours(record):
                for gone in _marks(versions[place - 1], mark) - _marks(versions[place], mark):
                    self._told.figures["marks taken away"] += 1
                    if not self._stands(gone, record, versions[place].modified):
                        self._bad(f"{gone} of {record} was taken away and stood nowhere")

    def _stands(self, mark: str, taken_from: str, moment: datetime) -> bool:
        """Tell whether a mark stood, at a moment, in another record that we had written."""
        for record, versions in self._ours.items():
            if record == taken_from:
                continue
            until = [version for version in versions if version.modified <= moment]
            if until and not until[-1].deleted and mark in _marks(until[-1], mark):
                return True
        return False

    def _nothing_twice(self) -> None:
        for record, count in self._truth.stored().items():
            if count > 1:
                self._bad(f"{record} was written {count} times")
        for pair, records in self._truth.live_holdings().items():
            if len(records) > 1:
                self._bad(f"{pair} has {records}")

    def _as_told(self, ended: Any) -> None:
        change, result = ended.change, ended.result
        self._told.outcomes[change.action.value, result.outcome.value, result.code] += 1
        if result.outcome is Outcome.PENDING:
            self._bad(f"change {change.number} has no outcome")
        written = self._truth.stored()
        if change.action is Action.CREATE:
            if result.outcome is Outcome.APPLIED and written[result.record or ""] != 1:
                self._bad(f"change {change.number} is said to have made {result.record}")
        elif (
            written[change.record] != (result.outcome is Outcome.APPLIED)
            and result.code != "author_unproven"
        ):
            self._bad(
                f"{change.action} of {change.record}: {result.outcome} {result.code}, "
                f"written {written[change.record]} times"
            )


def _marks(version: Version, mark: str) -> set[str]:
    """Which marks of a holding a version bears."""
    if version.deleted:
        return set()
    text = version.body.decode()
    return {found for found in _spellings(mark) if f'"{found}"' in text}


def _spellings(mark: str) -> Iterator[str]:
    yield from (mark, mark + HERE, mark + THERE)


def table(told: Told) -> str:
    """What is printed."""
    lines = [f"  {' '.join(name)}: {n}" for name, n in sorted(told.outcomes.items())]
    lines += [f"  {name}: {n}" for name, n in sorted(told.figures.items())]
    lines += [f"  NOT AS IT MUST BE: {text}" for text in told.violations]
    return "\n".join(lines)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--each", type=int, default=200)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(10**6)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = moving(Moves(seed=seed, each=given.each), Path(folder))
    sys.stdout.write(f"seed {seed}, {time.monotonic() - began:.0f} s\n{table(told)}\n")
    return 1 if told.violations else 0


if __name__ == "__main__":
    sys.exit(_main())
