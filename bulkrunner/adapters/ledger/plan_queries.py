"""What planning looks up in the plan so far, and the answers to its selections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, select

from bulkrunner.adapters.ledger.batches import SELECTED
from bulkrunner.adapters.ledger.chain import append_main, row_digest
from bulkrunner.adapters.ledger.codecs import change_of, document_digests
from bulkrunner.adapters.ledger.columns import said
from bulkrunner.adapters.ledger.document_store import fetch
from bulkrunner.adapters.ledger.tables import (
    input_lines,
    planned_changes,
    results,
    runs,
    selected,
    selections,
)
from bulkrunner.adapters.ledger.writer import PAGE, Part
from bulkrunner.domain.plan import WRITING, Action, PlannedChange, record_key
from bulkrunner.domain.run import Outcome
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Source
from bulkrunner.sentences import stored_text

_WRITING = sorted(action.value for action in WRITING)

_FAILED = (Action.REFUSED.value, Action.NOT_FOUND.value)


class Lookups(Part):
    """Part of the store."""

    def changes_of(self, plan: str, keys: Sequence[str]) -> Mapping[str, PlannedChange]:
        """Return for each target key or place that a change of the plan has: that change."""
        c = planned_changes.c
        found: dict[str, PlannedChange] = {}
        with self._database.read() as connection:
            for start in range(0, len(keys), PAGE):
                wanted = keys[start : start + PAGE]
                for column in (c.target_key, c.place):
                    query = select(planned_changes).where(c.plan == plan, column.in_(wanted))
                    page = connection.execute(query).all()
                    documents = fetch(connection, document_digests(page))
                    for row in page:
                        found[row._mapping[column]] = change_of(row, documents)
        return found

    def numbers_at(self, plan: str, places: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """Return for each place that changes of the plan have: their numbers."""
        c = planned_changes.c
        found: dict[str, tuple[int, ...]] = {}
        with self._database.read() as connection:
            for start in range(0, len(places), PAGE):
                query = select(c.place, c.number).where(
                    c.plan == plan, c.place.in_(places[start : start + PAGE])
                )
                for place, number in connection.execute(query):
                    found[place] = (*found.get(place, ()), number)
        return found

    def changes_numbered(self, plan: str, numbers: Sequence[int]) -> list[PlannedChange]:
        """Return the changes of these numbers, in plan order."""
        c = planned_changes.c
        query = select(planned_changes).where(c.plan == plan, c.number.in_(numbers))
        with self._database.read() as connection:
            page = connection.execute(query.order_by(c.number)).all()
            documents = fetch(connection, document_digests(page))
            return [change_of(row, documents) for row in page]

    def waiting(self, plan: str, *, after: int, limit: int) -> Mapping[int, tuple[int, ...]]:
        """Return the next changes to be carried out that wait for others: number → those."""
        c = planned_changes.c
        query = (
            select(c.number, c.prerequisites)
            .where(c.plan == plan, c.number > after, c.action.in_(_WRITING))
            .where(c.prerequisites.is_not(None))
            .order_by(c.number)
            .limit(limit)
        )
        with self._database.read() as connection:
            return {number: tuple(numbers) for number, numbers in connection.execute(query)}

    def failed(self, plan: str, numbers: Sequence[int]) -> frozenset[int]:
        """Return those of the numbers whose changes are refused or not found."""
        c = planned_changes.c
        with self._database.read() as connection:
            return frozenset(
                number
                for start in range(0, len(numbers), PAGE)
                for number in connection.scalars(
                    select(c.number).where(
                        c.plan == plan,
                        c.number.in_(numbers[start : start + PAGE]),
                        c.action.in_(_FAILED),
                    )
                )
            )

    def last_number(self, plan: str) -> int:
        """Return the number of the plan's last change; 0 where it has none."""
        c = planned_changes.c
        with self._database.read() as connection:
            return connection.scalar(select(func.max(c.number)).where(c.plan == plan)) or 0

    def actions_of(self, plan: str, numbers: Sequence[int]) -> list[Action]:
        """Return the actions of the changes of these numbers, in plan order."""
        if not numbers:
            return []
        c = planned_changes.c
        query = select(c.action).where(c.plan == plan, c.number.in_(numbers)).order_by(c.number)
        with self._database.read() as connection:
            return [Action(word) for word in connection.scalars(query)]


