"""The page's top: how things stand, and what the manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkrunner.adapters.reports.language import Language, Worded, one_line
from bulkrunner.domain.approvals import Conditions, WeighedAnswer
from bulkrunner.domain.plan import Action, PlanState
from bulkrunner.domain.policy import LooserValue
from bulkrunner.domain.report import ORDER, ReportData
from bulkrunner.domain.rules import Rule
from bulkrunner.domain.run import PROBLEMS, RunState
from bulkrunner.domain.standing import Bounds
from bulkrunner.sentences import Sentence

# Sigels, records or patterns named in a line or table before the rest is counted.
LISTED = 20


class PagePart:
    """Sentences and tables of one report in one language."""

    def __init__(self, data: ReportData, words: Language) -> None:
        self._data = data
        self._words = words

    @property
    def kind_name(self) -> str:
        """What the environment is for, with its name."""
        kind = self._words.text("production" if self._data.production else "test")
        return f"{kind} ({one_line(self._data.plan.environment, 60)})"

    def _count(self, action: Action, kind: str) -> int:
        return self._data.grouped.kinds.get((action, kind), 0)

    @property
    def shared_inputs(self) -> bool:
        """Whether several steps read the same list or table."""
        files = [one.get("file") for one in self._data.inputs]
        return len(files) > len(set(files))

    def library(self, sigel: str) -> str:
        """Return a sigel with the library's name, where that is known."""
        name = self._data.libraries.get(sigel, "")
        return one_line(f"{sigel} ({name})" if name else sigel, 160)


@dataclass(frozen=True, kw_only=True)
class Status:
    """The line at the top; ``tone`` is calm, wait or stop."""

    tone: str
    text: str
    more: Worded | None = None

    def line(self, words: Language) -> str:
        """Return it with its reason, for a form without marks of language."""
        if self.more is None:
            return self.text
        return f"{self.text} {words.text('stop_reason', reason=self.more.text)}"


