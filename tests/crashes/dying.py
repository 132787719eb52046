"""Processes that drive a run, or make a plan, and are killed at one point.

Each is a process of its own, forked from a server that has everything imported, and ends by
SIGKILL: nothing is closed, rolled back or said.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import event

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.adapters.ledger.writer import Entry, GroupWriter
from bulkrunner.adapters.machine import is_alive, this_process
from bulkrunner.domain.plan import Plan
from bulkrunner.sandbox.engine import Environment, Ticket
from bulkrunner.sandbox.wire import Cut, Response
from bulkrunner.services.planning import planner
from bulkrunner.services.planning.planner import PlanRequest
from bulkrunner.services.running.executor import Executor
from tests.crashes.matrix import Doom, Point, When
from tests.support.executing import Rig
from tests.support.processes import PROCESSES
from tests.support.sandbox import EnvironmentControl

PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a process works."""

    control: EnvironmentControl
    folder: Path

    def rig(self) -> Rig:
        return Rig(self.control, self.folder, client="cataloguer")


def die() -> NoReturn:
    """End this process as ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()
    raise AssertionError("killed, and still here")


# --- what the processes do ----------------------------------------------------------------------


def start_run(place: Place, plan: Plan, run: str, point: Point | None = None) -> None:
    """Run a plan."""
    with _armed(place, point) as rig:
        executor = Executor(rig.parts(owner=this_process(), alive=is_alive))
        executor.run(executor.start(plan, run).id)


def take_up(place: Place, run: str, point: Point | None = None) -> None:
    """Resume a run."""
    with _armed(place, point) as rig:
        Executor(rig.parts(owner=this_process(), alive=is_alive)).run(run)


def make_plan(place: Place, request: PlanRequest, plan: str, point: Point) -> None:
    """Plan, one operation at a time."""
    planner.BATCH = 1
    with _armed(place, point) as rig:
        rig.planner().make(request, plan)


@contextmanager
def _armed(place: Place, point: Point | None) -> Iterator[Rig]:
    rig = place.rig()
    if point is not None and point.when is not When.AT_SERVER:
        _arm(rig.ledger, point)
    yield rig
    rig.close()


def _arm(ledger: LedgerStore, point: Point) -> None:
    if point.known:
        wait_for_answers(ledger)
    part, _, name = point.call.partition(".")
    if not name:
        _die_in_group_commit(ledger, point.call)
        return
    called = getattr(ledger, part)
    real = getattr(called, name)

    def call(*args: Any, **kwargs: Any) -> NoReturn:
        if point.when is When.IN_COMMIT:
            _die_at_commit(ledger)
        if point.when is not When.BEFORE:
            done = real(*args, **kwargs)
            if hasattr(done, "result"):
                done.result()
        die()

    setattr(called, name, call)


def wait_for_answers(ledger: LedgerStore) -> None:
    """Let no thread go on before its answer is on disk, so that the point is one point."""
    real = ledger.runs.answered

    def answered(*args: Any) -> Any:
        stored = real(*args)
        stored.result()
        return stored

    ledger.runs.answered = answered  # type: ignore[method-assign]


def _die_at_commit(ledger: LedgerStore) -> None:
    event.listen(ledger._database._engine, "commit", lambda _connection: die())


def _die_in_group_commit(ledger: LedgerStore, kind: str) -> None:
    real = GroupWriter._store

    def store(self: GroupWriter, connection: Any, group: list[Entry]) -> None:
        real(self, connection, group)
        if any(entry.kind == kind for entry in group):
            _die_at_commit(ledger)

    GroupWriter._store = store  # type: ignore[method-assign,assignment]


# --- seen from outside --------------------------------------------------------------------------


def until_killed(work: Callable[..., None], *arguments: Any) -> None:
    """Let a process do its work until it kills itself."""
    expect_death(started(work, *arguments))


def started(work: Callable[..., None], *arguments: Any) -> Any:
    """Start a process."""
    process = PROCESSES.Process(target=work, args=arguments)
    process.start()
    return process


def expect_death(process: Any) -> None:
    """Wait until a process was killed."""
    ended = exit_code(process)
    assert ended == -signal.SIGKILL, f"the process was to be killed, and ended {ended}"


def exit_code(process: Any) -> int | None:
    """Wait for a process; None where it hangs and had to be killed."""
    process.join(PATIENCE)
    ended: int | None = process.exitcode
    if ended is None:
        process.kill()
        process.join()
    process.close()
    return ended


@dataclass
class Reaper:
    """Does something to a process while the server works on its write."""

    environment: Environment
    held: list[Ticket] = field(default_factory=list)

    def until_killed(
        self, doom: Doom, work: Callable[..., None], *arguments: Any, nth: int = 1
    ) -> None:
        """Kill a process when its nth write has arrived, and decide what becomes of that."""

        def kill(pid: int, ticket: Ticket) -> Response:
            if doom is Doom.DONE:
                self.real(ticket)
            if doom is Doom.HELD:
                self.held.append(ticket)
            os.kill(pid, signal.SIGKILL)
            return Response(status=0, cut=Cut.NOTHING_SENT)

        with self.at_write(kill, work, *arguments, nth=nth) as process:
            expect_death(process)

    def real(self, ticket: Ticket) -> Response:
        """Answer as the environment does."""
        return Environment.answer(self.environment, ticket)

    @contextmanager
    def at_write(
        self,
        act: Callable[[int, Ticket], Response],
        work: Callable[..., None],
        *arguments: Any,
        nth: int = 1,
    ) -> Iterator[Any]:
        """Let a process do its work, and ``act`` answer its nth write and what comes later."""
        known, pid, arrived = threading.Event(), 0, itertools.count(1)

        def answer(ticket: Ticket) -> Response:
            if not _is_write(ticket) or next(arrived) < nth:
                return self.real(ticket)
            known.wait(PATIENCE)
            return act(pid, ticket)

        self.environment.answer = answer  # type: ignore[method-assign]
        try:
            process = started(work, *arguments)
            pid = process.pid
            known.set()
            yield process
        finally:
            del self.environment.answer  # type: ignore[method-assign]

    def let_through(self) -> None:
        """Let the server carry out what it was sent by the dead."""
        while self.held:
            self.environment.answer(self.held.pop())


def _is_write(ticket: Ticket) -> bool:
    request = ticket.request
    return ticket.seq > 0 and request.method != "GET" and not request.path.startswith("/oauth/")
