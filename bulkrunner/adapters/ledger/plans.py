"""Plans and their changes in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, insert, or_, select, update

from bulkrunner.adapters.ledger.batches import CHANGES, LEFT_OUT
from bulkrunner.adapters.ledger.chain import append_main, row_digest
from bulkrunner.adapters.ledger.codecs import (
    CHANGE,
    PLAN,
    change_digest,
    change_of,
    change_row,
    document_digests,
    pick,
    plan_of,
    plan_row,
)
from bulkrunner.adapters.ledger.columns import said
from bulkrunner.adapters.ledger.document_store import Parcel, fetch, fetch_content
from bulkrunner.adapters.ledger.plan_queries import (
    count_refusals,
    count_sigels,
    line_row,
    tally,
)
from bulkrunner.adapters.ledger.tables import (
    input_lines,
    jobs,
    planned_changes,
    plans,
    results,
    runs,
)
from bulkrunner.adapters.ledger.witness import ALSO, PLAN_ALSO
from bulkrunner.adapters.ledger.writer import PAGE, Part, find_by_prefix
from bulkrunner.domain.plan import (
    WRITING,
    Action,
    AppliedChange,
    Finding,
    Plan,
    PlannedChange,
    PlanState,
)
from bulkrunner.domain.run import Outcome
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Source, UsageError
from bulkrunner.sentences import Sentence

T = TypeVar("T")


_REPLACED = [name for name in CHANGE if name not in ("plan", "number")]


class Plans(Part):
    """Part of the store."""

    def begin(self, plan: Plan) -> None:
        """Store the head of a plan that is being made."""
        row = plan_row(plan)
        with self._database.write() as connection:
            connection.execute(
                self._database.insert_new(jobs),
                {
                    "id": plan.job,
                    "title": str(plan.manifest.get("title", "")),
                    "first_planned_at": plan.created_at,
                },
            )
            told = row_digest(pick(row, PLAN))
            data = {"plan": plan.id, "row": told, ALSO: pick(row, PLAN_ALSO)}
            event = append_main(connection, "plan_begun", data, at=self._clock.now())
            connection.execute(insert(plans).values(**row, event=event))

    def add_changes(
        self,
        plan: str,
        changes: Sequence[PlannedChange],
        *,
        cursor: int,
        since: int | None = None,
        replaced: Sequence[PlannedChange] = (),
        left_out: Sequence[tuple[int, InputLine]] = (),
    ) -> None:
        """Store changes and the cursor in one transaction."""
        parcel = Parcel()
        rows = [change_row(plan, change, parcel) for change in changes]
        again = [change_row(plan, change, parcel) for change in replaced]
        went_on = {ALSO: {"cursor": cursor}}
        with self._database.write() as connection:
            head = _head(connection, plan)
            if head.state != PlanState.PLANNING:
                raise UsageError(Sentence("ledger_plan_closed", plan=plan, state=head.state))
            if since is not None and head.cursor != since:
                raise UsageError(
                    Sentence("ledger_planned_elsewhere", plan=plan),
                    hint=Sentence("ledger_planned_elsewhere_hint"),
                    code="planned_elsewhere",
                )
            parcel.store(connection, self._database)
            if again:
                self._replace(connection, plan, again)
            if rows:
                batch = {"batch": rows[0]["number"]}
                connection.execute(insert(planned_changes), [row | batch for row in rows])
                self._tell(connection, "changes_added", plan, rows, **went_on)
            else:
                data = {"plan": plan, **went_on}
                append_main(connection, "plan_went_on", data, at=self._clock.now())
            if left_out:
                lines = [line_row(plan, *one) for one in left_out]
                connection.execute(insert(input_lines), lines)
                told = {"plan": plan, **LEFT_OUT.told(lines)}
                append_main(connection, "lines_left_out", told, at=self._clock.now())
            connection.execute(update(plans).where(plans.c.id == plan).values(cursor=cursor))

    def _replace(self, connection: Connection, plan: str, rows: list[dict[str, Any]]) -> None:
        """Put rows in the place of those with their numbers, and tell of their batches anew."""
        c = planned_changes.c
        numbers = [row["number"] for row in rows]
        connection.execute(
            _REPLACE,
            [
                {"in_plan": plan, "in_place": row["number"]}
                | {f"new_{name}": row[name] for name in _REPLACED}
                for row in rows
            ],
        )
        batches = {
            batch
            for start in range(0, len(numbers), PAGE)
            for batch in connection.scalars(
                select(c.batch).where(c.plan == plan, c.number.in_(numbers[start : start + PAGE]))
            )
        }
        for batch in sorted(batches):
            whole = connection.execute(
                select(planned_changes).where(c.plan == plan, c.batch == batch).order_by(c.number)
            )
            self._tell(connection, "changes_replaced", plan, [dict(row._mapping) for row in whole])

    def _tell(
        self,
        connection: Connection,
        kind: str,
        plan: str,
        rows: Sequence[Mapping[str, Any]],
        **more: Any,
    ) -> None:
        told = {"plan": plan, **CHANGES.told(rows), **more}
        append_main(connection, kind, told, at=self._clock.now())

    def interrupt(self, plan: str, *, requests: int) -> None:
        """Mark a plan as interrupted and add to its count of requests."""
        with self._database.write() as connection:
            head = _head(connection, plan)
            if head.state == PlanState.COMPLETE:
                raise UsageError(Sentence("ledger_plan_complete", plan=plan))
            self._move_plan(
                connection, head, "plan_interrupted", state=PlanState.INTERRUPTED, requests=requests
            )

    def reopen(self, plan: str) -> Plan:
        """Mark an interrupted plan as being made again; also one whose process died."""
        with self._database.write() as connection:
            head = _head(connection, plan)
            if head.state == PlanState.COMPLETE:
                raise UsageError(
                    Sentence("ledger_plan_complete", plan=plan),
                    hint=Sentence("ledger_plan_complete_hint"),
                )
            return self._move_plan(connection, head, "plan_reopened", state=PlanState.PLANNING)

    def finish(
        self, plan: str, *, plan_digest: str, counts: Mapping[str, int], requests: int, at: datetime
    ) -> Plan:
        """Mark a plan as complete; immutable from now on."""
        with self._database.write() as connection:
            head = _head(connection, plan)
            if head.state != PlanState.PLANNING:
                raise UsageError(Sentence("ledger_plan_not_finished", plan=plan, state=head.state))
            return self._move_plan(
                connection,
                head,
                "plan_finished",
                state=PlanState.COMPLETE,
                requests=requests,
                plan_digest=plan_digest,
                counts=dict(counts),
                tallies=tally(connection, plan),
                finished_at=at,
            )

    def get(self, prefix: str) -> Plan:
        """Return the plan with this id or unique prefix."""
        with self._database.read() as connection:
            return plan_of(find_by_prefix(connection, plans, prefix, "plan"))

    def all(self, *, job: str | None = None, environment: str | None = None) -> list[Plan]:
        """Return plans, newest first."""
        query = select(plans).order_by(plans.c.seq.desc())
        if job is not None:
            query = query.where(plans.c.job == job)
        if environment is not None:
            query = query.where(plans.c.environment == environment)
        with self._database.read() as connection:
            return [plan_of(row) for row in connection.execute(query)]

    def changes(
        self,
        plan: str,
        *,
        actions: Sequence[Action] | None = None,
        numbers: Sequence[int] | None = None,
        after: int = 0,
        documents: bool = True,
        sigel: str | None = None,
    ) -> Iterator[PlannedChange]:
        """Stream changes in plan order."""
        if numbers is not None and len(numbers) > PAGE:
            for start in range(0, len(numbers), PAGE):
                part = sorted(numbers)[start : start + PAGE]
                yield from self.changes(
                    plan,
                    actions=actions,
                    numbers=part,
                    after=after,
                    documents=documents,
                    sigel=sigel,
                )
            return
        query = select(planned_changes).where(planned_changes.c.plan == plan)
        if actions is not None:
            query = query.where(planned_changes.c.action.in_([item.value for item in actions]))
        if numbers is not None:
            query = query.where(planned_changes.c.number.in_(numbers))
        if sigel is not None:
            query = query.where(planned_changes.c.sigel == sigel)

        def read(connection: Connection, page: Sequence[Row[Any]]) -> list[PlannedChange]:
            found = fetch(connection, document_digests(page)) if documents else {}
            return [change_of(row, found) for row in page]

        yield from self._stream(query, after, read)

    def change_digests(self, plan: str) -> Iterator[str]:
        """Stream each stored change's digest, computed anew from what is stored.

        The documents' canonical bytes are put in place unread, so damage shows as another digest.
        """
        query = select(planned_changes).where(planned_changes.c.plan == plan)

        def read(connection: Connection, page: Sequence[Row[Any]]) -> list[str]:
            digests = [digest for row in page for digest in (row.before, row.after)]
            content = fetch_content(connection, digests)
            return [change_digest(row, content) for row in page]

        return self._stream(query, 0, read)

    def count_actions(self, plan: str) -> dict[str, int]:
        """Count stored changes by action."""
        column = planned_changes.c.action
        return self._count(select(column, func.count()), plan, column)

    def numbers_of(self, plan: str, names: Sequence[str]) -> frozenset[int]:
        """Return the numbers of the changes to be carried out that these names mean."""
        c, found = planned_changes.c, set[int]()
        numbers = [int(number) for name in names if (number := _number(plan, name))]
        wanted: list[tuple[Any, list[Any]]] = [
            (c.number, numbers),
            (c.record, [name for name in names if "." not in name]),
        ]
        with self._database.read() as connection:
            for column, values in wanted:
                for start in range(0, len(values), PAGE):
                    query = select(c.number).where(
                        c.plan == plan,
                        c.action.in_([action.value for action in WRITING]),
                        column.in_(values[start : start + PAGE]),
                    )
                    found.update(connection.scalars(query))
        return frozenset(found)

    def count_refusals(self, plan: str) -> dict[str, int]:
        """Count refused changes by code; what two steps say alike of one line of input is one."""
        with self._database.read() as connection:
            return count_refusals(connection, plan)

    def count_reasons(self, plan: str, action: Action) -> dict[str, int]:
        """Count the changes of an action by code."""
        column = planned_changes.c.code
        query = select(column, func.count()).where(planned_changes.c.action == action.value)
        return self._count(query, plan, column)

    def count_reads(self, plan: str) -> dict[str, int]:
        """Count the records that were read, by ``read_by`` of their changes."""
        column = planned_changes.c.read_by
        query = select(column, func.count()).where(planned_changes.c.before.is_not(None))
        return self._count(query, plan, column)

    def count_sigels(self, plan: str) -> dict[str, dict[str, int]]:
        """Count changes by sigel, then by action; ``""`` where the sigel is not known."""
        with self._database.read() as connection:
            return count_sigels(connection, plan)

    def tally(self, plan: str) -> dict[str, dict[str, Any]]:
        """Count what a complete plan keeps with its head, from its changes."""
        with self._database.read() as connection:
            return tally(connection, plan)

    def findings(self, plan: str, *, limit: int | None = 100) -> list[Finding]:
        """Return refusals first, then what was not found, then notes."""
        found: list[Finding] = []
        with self._database.read() as connection:
            for action, code in ((Action.REFUSED, ""), (Action.NOT_FOUND, "not_found")):
                query = _lines(plan, limit).where(planned_changes.c.action == action.value)
                found += [
                    Finding(
                        code=row.code or code,
                        record=row.record,
                        message=said(row.message),
                        source=Source(file=row.source_file, line=row.source_line),
                    )
                    for row in connection.execute(query)
                ]
            query = _lines(plan, limit).where(planned_changes.c.notes.is_not(None))
            found += [
                Finding(code=code, record=row.record, message=said(message))
                for row in connection.execute(query)
                for code, message in row.notes
            ]
        return found[:limit]

    def count_findings(self, plan: str) -> dict[str, int]:
        """Count what ``findings`` would list without a limit, by code; refusals come first."""
        counts = Counter(self.count_refusals(plan))
        column = planned_changes.c.action
        missing = select(func.count()).where(column == Action.NOT_FOUND.value)
        noted = select(planned_changes.c.notes).where(planned_changes.c.notes.is_not(None))
        with self._database.read() as connection:
            where = planned_changes.c.plan == plan
            codes = planned_changes.c.code
            query = missing.add_columns(codes).where(where).group_by(codes)
            for count, code in connection.execute(query):
                counts[code or "not_found"] += count
            for notes in connection.scalars(noted.where(where)):
                counts.update(code for code, _ in notes)
        return dict(counts)

    def made(self, plans: Sequence[str], operations: Sequence[str]) -> Mapping[str, AppliedChange]:
        """Return by wish, or operation digest, what runs of the plans applied last."""
        found: dict[str, AppliedChange] = {}
        with self._database.read() as connection:
            for start in range(0, len(operations), PAGE):
                wanted = operations[start : start + PAGE]
                for row in connection.execute(_applied(plans, wanted)):
                    found[row.wish or row.operation_digest] = AppliedChange(
                        run=row.run,
                        action=Action(row.action),
                        record=row.made,
                        etag=row.etag,
                        stored_modified=row.stored_modified,
                        after_fingerprint=row.after_fingerprint,
                        operation=row.operation,
                    )
        return found

    def _count(self, query: Select[Any], plan: str, column: Any) -> dict[str, int]:
        query = query.where(planned_changes.c.plan == plan).group_by(column).order_by(column)
        with self._database.read() as connection:
            return {str(word or ""): int(count) for word, count in connection.execute(query)}

    def _stream(
        self,
        query: Select[Any],
        after: int,
        read: Callable[[Connection, Sequence[Row[Any]]], list[T]],
    ) -> Iterator[T]:
        """Read page by page; no transaction is open while the caller works on what it got."""
        query = query.order_by(planned_changes.c.number).limit(PAGE)
        while True:
            with self._database.read() as connection:
                page = connection.execute(query.where(planned_changes.c.number > after)).all()
                items = read(connection, page)
            yield from items
            if len(page) < PAGE:
                return
            after = page[-1].number

    def _move_plan(
        self, connection: Connection, head: Row[Any], kind: str, *, requests: int = 0, **values: Any
    ) -> Plan:
        row = {**pick(dict(head._mapping), PLAN), **values}
        total = head.requests + requests
        data = {"plan": head.id, "row": row_digest(row), ALSO: {"requests": total}}
        event = append_main(connection, kind, data, at=self._clock.now())
        connection.execute(
            update(plans).where(plans.c.id == head.id).values(**values, requests=total, event=event)
        )
        return plan_of(_head(connection, head.id))

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

    def completed_at(self, plan: str) -> int:
        """Return by which event of the ledger's own chain a plan became what it is."""
        query = select(plans.c.event).where(plans.c.id == plan)
        with self._database.read() as connection:
            return int(connection.scalar(query) or 0)


