"""What a reviewer weighs: risks, time and load, exports, what an undo cannot restore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bulkrunner.adapters.reports.page.base import LISTED, PagePart
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report_facts import Noted


@dataclass(frozen=True, kw_only=True)
class Point:
    """Something to know, why it matters, and changes that it is true of."""

    text: str
    why: str
    numbers: Sequence[int] = ()


class Consequences(PagePart):
    """Sentences about what follows from the plan."""

    def risks(self) -> list[Point]:
        """Return what to look at twice."""
        return [self._point(item, "risk") for item in self._data.risks]

    def not_restored(self) -> list[Point]:
        """Return what an undo could not bring back."""
        return [self._point(item, "lost") for item in self._data.not_restored]

    def staging_remarks(self) -> list[Point]:
        """Return where production will differ from what the test run showed."""
        return [self._point(item, "differs") for item in self._data.staging.remarks]

    def _point(self, item: Noted, table: str) -> Point:
        count = self._words.count("change", item.count)
        return Point(
            text=self._words.text(f"{table}_{item.code}", n=count),
            why=self._words.text(f"{table}_{item.code}_why"),
            numbers=item.numbers,
        )

    def staging_outcomes(self) -> str:
        """Return how the test run ended for the changes of this plan, in words."""
        return ", ".join(
            f"{self._words.number(count)} {self._words.name_of('outcome_count', word)}"
            for word, count in self._data.staging.outcomes.items()
        )

    def estimate(self) -> list[str]:
        """Return how long the run will take and what it asks of the server."""
        found = self._data.estimate
        if found is None or not found.writes or self._data.run is not None:
            return []
        sentences = [
            self._words.text(
                "estimate_time",
                requests=self._words.number(found.requests),
                writes=self._words.number(found.writes),
                rate=self._words.decimal(found.rate),
                span=self._words.span(found.seconds),
            )
        ]
        if found.windows:
            sentences.append(
                self._words.text(
                    "estimate_windows",
                    windows=self._words.listed(list(found.windows)),
                    timezone=found.timezone,
                    done=self._words.time(found.done_at),
                )
            )
        return sentences

    def exports(self) -> list[str]:
        """Return to whom the changes go out."""
        bibs = sum(self._count(action, "bib") for action in WRITING)
        holdings = {
            sigel: count
            for sigel, counts in self._data.sigels.items()
            if sigel and (count := sum(counts.get(action.value, 0) for action in WRITING))
        }
        sentences = list(self._exported(holdings, with_bibs=bool(bibs)))
        if not sentences:
            return [self._words.text("exports_none")]
        return [*sentences, self._words.text("exports_when")]

    def _exported(self, holdings: dict[str, int], *, with_bibs: bool) -> Iterator[str]:
        ranked = sorted(holdings.items(), key=lambda item: (-item[1], item[0]))
        if ranked:
            told = [
                f"{self.library(sigel)}: {self._words.number(count)}"
                for sigel, count in ranked[:LISTED]
            ]
            if len(ranked) > LISTED:
                told.append(self._words.text("more", n=self._words.number(len(ranked) - LISTED)))
            yield self._words.text("exports_holdings", libraries="; ".join(told))
        if with_bibs:
            yield self._words.text("exports_bibs")
        if self._count(Action.CREATE, "bib"):
            yield self._words.text("exports_new")