_PAGE = 1000


class Selections(Part):
    """Part of the store."""

    def get(self, plan: str, step: int) -> Mapping[str, Any] | None:
        """Return ``{count, note}`` of a selection that was stored whole; None where it was not."""
        query = select(selections).where(selections.c.plan == plan, selections.c.step == step)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else {"count": row.count, "note": row.note or {}}

    def all(self, plan: str) -> list[Mapping[str, Any]]:
        """Return ``{step, count, note}`` of every selection that was stored whole, in order."""
        c = selections.c
        query = select(selections).where(c.plan == plan).order_by(c.step)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [{"step": row.step, "count": row.count, "note": row.note or {}} for row in rows]

    def keep(
        self,
        plan: str,
        step: int,
        refs: Iterable[str],
        *,
        note: Callable[[], Mapping[str, Any]] = dict,
    ) -> int:
        """Store the records of a selection; what an earlier, broken try has left goes away."""
        of_step = (selected.c.plan == plan, selected.c.step == step)
        with self._database.write() as connection:
            connection.execute(delete(selected).where(*of_step))
            self._told(connection, "selection_begun", {"plan": plan, "step": step})
        stream, count = iter(refs), 0
        while page := list(islice(stream, _PAGE)):
            rows = [
                {"plan": plan, "step": step, "position": position, "ref": ref}
                for position, ref in enumerate(page, start=count + 1)
            ]
            with self._database.write() as connection:
                connection.execute(insert(selected), rows)
                told = {"plan": plan, "step": step, **SELECTED.told(rows)}
                self._told(connection, "selected", told)
            count += len(page)
        with self._database.write() as connection:
            values = {"plan": plan, "step": step, "count": count, "note": dict(note()) or None}
            connection.execute(insert(selections).values(**values))
            data = {"plan": plan, "step": step, "row": row_digest(values)}
            self._told(connection, "selection_kept", data)
        return count

    def _told(self, connection: Connection, kind: str, data: Mapping[str, Any]) -> None:
        append_main(connection, kind, data, at=self._clock.now())

    def selected(self, plan: str, step: int, *, after: int = 0) -> Iterator[str]:
        """Stream the records of a stored selection."""
        c = selected.c
        query = select(c.position, c.ref).where(c.plan == plan, c.step == step)
        query = query.order_by(c.position).limit(_PAGE)
        while True:
            with self._database.read() as connection:
                page = connection.execute(query.where(c.position > after)).all()
            yield from (row.ref for row in page)
            if len(page) < _PAGE:
                return
            after = page[-1].position

    def left_out(self, plan: str) -> Iterator[InputLine]:
        """Stream the lines of a plan's inputs that give no change, in their order."""
        c = input_lines.c
        query = select(input_lines).where(c.plan == plan).order_by(c.place).limit(_PAGE)
        after = 0
        while True:
            with self._database.read() as connection:
                page = connection.execute(query.where(c.place > after)).all()
            yield from map(_line_of, page)
            if len(page) < _PAGE:
                return
            after = page[-1].place


def line_row(plan: str, place: int, line: InputLine) -> dict[str, Any]:
    """Return the row of a line that is left out; ``place`` is its place in the stream."""
    return {
        "plan": plan,
        "place": place,
        "source_file": line.source.file,
        "source_line": line.source.line,
        "source_column": line.source.column,
        "code": line.code,
        "given": line.given,
        "message": stored_text(line.message),
    }