# Puts a row in the place of the one with its number; made once, run for many.
_REPLACE = (
    update(planned_changes)
    .where(
        planned_changes.c.plan == bindparam("in_plan"),
        planned_changes.c.number == bindparam("in_place"),
    )
    .values({name: bindparam(f"new_{name}") for name in _REPLACED})
)


def _number(plan: str, name: str) -> str:
    """Return the number of ``<plan>.<number>``, an empty text where it is something else."""
    prefix, _, number = name.rpartition(".")
    return number if prefix == plan and number.isdecimal() and len(number) < 10 else ""


def _head(connection: Connection, plan: str) -> Row[Any]:
    row = connection.execute(select(plans).where(plans.c.id == plan).with_for_update()).first()
    if row is None:
        raise UsageError(Sentence("ledger_plan_unknown", plan=repr(plan)), code="unknown_plan")
    return row


def _applied(plans: Sequence[str], operations: Sequence[str]) -> Select[Any]:
    """Select the applied changes of the plans' runs, the newest last."""
    c, made = planned_changes.c, results.c
    return (
        select(
            c.operation,
            c.operation_digest,
            c.wish,
            c.action,
            c.after_fingerprint,
            made.run,
            made.record.label("made"),
            made.etag,
            made.stored_modified,
        )
        .join_from(planned_changes, runs, runs.c.plan == c.plan)
        .join(results, and_(made.run == runs.c.id, made.change == c.number))
        .where(
            or_(
                and_(c.operation_digest.in_(operations), c.wish.is_(None)),
                c.wish.in_(operations),
            ),
            c.plan.in_(plans),
            made.outcome == Outcome.APPLIED.value,
        )
        .order_by(made.decided_at)
    )


def _lines(plan: str, limit: int | None) -> Select[Any]:
    c = planned_changes.c
    place = (c.source_file, c.source_line)
    columns = (c.code, c.record, c.message, c.notes, *place)
    query = select(*columns).where(c.plan == plan).order_by(c.number)
    return query if limit is None else query.limit(limit)
