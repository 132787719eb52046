"""Evidence: what test runs of a job say of the changes of a plan for production."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    String,
    and_,
    func,
    or_,
    select,
    true,
    type_coerce,
)

from bulkrunner.adapters.ledger.chain import append_main
from bulkrunner.adapters.ledger.columns import said
from bulkrunner.adapters.ledger.document_store import fetch
from bulkrunner.adapters.ledger.kept_evidence import (
    EVIDENCE_KEPT,
    evidence_data,
    kept_evidence,
    source_of,
)
from bulkrunner.adapters.ledger.plan_queries import count_refusals
from bulkrunner.adapters.ledger.runs import count_outcomes
from bulkrunner.adapters.ledger.tables import attempts, planned_changes, plans, results, runs
from bulkrunner.adapters.ledger.writer import PAGE, Part
from bulkrunner.domain.environment import Kind
from bulkrunner.domain.plan import WRITING, Action, Plan, PlanState
from bulkrunner.domain.records import Document
from bulkrunner.domain.rules import Basis, Counterpart, Declined, Evidence, TriedBy
from bulkrunner.domain.run import PROBLEMS, Outcome

# Code of a planned ``unchanged`` where an earlier run of the job made the change.
EARLIER_CODE = "applied_earlier"

MAX_UNTRIED = 100

_WRITING = [action.value for action in WRITING]

_NOT_CARRIED_OUT = [outcome.value for outcome in PROBLEMS]

# Characters of a moment, as it is stored.
_MOMENT = 32

# The least status of an answer that stored nothing.
_REFUSING = 400

# Outcome, code and the server's words.
_Reason: TypeAlias = tuple[str, str, str]


class Evidences(Part):
    """Part of the store."""

    def of_plan(
        self, plan: Plan, *, not_before: datetime, counts: Callable[[Mapping[str, str]], bool]
    ) -> Evidence:
        """Return what test runs of the plan's job say of its changes."""
        with self._database.read() as connection:
            test_plans = [
                row for row in plans_in_test(connection, plan.job) if counts(row.addresses)
            ]
            names = [row.id for row in test_plans]
            source = source_of(connection, plan.id, test_plans)
            if (kept := kept_evidence(connection, plan.id, source, not_before)) is not None:
                return kept
            tally = _Tally(not_before=not_before)
            for row in connection.execute(_not_carried_out(plan.id, names, not_before)):
                tally.sent[row.number] = (row.outcome, row.code, row.words)
                tally.note(row.decided_at)
            for row in connection.execute(_with_twins(plan.id, names, not_before)):
                tally.add(row)
            newest = next(
                (row for row in test_plans if row.effect_digest == plan.effect_digest), None
            )
            bad, refused = _of_newest(connection, newest) if newest is not None else ({}, {})
            return Evidence(
                total=dict(tally.total),
                tried=dict(tally.tried),
                untried=tuple(tally.untried),
                declined=tally.declined_groups(),
                patterns={
                    said(pattern): (count, tally.patterns_tried[pattern])
                    for pattern, count in tally.patterns.items()
                },
                newest_test_plan=None if newest is None else newest.id,
                bad_outcomes=bad,
                refused_codes=refused,
                runs=_tried_by(connection, tally.runs, test_plans),
                basis=Basis(source=source, not_before=not_before, oldest=tally.oldest),
            )

    def keep(self, plan: str, evidence: Evidence) -> None:
        """Keep what ``of_plan`` found, so that it need not be counted again while it holds."""
        data = evidence_data(evidence)
        if data is not None:
            with self._database.write() as connection:
                told = {"plan": plan, **data}
                append_main(connection, EVIDENCE_KEPT, told, at=self._clock.now())

    def restorings(
        self, job: str, *, not_before: datetime, counts: Callable[[Mapping[str, str]], bool]
    ) -> Mapping[str, str]:
        """Return the patterns that undo jobs of a job applied in test runs, each with such a run."""
        with self._database.read() as connection:
            heads = connection.execute(
                select(plans.c.id, plans.c.addresses, plans.c.manifest).where(
                    plans.c.kind == Kind.TEST.value
                )
            )
            undoing = [
                row.id
                for row in heads
                if (row.manifest.get("undo") or {}).get("job") == job and counts(row.addresses)
            ]
            applied = connection.execute(
                select(planned_changes.c.pattern, runs.c.id)
                .join_from(planned_changes, runs, runs.c.plan == planned_changes.c.plan)
                .join(
                    results,
                    and_(results.c.run == runs.c.id, results.c.change == planned_changes.c.number),
                )
                .where(
                    planned_changes.c.plan.in_(undoing),
                    planned_changes.c.action.in_(_WRITING),
                    results.c.outcome == Outcome.APPLIED.value,
                    results.c.decided_at >= not_before,
                )
                .distinct()
            )
            return {said(row.pattern): row.id for row in applied}

    def counterparts(
        self,
        plan: Plan,
        *,
        action: Action,
        counts: Callable[[Mapping[str, str]], bool],
        numbers: Sequence[int] | None = None,
    ) -> Iterator[Counterpart]:
        """Stream for the plan's changes of an action what test runs did, in plan order."""
        with self._database.read() as connection:
            heads = {
                row.id: row.addresses
                for row in plans_in_test(connection, plan.job)
                if counts(row.addresses)
            }
        for part in _parts(plan, numbers) if heads else ():
            query = _twins(plan.id, list(heads), action).where(part)
            with self._database.read() as connection:
                rows = _best(connection.execute(query))
                found = fetch(connection, [row.before for row in rows])
            yield from (_twin(row, heads[row.plan], found.get(row.before)) for row in rows)


