"""How a run went: outcomes, what to look at, when what was decided; its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bulkrunner.adapters.reports.language import Worded, one_line
from bulkrunner.adapters.reports.page_head import PagePart
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import Moment, Timeline
from bulkrunner.domain.report_groups import ReportedChange
from bulkrunner.domain.run import PROBLEMS, Outcome, Result

WIDTH = 960

HEIGHT = 150

TOP = 18

BOTTOM = 22

# Width of a bar that is not empty: one change of a thousand is still seen.
LEAST = 1.5


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


# Codes whose message names what the explanation leaves out.
DETAILED = frozenset({"duplicate", "linked", "prerequisite"})

# Entries of the run's timeline that stand in the page.
MAX_MOMENTS = 200

# Changes to look at that stand in the page itself; the list has them all.
MAX_PROBLEMS = 100


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Something to say of a result; ``who`` names by whom and when, where that is known."""

    text: str
    todo: str
    who: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """An entry of the run's timeline."""

    when: str
    text: str
    reason: Worded | None
    until: str


@dataclass(frozen=True, kw_only=True)
class Problems:
    """Changes to look at: the first of them, and how many more there are."""

    shown: Sequence[ReportedChange]
    more: int


class Outcomes(PagePart):
    """What came of the changes."""

    def outcome_tiles(self) -> list[tuple[str, int, str]]:
        """Return (name, count, label) of every outcome of the run; what KB asked for by itself."""
        counts = {word.value: (self._data.outcomes or {}).get(word.value, 0) for word in Outcome}
        if excluded := self._data.excluded:
            counts[Outcome.REFUSED.value] -= excluded
            counts[EXCLUDED] = excluded
        return [
            (word, count, self._words.name_of("outcome_count", word))
            for word, count in counts.items()
        ]

    def intro(self) -> str:
        """Return in a sentence how many changes ended how."""
        words = self._words
        tiles = self.outcome_tiles()
        told = [f"{words.number(count)} {label}" for _, count, label in tiles if count]
        total = words.count("change", sum(count for _, count, _ in tiles))
        return words.text("outcomes_intro", n=total, counts=", ".join(told) or words.text("none"))

    def problems(self) -> Problems:
        """Return what a person should look at."""
        shown = list(islice(self._data.problems(), MAX_PROBLEMS))
        outcomes = self._data.outcomes or {}
        bad = sum(outcomes.get(outcome.value, 0) for outcome in PROBLEMS) - self._data.excluded
        remarks = sum(
            item.result is not None and item.result.outcome is Outcome.APPLIED for item in shown
        )
        return Problems(shown=shown, more=max(0, bad - (len(shown) - remarks)))

    def timeline(self, found: Timeline) -> Chart:
        """Return the chart of when changes were decided."""
        first, last = self._words.moment(found.start), self._words.moment(found.end)
        most = max(sum(step.values()) for step in found.steps)
        label = self._words.text(
            "timeline_most", n=self._words.number(most), span=self._words.span(found.seconds)
        )
        return timeline_chart(found, first=first, last=last, most=label)

    def moments(self) -> list[Told]:
        """Return what happened to the run as a whole, the first of them where they are many."""
        return [self._told(one) for one in self._data.moments[:MAX_MOMENTS]]

    @property
    def more_moments(self) -> int:
        """How many entries are left to the JSON form."""
        return max(0, len(self._data.moments) - MAX_MOMENTS)

    def _told(self, moment: Moment) -> Told:
        key = f"moment_{moment.kind}"
        text = self._words.text(
            key if key in self._words.texts("moment_") else "moment_resumed",
            by=one_line(moment.by, 120) or "–",
            rate=self._words.decimal(moment.rate or 0),
        )
        until = (
            self._words.text("moment_until", time=self._words.time(moment.until))
            if moment.until
            else ""
        )
        reason = self._words.reason(moment.reason) if moment.reason else None
        return Told(when=self._words.moment(moment.at), text=text, reason=reason, until=until)

    def rate_sentence(self) -> str:
        """Return how fast the run went while it was at work."""
        found = self._data.timeline
        if found is None:
            return ""
        span = (found.end - found.start).total_seconds()
        return self._words.text(
            "rate_sentence",
            n=self._words.number(sum(sum(step.values()) for step in found.steps)),
            span=self._words.span(span),
            rate=self._words.decimal(found.per_second),
        )

    def remarks(self, item: ReportedChange) -> list[Remark]:
        """Return what there is to say of a result: by its code, then by its details."""
        result = item.result
        if result is None:
            return []
        found = [self._remark(result.code, result.detail)] if result.code else []
        for key, value in result.detail.items():
            if key != result.code and any(self._words.explained(key)):
                found.append(self._remark(key, value))
        return found

    def told(self, result: Result) -> bool:
        """Return True if the remarks already say what the result's message says."""
        return result.code not in DETAILED and any(self._words.explained(result.code))

    def _remark(self, code: str, detail: Any) -> Remark:
        meaning, todo = self._words.explained(code)
        who = self._who(code, detail) or self._places(detail)
        return Remark(text=meaning or one_line(code, 80), todo=todo, who=who)

    def _places(self, detail: Any) -> str:
        """Return the places that a remark is about."""
        if not isinstance(detail, (list, tuple)):
            return ""
        return ", ".join(self._words.place(one_line(str(one), 120)) for one in detail[:20])

    def _who(self, code: str, detail: Any) -> str | None:
        """Return by whom and when, where the details say so."""
        if not isinstance(detail, Mapping):
            return None
        inner = detail.get(code, detail)
        if not isinstance(inner, Mapping) or not inner.get("by"):
            return None
        by, when = one_line(str(inner["by"]), 60), inner.get("when")
        if not when:
            return self._words.text("by", by=by)
        return self._words.text("by_when", by=by, when=self._words.instant(str(when)))

    def new_record(self, item: ReportedChange) -> str:
        """Return the id that a create was given, empty for anything else."""
        result = item.result
        if item.change.action is not Action.CREATE or result is None:
            return ""
        return (result.record or "") if result.outcome is Outcome.APPLIED else ""
