"""A process that drives a run and is stopped, as by SIGSTOP or a closed lid, at one point."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any

from bulkrunner.adapters.machine import is_alive, this_process
from bulkrunner.domain.plan import Plan
from bulkrunner.errors import LeaseLost
from bulkrunner.services.running.executor import Executor, Parts
from tests.crashes.dying import Place, wait_for_answers
from tests.support.executing import Impatient, Rig


class Stop(Enum):
    """Where the process is stopped."""

    LOOKED = "before the intent"
    INTENT = "after the intent"
    AT_LAST = "when everything is ready, before the first byte"
    SENT = "after the request was sent, before the answer is read"
    CONFIRMED = "after the record was read back, before the outcome"


class Slept(Impatient):
    """The machine's clocks, and how long the process was stopped: shared with who stops it."""

    def __init__(self, seconds: Any) -> None:
        super().__init__()
        self._seconds = seconds

    def monotonic(self) -> float:
        return super().monotonic() + float(self._seconds.value)


def run_until_lost(place: Place, plan: Plan, run: str, stop: Stop, slept: Any) -> None:
    """Run a plan; ends with exit code 6 when it finds the run is somebody else's."""
    rig = place.rig()
    parts = rig.parts(owner=this_process(), alive=is_alive, clock=Slept(slept))
    _arm(rig, parts, stop)
    executor = Executor(parts)
    try:
        executor.run(executor.start(plan, run).id)
    except LeaseLost:
        os._exit(LeaseLost.exit_code)


def _arm(rig: Rig, parts: Parts, stop: Stop) -> None:
    match stop:
        case Stop.LOOKED:
            _stop_at(rig.ledger, "runs.intend", after=False)
        case Stop.INTENT:
            _stop_at(rig.ledger, "runs.intend", after=True)
        case Stop.AT_LAST:
            _stop_at(parts.catalogue._http, "send", after=False, when=_is_write)
        case Stop.CONFIRMED:
            # A process that is stopped within a transaction would keep everybody out.
            wait_for_answers(rig.ledger)
            _stop_at(rig.ledger, "runs.conclude", after=False)


def _is_write(method: str, *_arguments: Any) -> bool:
    return method != "GET"


def _stop_at(
    part: Any, name: str, *, after: bool, when: Callable[..., bool] = lambda *_: True
) -> None:
    *within, name = name.split(".")
    for inner in within:
        part = getattr(part, inner)
    real = getattr(part, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not when(*args):
            return real(*args, **kwargs)
        if after:
            done = real(*args, **kwargs)
            done.result()
            _stop()
            return done
        _stop()
        return real(*args, **kwargs)

    setattr(part, name, call)


def _stop() -> None:
    """Stop the process; this thread goes no step further before it is continued."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
