"""The group writer, which stores what many threads bring; what parts of the store share.

A commit costs the same for one row as for hundreds, so whatever arrives while one is under way goes
together in the next; and what nobody waits for goes with the next intent, or soon after. A caller's
future is done only after its commit.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, Table, bindparam, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from bulkrunner.adapters.ledger.chain import CHECKPOINT, Appender, enter_head, row_digest
from bulkrunner.adapters.ledger.codecs import ANSWER, INTENT, RESULT, attempt_row, pick, result_row
from bulkrunner.adapters.ledger.database import Database
from bulkrunner.adapters.ledger.document_store import Parcel
from bulkrunner.adapters.ledger.tables import attempts, leases, results, runs
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import Attempt, Result
from bulkrunner.errors import BulkRunnerError, LeaseLost, LedgerUnavailable, UsageError
from bulkrunner.sentences import Sentence

_HOLDER = select(leases.c.token).where(
    leases.c.run == bindparam("of_run"), leases.c.host.is_not(None)
)


class Fence:
    """The tokens of the runs that were taken through this ledger's object."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}

    def admit(self, run: str, token: int) -> None:
        """Let this process in as the owner with this token."""
        self._tokens[run] = token

    def forget(self, run: str, token: int) -> None:
        """Forget an owner who has given the run back."""
        if self._tokens.get(run) == token:
            del self._tokens[run]

    def require(self, connection: Connection, run: str) -> None:
        """Do nothing where the run is still this process's, or never was.

        Raises:
            LeaseLost: another process has taken it.
        """
        token = self._tokens.get(run)
        if token is not None and connection.scalar(_HOLDER, {"of_run": run}) != token:
            raise LeaseLost(
                Sentence("run_taken_up", run=run),
                hint=Sentence("run_taken_up_hint", run=run),
            )


# Entries of one transaction at most.
GROUP = 500

# Seconds that answers and outcomes wait at most for an intent to go with. What a death then loses is
# asked of the server again, as after a death before the answer came.
LINGER = 0.1

# What an entry that cannot be stored raises.
_WRONG = (SQLAlchemyError, ValueError, TypeError, OverflowError, BulkRunnerError)

Kind: TypeAlias = Literal["intent", "answer", "outcome"]


