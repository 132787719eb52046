"""What was done under a standing approval: plain data, month by month, before any language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bulkrunner.domain.plan import Plan
from bulkrunner.domain.run import Run
from bulkrunner.domain.standing import ACTIONS, KB_ZONE, Resting
from bulkrunner.sentences import Sentence

# What a run comes to, in the order in which it is shown; ``unfinished`` is still to be done.
OUTCOMES = ("unchanged", "conflict", "refused", "failed", "unknown", "unfinished")


@dataclass(frozen=True, kw_only=True)
class SummaryRun:
    """One run, and what became of it."""

    run: Run
    plan: Plan
    own: bool  # it is of the approved plan itself
    applied: Mapping[str, int]  # by action
    outcomes: Mapping[str, int]  # of the changes that were not applied
    refusals: int  # of the plan: they were never sent
    undone: int  # applied changes that an undo has taken back since

    @property
    def month(self) -> str:
        """The month in which it began, by the Swedish clock."""
        return f"{self.run.started_at.astimezone(KB_ZONE):%Y-%m}"

    def numbers(self) -> Counter[str]:
        """Return everything that is counted, by name."""
        return Counter(
            {
                **{action: self.applied.get(action, 0) for action in ACTIONS},
                **{name: self.outcomes.get(name, 0) for name in OUTCOMES},
                "refusals": self.refusals,
                "undone": self.undone,
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "run": self.run.id,
            "plan": self.plan.id,
            "own": self.own,
            "started_at": self.run.started_at.isoformat(),
            "state": self.run.state.value,
            **self.numbers(),
        }


@dataclass(frozen=True, kw_only=True)
class StandingSummary:
    """The runs under a standing approval."""

    job: str
    title: str
    environment: str
    rests_on: Resting
    made_at: datetime
    ended: Sentence | None  # why it holds no more
    runs: tuple[SummaryRun, ...] = ()  # oldest first
    others: tuple[Plan, ...] = ()  # later plans that did not run by it, with changes
    head: str = ""  # the ledger's
    month: str = ""  # the only one that is told of, empty: all
    totals: Mapping[str, int] = field(default_factory=dict)

    def months(self) -> dict[str, list[SummaryRun]]:
        """Return the runs of each month, the first month first."""
        found: dict[str, list[SummaryRun]] = {}
        for one in self.runs:
            found.setdefault(one.month, []).append(one)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "job": self.job,
            "title": self.title,
            "environment": self.environment,
            "standing": self.rests_on.as_dict(),
            "ended": None if self.ended is None else str(self.ended),
            "made_at": self.made_at.isoformat(),
            "month": self.month or None,
            "months": {
                month: {"runs": [one.as_dict() for one in runs], "totals": dict(total(runs))}
                for month, runs in self.months().items()
            },
            "totals": dict(self.totals),
            "other_plans": [plan.id for plan in self.others],
            "ledger": self.head,
        }


def total(runs: list[SummaryRun] | tuple[SummaryRun, ...]) -> Counter[str]:
    """Return the sums of everything that is counted."""
    found: Counter[str] = Counter({"runs": len(runs)})
    for one in runs:
        found.update(one.numbers())
    return found
