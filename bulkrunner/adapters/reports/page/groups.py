"""Groups: patterns, reasons, and what was tried in a test environment."""

from __future__ import annotations

from collections.abc import Mapping

from bulkrunner.adapters.reports.effects import effect_line, parts_line
from bulkrunner.adapters.reports.joint import Pair, joint_how, mixed_lines, pairs
from bulkrunner.adapters.reports.lines import Shown, changed_middle
from bulkrunner.adapters.reports.page.base import LISTED, PagePart
from bulkrunner.adapters.reports.showing import one_line
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import ORDER, Outlier, PatternGroup, PatternPart, ReasonGroup

PLAIN = frozenset({"gone", "not_found", "no_change"})
"""Codes whose message adds nothing."""


class Groups(PagePart):
    """What changes have in common."""

    def accepted_text(self, group: ReasonGroup) -> str:
        """Return whether the manifest lives with the refusals, empty where it need not."""
        if group.action is not Action.REFUSED:
            return ""
        if group.occurrences == group.count:
            return self._acceptance(group)
        once = self._words.text("counted_once", n=self._words.number(group.occurrences))
        return f"{self._acceptance(group)} {once}"

    def _acceptance(self, group: ReasonGroup) -> str:
        if group.at_most is None:
            return self._words.text("not_accepted")
        if not group.accepted:
            return self._words.text("accepted_too_many", n=self._words.number(group.at_most))
        return self._words.text(
            "accepted",
            n=self._words.number(group.at_most),
            reason=one_line(group.accepted_because) or self._words.text("none"),
        )

    def plain(self, code: str) -> bool:
        """Tell whether a code says all that its message would say again."""
        return code in PLAIN

    def tried_rows(self) -> list[tuple[str, int, int]]:
        """Return (action, tried, in the plan) of what staging must have tried."""
        evidence = self._data.evidence
        if evidence is None:
            return []
        return [
            (action.value, evidence.tried.get(action.value, 0), count)
            for action in ORDER
            if (count := evidence.total.get(action.value, 0))
        ]

    @property
    def untried(self) -> int:
        """How many changes no test run has sent."""
        evidence = self._data.evidence
        if evidence is None:
            return 0
        sent = sum(group.count for group in evidence.declined)
        return sum(evidence.total.values()) - sum(evidence.tried.values()) - sent

    def bad_staging(self) -> str:
        """Return the newest test plan's outcomes that close the gate, in words."""
        evidence = self._data.evidence
        bad = {k: v for k, v in (evidence.bad_outcomes if evidence else {}).items() if v}
        return ", ".join(
            f"{self._words.number(count)} {self._words.name_of('outcome_count', word)}"
            for word, count in sorted(bad.items())
        )

    def effect(self, group: PatternGroup) -> str:
        """Return what the changes of a group do, in a line."""
        return effect_line(group, self._words)

    def measure(self, group: PatternGroup) -> int:
        """Return how many there are of what the line says."""
        return group.joint.records if group.joint is not None else group.count

    def joint_how(self, group: PatternGroup) -> list[str]:
        """Return how changes that belong together are carried out; of any other group nothing."""
        return joint_how(group.joint, self._words) if group.joint is not None else []

    def mixed(self, group: PatternGroup) -> list[tuple[int, str]]:
        """Return what the job changes besides in records that it saves elsewhere."""
        return mixed_lines(group.joint, self._words) if group.joint is not None else []

    def pairs(self, group: PatternGroup) -> Mapping[int, Pair]:
        """Return what belongs to each sample of changes that belong together."""
        return pairs(group, group.joint, self._words) if group.joint is not None else {}

    def reasons_shown(self, group: PatternGroup) -> dict[int, list[str]]:
        """Return why samples stand out, by their numbers."""
        samples = {item.change.number for item in group.samples}
        found: dict[int, list[str]] = {}
        for item in group.outliers:
            if item.change.change.number in samples:
                found.setdefault(item.change.change.number, []).append(self.outlier(item))
        return found

    def further_outliers(self, group: PatternGroup) -> list[Outlier]:
        """Return the changes that stand out and are no samples already."""
        samples = {item.change.number for item in group.samples}
        return [item for item in group.outliers if item.change.change.number not in samples]

    def parts(self, parts: tuple[PatternPart, ...]) -> str:
        """Return what becomes of these places, in a line."""
        return parts_line(parts, self._words)

    def first_sigels(self, sigels: Mapping[str, int]) -> list[tuple[str, int]]:
        """Return the sigels with most changes."""
        return list(sigels.items())[:LISTED]

    def outlier(self, item: Outlier) -> str:
        """Return why a change stands out."""
        measure = (
            self._words.count("change", item.measure)
            if item.why == "rare"
            else self._words.number(item.measure)
        )
        return self._words.text(f"outlier_{item.why}", n=measure)

    def pieces(self, shown: Shown, other: Shown | None) -> list[tuple[bool, str]]:
        """Return a value in pieces, True for what the other side does not have."""
        text = self._words.link(shown.text) if shown.link else shown.text
        tail = self._words.text("cut", n=self._words.number(shown.cut)) if shown.cut else ""
        if shown.link or other is None or other.text == shown.text:
            return [(False, text + tail)]
        start, end = changed_middle(text, other.text)
        if not start and not end:
            return [(False, text + tail)]
        stop = len(text) - end
        return [(False, text[:start]), (True, text[start:stop]), (False, text[stop:] + tail)]