@dataclass(kw_only=True)
class _Tally:
    total: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    patterns: Counter[str] = field(default_factory=Counter)
    patterns_tried: Counter[str] = field(default_factory=Counter)
    untried: list[str] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    not_before: datetime
    oldest: datetime | None = None
    sent: dict[int, _Reason] = field(default_factory=dict)
    declined: Counter[_Reason] = field(default_factory=Counter)
    records: dict[_Reason, list[str]] = field(default_factory=dict)

    def note(self, moment: datetime) -> None:
        """Remember when what counts was decided; what is too old counts as read again since."""
        moment = max(moment, self.not_before)
        self.oldest = moment if self.oldest is None else min(self.oldest, moment)

    def add(self, row: Row[Any]) -> None:
        self.total[row.action] += 1
        self.patterns[row.pattern] += 1
        if row.twin is not None:
            self.tried[row.action] += 1
            self.patterns_tried[row.pattern] += 1
            self.runs[row.twin[_MOMENT:]] += 1
            self.note(datetime.fromisoformat(row.twin[:_MOMENT]))
        elif (reason := self.sent.get(row.number)) is not None:
            self.declined[reason] += 1
            records = self.records.setdefault(reason, [])
            if len(records) < MAX_UNTRIED:
                records.append(row.record)
        elif len(self.untried) < MAX_UNTRIED:
            self.untried.append(row.record)

    def declined_groups(self) -> tuple[Declined, ...]:
        """Return what was sent and not carried out, by reason."""
        return tuple(
            Declined(
                outcome=reason[0],
                code=reason[1],
                words=reason[2],
                count=count,
                records=tuple(self.records[reason]),
            )
            for reason, count in self.declined.most_common()
        )


def plans_in_test(connection: Connection, job: str) -> Sequence[Row[Any]]:
    """Return the job's plans for test environments, newest first."""
    query = (
        select(plans)
        .where(plans.c.job == job, plans.c.kind == Kind.TEST.value)
        .order_by(plans.c.seq.desc())
    )
    return connection.execute(query).all()


