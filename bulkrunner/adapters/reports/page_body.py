"""The page's middle: groups, reasons, what staging did, and consequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bulkrunner.adapters.reports.language import one_line
from bulkrunner.adapters.reports.page_head import LISTED, PagePart
from bulkrunner.adapters.reports.page_run import Bar, stacked
from bulkrunner.adapters.reports.phrasing import (
    Pair,
    Shown,
    changed_middle,
    distinct_effects,
    joint_count,
    joint_how,
    mixed_lines,
    pairs,
    parts_line,
)
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report import ORDER, Noted
from bulkrunner.domain.report_groups import Outlier, PatternGroup, PatternPart, ReasonGroup
from bulkrunner.domain.run import PROBLEMS, Outcome

# Codes whose message adds nothing.
PLAIN = frozenset({"gone", "not_found", "no_change"})


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
        """Return True if a code says all that its message would say again."""
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

    def tried_counts(self) -> list[tuple[str, int]]:
        """Return how many of the plan's changes ended how in the test environment."""
        evidence = self._data.evidence
        if evidence is None:
            return []
        refused = sum(group.count for group in evidence.declined if group.refused)
        failed = sum(group.count for group in evidence.declined) - refused
        counts = [("applied", sum(evidence.tried.values())), ("refused", refused)]
        return [*counts, *([("failed", failed)] if failed else []), ("untried", self.untried)]

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

    @cached_property
    def effects(self) -> list[str]:
        """What the changes of each group do, in a line that no other group has."""
        return distinct_effects(self._data.grouped.patterns, self._words)

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
        named = shown.link or shown.text in self._words.labels
        text = self._words.value(shown.text) if named else shown.text
        tail = self._words.text("cut", n=self._words.number(shown.cut)) if shown.cut else ""
        if named or other is None or other.text == shown.text:
            return [(False, text + tail)]
        start, end = changed_middle(text, other.text)
        if not start and not end:
            return [(False, text + tail)]
        stop = len(text) - end
        return [(False, text[:start]), (True, text[start:stop]), (False, text[stop:] + tail)]


BAR_WIDTH = 160

# Libraries that get a line in the table.
MAX_SIGELS = 60


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
        verbs = self.verbs()
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

    def verbs(self) -> list[str]:
        """Return what is done to how many records, deletions first."""
        return [verb for action in ORDER if (verb := self._verb(action))]

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
        """Return each library's counts, most deletions first; of a run, most of what went wrong."""
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
        if self._data.run is not None:
            written = sum(self._count(action, "bib") for action in WRITING)
            for sigel, counts in self._data.sigel_outcomes.items():
                found = [counts.get(word, 0) for word in self.order]
                yield sigel, not sigel and sum(found) == written, found
            return
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
            f"{self._words.number(count)} {self.counted(name)}"
            for name, count in zip(self.order, row.counts, strict=True)
            if count
        ]
        return f"{self.library(row.sigel) if row.sigel else unknown}: {', '.join(told)}"

    @property
    def more_sigels(self) -> int:
        """How many libraries have no line of their own."""
        return max(0, sum(not row[1] for row in self._sigel_counts()) - MAX_SIGELS)

    @property
    def order(self) -> Sequence[str]:
        """The actions, of a run the outcomes that there are, in the order of the columns."""
        if self._data.run is None:
            return [action.value for action in ORDER]
        there = {word for counts in self._data.sigel_outcomes.values() for word in counts}
        words = dict.fromkeys((*(outcome.value for outcome in PROBLEMS), EXCLUDED, *Outcome))
        return [str(word) for word in words if word in there]

    def counted(self, name: str) -> str:
        """Return a column's heading."""
        table = "action_count" if self._data.run is None else "outcome_count"
        return self._words.name_of(table, name)


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
                    windows=self._words.listed([*map(self._words.hours, found.windows)]),
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
