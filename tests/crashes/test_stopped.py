"""A process is stopped for longer than its lease; another takes the run; then it goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.machine import is_alive
from bulkrunner.domain.run import GRACE, LIFE, Outcome, RunState
from bulkrunner.errors import LeaseLost
from bulkrunner.sandbox.engine import Ticket
from bulkrunner.sandbox.wire import Response
from bulkrunner.services.running.lease import RunHeld
from tests.crashes.dying import PROCESSES, Place, Reaper, exit_code, started
from tests.crashes.matrix import OPERATIONS, Operation
from tests.crashes.stopping import Stop, run_until_lost
from tests.support.executing import Impatient, Rig
from tests.support.sandbox import wait_until

RUN = "r-stopped"
LONG = LIFE + GRACE + 1
KINDS = [one for one in OPERATIONS if one.name in ("update", "delete", "create", "create-bib")]


class Later(Impatient):
    """The clocks of whoever comes when the lease has long run out."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=LONG)


def is_stopped(pid: int) -> bool:
    return ") T " in Path(f"/proc/{pid}/stat").read_text()


def stop_at_server(reaper: Reaper, ledger: Path):
    def stop(pid: int, ticket: Ticket) -> Response:
        while not is_stopped(pid):
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: is_stopped(pid))
            if is_locked(ledger):  # in the middle of a note of its own, which is another case
                os.kill(pid, signal.SIGCONT)
        return reaper.real(ticket)

    return stop


def is_locked(ledger: Path) -> bool:
    with closing(sqlite3.connect(ledger, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        other.execute("ROLLBACK")
    return False


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("stop", Stop, ids=lambda stop: stop.name.lower())
def test_stopped(stop: Stop, kind: Operation, place: Place, rig: Rig, reaper: Reaper) -> None:
    case = kind.prepare(rig)
    plan = rig.plan(case.declared)
    slept = PROCESSES.RawValue("d", 0.0)
    work = (run_until_lost, place, plan, RUN, stop, slept)
    if stop is Stop.SENT:
        ledger = place.folder / "ledger.db"
        with reaper.at_write(stop_at_server(reaper, ledger), *work) as process:
            wait_until(lambda: is_stopped(process.pid))
    else:
        process = started(*work)
        wait_until(lambda: is_stopped(process.pid))
    with pytest.raises(RunHeld, match=f"driven by process {process.pid} on .+ since 20"):
        rig.resume(RUN, alive=is_alive)

    resumed = rig.resume(RUN, alive=is_alive, clock=Later())
    assert resumed.state is RunState.COMPLETED
    (taken,) = rig.ended(RUN)
    by_then = rig.sent()

    slept.value = LONG
    os.kill(process.pid, signal.SIGCONT)
    assert exit_code(process) == LeaseLost.exit_code
    assert rig.sent() == by_then
    assert rig.ended(RUN) == [taken]
    assert taken.result.outcome is expected(kind, stop)
    assert len(stored(rig)) == (taken.result.outcome is Outcome.APPLIED or stop is Stop.SENT)
    assert rig.ledger.chain.check() == []


def expected(kind: Operation, stop: Stop) -> Outcome:
    """A bib that was perhaps sent is never sent again; one whose answer is known is applied."""
    if kind.name != "create-bib" or stop in (Stop.LOOKED, Stop.CONFIRMED):
        return Outcome.APPLIED
    return Outcome.UNKNOWN


def stored(rig: Rig) -> list[Any]:
    return [record for entry in rig.control.writes() for record in entry["stored"]]


@pytest.mark.parametrize("stop", [Stop.LOOKED, Stop.CONFIRMED], ids=lambda stop: stop.name.lower())
def test_a_process_whose_clock_stood_still_is_kept_out_by_the_ledger(
    stop: Stop, place: Place, rig: Rig
) -> None:
    """Its own clock says that the run is still its own; it gets no intent on disk, no outcome."""
    case = KINDS[0].prepare(rig)
    process = started(
        run_until_lost, place, rig.plan(case.declared), RUN, stop, PROCESSES.RawValue("d", 0.0)
    )
    wait_until(lambda: is_stopped(process.pid))
    rig.resume(RUN, alive=is_alive, clock=Later())
    (taken,) = rig.ended(RUN)
    by_then = rig.sent()
    os.kill(process.pid, signal.SIGCONT)
    assert exit_code(process) == LeaseLost.exit_code
    assert rig.sent() == by_then
    assert rig.ended(RUN) == [taken]
    assert len(stored(rig)) == 1
    assert rig.ledger.chain.check() == []
