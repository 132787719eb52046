"""What holds a run back: pauses, hours, and the conditions under which KB said yes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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
from bulkrunner.domain.standing import ends_at
from bulkrunner.sentences import Sentence, says
from bulkrunner.services.recurring import Basis, StandingApprovals, surely_now
from bulkrunner.services.running.control import Control, Ending

# Seconds between two looks at whether writes are held back still; while the run is paused.
LOOK_EVERY = 30.0
ASK_EVERY = 0.5


@dataclass(frozen=True, kw_only=True)
class Held:
    """Why writes are held back, and for how many seconds, where that is known."""

    reason: Sentence | None
    seconds: float | None = None
    look_every: float = LOOK_EVERY


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
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._run = run
        self._zone = environment.timezone
        self._control = control
        self._lock = threading.Lock()
        self._answers: Sequence[Approval] = ()
        self._asked = Conditions()
        self._excluded: frozenset[int] = frozenset()
        self._night: datetime | None = None
        self._sent = 0
        self._known = -1  # answers and ends that were there at the last look
        self._over: Sentence | None = None  # why that holds no more
        self._standing: Basis | None = None  # that the run rests on
        self._begun = (surely_now(ledger, clock), clock.monotonic())
        self._take()

    def heed(self, recheck: Callable[[], None]) -> None:
        """Take in answers given since the last look, test the gates then; a no ends the run."""
        if not self._take() and self._over is None:
            return
        if no := the_no(weigh(self._answers)):
            self._stop(Sentence("rejected_by", by=no.by))
        elif self._over is not None:
            no_to_all = says(self._over, "standing_rejected")
            by = self._over.values.get("by")
            self._stop(Sentence("rejected_by", by=by) if no_to_all else self._over)
        else:
            recheck()

    def _stop(self, reason: Sentence) -> None:
        self._control.end(Ending(state=RunState.STOPPED, reason=reason))

    def _take(self) -> bool:
        answers = self._ledger.approvals.of_plan(self._run.plan)
        known = len(answers)
        claim = self._ledger.standing.claim_of(self._run.id)
        if claim is not None and claim.bounds is not None:
            known = self._take_standing(claim.approved)
        else:
            self._standing = None
        if known == self._known:
            return False
        self._known = known
        kept = self._standing.answers if self._standing else standing(answers)
        asked = strictest(answer.conditions for answer in kept)
        if asked.excluded != self._asked.excluded:
            self._excluded = self._ledger.plans.numbers_of(self._run.plan, asked.excluded)
        self._answers, self._asked = answers, asked
        return True

    def _take_standing(self, approved: str) -> int:
        """Look at the answers to an earlier plan that the run rests on, and whether they hold."""
        service = StandingApprovals(self._ledger, self._clock)
        given = service.given(self._run.job)
        self._standing = next((one for one in given if one.approved.id == approved), None)
        self._over = service.ended(self._standing) if self._standing else None
        answers = self._ledger.approvals.of_job(self._run.job)
        return len(answers) + len(self._ledger.standing.ends(approved))

    # --- how long a standing approval holds -----------------------------------------------------

    def _expired(self) -> Held | None:
        """End the run where the standing approval has run out; a clock set back prolongs nothing."""
        if self._standing is None:
            return None
        begun, at = self._begun
        now = max(self._clock.now(), begun + timedelta(seconds=self._clock.monotonic() - at))
        if now < ends_at(self._standing.bounds, self._zone):
            return None
        said = Sentence("standing_expired_stop", until=self._standing.bounds.until)
        self._stop(said)
        return Held(reason=said)

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

    def held(self) -> Held | None:
        """Return why nothing may be sent in this night any more; None where it may."""
        if (expired := self._expired()) is not None:
            return expired
        left = self._left()
        if left is None:
            return None
        return Held(reason=Sentence("night_full", most=self._asked.per_night), seconds=left)

    def take(self) -> bool:
        """Count one request that will be sent; False where the night has had its share."""
        if self._expired() is not None:
            return False
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
            rule = self._standing.bounds.rule if self._standing else ""
            claims = self._ledger.standing.claims(rule) if rule else ()
            runs = {self._run.id, *(claim.run for claim in claims)}
            self._sent = sum(self._ledger.runs.sent_since(run, began) for run in runs)
        return self._sent


class Hours:
    """Holds writes back outside the environment's windows; they go on by themselves."""

    def __init__(self, environment: Environment, clock: Clock) -> None:
        self._windows = environment.windows
        self._zone = environment.timezone
        self._clock = clock

    def held(self) -> Held | None:
        """Return why nothing may be sent at this hour; None where it may."""
        now = self._clock.now()
        if not self._windows or is_open(self._windows, self._zone, now):
            return None
        opening = next_opening(self._windows, self._zone, now)
        left = None if opening is None else (opening - now).total_seconds()
        return Held(reason=Sentence("hours_closed", hours=", ".join(self._windows)), seconds=left)


class Throttle:
    """Holds writes back while the run is paused, outside the hours, and when a night is full."""

    def __init__(self, control: Control, progress: Progress, hours: Hours, terms: Terms) -> None:
        self._control = control
        self._progress = progress
        self._hours = hours
        self.terms = terms

    def wait(self) -> None:
        """Return when a request may be sent; Stopped if the run ends."""
        told = False
        while (held := self._held()) is not None:
            self._control.check()
            if held.reason is not None:
                self._progress.waiting(held.reason, held.seconds)
                told = True
            self._control.pause(min(held.look_every, held.seconds or held.look_every))
        if told:
            self._progress.waiting("", None)

    def _held(self) -> Held | None:
        if self._control.paused_by is not None:
            return Held(reason=None, look_every=ASK_EVERY)  # whoever listens for orders says why
        return self._hours.held() or self.terms.held()

    def lets_send(self) -> bool:
        """Return True if a request may be sent at this moment, and count it."""
        return self._control.paused_by is None and self._hours.held() is None and self.terms.take()
