"""What the plan does: in plain sentences, by action and by library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bulkrunner.adapters.reports.charts import Bar, stacked
from bulkrunner.adapters.reports.joint import joint_count
from bulkrunner.adapters.reports.page.base import LISTED, PagePart
from bulkrunner.adapters.reports.showing import one_line
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report import ORDER

BAR_WIDTH = 160
MAX_SIGELS = 60
"""Libraries that get a line in the table."""


@dataclass(frozen=True, kw_only=True)
class SigelRow:
    """A library's counts in the order of the columns, and the bars that show them.

    ``bibs``: it stands for the bibs, which belong to no library.
    """

    sigel: str
    bibs: bool
    counts: Sequence[int]
    bars: Sequence[Bar]


class What(PagePart):
    """Sentences and counts."""

    def paragraph(self) -> list[str]:
        """Return in plain sentences what the plan does."""
        verbs = [verb for action in ORDER if (verb := self._verb(action))]
        if not verbs:
            return [self._words.text("what_nothing", environment=self.kind_name), *self._left_out()]
        intro = "what_intro_run" if self._data.run else "what_intro"
        sentences = [
            self._words.text(intro, verbs=self._words.listed(verbs), environment=self.kind_name),
            *self._joint(),
            self._sigels_sentence(),
        ]
        if not self._data.run:
            sentences.append(self._words.text("what_read_first"))
        if self._count(Action.DELETE, "holding"):
            sentences.append(self._words.text("what_deleted"))
        return [*sentences, *self._left_out()]

    def _verb(self, action: Action) -> str:
        if action not in WRITING:
            return ""
        known = [
            self._words.count(kind, count)
            for kind in ("holding", "bib")
            if (count := self._count(action, kind))
        ]
        if other := self._count(action, ""):
            known.append(self._words.count("record", other))
        return (
            self._words.text(f"what_{action.value}", what=self._words.listed(known))
            if known
            else ""
        )

    def _joint(self) -> Iterator[str]:
        """Yield what of it belongs together."""
        told = [
            joint_count(group.joint, self._words)
            for group in self._data.grouped.patterns
            if group.joint is not None
        ]
        if len(told) > LISTED:
            told = [
                *told[:LISTED],
                self._words.text("more", n=self._words.number(len(told) - LISTED)),
            ]
        if told:
            yield self._words.text("what_joint", parts="; ".join(told))

    def _sigels_sentence(self) -> str:
        written = [
            one_line(sigel, 60)
            for sigel, counts in sorted(self._data.sigels.items())
            if sigel and any(counts.get(action.value) for action in WRITING)
        ]
        if len(written) > LISTED:
            rest = self._words.text("more", n=self._words.number(len(written) - LISTED))
            listed = f"{', '.join(written[:LISTED])} {rest}"
        else:
            listed = self._words.listed(written) or self._words.text("none")
        bibs = sum(self._count(action, "bib") for action in WRITING)
        key = "what_sigels_one" if len(written) == 1 else "what_sigels_many"
        if bibs:
            key = "what_sigels_bibs" if written else "what_only_bibs"
        told = self._words.text(key, sigels=listed, bibs=self._words.count("bib", bibs))
        active = self._data.head_text("active_sigel") or self._data.head_text("on_behalf_of")
        return self._words.text("what_sigel", active=one_line(active, 60), sigels=told)

    def _left_out(self) -> Iterator[str]:
        count = sum(
            self._data.counts.get(action.value, 0) for action in ORDER if action not in WRITING
        )
        if count:
            what = self._words.count("line", count)
            key = "what_left_out_steps" if self.shared_inputs else "what_left_out"
            yield self._words.text(key, what=what[:1].upper() + what[1:])

    def tiles(self) -> list[tuple[str, int, str]]:
        """Return (name, count, label) of every action, deletions first."""
        return [
            (
                action.value,
                self._data.counts.get(action.value, 0),
                self._words.name_of("action_count", action.value),
            )
            for action in ORDER
        ]

    def reasons(self) -> list[tuple[str, list[str]]]:
        """Return (action, each reason with its count) of what comes to nothing."""
        found: dict[Action, list[str]] = {}
        for group in self._data.grouped.reasons:
            meaning = self._words.explained(group.code)[0] or one_line(group.code, 80)
            told = f"{self._words.number(group.count)} × {meaning}"
            found.setdefault(group.action, []).append(told)
        return [
            (self._words.name_of("action_count", action.value), told)
            for action, told in found.items()
        ]

    def sigel_rows(self) -> list[SigelRow]:
        """Return each library's counts, most deletions first."""
        rows = list(self._sigel_counts())
        rows.sort(key=lambda row: (row[1], [-count for count in row[2]], row[0]))
        most = max((sum(counts) for _, _, counts in rows), default=0)
        return [
            SigelRow(
                sigel=sigel,
                bibs=bibs,
                counts=counts,
                bars=stacked(dict(zip(self.order, counts, strict=True)), most, BAR_WIDTH),
            )
            for sigel, bibs, counts in [
                *[row for row in rows if not row[1]][:MAX_SIGELS],
                *[row for row in rows if row[1]],
            ]
        ]

    def _sigel_counts(self) -> Iterator[tuple[str, bool, list[int]]]:
        """Yield sigel, whether these are the bibs, and counts; no sigel owns a bib."""
        bibs = [self._count(action, "bib") for action in ORDER]
        for sigel, counts in self._data.sigels.items():
            found = [counts.get(action.value, 0) for action in ORDER]
            if not sigel:
                found = [max(0, n - bib) for n, bib in zip(found, bibs, strict=True)]
            if any(found):
                yield sigel, False, found
        if any(bibs):
            yield "", True, bibs

    def sigel_line(self, row: SigelRow) -> str:
        """Return a row of that table as a line."""
        unknown = self._words.text("sigel_bibs" if row.bibs else "sigel_unknown")
        told = [
            f"{self._words.number(count)} {self._words.name_of('action_count', name)}"
            for name, count in zip(self.order, row.counts, strict=True)
            if count
        ]
        return f"{self.library(row.sigel) if row.sigel else unknown}: {', '.join(told)}"

    @property
    def more_sigels(self) -> int:
        """How many libraries have no line of their own."""
        return max(0, len(self._data.sigels) - MAX_SIGELS)

    @property
    def order(self) -> Sequence[str]:
        """The actions in the order of the columns."""
        return [action.value for action in ORDER]
