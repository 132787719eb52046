"""Rates, hours and pauses: the conditions under which KB said yes, kept by the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from bulkrunner.domain.approvals import (
    EXCLUDED,
    Approval,
    Conditions,
    night_of,
    standing,
    strictest,
    the_no,
    weigh,
)
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.ports import Clock, Progress
from bulkrunner.domain.run import Outcome, Result, Run, RunState
from bulkrunner.domain.schedule import is_open, next_opening
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Control, Ending

LOOK_EVERY = 30.0


class LeftOut(Exception):
    """Leaves a change alone, as the approval asks; never leaves this package."""


class Terms:
    """Shared by all threads of a run; reads the answers again, as somebody may answer anew."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        run: Run,
        environment: Environment,
        control: Control,
        progress: Progress,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._run = run
        self._zone = environment.timezone
        self._control = control
        self._progress = progress
        self._lock = threading.Lock()
        self._answers: Sequence[Approval] = ()
        self._asked = Conditions()
        self._excluded: frozenset[int] = frozenset()
        self._night: datetime | None = None
        self._sent = 0
        self._take()

    def heed(self, recheck: Callable[[], None]) -> None:
        """Take in answers given since the last look, test the gates then; a no ends the run."""
        if not self._take():
            return
        if no := the_no(weigh(self._answers)):
            self._control.end(
                Ending(state=RunState.STOPPED, reason=Sentence("rejected_by", by=no.by))
            )
        else:
            recheck()

    def _take(self) -> bool:
        answers = self._ledger.approvals.of_plan(self._run.plan)
        if len(answers) == len(self._answers):
            return False
        asked = strictest(answer.conditions for answer in standing(answers))
        if asked.excluded != self._asked.excluded:
            self._excluded = self._ledger.plans.numbers_of(self._run.plan, asked.excluded)
        self._answers, self._asked = answers, asked
        return True

    # --- records left out ----------------------------------------------------------------------

    def excludes(self, change: int) -> bool:
        return change in self._excluded

    def refusal(self) -> Result:
        return Result(
            outcome=Outcome.REFUSED,
            code=EXCLUDED,
            message=Sentence("left_out_as_asked"),
        )

    # --- so many a night -----------------------------------------------------------------------

    def wait(self, control: Control) -> None:
        """Return when a request may be sent in this night; Stopped if the run ends."""
        told = False
        while (left := self._left()) is not None:
            control.check()
            self._progress.waiting(
                Sentence("night_full", most=self._asked.per_night),
                left,
            )
            told = True
            control.pause(min(LOOK_EVERY, left))
        if told:
            self._progress.waiting("", None)

    def take(self) -> bool:
        """Count one request that will be sent; False where the night has had its share."""
        with self._lock:
            if self._asked.per_night is None:
                return True
            if self._used() >= self._asked.per_night:
                return False
            self._sent += 1
            return True

    def _left(self) -> float | None:
        """Return seconds until the next night, None where there is no need to wait for it."""
        with self._lock:
            if self._asked.per_night is None or self._used() < self._asked.per_night:
                return None
        now = self._clock.now()
        return max(0.1, (night_of(now, self._zone)[1] - now).total_seconds())

    def _used(self) -> int:
        """Return how many requests this night has had; what other processes sent is in the ledger."""
        began = night_of(self._clock.now(), self._zone)[0]
        if began != self._night:
            self._night = began
            self._sent = self._ledger.runs.sent_since(self._run.id, began)
        return self._sent


class Hours:
    """Holds writes back outside the environment's windows; they go on by themselves."""

    def __init__(self, environment: Environment, clock: Clock, progress: Progress) -> None:
        self._windows = environment.windows
        self._zone = environment.timezone
        self._clock = clock
        self._progress = progress

    def wait(self, control: Control) -> None:
        """Return when a window is open; Stopped if the run ends."""
        told = False
        while not self.are_open():
            control.check()
            now = self._clock.now()
            opening = next_opening(self._windows, self._zone, now)
            left = None if opening is None else (opening - now).total_seconds()
            self._progress.waiting(Sentence("hours_closed", hours=", ".join(self._windows)), left)
            told = True
            control.pause(min(LOOK_EVERY, left or LOOK_EVERY))
        if told:
            self._progress.waiting("", None)

    def are_open(self) -> bool:
        return not self._windows or is_open(self._windows, self._zone, self._clock.now())


ASK_EVERY = 0.5


class Pauses:
    """Holds writes back while the run is paused; whoever listens for orders says why."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def wait(self, control: Control) -> None:
        """Return when the run is not paused; Stopped if the run ends."""
        while control.paused_by is not None:
            control.check()
            self._clock.sleep(ASK_EVERY)
