"""A command that is run in processes which are struck dead, until it is done."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crashes.adversary.truth import Truth
from tests.support.cli import Workplace
from tests.support.processes import Command

PATIENCE = 180.0
"""Seconds in which a process must have sent something, or ended."""

RESUMABLE = (6, 7, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM)
DONE = (0, 5)


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of processes.

    Attributes:
        lives: shortest and longest life of a process after its first write, in seconds.
        early: share of the processes that are struck before their first write.
        kills: how many processes are struck at most.
        haste: so many times shorter are the waits of the program.
    """

    haste: float = 10.0
    lives: tuple[float, float] = (1.0, 7.0)
    early: float = 0.05
    kills: int = 1_000_000


class Lives:
    """Runs a job in one process after the other."""

    def __init__(
        self,
        fate: Fate,
        dice: random.Random,
        place: Workplace,
        truth: Truth,
        figures: Counter[str],
        say: Callable[[str], None],
    ) -> None:
        self._fate = fate
        self._dice = dice
        self._place = place
        self._truth = truth
        self._figures = figures
        self._say = say
        self._kills = fate.kills

    def until_done(self, folder: Path) -> str:
        """Return what went wrong with the processes themselves, or an empty text."""
        arguments: tuple[str, ...] = ("run", str(folder), "--env", "staging")
        earlier = {run["run"] for run in self._runs()}
        while True:
            process = self._start(*arguments)
            try:
                out, err = self._live(process)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                return f"a process did not end: {err.decode()[-800:]}"
            finally:
                process.kill()
            self._figures["processes"] += 1
            code = process.returncode
            if code in DONE:
                return ""
            if code not in RESUMABLE:
                return f"exit code {code}: {out.decode()[-800:]} {err.decode()[-1500:]}"
            self._figures[f"exit code {code}"] += 1
            # One that was struck before its run began leaves only those of other jobs.
            run = next((run for run in self._runs() if run["run"] not in earlier), None)
            if run is not None:
                self._say(f"{code}: {run['state']}, {run['outcomes']}")
                if run["state"] == "completed":
                    return ""  # struck after its last word
                arguments = ("resume", run["run"])

    def _runs(self) -> list[dict[str, Any]]:
        return list(self._place("status").document["runs"])

    def _start(self, *arguments: str) -> Command:
        haste = str(self._fate.haste)
        return self._place.start(
            *arguments, module="tests.crashes.adversary.hurried", SOAK_HASTE=haste
        )

    def _live(self, process: Command) -> tuple[bytes, bytes]:
        """Strike the process after a while, and wait for its end."""
        newest, early = self._truth.newest(), self._dice.random() < self._fate.early
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            if self._truth.came(since=newest, writes=not early):
                break
            time.sleep(0.02)
        life = self._dice.uniform(*((0.0, 1.0) if early else self._fate.lives))
        try:
            return process.communicate(timeout=life if self._kills > 0 else PATIENCE * 10)
        except subprocess.TimeoutExpired:
            if self._kills <= 0:
                raise
        self._kills -= 1
        blow = self._dice.choice((signal.SIGKILL,) * 10 + (signal.SIGINT, signal.SIGTERM))
        self._figures[f"struck with {blow.name}"] += 1
        process.send_signal(blow)
        return process.communicate(timeout=PATIENCE)