class Stored(Future[None]):
    """Done once an entry is on disk; whoever waits for it has it written at once."""

    def __init__(self, hurry: Callable[[], None] | None) -> None:
        super().__init__()
        self._hurry = hurry
        self.set_running_or_notify_cancel()  # from here on it cannot be taken back

    def result(self, timeout: float | None = None) -> None:
        if self._hurry is not None and not self.done():
            self._hurry()
        super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        if self._hurry is not None and not self.done():
            self._hurry()
        return super().exception(timeout)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something to be stored about one change of a run."""

    kind: Kind
    run: str
    change: int
    what: Attempt | Result
    lingers: bool
    done: Stored


class GroupWriter:
    """One thread that writes intents, answers and outcomes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._queue: queue.SimpleQueue[Entry | Literal["hurry", "end"]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._broken: LedgerUnavailable | None = None
        self.fence = Fence()

    def submit(self, kind: Kind, run: str, change: int, what: Attempt | Result) -> Future[None]:
        """Hand in an entry; the future is done once it is on disk."""
        # What a creation was answered is hard to find again.
        lingers = kind == "outcome" or (kind == "answer" and not _creates(what))
        done = Stored(self._hurry if lingers else None)
        entry = Entry(kind=kind, run=run, change=change, what=what, lingers=lingers, done=done)
        with self._lock:
            if self._broken is not None or self._closed:
                done.set_exception(self._broken or LedgerUnavailable(Sentence("ledger_closed")))
                return done
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
                self._thread.start()
            self._queue.put(entry)
        return done

    def require_sound(self) -> None:
        """Refuse to go on after a write that failed. LedgerUnavailable: the failure."""
        if self._broken is not None:
            raise self._broken

    def close(self) -> None:
        """Write what is waiting and end the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._queue.put("end")
        if thread is not None:
            thread.join()

    def _hurry(self) -> None:
        self._queue.put("hurry")

    def _work(self) -> None:
        last = False
        while not last:
            group, last = self._take()
            if group:
                self._write(group)

    def _take(self) -> tuple[list[Entry], bool]:
        """Wait for an entry that does not linger, or for as long as the others do; and take all."""
        group: list[Entry] = []
        until, in_a_hurry = None, False
        while len(group) < GROUP:
            try:
                entry = self._queue.get(timeout=_left(until, in_a_hurry=in_a_hurry))
            except queue.Empty:
                break
            if entry == "end":
                return group, True
            if entry == "hurry":
                in_a_hurry = bool(group)  # what it was for may be written already
                continue
            group.append(entry)
            in_a_hurry = in_a_hurry or not entry.lingers
            until = until or time.monotonic() + LINGER
        return group, False

    def _write(self, group: Sequence[Entry]) -> None:
        if self._broken is not None:
            _fail(group, self._broken)
            return
        try:
            with self._database.write() as connection:
                self._store(connection, group)
        except _WRONG as error:
            self._sort_out(group, error)
        except BaseException as error:
            self._break(group, LedgerUnavailable(Sentence("ledger_unwritten", error=repr(error))))
            raise
        else:
            for entry in group:
                entry.done.set_result(None)

    def _sort_out(self, group: Sequence[Entry], error: Exception) -> None:
        """Fail everything where the ledger is at fault, else only the entry that is."""
        if isinstance(error, LedgerUnavailable):
            self._break(group, error)
        elif len(group) == 1:
            _fail(group, error)
        else:
            for entry in group:
                self._write([entry])

    def _break(self, group: Sequence[Entry], error: LedgerUnavailable) -> None:
        with self._lock:
            self._broken = error
        _fail(group, error)
        while not self._queue.empty():
            entry = self._queue.get()
            if entry == "end":
                self._queue.put("end")
                return
            if entry != "hurry":
                _fail([entry], error)

    def _store(self, connection: Connection, group: Sequence[Entry]) -> None:
        by_run: dict[str, list[Entry]] = {}
        for entry in group:
            by_run.setdefault(entry.run, []).append(entry)
        now = self._clock.now()
        for run, entries in by_run.items():
            self.fence.require(connection, run)
            batch = _Batch(run, Appender(connection, run), now)
            for entry in entries:
                batch.add(entry)
            batch.store(connection, self._database)


class _Batch:
    """Rows of one run on their way into one transaction."""

    def __init__(self, run: str, chain: Appender, now: datetime) -> None:
        self._run = run
        self._chain = chain
        self._now = now
        self._parcel = Parcel()
        self._intents: list[dict[str, Any]] = []
        self._answers: list[dict[str, Any]] = []
        self._outcomes: list[dict[str, Any]] = []

    def add(self, entry: Entry) -> None:
        match entry.kind, entry.what:
            case "intent", Attempt() as attempt:
                self._intent(attempt)
            case "answer", Attempt() as attempt:
                self._answer(attempt)
            case "outcome", Result() as result:
                self._outcome(entry.change, result)

    def store(self, connection: Connection, database: Database) -> None:
        if self._intents:
            connection.execute(insert(attempts), self._intents)
        if self._answers:
            done = connection.execute(_ANSWERED, self._answers)
            if done.rowcount != len(self._answers):
                raise ValueError(f"an answer in run {self._run} belongs to no attempt")
        if self._outcomes:
            self._parcel.store(connection, database)
            connection.execute(database.upsert(results), self._outcomes)
        connection.execute(_ACTIVE, {"of_run": self._run, "active_at": self._now})
        if self._chain.position - self._chain.entered >= CHECKPOINT:
            enter_head(self._chain, "run_checkpoint", {}, at=self._now)
        else:
            self._chain.flush()

    def _intent(self, attempt: Attempt) -> None:
        row = pick(attempt_row(attempt), INTENT)
        event = self._event("intent", {"change": attempt.change, "attempt": attempt.number}, row)
        self._intents.append({**row, "run": self._run, "event": event})

    def _answer(self, attempt: Attempt) -> None:
        row = pick(attempt_row(attempt), ANSWER)
        subject = {"change": attempt.change, "attempt": attempt.number, "answer": attempt.answer}
        event = self._event("answer", subject, row)
        names = {f"new_{name}": value for name, value in row.items()}
        self._answers.append({**names, "of_run": self._run, "new_answer_event": event})

    def _outcome(self, change: int, result: Result) -> None:
        row = result_row(change, result, self._parcel)
        row["decided_at"] = row["decided_at"] or self._now
        subject = {"change": change, "outcome": row["outcome"], "code": row["code"]}
        event = self._event("outcome", subject, pick(row, RESULT))
        self._outcomes.append({**row, "run": self._run, "event": event})

    def _event(self, kind: Kind, data: dict[str, Any], row: dict[str, Any]) -> int:
        return self._chain.append(kind, {**data, "row": row_digest(row)}, at=self._now)


_ANSWERED = (
    update(attempts)
    .where(
        attempts.c.run == bindparam("of_run"),
        attempts.c.change == bindparam("new_change"),
        attempts.c.number == bindparam("new_number"),
    )
    .values({name: bindparam(f"new_{name}") for name in (*ANSWER[2:], "answer_event")})
)


_ACTIVE = (
    update(runs).where(runs.c.id == bindparam("of_run")).values(active_at=bindparam("active_at"))
)


def _creates(what: Attempt | Result) -> bool:
    return isinstance(what, Attempt) and what.method == "POST"


def _left(until: float | None, *, in_a_hurry: bool) -> float | None:
    """Return how long to wait for another entry; None: until there is one."""
    if in_a_hurry:
        return 0.0
    return None if until is None else max(0.0, until - time.monotonic())


def _fail(group: Sequence[Entry], error: Exception) -> None:
    for entry in group:
        entry.done.set_exception(error)


# Rows read at a time by everything that streams.
PAGE = 500

_SHOWN = 10


class Part:
    """A part of the store: the database, the clock and the group writer."""

    def __init__(self, database: Database, clock: Clock, writer: GroupWriter) -> None:
        self._database = database
        self._clock = clock
        self._writer = writer


def find_by_prefix(connection: Connection, table: Table, prefix: str, what: str) -> Row[Any]:
    """Return the row whose id is this, or the only one whose id begins with it.

    Raises:
        UsageError: none, or several.
    """
    row = connection.execute(select(table).where(table.c.id == prefix)).first()
    if row is not None:
        return row
    begins = table.c.id.startswith(prefix, autoescape=True)
    query = select(table.c.id).where(begins).order_by(table.c.seq.desc()).limit(_SHOWN + 1)
    # Some databases compare beginnings without regard to case.
    found = [item for item in connection.scalars(query) if item.startswith(prefix)]
    if not found or not prefix:
        raise UsageError(
            Sentence("prefix_unknown_plan", prefix=repr(prefix))
            if what == "plan"
            else Sentence("prefix_unknown_run", prefix=repr(prefix)),
            hint=Sentence("prefix_unknown_hint"),
            code=f"unknown_{what}",
        )
    if len(found) > 1:
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise UsageError(
            Sentence("prefix_ambiguous_plan", prefix=repr(prefix), shown=shown)
            if what == "plan"
            else Sentence("prefix_ambiguous_run", prefix=repr(prefix), shown=shown),
            hint=Sentence("prefix_ambiguous_hint"),
            code="ambiguous_id",
        )
    return connection.execute(select(table).where(table.c.id == found[0])).one()
