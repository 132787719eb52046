"""Changes of a run with what was done for them, as rows; what waits, and what proves its pattern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from bulkrunner.adapters.ledger.chain import row_digest
from bulkrunner.adapters.ledger.codecs import CHANGE, ResultOfRow, pick, result_of
from bulkrunner.adapters.ledger.tables import attempts, planned_changes, plans, results, runs
from bulkrunner.domain.plan import WRITING
from bulkrunner.domain.run import Outcome
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

_WRITING = [action.value for action in WRITING]
_RESULT_COLUMNS = [column.label(f"result_{column.name}") for column in results.c]

# Rows that are read at a time of a query that may be left before its end.
_SOME = 100


def row_of_run(connection: Connection, run: str) -> Row[Any]:
    """Return the row of a run. UsageError: there is none."""
    row = connection.execute(select(runs).where(runs.c.id == run)).first()
    if row is None:
        raise UsageError(Sentence("ledger_run_unknown", run=repr(run)), code="unknown_run")
    return row


def changes_of(run: Row[Any], after: int, *, backwards: bool = False) -> Select[Any]:
    """Select the changes that a run carries out, with their results, in plan order."""
    joined = and_(results.c.run == run.id, results.c.change == planned_changes.c.number)
    return (
        select(planned_changes, *_RESULT_COLUMNS)
        .outerjoin_from(planned_changes, results, joined)
        .where(
            planned_changes.c.plan == run.plan,
            planned_changes.c.action.in_(_WRITING),
            planned_changes.c.number > after,
        )
        .order_by(planned_changes.c.number.desc() if backwards else planned_changes.c.number)
    )


def pending_rows(
    connection: Connection, run: str, *, after: int, until: int | None, limit: int
) -> list[tuple[Row[Any], list[Row[Any]]]]:
    """Return the rows of changes without an outcome, each with those of its attempts."""
    query = changes_of(row_of_run(connection, run), after).where(results.c.change.is_(None))
    if until is not None:
        query = query.where(planned_changes.c.number <= until)
    page = connection.execute(query.limit(limit)).all()
    sent = attempts_of(connection, run, page)
    return [(row, sent.get(row.number, [])) for row in page]


def attempts_of(
    connection: Connection, run: str, page: Sequence[Row[Any]]
) -> dict[int, list[Row[Any]]]:
    """Return the rows of the attempts at some changes, by number."""
    sent: dict[int, list[Row[Any]]] = {}
    if not page:
        return sent
    numbers = {row.number for row in page}
    query = (
        select(attempts)
        .where(attempts.c.run == run, attempts.c.change.between(min(numbers), max(numbers)))
        .order_by(attempts.c.change, attempts.c.number)
    )
    for row in connection.execute(query):
        if row.change in numbers:
            sent.setdefault(row.change, []).append(row)
    return sent


def digest_as_read(row: Row[Any], sent: Sequence[Row[Any]]) -> int:
    """Return eight bytes by which the rows of a change and its attempts are known again."""
    rows = [pick(dict(row._mapping), CHANGE), *(dict(one._mapping) for one in sent)]
    return int(row_digest({str(place): values for place, values in enumerate(rows)})[:16], 16)


def unproven(
    connection: Connection,
    run: str,
    *,
    tries: int,
    until: int | None,
    leaves_out: Callable[[int], bool],
) -> dict[str, list[int]]:
    """Return of each pattern that no change of a run has proven the first pending, by number."""
    found: dict[str, list[int]] = {}
    row = row_of_run(connection, run)
    held = connection.scalar(select(plans.c.tallies).where(plans.c.id == row.plan)) or {}
    for pattern, (_, first) in held.get("patterns", {}).items():
        changes = changes_of(row, first - 1).where(planned_changes.c.pattern == pattern)
        changes = changes.execution_options(yield_per=_SOME)
        if until is not None:
            changes = changes.where(planned_changes.c.number <= until)
        if not _is_proven(connection, changes, leaves_out):
            waiting = changes.where(results.c.change.is_(None))
            numbers = waiting.with_only_columns(planned_changes.c.number)
            with closing(connection.scalars(numbers)) as there:
                wanted = (number for number in there if not leaves_out(number))
                found[pattern] = list(islice(wanted, tries))
    pending = {pattern: numbers for pattern, numbers in found.items() if numbers}
    return dict(sorted(pending.items(), key=lambda one: one[1]))


def _is_proven(
    connection: Connection, changes: Select[Any], leaves_out: Callable[[int], bool]
) -> bool:
    """Return True if one of the changes was carried out as it was planned."""
    applied = changes.where(results.c.outcome == Outcome.APPLIED.value)
    with closing(connection.execute(applied)) as rows:
        return any(
            result_of(ResultOfRow(row), {}).is_as_planned and not leaves_out(row.number)
            for row in rows
        )
