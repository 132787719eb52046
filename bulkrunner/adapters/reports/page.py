"""What the HTML page works out from the report's data: sentences, the state at the top, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bulkrunner.adapters.reports.effects import effect_line, parts_line
from bulkrunner.adapters.reports.showing import one_line
from bulkrunner.adapters.reports.wording import Language, Worded
from bulkrunner.domain.plan import WRITING, Action, PlanState
from bulkrunner.domain.report import (
    ORDER,
    Outlier,
    PatternGroup,
    PatternPart,
    ReasonGroup,
    ReportData,
    ReportedChange,
)
from bulkrunner.domain.run import Outcome, Result, RunState

PLAIN = frozenset({"gone", "not_found", "no_change"})
"""Codes whose message adds nothing."""

DETAILED = frozenset({"duplicate", "linked", "prerequisite"})
"""Codes whose message names what the explanation leaves out."""

LISTED = 20
"""Sigels, records or patterns named in a line or table before the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The line at the top; ``tone`` is calm, wait or stop."""

    tone: str
    text: str
    more: Worded | None = None


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Something to say of a result; ``who`` names by whom and when, where that is known."""

    text: str
    todo: str
    who: str


class Page:
    """Sentences and tables of one report in one language."""

    def __init__(self, data: ReportData, words: Language) -> None:
        self._data = data
        self._words = words

    # --- the head ----------------------------------------------------------------------------

    @property
    def kind_name(self) -> str:
        """What the environment is for, with its name."""
        kind = self._words.text("production" if self._data.production else "test")
        return f"{kind} ({one_line(self._data.plan.environment, 60)})"

    def status(self) -> Status:
        """How things stand."""
        if self._data.run is not None:
            return self._run_status()
        if self._data.plan.state is not PlanState.COMPLETE:
            return Status(tone="stop", text=self._words.text("status_incomplete"))
        return self._plan_status()

    def _run_status(self) -> Status:
        run, outcomes = self._data.run, self._data.outcomes or {}
        state = run.state if run else RunState.COMPLETED
        reason = self._words.reason(run.stop_reason) if run and run.stop_reason else None
        bad = sum(outcomes.get(word, 0) for word in ("conflict", "refused", "failed", "unknown"))
        if state is RunState.COMPLETED and bad:
            count = self._words.count("change_not", bad)
            text = self._words.text("status_run_problems", n=count)
            return Status(tone="stop", text=text, more=reason)
        tone = "calm" if state is RunState.COMPLETED else "wait"
        return Status(tone=tone, text=self._words.text(f"status_run_{state.value}"), more=reason)

    def _plan_status(self) -> Status:
        closed = [gate.name for gate in self._data.gates if not gate.open]
        names = self._words.listed([self._quoted(name) for name in closed if name != "approval"])
        answer = self._data.approvals[-1] if self._data.approvals else None
        if answer is not None and not answer.approved:
            text = self._words.text(
                "status_rejected", by=one_line(answer.by), reference=one_line(answer.reference)
            )
            return Status(tone="stop", text=text)
        if "approval" in closed and answer is None:
            key = "status_waiting_more" if names else "status_waiting"
            return Status(tone="wait", text=self._words.text(key, names=names))
        if closed:
            names = names or self._quoted("approval")
            return Status(tone="stop", text=self._words.text("status_closed", names=names))
        if not self._data.gates:
            return Status(tone="wait", text=self._words.text("gates_none"))
        return Status(tone="calm", text=self._words.text("status_open"))

    def _quoted(self, gate: str) -> str:
        return self._words.text("quoted", name=self._words.name_of("gate", gate))

    def manifest_list(self, *keys: str) -> list[str]:
        """Return a list of texts from the manifest's head, empty where it has none."""
        value: Any = self._data.plan.manifest
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return [str(item) for item in value] if isinstance(value, (list, tuple)) else []

    def ceilings(self) -> str:
        """Return the manifest's ceilings, deletions first."""
        value = self._data.plan.manifest.get("ceilings")
        limits = value if isinstance(value, Mapping) else {}
        names = {action.value: self._words.name_of("action", action.value) for action in ORDER}
        names["records"] = self._words.text("ceiling_records")
        found = [
            self._words.text("ceiling", name=name, n=self._words.number(limits[key]))
            for key, name in names.items()
            if isinstance(limits.get(key), int)
        ]
        return ", ".join(found) or self._words.text("none")

    # --- what will happen --------------------------------------------------------------------

    def paragraph(self) -> list[str]:
        """Return in plain sentences what the plan does."""
        verbs = [verb for action in ORDER if (verb := self._verb(action))]
        if not verbs:
            return [self._words.text("what_nothing", environment=self.kind_name), *self._left_out()]
        intro = "what_intro_run" if self._data.run else "what_intro"
        sentences = [
            self._words.text(intro, verbs=self._words.listed(verbs), environment=self.kind_name),
            self._sigels_sentence(),
        ]
        if not self._data.run:
            sentences.append(self._words.text("what_read_first"))
        if self._count(Action.DELETE, "holding"):
            sentences.append(self._words.text("what_deleted"))
        return [*sentences, *self._left_out()]

    def _count(self, action: Action, kind: str) -> int:
        return self._data.grouped.kinds.get((action, kind), 0)

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
        key = "what_sigels_one" if len(written) == 1 else "what_sigels_many"
        active = self._data.head_text("active_sigel") or self._data.head_text("on_behalf_of")
        return self._words.text(
            "what_sigel", active=one_line(active, 60), sigels=self._words.text(key, sigels=listed)
        )

    def _left_out(self) -> Iterator[str]:
        count = sum(
            self._data.counts.get(action.value, 0) for action in ORDER if action not in WRITING
        )
        if count:
            what = self._words.count("line", count)
            yield self._words.text("what_left_out", what=what[:1].upper() + what[1:])

    # --- what it was made from ---------------------------------------------------------------

    def read_as(self, read: Mapping[str, Any]) -> str:
        """Return how a list or table was read: encoding, separators, sheet."""
        parts = [self._words.name_of("input_kind", str(read.get("kind")))]
        if encoding := read.get("encoding"):
            parts.append(str(encoding).upper())
        if sheet := read.get("sheet"):
            parts.append(self._words.text("inputs_sheet", name=one_line(str(sheet), 60)))
        separators = [str(read[key]) for key in ("separator", "header_separator") if read.get(key)]
        for key, sign in zip(("inputs_separator", "inputs_header"), separators, strict=False):
            if key == "inputs_separator" or sign != separators[0]:
                name = self._words.name_of("separator", sign)
                parts.append(self._words.text(key, sign=name))
        return ", ".join(parts)

    def left_out_of(self, read: Mapping[str, Any]) -> list[tuple[str, int]]:
        """Return code and count of a list's lines that give no change by themselves."""
        found = read.get("left_out")
        counts = found if isinstance(found, Mapping) else {}
        return [(str(code), count) for code, count in counts.items() if isinstance(count, int)]

    def selection_facts(self, chosen: Mapping[str, Any]) -> Iterator[str]:
        """Yield what a search or the holdings of a library were put together from."""
        note = chosen.get("note") or {}
        if refused := note.get("refused"):
            yield self._words.reason(str(refused.get("message", ""))).text
        if others := note.get("others"):
            yield self._words.text("inputs_others", n=self._words.number(others))
        for sigel, facts in (note.get("libraries") or {}).items():
            yield self._words.text(
                "inputs_library",
                sigel=one_line(str(sigel), 60),
                started=one_line(str(facts.get("dump_started", "")), 40),
                **{
                    key: self._words.number(int(facts.get(key, 0)))
                    for key in (
                        "dump_shown",
                        "since_created",
                        "since_deleted",
                        "index_total",
                        "index_only",
                        "dump_only",
                    )
                },
            )

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

    def outcome_tiles(self) -> list[tuple[str, int, str]]:
        """Return (name, count, label) of every outcome of the run."""
        outcomes = self._data.outcomes or {}
        return [
            (
                outcome.value,
                outcomes.get(outcome.value, 0),
                self._words.name_of("outcome_count", outcome.value),
            )
            for outcome in Outcome
        ]

    def sigel_rows(self) -> list[tuple[str, list[int]]]:
        """Return (sigel, counts in the order of the tiles), most deletions first."""
        rows = [
            (sigel, [counts.get(action.value, 0) for action in ORDER])
            for sigel, counts in self._data.sigels.items()
        ]
        return sorted(rows, key=lambda row: ([-count for count in row[1]], row[0]))

    @property
    def order(self) -> Sequence[str]:
        """The actions in the order of the columns."""
        return [action.value for action in ORDER]

    # --- reasons -----------------------------------------------------------------------------

    def accepted_text(self, group: ReasonGroup) -> str:
        """Return whether the manifest lives with the refusals, empty where it need not."""
        if group.action is not Action.REFUSED:
            return ""
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

    def bad_staging(self) -> str:
        """Return the newest test plan's outcomes that close the gate, in words."""
        evidence = self._data.evidence
        bad = {k: v for k, v in (evidence.bad_outcomes if evidence else {}).items() if v}
        return ", ".join(
            f"{self._words.number(count)} {self._words.name_of('outcome_count', word)}"
            for word, count in sorted(bad.items())
        )

    # --- patterns ----------------------------------------------------------------------------

    def effect(self, group: PatternGroup) -> str:
        """Return what the changes of a group do, in a line."""
        return effect_line(group, self._words)

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

    # --- one change --------------------------------------------------------------------------

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
        """Tell whether the remarks already say what the result's message says."""
        return result.code not in DETAILED and any(self._words.explained(result.code))

    def _remark(self, code: str, detail: Any) -> Remark:
        meaning, todo = self._words.explained(code)
        return Remark(
            text=meaning or one_line(code, 80), todo=todo, who=self._who(code, detail) or ""
        )

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
        return self._words.text("by_when", by=by, when=self._when(str(when)))

    def _when(self, text: str) -> str:
        try:
            return self._words.time(datetime.fromisoformat(text))
        except ValueError:
            return one_line(text, 60)

    def new_record(self, item: ReportedChange) -> str:
        """Return the id that a create was given, empty for anything else."""
        result = item.result
        if item.change.action is not Action.CREATE or result is None:
            return ""
        return (result.record or "") if result.outcome is Outcome.APPLIED else ""
