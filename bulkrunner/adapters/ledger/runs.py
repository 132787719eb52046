"""Runs, attempts and outcomes in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bulkrunner.adapters.ledger.agreements import store_claim
from bulkrunner.adapters.ledger.chain import Appender, enter_head, plain_row, row_digest
from bulkrunner.adapters.ledger.codecs import (
    RUN,
    RUN_ALSO,
    ResultOfRow,
    attempt_of,
    change_of,
    document_digests,
    lease_row,
    pick,
    result_of,
    run_of,
    run_row,
)
from bulkrunner.adapters.ledger.columns import parsed, said
from bulkrunner.adapters.ledger.document_store import fetch
from bulkrunner.adapters.ledger.leases import kept_reason
from bulkrunner.adapters.ledger.plan_queries import applied_creations, later_writes
from bulkrunner.adapters.ledger.run_changes import (
    attempts_of,
    changes_of,
    digest_as_read,
    pending_rows,
    row_of_run,
    unproven,
)
from bulkrunner.adapters.ledger.tables import (
    attempts,
    leases,
    planned_changes,
    plans,
    results,
    runs,
)
from bulkrunner.adapters.ledger.witness import ALSO
from bulkrunner.adapters.ledger.writer import PAGE, Part, find_by_prefix
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.run import (
    Attempt,
    EndedAs,
    Lease,
    Outcome,
    Result,
    Run,
    RunState,
    empty_outcomes,
    transition,
)
from bulkrunner.domain.run_ledger import Created, Ended, LaterWrite, WorkItem
from bulkrunner.domain.standing import Claim
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence, stored_text

_WRITING = [action.value for action in WRITING]
_ALSO_AT_START = tuple(name for name in RUN_ALSO if name != "stop_request")


class Runs(Part):
    """Part of the store."""

    def start(self, run: Run, *, lease: Lease, claim: Claim | None = None) -> None:
        """Store a new run and its lease, unless one of the job and environment is running."""
        row = run_row(run)
        try:
            with self._database.write() as connection:
                connection.execute(insert(runs).values(**row, event=1))
                connection.execute(insert(leases).values(lease_row(lease)))
                chain = Appender(connection, run.id)
                data = {
                    "run": run.id,
                    "plan": run.plan,
                    "row": row_digest(pick(row, RUN)),
                    ALSO: plain_row({"stop_request": None} | pick(row, _ALSO_AT_START)),
                }
                now = self._clock.now()
                chain.append("started", data, at=now)
                enter_head(chain, "run_started", {"plan": run.plan}, at=now)
                if claim is not None:
                    store_claim(connection, claim, now)
            self._writer.fence.admit(run.id, lease.token)
        except IntegrityError as error:
            self._refuse_second(run.job, run.environment)
            raise UsageError(
                Sentence("ledger_run_unstored", run=run.id, orig=str(error.orig))
            ) from error

    def get(self, prefix: str) -> Run:
        """Return the run with this id or unique prefix."""
        with self._database.read() as connection:
            return run_of(find_by_prefix(connection, runs, prefix, "run"))

    def all(self, *, plan: str | None = None, job: str | None = None) -> list[Run]:
        """Return runs, newest first."""
        query = select(runs).order_by(runs.c.seq.desc())
        if plan is not None:
            query = query.where(runs.c.plan == plan)
        if job is not None:
            query = query.where(runs.c.job == job)
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query)]

    def move(
        self, run: str, new: RunState, *, at: datetime, reason: str = "", requests: int = 0
    ) -> Run:
        """Change a run's state, by the transition table, and add to its count of requests."""
        self._writer.require_sound()
        try:
            with self._database.write() as connection:
                self._writer.fence.require(connection, run)
                return self._move_run(connection, run, new, at=at, reason=reason, requests=requests)
        except IntegrityError as error:
            found = self.get(run)
            self._refuse_second(found.job, found.environment)
            raise UsageError(
                Sentence("ledger_run_unmoved", run=run, orig=str(error.orig))
            ) from error

    def next_pending(self, run: str, *, after: int) -> int | None:
        """Return the number of the first change after one that has no outcome; None: there is none."""
        with self._database.read() as connection:
            query = changes_of(row_of_run(connection, run), after).where(results.c.change.is_(None))
            return connection.scalar(query.with_only_columns(planned_changes.c.number).limit(1))

    def open_sends(self, run: str) -> Sequence[int]:
        """Return the numbers of changes that were sent, perhaps, and have no outcome, in order."""
        first = self.next_pending(run, after=0)
        if first is None:
            return []
        ended = select(results.c.change).where(
            results.c.run == run, results.c.change == attempts.c.change
        )
        # Changes are sent in their order but for a few: few were sent after the first that is pending.
        query = select(attempts.c.change).where(attempts.c.run == run, attempts.c.change >= first)
        query = query.where(~ended.exists()).distinct().order_by(attempts.c.change)
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def pending(
        self, run: str, *, after: int = 0, until: int | None = None, limit: int = 200
    ) -> list[WorkItem]:
        """Return changes to be carried out without an outcome yet, in plan order."""
        with self._database.read() as connection:
            rows = pending_rows(connection, run, after=after, until=until, limit=limit)
            found = fetch(connection, document_digests([row for row, _ in rows]))
        return [
            WorkItem(
                change=parsed(lambda stored: change_of(stored, found), row),
                attempts=tuple(map(attempt_of, sent)),
                read=digest_as_read(row, sent),
            )
            for row, sent in rows
        ]

    def unproven(
        self,
        run: str,
        *,
        tries: int,
        until: int | None = None,
        leaves_out: Callable[[int], bool] = lambda _: False,
    ) -> dict[str, list[int]]:
        """Return of each pattern that no change of the run has proven the first pending."""
        with self._database.read() as connection:
            found = unproven(connection, run, tries=tries, until=until, leaves_out=leaves_out)
        return {said(pattern): numbers for pattern, numbers in found.items()}

    def intend(self, run: str, attempt: Attempt) -> Future[None]:
        """Store an attempt's intent; done once it is on disk."""
        return self._writer.submit("intent", run, attempt.change, attempt)

    def answered(self, run: str, attempt: Attempt) -> Future[None]:
        """Store what an attempt's request was answered."""
        return self._writer.submit("answer", run, attempt.change, attempt)

    def conclude(self, run: str, change: int, result: Result) -> Future[None]:
        """Store a change's outcome; done once it is on disk."""
        return self._writer.submit("outcome", run, change, result)

    def ended_as(self, run: str, changes: Sequence[int]) -> Mapping[int, EndedAs]:
        """Return how these changes ended, as far as they have; by the plan, what it leaves alone."""
        found: dict[int, EndedAs] = {}
        with self._database.read() as connection:
            plan = row_of_run(connection, run).plan
            for start in range(0, len(changes), PAGE):
                numbers = changes[start : start + PAGE]
                planned = select(planned_changes.c.number, planned_changes.c.action).where(
                    planned_changes.c.plan == plan,
                    planned_changes.c.number.in_(numbers),
                    planned_changes.c.action.not_in(_WRITING),
                )
                for row in connection.execute(planned):
                    well = row.action == Action.UNCHANGED
                    outcome = Outcome.UNCHANGED if well else Outcome.REFUSED
                    found[row.number] = EndedAs(outcome=outcome)
                query = select(results.c.change, results.c.outcome, results.c.record).where(
                    results.c.run == run, results.c.change.in_(numbers)
                )
                for number, outcome, record in connection.execute(query):
                    found[number] = EndedAs(outcome=Outcome(outcome), record=record)
        return found

    def result_of(self, run: str, change: int) -> Result:
        """Return a change's result, ``pending`` where it has none."""
        query = select(results).where(results.c.run == run, results.c.change == change)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return result_of(row, fetch(connection, [row.stored]) if row is not None else {})

    def claimed(self, records: Sequence[str], *, run: str, change: int) -> frozenset[str]:
        """Return which of these records were made by another change than this one."""
        other = [
            select(results.c.record).where(
                results.c.record.in_(records),
                or_(results.c.run != run, results.c.change != change),
            ),
            select(attempts.c.words).where(
                attempts.c.words.in_(records),
                attempts.c.method == "POST",
                or_(attempts.c.run != run, attempts.c.change != change),
            ),
        ]
        with self._database.read() as connection:
            return frozenset(str(word) for query in other for word in connection.scalars(query))

    def outcomes(self, run: str) -> dict[str, int]:
        """Count outcomes, ``pending`` included."""
        with self._database.read() as connection:
            return count_outcomes(connection, row_of_run(connection, run))

    def count_sigels(self, run: str) -> dict[str, dict[str, int]]:
        """Count outcomes by sigel, ``pending`` and ``excluded`` too; ``""``: no sigel is known."""
        left_out = func.coalesce(results.c.code, "") == EXCLUDED
        columns = func.coalesce(planned_changes.c.sigel, ""), results.c.outcome, left_out
        counts: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            query = changes_of(row_of_run(connection, run), 0).order_by(None).group_by(*columns)
            query = query.with_only_columns(*columns, func.count())
            for sigel, word, excluded, count in connection.execute(query):
                name = EXCLUDED if excluded else str(word or Outcome.PENDING.value)
                counts.setdefault(sigel, {})[name] = count
        return counts

    def count_codes(self, run: str, outcome: Outcome) -> dict[str, int]:
        """Count the changes that ended so, by code."""
        c = results.c
        query = select(c.code, func.count()).where(c.run == run, c.outcome == outcome.value)
        query = query.group_by(c.code)
        with self._database.read() as connection:
            return {str(code): int(count) for code, count in connection.execute(query)}

    def sent_since(self, run: str, moment: datetime) -> int:
        """Count the requests of the run that may have written since then."""
        query = select(func.count()).where(attempts.c.run == run, attempts.c.intent_at >= moment)
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def ended(
        self,
        run: str,
        *,
        outcomes: Sequence[Outcome] | None = None,
        after: int = 0,
        documents: bool = True,
        sigel: str | None = None,
    ) -> Iterator[Ended]:
        """Stream changes of the run with their results and attempts, in plan order."""
        while True:
            page = self._ended_page(run, outcomes, documents=documents, after=after, sigel=sigel)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].change.number

    def ended_backwards(
        self, run: str, *, outcomes: Sequence[Outcome] | None = None
    ) -> Iterator[Ended]:
        """Stream changes of the run with their results and attempts, the last one first."""
        before: int | None = None
        while True:
            page = self._ended_page(run, outcomes, documents=True, before=before, backwards=True)
            yield from page
            if len(page) < PAGE:
                return
            before = page[-1].change.number

    def request_stop(self, run: str, *, reason: str) -> None:
        """Ask whoever drives the run to stop; nothing where nobody does."""
        running = (runs.c.id == run) & (runs.c.state == RunState.RUNNING.value)
        with self._database.write() as connection:
            asked = update(runs).where(running).values(stop_request=stored_text(reason))
            if connection.execute(asked).rowcount == 1:
                chain = Appender(connection, run)
                data = {ALSO: {"stop_request": stored_text(reason)}}
                chain.append("stop_asked", data, at=self._clock.now())
                chain.flush()

    def stop_requested(self, run: str) -> str | None:
        """Return the reason of a stop that was asked for and not yet obeyed."""
        with self._database.read() as connection:
            asked = connection.scalar(select(runs.c.stop_request).where(runs.c.id == run))
        return None if asked is None else said(asked)

    def written_later(self, run: str, records: Sequence[str]) -> Mapping[str, Sequence[LaterWrite]]:
        """Return by record what later runs in the same environment applied, oldest first."""
        found: dict[str, list[LaterWrite]] = {}
        with self._database.read() as connection:
            mine = row_of_run(connection, run)
            for start in range(0, len(records), PAGE):
                query = later_writes(mine, records[start : start + PAGE])
                for row in connection.execute(query):
                    write = LaterWrite(
                        run=row.id,
                        job=row.job,
                        etag=row.etag,
                        deleted=row.action == Action.DELETE.value,
                    )
                    found.setdefault(row.written, []).append(write)
        return found

    def created(self, runs: Sequence[str], records: Collection[str]) -> Mapping[str, Created]:
        found: dict[str, Created] = {}
        with self._database.read() as connection:
            for run in runs:
                for row in connection.execute(applied_creations(run)):
                    if row.record in records:
                        wish = row.wish or row.operation_digest
                        found[row.record] = Created(run=run, number=row.change, wish=wish)
        return found

    def void_stop(self, run: str, *, reason: str) -> None:
        """Forget a stop that nobody is left to obey; nothing where another was asked for since."""
        same = (runs.c.id == run) & (runs.c.stop_request == stored_text(reason))
        with self._database.write() as connection:
            if connection.execute(update(runs).where(same).values(stop_request=None)).rowcount == 1:
                chain = Appender(connection, run)
                data = {"reason": kept_reason(reason), ALSO: {"stop_request": None}}
                chain.append("stop_void", data, at=self._clock.now())
                chain.flush()

    def _move_run(
        self,
        connection: Connection,
        run: str,
        new: RunState,
        *,
        at: datetime,
        reason: str,
        requests: int,
    ) -> Run:
        old = row_of_run(connection, run)
        transition(RunState(old.state), new)
        values = {
            "state": new.value,
            "stop_reason": stored_text(reason),
            "finished_at": at if new is RunState.COMPLETED else None,
        }
        row = {**pick(dict(old._mapping), RUN), **values}
        also = {"active_at": at, "requests": old.requests + requests}
        chain = Appender(connection, run)
        now = self._clock.now()
        told = {"reason": kept_reason(reason)} if reason else {}
        data = {"to": new.value, "row": row_digest(row), ALSO: plain_row(also), **told}
        event = chain.append("moved", data, at=now)
        connection.execute(
            update(runs)
            .where(runs.c.id == run)
            .values(
                **values,
                **also,
                stop_request=None,
                paused=False,
                event=event,
            )
        )
        enter_head(chain, "run_moved", {"from": old.state, "to": new.value}, at=now)
        return run_of(row_of_run(connection, run))

    def _refuse_second(self, job: str, environment: str) -> None:
        query = select(runs.c.id).where(
            runs.c.job == job,
            runs.c.environment == environment,
            runs.c.state == RunState.RUNNING.value,
        )
        with self._database.read() as connection:
            other = connection.scalar(query)
        if other is not None:
            raise UsageError(
                Sentence("ledger_already_running", other=other, job=job, environment=environment),
                hint=Sentence("ledger_already_running_hint", other=other),
                code="already_running",
            )

    def _ended_page(
        self,
        run: str,
        outcomes: Sequence[Outcome] | None,
        *,
        documents: bool,
        after: int = 0,
        before: int | None = None,
        backwards: bool = False,
        sigel: str | None = None,
    ) -> list[Ended]:
        with self._database.read() as connection:
            query = changes_of(row_of_run(connection, run), after, backwards=backwards).limit(PAGE)
            if before is not None:
                query = query.where(planned_changes.c.number < before)
            if sigel is not None:
                query = query.where(planned_changes.c.sigel == sigel)
            if outcomes is not None:
                query = query.where(_is_one_of(outcomes))
            page = connection.execute(query).all()
            found: Mapping[str, Any] = {}
            if documents:
                stored = [row.result_stored for row in page]
                found = fetch(connection, [*document_digests(page), *stored])
            sent = attempts_of(connection, run, page)
        return [
            Ended(
                change=change_of(row, found),
                result=result_of(ResultOfRow(row) if row.result_run is not None else None, found),
                attempts=tuple(map(attempt_of, sent.get(row.number, ()))),
            )
            for row in page
        ]

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


def count_outcomes(connection: Connection, run: Row[Any]) -> dict[str, int]:
    """Count a run's outcomes; what of its plan, which is complete, has none is ``pending``."""
    counts = empty_outcomes()
    word = results.c.outcome
    query = select(word, func.count()).where(results.c.run == run.id).group_by(word)
    ended = {str(outcome): int(count) for outcome, count in connection.execute(query)}
    planned = connection.scalar(select(plans.c.counts).where(plans.c.id == run.plan)) or {}
    total = sum(planned.get(word, 0) for word in _WRITING)
    counts.update(ended)
    counts[Outcome.PENDING.value] = total - sum(ended.values())
    return counts


def _is_one_of(outcomes: Sequence[Outcome]) -> Any:
    ended = results.c.outcome.in_([item.value for item in outcomes])
    return ended | results.c.change.is_(None) if Outcome.PENDING in outcomes else ended
