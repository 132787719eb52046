"""What only reports read: names of libraries, what test runs did, when outcomes were decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, select, true

from bulkrunner.adapters.ledger.base import PAGE, Part
from bulkrunner.adapters.ledger.documents import fetch
from bulkrunner.adapters.ledger.evidence import plans_in_test
from bulkrunner.adapters.ledger.schema import planned_changes, results, runs
from bulkrunner.domain.approval_terms import EXCLUDED
from bulkrunner.domain.gates import Twin
from bulkrunner.domain.plan import Action, Plan
from bulkrunner.domain.records import Document
from bulkrunner.domain.run import Outcome


class Reading(Part):
    """Part of the store: see ``domain.ports``."""

    def library_names(self, plan: str) -> dict[str, str]:
        """Return the names of libraries by sigel."""
        c = planned_changes.c
        query = (
            select(c.sigel, func.min(c.library).label("name"))
            .where(c.plan == plan, c.sigel.is_not(None), c.library.is_not(None))
            .group_by(c.sigel)
        )
        with self._database.read() as connection:
            return {row.sigel: row.name for row in connection.execute(query)}

    def twins(
        self,
        plan: Plan,
        *,
        action: Action,
        counts: Callable[[Mapping[str, str]], bool],
        numbers: Sequence[int] | None = None,
    ) -> Iterator[Twin]:
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

    def decisions(self, run: str) -> Iterator[tuple[datetime, Outcome]]:
        """Stream when each outcome of the run was decided, in the order of time.

        Changes that the answer leaves out are not among them: nothing was decided on them.
        """
        c = results.c
        query = select(c.decided_at, c.outcome).where(c.run == run).order_by(c.decided_at)
        query = query.where(func.coalesce(c.code, "") != EXCLUDED)
        with self._database.read() as connection:
            for decided_at, outcome in connection.execute(query):
                yield decided_at, Outcome(outcome)


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


def _twin(row: Row[Any], addresses: Mapping[str, str], before: Document | None) -> Twin:
    return Twin(
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
