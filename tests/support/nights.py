"""Jobs that come back: nights of one job under a clock that is set, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.machine import SystemClock
from tests.support.cli import Done, Workplace

REAL_NOW = SystemClock.now

AT_MOST = {"per_run": {"update": 3, "delete": 1}, "per_day": 6}


class Calendar:
    """The clock of every command that is given in this process; what is written stays behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        monkeypatch.setattr(SystemClock, "now", lambda clock: REAL_NOW(clock) + self.ahead)

    @property
    def now(self) -> datetime:
        return REAL_NOW(SystemClock()) + self.ahead

    def on(self, **delta: float) -> None:
        self.ahead += timedelta(**delta)

    def day(self, days: int = 0) -> str:
        return (self.now + timedelta(days=days)).date().isoformat()


@dataclass
class Nights:
    """A job of a workplace whose records come from a table that is written anew each night."""

    place: Workplace
    calendar: Calendar
    records: list[str]
    name: str = "nightly"
    at_most: Mapping[str, Any] = field(default_factory=lambda: AT_MOST)
    until: int = 60
    changed: dict[str, Any] = field(default_factory=dict)
    marks: int = 0

    @property
    def folder(self) -> Path:
        return self.place.folder / "jobs" / self.name

    def write(self, *rows: str, **keys: Any) -> Path:
        """Write the manifest, and the night's table."""
        steps = [
            {
                "rows": {"file": "night.csv", "key": "Id"},
                "set": {"at": "shelfMark.label", "to": {"$value": "@row.Signum"}},
            }
        ]
        manifest = {
            "steps": steps,
            "recurring": {
                "until": self.first_until,
                "at_most": self.at_most,
            },
            **self.changed,
            **keys,
        }
        table = "\n".join(["Id;Signum", *rows]) + "\n"
        return self.place.job(self.name, files={"night.csv": table}, **manifest)

    @property
    def first_until(self) -> str:
        if not hasattr(self, "_until"):
            self._until = self.calendar.day(self.until)
        return self._until

    def rows(self, count: int, start: int = 0) -> list[str]:
        """Rows of so many records, each with a mark that it never had."""
        self.marks += 1
        return [f"{one};N{self.marks}" for one in self.records[start : start + count]]

    def planned(self, count: int = 2, **keys: Any) -> str:
        """Write a night, take it through staging; returns the plan for production."""
        return str(
            self.place.through_staging(self.write(*self.rows(count), **keys)).document["plan"]
        )

    def approved(self, *options: str, count: int = 3, **keys: Any) -> str:
        """Give a standing approval of a night, and run it; returns the plan."""
        plan = self.planned(count, **keys)
        by = ("--by", "Karin Ek", "--reference", "KB 1")
        self.place("approve", plan, *by, "--standing", *options)
        return plan

    def run(self, expect: int = 0) -> Done:
        return self.place("run", self.folder, "--env", "production", expect=expect)

    def closed(self, *words: str) -> None:
        """Expect that the gate ``approval`` alone is closed, and says these words."""
        before = self.place.sandbox.production.came(writes=True)
        done = self.run(expect=4)
        assert done.closed == {"approval"}, done.document["gates"]
        reason = next(g["reason"] for g in done.document["gates"] if g["name"] == "approval")
        for word in words:
            assert word in reason, reason
        assert self.place.sandbox.production.came(writes=True) == before
