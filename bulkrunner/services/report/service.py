"""Gathers what a report says from the ledger, long lists as streams; how long a run takes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Any

from bulkrunner.domain.approvals import EXCLUDED, Conditions, loosened, permit
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import WRITING, Action, Plan, empty_counts
from bulkrunner.domain.policy import Policy, accepts_of
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.report import Estimate, Moment, ReportData, Timeline, requests_for
from bulkrunner.domain.rules import Evidence, GateResult, rule_results
from bulkrunner.domain.run import PROBLEMS, Outcome, Run, RunEvent, RunState
from bulkrunner.domain.schedule import Hours, end_of_writes
from bulkrunner.domain.standing import Resting
from bulkrunner.domain.undo import undone_by
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.gatekeeper import counting_hosts, evidence_of
from bulkrunner.services.report.groups import group_changes
from bulkrunner.services.report.risks import Watch, searched
from bulkrunner.services.report.rows import Rows, differences_of
from bulkrunner.services.reviews import Proofs

# Steps of a timeline at most.
STEPS = 60


# Seconds that a step may take.
WIDTHS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)


# Seconds between two outcomes from which on a run was waiting, not working.
IDLE = 60.0


def estimate(
    kinds: Mapping[tuple[Action, str], int],
    environment: Environment,
    now: datetime,
    *,
    looks: int = 0,
    asked: Conditions | None = None,
) -> Estimate:
    """Return how long a run of so many changes, by action and kind of record, will take.

    ``looks``: other records that changes are held against. ``asked``: conditions of the yeses.
    """
    writing = {key: count for key, count in kinds.items() if key[0] in WRITING}
    writes, requests = sum(writing.values()), requests_for(writing) + looks
    seconds = max(writes / environment.rate, (requests - writes) / environment.read_rate)
    return Estimate(
        writes=writes,
        requests=requests,
        seconds=seconds,
        rate=environment.rate,
        windows=environment.windows,
        timezone=environment.timezone,
        done_at=end_of_writes(
            Hours(windows=environment.windows, timezone=environment.timezone),
            asked or Conditions(),
            now,
            writes=writes,
            seconds=seconds,
        ),
    )


class Decisions:
    """When the changes of a run were decided, and how, in order of time: nine bytes of each."""

    def __init__(self, decided: Iterable[tuple[datetime, Outcome]] = ()) -> None:
        self.start: datetime | None = None
        self.end: datetime | None = None
        self._times = array("q")
        self._outcomes = bytearray()
        for when, outcome in decided:
            self.start = self.start or when
            self.end = when
            self._times.append(self._since_start(when))
            self._outcomes.append(_OUTCOMES.index(outcome))

    def _since_start(self, when: datetime) -> int:
        return (when - (self.start or when)) // timedelta(microseconds=1)

    def __iter__(self) -> Iterator[tuple[float, Outcome]]:
        """Yield the seconds from the first decision, and the outcome."""
        for time, outcome in zip(self._times, self._outcomes, strict=True):
            yield time / _SECOND, _OUTCOMES[outcome]

    def any_between(self, first: datetime, last: datetime) -> bool:
        """Return True if anything was decided from one moment to another, both included."""
        after = bisect_left(self._times, self._since_start(first))
        return after < bisect_right(self._times, self._since_start(last))

    def speed(self) -> float:
        """Return how many were decided in a second, waits left out."""
        working = spent = 0
        for earlier, later in pairwise(self._times):
            if later - earlier < IDLE * _SECOND:
                working, spent = working + 1, spent + later - earlier
        return working / (spent / _SECOND) if spent else 0.0


_OUTCOMES = tuple(Outcome)

_SECOND = 1_000_000


def timeline(decisions: Decisions) -> Timeline | None:
    """Return how many changes were decided when; None where none was."""
    start, end = decisions.start, decisions.end
    if start is None or end is None:
        return None
    span = (end - start).total_seconds()
    width = next((each for each in WIDTHS if span < STEPS * each), None) or span / STEPS + 1
    steps: list[Counter[Outcome]] = [Counter() for _ in range(int(span // width) + 1)]
    for after, outcome in decisions:
        steps[int(after // width)][outcome] += 1
    return Timeline(
        start=start,
        end=end,
        seconds=width,
        steps=tuple(dict(step) for step in steps),
        per_second=decisions.speed(),
    )


ENDS = frozenset({RunState.INTERRUPTED, RunState.STOPPED})

TOLD = frozenset({"started", "paused", "pause_lifted", "rate_set", "waiting", "went_on"})


def moments(events: Sequence[RunEvent], decided: Decisions | None = None) -> tuple[Moment, ...]:
    """Return what happened to a run as a whole, for people to read; events are given oldest first.

    A wait that ended because the run did left nothing decided behind it: nothing went on then.
    """
    decided = decided or Decisions()
    idle = {id(one) for one, later in pairwise(events) if _ended_idle(one, later, decided)}
    return tuple(_moments([one for one in events if id(one) not in idle]))


def _ended_idle(event: RunEvent, later: RunEvent, decided: Decisions) -> bool:
    if event.kind != "went_on" or later.kind != "moved" or later.data.get("to") not in ENDS:
        return False
    return not decided.any_between(event.at, later.at)


def _moments(events: Sequence[RunEvent]) -> Iterator[Moment]:
    for event, following in zip_longest(events, events[1:]):
        data = event.data
        by, reason = str(data.get("by") or ""), data.get("reason") or ""
        match event.kind:
            case "moved":
                state = str(data.get("to"))
                kind = "resumed" if state == RunState.RUNNING else state
                yield Moment(at=event.at, kind=kind, reason=reason)
            case "lease_taken" if following is None or following.kind != "moved":
                yield Moment(at=event.at, kind="taken_over", by=str(data.get("host") or ""))
            case kind if kind in TOLD:
                yield Moment(
                    at=event.at,
                    kind=kind,
                    rate=data.get("rate"),
                    until=_instant(data.get("until")),
                    by=by,
                    reason=reason,
                )


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


__all__ = ["ReportService", "differences_of"]

# Entries of a run's chain that are looked at for its timeline.
MAX_MOMENTS = 2000


class ReportService:
    """Reads plans and runs; changes nothing."""

    def __init__(self, ledger: Ledger, clock: Clock, *, proofs: Proofs | None = None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proofs = proofs or Proofs(None)

    def report(self, prefix: str, gates: Sequence[GateResult] = ()) -> ReportData:
        """Return the report of an id or unique prefix; UsageError if none or several."""
        plan, run = self.find(prefix)
        return self.report_of(plan, run, gates)

    def find(self, prefix: str) -> tuple[Plan, Run | None]:
        """Return the plan, and the run where the id is a run's; UsageError if none or several."""
        plan, run = self._plan(prefix), self._run(prefix)
        if plan is not None and plan.id == prefix:
            return plan, None
        if plan is not None and run is not None and run.id != prefix:
            raise UsageError(
                Sentence("id_ambiguous", prefix=prefix),
                hint=Sentence("id_ambiguous_hint", plan=plan.id, run=run.id),
                code="ambiguous",
            )
        if run is not None:
            return self._ledger.plans.get(run.plan), run
        if plan is not None:
            return plan, None
        raise UsageError(
            Sentence("plan_or_run_unknown", prefix=prefix),
            hint=Sentence("plan_or_run_unknown_hint"),
        )

    def _plan(self, prefix: str) -> Plan | None:
        try:
            return self._ledger.plans.get(prefix)
        except UsageError as error:
            _pass_on_ambiguous(error)
            return None

    def _run(self, prefix: str) -> Run | None:
        try:
            return self._ledger.runs.get(prefix)
        except UsageError as error:
            _pass_on_ambiguous(error)
            return None

    def report_of(
        self,
        plan: Plan,
        run: Run | None,
        gates: Sequence[GateResult],
        *,
        environment: Environment | None = None,
        rests_on: Resting | None = None,
    ) -> ReportData:
        """Return the report of a plan or a run; no environment: unknown speed."""
        evidence, now = self._evidence(plan), self._clock.now()
        found = permit(
            plan,
            self._ledger.approvals.of_plan(plan.id),
            unsound=lambda answer: self._proofs.unsound(plan, answer),
        )
        policy = Policy.from_dict(dict(plan.policy))
        counts = counting_hosts(plan.addresses, policy) if evidence is not None else None
        rows, watch = Rows(self._ledger, plan, run, counts=counts), Watch(plan)
        refused = self._ledger.plans.count_refusals(plan.id)
        grouped = group_changes(
            lambda: watch.watched(rows.planned()), accepts_of(plan.manifest), rows.fetch, refused
        )
        decided = Decisions(self._ledger.runs.decisions(run.id) if run else ())
        events = self._ledger.orders.events(run.id, limit=MAX_MOMENTS) if run else ()
        selections = tuple(self._ledger.selections.all(plan.id))
        return ReportData(
            plan=plan,
            run=run,
            generated_at=now,
            gates=tuple(gates),
            loosened=loosened(plan),
            counts={**empty_counts(), **self._ledger.plans.count_actions(plan.id)},
            sigels=self._ledger.plans.count_sigels(plan.id),
            outcomes=self._ledger.runs.outcomes(run.id) if run else None,
            excluded=self._excluded(run) if run else 0,
            causes=self._causes(run) if run else (),
            sigel_outcomes=self._ledger.runs.count_sigels(run.id) if run else {},
            approvals=found.weighed,
            evidence=evidence,
            grouped=grouped,
            problems=rows.problems,
            changes=rows.changes,
            head=self._ledger.chain.head(),
            rules=rule_results(plan, gates, refused),
            libraries=self._ledger.plans.library_names(plan.id),
            risks=(*watch.risks(), *searched(selections)),
            not_restored=watch.not_restored(),
            staging=watch.staging(),
            estimate=estimate(
                grouped.kinds,
                environment,
                now,
                looks=grouped.looks,
                asked=found.conditions,
            )
            if environment
            else None,
            timeline=timeline(decided),
            moments=moments(events, decided),
            left_out=lambda: self._ledger.selections.left_out(plan.id),
            inputs=tuple(_inputs(plan)),
            selections=selections,
            reads=self._ledger.plans.count_reads(plan.id),
            rests_on=rests_on,
        )

    def sigels(self, plan: Plan) -> tuple[str, ...]:
        """Return the sigels of which the plan has changes or lines that came to nothing."""
        return tuple(sorted(filter(None, self._ledger.plans.count_sigels(plan.id))))

    def report_to(
        self, plan: Plan, run: Run | None, sigel: str, *, rests_on: Resting | None = None
    ) -> ReportData:
        """Return what concerns one library of a plan or a run: its own rows and their counts.

        Raises:
            UsageError: the plan has no rows of that sigel.
        """
        found = self._ledger.plans.count_sigels(plan.id)
        if not sigel or sigel not in found:
            there = self.sigels(plan)
            raise UsageError(
                Sentence("sigel_without_rows", plan=plan.id, sigel=repr(sigel[:60])),
                hint=Sentence("sigels_with_rows", sigels=there)
                if there
                else Sentence("no_sigel_with_rows"),
                code="unknown_sigel",
            )
        rows = Rows(self._ledger, plan, run, sigel=sigel)
        ended = self._ledger.runs.count_sigels(run.id).get(sigel, {}) if run else None
        name = self._ledger.plans.library_names(plan.id).get(sigel)
        return ReportData(
            plan=plan,
            run=run,
            sigel=sigel,
            generated_at=self._clock.now(),
            gates=(),
            loosened=(),
            counts={**empty_counts(), **found[sigel]},
            sigels={sigel: found[sigel]},
            outcomes=ended,
            approvals=(),
            evidence=None,
            grouped=group_changes(rows.planned, (), rows.fetch),
            problems=rows.problems,
            changes=rows.changes,
            head="",
            libraries={sigel: name} if name else {},
            rests_on=rests_on,
        )

    def _excluded(self, run: Run) -> int:
        return self._ledger.runs.count_codes(run.id, Outcome.REFUSED).get(EXCLUDED, 0)

    def _causes(self, run: Run) -> tuple[tuple[Outcome, str, int], ...]:
        found = [
            (outcome, code, count)
            for outcome in PROBLEMS
            for code, count in self._ledger.runs.count_codes(run.id, outcome).items()
            if code != EXCLUDED
        ]
        return tuple(sorted(found, key=lambda one: (-one[2], one[0], one[1])))

    def _evidence(self, plan: Plan) -> Evidence | None:
        # What an undo restores is each environment's own; the gate says what was tried of it.
        if plan.addresses.get("kind") != "production" or undone_by(plan) is not None:
            return None
        return evidence_of(plan, self._ledger, self._clock.now())


def _inputs(plan: Plan) -> Iterator[Mapping[str, Any]]:
    found = plan.manifest.get("inputs")
    yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))


def _pass_on_ambiguous(error: UsageError) -> None:
    if error.code.startswith("ambiguous"):
        raise error
