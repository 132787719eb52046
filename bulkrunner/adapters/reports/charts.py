"""Small charts as shapes to draw: they must be there without script and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkrunner.domain.report import Timeline
from bulkrunner.domain.run import Outcome

WIDTH = 960
HEIGHT = 150
TOP = 18
BOTTOM = 22
LEAST = 1.5
"""Width of a bar that is not empty: one change of a thousand is still seen."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle; ``name`` is the action or outcome that it stands for."""

    name: str
    x: float
    width: float
    y: float = 0
    height: float = 0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars over a time axis with its labels."""

    bars: Sequence[Bar]
    names: Sequence[str]
    first: str
    last: str
    most: str
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - BOTTOM


def stacked(counts: Mapping[str, int], most: int, width: float) -> list[Bar]:
    """Return bars side by side, together as wide as their sum is of ``most``."""
    bars: list[Bar] = []
    x = 0.0
    for name, count in counts.items():
        if count and most:
            wide = max(LEAST, count / most * width)
            bars.append(Bar(name=name, x=round(x, 1), width=round(min(wide, width - x), 1)))
            x = min(width, x + wide)
    return [bar for bar in bars if bar.width > 0]


def timeline_chart(found: Timeline, *, first: str, last: str, most: str) -> Chart:
    """Return one column for each step, the outcomes on top of each other."""
    highest = max((sum(step.values()) for step in found.steps), default=0) or 1
    step_width = WIDTH / len(found.steps)
    room = HEIGHT - TOP - BOTTOM
    bars: list[Bar] = []
    for place, step in enumerate(found.steps):
        y = float(HEIGHT - BOTTOM)
        for outcome in Outcome:
            if count := step.get(outcome, 0):
                height = max(LEAST, count / highest * room)
                y -= height
                bars.append(
                    Bar(
                        name=outcome.value,
                        x=round(place * step_width, 1),
                        width=round(max(1.0, min(step_width - 1, 40.0)), 1),
                        y=round(y, 1),
                        height=round(height, 1),
                    )
                )
    names = [outcome.value for outcome in Outcome if any(outcome in step for step in found.steps)]
    return Chart(bars=bars, names=names, first=first, last=last, most=most)