def _line_of(row: Row[Any]) -> InputLine:
    return InputLine(
        source=Source(file=row.source_file, line=row.source_line, column=row.source_column),
        code=row.code,
        given=row.given,
        message=said(row.message),
    )


def applied_creations(run: str) -> Select[Any]:
    """Select the records that a run created."""
    change = and_(
        planned_changes.c.plan == runs.c.plan, planned_changes.c.number == results.c.change
    )
    return (
        select(
            results.c.record,
            results.c.change,
            planned_changes.c.wish,
            planned_changes.c.operation_digest,
        )
        .join_from(runs, results, results.c.run == runs.c.id)
        .join(planned_changes, change)
        .where(
            runs.c.id == run,
            results.c.outcome == Outcome.APPLIED.value,
            planned_changes.c.action == Action.CREATE.value,
        )
    )


def later_writes(mine: Row[Any], records: Sequence[str]) -> Select[Any]:
    """Select what later runs did to records.

    By the targets of the changes, which are indexed: no later run creates an old record.
    """
    keys = {record_key(record) for record in records}
    planned = and_(planned_changes.c.plan == runs.c.plan, planned_changes.c.target_key.in_(keys))
    ended = and_(results.c.run == runs.c.id, results.c.change == planned_changes.c.number)
    return (
        select(
            planned_changes.c.record.label("written"),
            runs.c.id,
            runs.c.job,
            results.c.etag,
            planned_changes.c.action,
        )
        .join_from(runs, planned_changes, planned)
        .join(results, ended)
        .where(
            runs.c.environment == mine.environment,
            runs.c.seq > mine.seq,
            results.c.outcome == Outcome.APPLIED.value,
        )
        .order_by(runs.c.seq, results.c.change)
    )


def count_refusals(connection: Connection, plan: str) -> dict[str, int]:
    """Count a plan's refusals by code; what two steps say alike of one line of input is one."""
    c = planned_changes.c
    place = (c.source_file, c.source_line, c.source_column)
    apart = (
        select(c.code, c.record, c.message, *place)
        .where(c.plan == plan, c.action == Action.REFUSED.value)
        .distinct()
        .subquery()
    )
    query = select(apart.c.code, func.count()).group_by(apart.c.code).order_by(apart.c.code)
    return {str(code): int(count) for code, count in connection.execute(query)}


def count_sigels(connection: Connection, plan: str) -> dict[str, dict[str, int]]:
    """Count a plan's changes by sigel, then by action."""
    sigel, action = planned_changes.c.sigel, planned_changes.c.action
    query = (
        select(sigel, action, func.count())
        .where(planned_changes.c.plan == plan)
        .group_by(sigel, action)
        .order_by(sigel, action)
    )
    counts: dict[str, dict[str, int]] = {}
    for name, word, count in connection.execute(query):
        by_action = counts.setdefault(name or "", {})
        by_action[word] = by_action.get(word, 0) + count
    return counts


def tally(connection: Connection, plan: str) -> dict[str, dict[str, Any]]:
    """Count a plan's changes by sigel and action, what it writes by kind, its refusals by code.

    And of each pattern how many changes it has, and the number of the first.
    """
    kind, action = planned_changes.c.kind, planned_changes.c.action
    written = (
        select(kind, func.count())
        .where(planned_changes.c.plan == plan, action.in_(_WRITING))
        .group_by(kind)
        .order_by(kind)
    )
    number, pattern = planned_changes.c.number, planned_changes.c.pattern
    patterns = (
        select(pattern, func.count(), func.min(number))
        .where(planned_changes.c.plan == plan, action.in_(_WRITING))
        .group_by(pattern)
        .order_by(pattern)
    )
    return {
        "sigels": count_sigels(connection, plan),
        "kinds": {name or "": count for name, count in connection.execute(written)},
        "refused": count_refusals(connection, plan),
        "patterns": {name: [count, first] for name, count, first in connection.execute(patterns)},
    }
