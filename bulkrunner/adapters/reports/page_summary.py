"""The page's first screen: what is asked, what changes, and what to look at before answering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bulkrunner.adapters.reports.language import Language, Worded, one_line
from bulkrunner.adapters.reports.page_body import Consequences, Groups, What
from bulkrunner.adapters.reports.page_head import Head, PagePart
from bulkrunner.adapters.reports.phrasing import MAX_SIGELS, Line, lines_of, parts_line
from bulkrunner.domain.plan import WRITING, Action, PlanState
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import PatternGroup, ReportedChange
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import RunState
from bulkrunner.domain.standing import counts_told
from bulkrunner.sentences import Sentence

MAX_GROUPS = 5
"""Groups that get a line on the first screen; the section of the groups has them all."""

MAX_POINTS = 6
MAX_CAUSES = 8
MAX_VALUE = 120


@dataclass(frozen=True, kw_only=True)
class GroupLine:
    """A group in a line, with an example.

    Attributes:
        index: of the group among the patterns. line: of the example, None where nothing differs.
        more: places that the example changes besides.
    """

    index: int
    action: Action
    count: int
    effect: str
    example: ReportedChange
    line: Line | None
    more: int


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something to look at, and the section that tells more of it."""

    text: Worded
    section: str
    stops: bool = False


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why changes of a run did not come about."""

    outcome: str
    count: int
    text: str
    todo: str


class Summary(PagePart):
    """What stands on the first screen."""

    def __init__(self, data: ReportData, words: Language) -> None:
        super().__init__(data, words)
        self._what = What(data, words)
        self._groups = Groups(data, words)
        self._consequences = Consequences(data, words)
        self._head = Head(data, words)

    @property
    def _asks(self) -> bool:
        data = self._data
        return (
            data.run is None
            and data.production
            and data.plan.state is PlanState.COMPLETE
            and not data.approvals
        )

    def sentence(self) -> str:
        """Return in one sentence what the plan is for."""
        words, who = self._words, self.library(self._data.head_text("on_behalf_of"))
        deed = self._one_deed() or words.listed(self._what.verbs())
        if not deed:
            return words.text("what_nothing", environment=self.kind_name)
        if self._asks:
            return words.text("s_asks", library=who, deed=deed, where=self._where())
        key = "s_run" if self._data.run else "s_plan"
        place = self.kind_name
        return words.text(key, library=who, deed=deed, where=self._where(), environment=place)

    def asks_standing(self) -> str:
        """Return what standing approval is asked for, empty where none is, or nobody is asked."""
        asked = self._data.asked
        if asked is None or not self._asks:
            return ""
        until = f"{asked.until.day} {self._words.text('months').split()[asked.until.month - 1]}"
        said = Sentence(
            "standing_asks",
            library=self.library(self._data.head_text("on_behalf_of")),
            per_run=counts_told(asked.per_run),
            per_day=counts_told(asked.per_day),
            until=f"{until} {asked.until.year}",
        )
        return self._words.reason(said).text

    def _where(self) -> str:
        """Return whose holdings are written, empty where they are of the library that asks."""
        sigels = sorted(
            sigel
            for sigel, counts in self._data.sigels.items()
            if sigel and any(counts.get(action.value) for action in WRITING)
        )
        if set(sigels) <= {self._data.head_text("on_behalf_of")}:
            return ""
        if len(sigels) > MAX_SIGELS:
            return self._words.text("s_where_many", n=self._words.number(len(sigels)))
        named = [one_line(sigel, 40) for sigel in sigels]
        return self._words.text("s_where", sigels=self._words.listed(named))

    def _one_deed(self) -> str:
        """Return what is done where it is the same to every record, empty where it is not."""
        patterns = self._data.grouped.patterns
        if len(patterns) != 1:
            return ""
        (group,) = patterns
        told = group.action is Action.UPDATE and group.level in ("values", "shape") and group.parts
        if not told or group.origin or group.verb or group.joint is not None:
            return ""
        if len(group.parts) > 1:
            return ""
        kind = group.kind or "record"
        parts = one_line(parts_line(group.parts, self._words, named=True), 200)
        if "hyllsignum" in self._data.head_text("title").casefold():
            # The library's word for it, beside KB's.
            parts = parts.replace("hyllkod ", "hyllkod (hyllsignum) ", 1)
        return self._words.text(
            "s_update",
            parts=parts,
            n=self._words.count(kind if kind in ("holding", "bib") else "record", group.count),
        )

    def groups(self) -> list[GroupLine]:
        """Return the largest groups, deletions first."""
        ranked = sorted(
            enumerate(self._data.grouped.patterns),
            key=lambda one: (
                one[1].action is not Action.DELETE and not _deletes(one[1]),
                -self._groups.measure(one[1]),
                one[0],
            ),
        )
        return [self._line(index, group) for index, group in ranked[:MAX_GROUPS]]

    @property
    def more_groups(self) -> int:
        """How many groups have no line here."""
        return max(0, len(self._data.grouped.patterns) - MAX_GROUPS)

    def _line(self, index: int, group: PatternGroup) -> GroupLine:
        example = group.samples[0]
        found, beyond = lines_of(example.differences, MAX_VALUE)
        return GroupLine(
            index=index,
            action=group.action,
            count=self._groups.measure(group),
            effect=self._groups.effects[index],
            example=example,
            line=found[0] if found else None,
            more=max(0, len(found) - 1) + beyond + example.beyond,
        )

    def looks(self) -> list[Notice]:
        """Return what to look at before answering, what stops the plan first."""
        return list(self._looks())[:MAX_POINTS]

    @property
    def more_looks(self) -> int:
        """How many points have no line here."""
        return max(0, len(list(self._looks())) - MAX_POINTS)

    def _looks(self) -> Iterator[Notice]:
        words, name = self._words, self._words.name
        for gate in self._closed_gates():
            told = words.reason(gate.reason)
            yield Notice(
                text=Worded(one_line(told.text, 300), told.lang), section="gates", stops=True
            )
        if looser := self._data.loosened:
            allowed = "; ".join(self._head.looser(item) for item in looser)
            text = words.text("s_looser", told=allowed)
            yield Notice(text=Worded(text, name), section="looser", stops=True)
        for group in self._data.grouped.reasons:
            if group.action is Action.REFUSED and not group.accepted:
                meaning = words.explained(group.code)[0] or one_line(group.code, 80)
                text = words.text("s_refused", n=words.number(group.count), meaning=meaning)
                yield Notice(text=Worded(text, name), section="left-out")
        for point in self._consequences.risks():
            yield Notice(text=Worded(point.text, name), section="what")
        for point in self._consequences.staging_remarks():
            yield Notice(text=Worded(point.text, name), section="tried")
        evidence = self._data.evidence
        refused = sum(g.count for g in evidence.declined if g.refused) if evidence else 0
        if refused:
            text = words.text("s_refused_there", n=words.count("change", refused))
            yield Notice(text=Worded(text, name), section="tried")
        if evidence is not None and self._groups.untried:
            text = words.text("s_untried", n=words.count("change", self._groups.untried))
            yield Notice(text=Worded(text, name), section="tried")

    def _closed_gates(self) -> Iterator[GateResult]:
        """Yield closed gates; refusals have lines of their own, and so has the answer."""
        run = self._data.run
        if run is None or run.state is not RunState.COMPLETED:
            told = ("approval", "refusals")
            yield from (
                gate for gate in self._data.gates if not gate.open and gate.name not in told
            )

    def causes(self) -> list[Cause]:
        """Return why changes of the run did not come about, the commonest first."""
        return [
            Cause(
                outcome=outcome.value,
                count=count,
                text=self._words.explained(code)[0]
                or one_line(code, 80)
                or self._words.text("s_no_cause"),
                todo=self._words.explained(code)[1],
            )
            for outcome, code, count in self._data.causes[:MAX_CAUSES]
        ]

    @property
    def more_causes(self) -> int:
        """How many causes have no line here."""
        return max(0, len(self._data.causes) - MAX_CAUSES)

    def asked(self) -> list[str]:
        """Return what KB is asked to answer, or why there is nothing to answer."""
        data, words = self._data, self._words
        if not data.production:
            return [words.text("answer_not_needed")]
        if not data.answerable:
            return [words.text("answer_incomplete")]
        if data.run is not None:
            done = data.run.state is RunState.COMPLETED
            return [words.text("answer_finished" if done else "s_answer_run")]
        contact = one_line(data.head_text("agreement", "contact"), 120)
        told = [words.text("s_answer", contact=contact or words.text("answer_contact"))]
        if data.statements:
            told.append(words.text("s_statements", n=words.count("line", len(data.statements))))
        return told

    @property
    def answers(self) -> bool:
        """Whether there is something to answer."""
        run = self._data.run
        return self._data.answerable and (run is None or run.state is not RunState.COMPLETED)

    def marked(self) -> frozenset[str]:
        """Return the sections that hold something to look at."""
        found = {look.section for look in self._looks()}
        if self._data.causes:
            found.add("outcomes")
        return frozenset(found)


def _deletes(group: PatternGroup) -> bool:
    return group.joint is not None and Action.DELETE in group.joint.actions