def _with_twins(plan: str, test_plans: list[str], not_before: datetime) -> Select[Any]:
    """Select the plan's changes, each with the newest run that did the same to the same record."""
    mine, twin = planned_changes, planned_changes.alias("twin")
    # When it was decided and the run: both of one row, by one look for it.
    run = (
        select(type_coerce(results.c.decided_at, String) + runs.c.id)
        .select_from(twin)
        .join(runs, runs.c.plan == twin.c.plan)
        .join(results, and_(results.c.run == runs.c.id, results.c.change == twin.c.number))
        .where(
            *_same(mine, twin, test_plans),
            results.c.outcome == Outcome.APPLIED.value,
            or_(results.c.decided_at >= not_before, _read_back(mine, test_plans, not_before)),
        )
        .order_by(results.c.decided_at.desc())
        .limit(1)
        .correlate(mine)
        .scalar_subquery()
    )
    return (
        select(mine.c.number, mine.c.action, mine.c.record, mine.c.pattern, run.label("twin"))
        .where(mine.c.plan == plan, mine.c.action.in_(_WRITING))
        .order_by(mine.c.number)
    )


def _not_carried_out(plan: str, test_plans: list[str], not_before: datetime) -> Select[Any]:
    """Select the plan's changes that test runs sent without success, the newest answer last."""
    mine, twin = planned_changes, planned_changes.alias("twin")
    sent = and_(attempts.c.run == runs.c.id, attempts.c.change == twin.c.number)
    return (
        select(
            mine.c.number,
            results.c.outcome,
            results.c.code,
            results.c.decided_at,
            attempts.c.words,
        )
        .select_from(mine)
        .join(twin, and_(*_same(mine, twin, test_plans)))
        .join(runs, runs.c.plan == twin.c.plan)
        .join(results, and_(results.c.run == runs.c.id, results.c.change == twin.c.number))
        .join(attempts, sent)
        .where(
            mine.c.plan == plan,
            mine.c.action.in_(_WRITING),
            results.c.outcome.in_(_NOT_CARRIED_OUT),
            results.c.decided_at >= not_before,
            attempts.c.status >= _REFUSING,
        )
        .order_by(results.c.decided_at, attempts.c.number)
    )


def _same(mine: FromClause, twin: FromClause, plans_meant: list[str]) -> Sequence[Any]:
    """Return what holds of a change of one of these plans that does the same to the same record."""
    return (
        twin.c.operation_digest == mine.c.operation_digest,
        twin.c.plan.in_(plans_meant),
        twin.c.action == mine.c.action,
        twin.c.record == mine.c.record,
        or_(
            mine.c.action != Action.CREATE.value,
            twin.c.sigel.is_not_distinct_from(mine.c.sigel),
        ),
    )


def _read_back(
    mine: FromClause, test_plans: list[str], not_before: datetime
) -> ColumnElement[bool]:
    """Return True if a later test plan found the change made already, and its effect still there."""
    again = planned_changes.alias("again")
    return (
        select(again.c.number)
        .join(plans, plans.c.id == again.c.plan)
        .where(
            again.c.operation_digest == mine.c.operation_digest,
            again.c.plan.in_(test_plans),
            again.c.action == Action.UNCHANGED.value,
            again.c.code == EARLIER_CODE,
            again.c.record == mine.c.record,
            again.c.sigel.is_not_distinct_from(mine.c.sigel),
            plans.c.finished_at >= not_before,
        )
        .correlate(mine)
        .exists()
    )