class Head(PagePart):
    """The line at the top, and the facts."""

    def status(self) -> Status:
        """How things stand; a ledger that does not fit comes before all else."""
        broken = next((g for g in self._data.gates if g.name == "ledger" and not g.open), None)
        if broken is not None:
            reason = self._words.reason(broken.reason)
            return Status(tone="stop", text=self._words.text("status_ledger"), more=reason)
        if self._data.run is not None:
            return self._run_status()
        if self._data.plan.state is not PlanState.COMPLETE:
            return Status(tone="stop", text=self._words.text("status_incomplete"))
        return self._plan_status()

    def _run_status(self) -> Status:
        run, outcomes = self._data.run, self._data.outcomes or {}
        state = run.state if run else RunState.COMPLETED
        reason = self._words.reason(run.stop_reason) if run and run.stop_reason else None
        excluded = self._data.excluded
        bad = sum(outcomes.get(outcome.value, 0) for outcome in PROBLEMS) - excluded
        if state is not RunState.COMPLETED:
            return self._unfinished(state, reason)
        if bad:
            count = self._words.count("change_not", bad)
            text = self._words.text("status_run_problems", n=count)
            return Status(tone="stop", text=text, more=reason)
        if excluded:
            count = self._words.count("excluded", excluded)
            text = self._words.text("status_run_excluded", n=count)
            return Status(tone="calm", text=text, more=reason)
        return Status(tone="calm", text=self._words.text("status_run_completed"), more=reason)

    def _unfinished(self, state: RunState, reason: Worded | None) -> Status:
        """How a run stands that is not complete; after a no only a new yes lets it go on."""
        if state is not RunState.RUNNING and self._data.rejected is not None:
            text = self._words.text("status_run_rejected")
            return Status(tone="stop", text=text, more=reason)
        return Status(tone="wait", text=self._words.text(f"status_run_{state.value}"), more=reason)

    def _plan_status(self) -> Status:
        closed = [gate.name for gate in self._data.gates if not gate.open]
        names = self._words.listed([self._quoted(name) for name in closed if name != "approval"])
        if no := self._data.rejected:
            text = self._words.text(
                "status_rejected", by=one_line(no.by), reference=one_line(no.reference)
            )
            return Status(tone="stop", text=text)
        if "approval" in closed and not self._data.approvals:
            key = "status_waiting_more" if names else "status_waiting"
            return Status(tone="wait", text=self._words.text(key, names=names))
        if closed:
            names = names or self._quoted("approval")
            return Status(tone="stop", text=self._words.text("status_closed", names=names))
        if not self._data.gates:
            return Status(tone="wait", text=self._words.text("gates_none"))
        return Status(tone="calm", text=self._words.text("status_open"))

    def rests_on(self) -> str:
        """Return the standing approval that the plan or run rests on, empty where it does not."""
        if self._data.rests_on is None:
            return ""
        return one_line(self._words.reason(self._data.rests_on.told()).text, 600)

    def bounds(self, given: Bounds) -> str:
        """Return within which bounds an answer is to later plans too."""
        said = Sentence("condition_standing", bounds=given.told())
        return one_line(self._words.reason(said).text, 400)

    def _quoted(self, gate: str) -> str:
        return self._words.text("quoted", name=self._words.name_of("gate", gate))

    def conditions(self, found: Conditions) -> str:
        """Return the conditions of an answer, empty where it has none."""
        words = self._words
        parts = []
        if found.per_night is not None:
            parts.append(words.text("condition_per_night", n=words.number(found.per_night)))
        if found.not_before is not None:
            parts.append(words.text("condition_not_before", day=words.day(found.not_before)))
        if found.excluded:
            named = [one_line(record, 60) for record in found.excluded[:LISTED]]
            rest = len(found.excluded) - len(named)
            more = [words.text("more", n=words.number(rest))] if rest else []
            parts.append(
                words.text(
                    "condition_excluded",
                    n=words.number(len(found.excluded)),
                    records=", ".join([*named, *more]),
                )
            )
        return "; ".join(parts)

    def standing(self, one: WeighedAnswer) -> Worded:
        """Return whether an answer counts, and if not, why."""
        words, other = self._words, one.other
        if one.against is None:
            return Worded(words.text("approval_counts"), words.name)
        if other is None:
            reason = words.reason(one.said)
            return Worded(words.text("approval_not", reason=one_line(reason.text)), reason.lang)
        text = words.text(
            f"approval_not_{one.against.value}",
            by=one_line(other.by),
            reference=one_line(other.reference),
        )
        return Worded(text, words.name)

    def manifest_list(self, *keys: str) -> list[str]:
        """Return a list of texts from the manifest's head, empty where it has none."""
        value: Any = self._data.plan.manifest
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return [str(item) for item in value] if isinstance(value, (list, tuple)) else []

    def looser(self, item: LooserValue) -> str:
        """Return in words what a looser value allows."""
        words, value = self._words, item.value
        if item.name == "min_staging_coverage" and isinstance(value, (int, float)):
            told = words.percent(value)
        elif isinstance(value, (int, float)):
            told = words.number(value) if isinstance(value, int) else words.decimal(value)
        else:
            told = one_line(words.listed(value) if isinstance(value, list) else str(value), 200)
        return words.name_of("looser", item.name).format(value=told)

    def rule_name(self, rule: Rule) -> str:
        """Return what a rule is called; one of a policy file by its id."""
        name = self._words.name_of("rule", rule.id)
        return name if name == rule.id else f"{name} ({rule.id})"

    def ceilings(self) -> str:
        """Return the manifest's ceilings, deletions first."""
        value = self._data.plan.manifest.get("ceilings")
        limits = value if isinstance(value, Mapping) else {}
        names = {action.value: self._words.name_of("deed", action.value) for action in ORDER}
        names["records"] = self._words.text("ceiling_records")
        found = [
            self._words.text("ceiling", name=name, n=self._words.number(limits[key]))
            for key, name in names.items()
            if isinstance(limits.get(key), int)
        ]
        return ", ".join(found) or self._words.text("none")