def _of_newest(connection: Connection, plan: Row[Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the outcomes of a test plan's newest run that close the gate, and its refusals.

    What the plan itself refused counts with what the run's server refused.
    """
    refused = Counter(count_refusals(connection, plan.id))
    run = connection.execute(
        select(runs).where(runs.c.plan == plan.id).order_by(runs.c.seq.desc()).limit(1)
    ).first()
    if run is None or plan.state != PlanState.COMPLETE:
        left = connection.scalar(
            select(func.count())
            .select_from(planned_changes)
            .where(planned_changes.c.plan == plan.id, planned_changes.c.action.in_(_WRITING))
        )
        least = 0 if plan.state == PlanState.COMPLETE else 1
        return _only_bad({Outcome.PENDING.value: max(left or 0, least)}), dict(refused)
    refused += _count_codes(
        connection,
        select(results.c.code, func.count()).where(
            results.c.run == run.id, results.c.outcome == Outcome.REFUSED.value
        ),
        results.c.code,
    )
    return _only_bad(count_outcomes(connection, run)), dict(refused)


def _count_codes(
    connection: Connection, query: Select[Any], code: ColumnElement[str]
) -> Counter[str]:
    rows = connection.execute(query.group_by(code).order_by(code))
    return Counter({str(word): int(count) for word, count in rows})


def _only_bad(counts: Mapping[str, int]) -> dict[str, int]:
    bad = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PENDING)
    return {word.value: counts[word.value] for word in bad if counts.get(word.value)}


def _tried_by(
    connection: Connection, found: Mapping[str, int], test_plans: Sequence[Row[Any]]
) -> tuple[TriedBy, ...]:
    addresses = {row.id: row.addresses for row in test_plans}
    query = select(runs).where(runs.c.id.in_(list(found))).order_by(runs.c.seq)
    return tuple(
        TriedBy(
            run=row.id,
            environment=row.environment,
            base_url=addresses[row.plan].get("base_url", ""),
            finished_at=row.finished_at,
        )
        for row in connection.execute(query)
    )


def _parts(plan: Plan, numbers: Sequence[int] | None) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that choose some of a plan's changes at a time."""
    number = planned_changes.c.number
    if numbers is None:
        for first in range(0, plan.cursor, PAGE):
            yield number.between(first + 1, first + PAGE)
    else:
        wanted = sorted(numbers)
        for first in range(0, len(wanted), PAGE):
            yield number.in_(wanted[first : first + PAGE])


def _twins(plan: str, test_plans: list[str], action: Action) -> Select[Any]:
    """Select what test runs did to the records of the plan's changes."""
    mine, twin = planned_changes, planned_changes.alias("twin")
    same_sigel = twin.c.sigel.is_not_distinct_from(mine.c.sigel)
    return (
        select(
            mine.c.number,
            twin.c.before,
            runs.c.id.label("run"),
            runs.c.environment,
            runs.c.plan,
            results.c.outcome,
            _written(action, results.c.record, twin.c.record).label("record"),
            results.c.detail,
        )
        .join_from(mine, twin, twin.c.operation_digest == mine.c.operation_digest)
        .join(runs, runs.c.plan == twin.c.plan)
        .join(results, and_(results.c.run == runs.c.id, results.c.change == twin.c.number))
        .where(
            mine.c.plan == plan,
            mine.c.action == action.value,
            twin.c.plan.in_(test_plans),
            twin.c.action == mine.c.action,
            twin.c.record == mine.c.record,
            same_sigel if action is Action.CREATE else true(),
        )
        .order_by(
            mine.c.number, results.c.outcome != Outcome.APPLIED.value, results.c.decided_at.desc()
        )
    )


def _written(
    action: Action, result: ColumnElement[str], planned: ColumnElement[str]
) -> ColumnElement[str]:
    """Return the record that was written: of a create only the outcome knows it."""
    return result if action is Action.CREATE else func.coalesce(result, planned)


def _best(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return the first row of each number."""
    found: dict[int, Row[Any]] = {}
    for row in rows:
        found.setdefault(row.number, row)
    return list(found.values())


def _twin(row: Row[Any], addresses: Mapping[str, str], before: Document | None) -> Counterpart:
    return Counterpart(
        change=row.number,
        run=row.run,
        environment=row.environment,
        base_url=addresses.get("base_url", ""),
        base_uri=addresses.get("base_uri", ""),
        record=row.record,
        outcome=row.outcome,
        detail=row.detail or {},
        before=before,
    )
