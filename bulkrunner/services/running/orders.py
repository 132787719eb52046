"""Orders to a run: given from one terminal, heard and obeyed in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import Clock, Progress
from bulkrunner.domain.run import PUT_AWAY, Driver, Run, RunState, Wait
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence, says
from bulkrunner.services.running.control import Control, Ending
from bulkrunner.services.running.lease import Drivers

# Seconds between two looks into the ledger; an order is obeyed within a second.
LISTEN_EVERY = 0.5


# A wait that is to take so long is entered in the run's chain.
LONG = timedelta(seconds=60)


class WaitingNow:
    """A ``Progress`` that passes everything on and remembers what is waited for."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock
        self.wait: Wait | None = None

    def begin(self, what: str, total: int | None) -> None:
        self._progress.begin(what, total)

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        self._progress.advance(done, counts)

    def waiting(self, reason: str, seconds: float | None) -> None:
        until = None if seconds is None else self._clock.now() + timedelta(seconds=seconds)
        self.wait = Wait(reason=reason, until=until) if reason else None
        self._progress.waiting(reason, seconds)

    def note(self, message: str, *, action: str, **extra: Any) -> None:
        self._progress.note(message, action=action, **extra)

    def end(self) -> None:
        self._progress.end()


class Listener:
    """Looks for orders to one run and obeys them."""

    def __init__(
        self,
        run: str,
        ledger: Ledger,
        clock: Clock,
        progress: WaitingNow,
        control: Control,
        *,
        set_rate: Callable[[float], None] | None,
    ) -> None:
        self._run = run
        self._ledger = ledger
        self._clock = clock
        self._progress = progress
        self._control = control
        self._set_rate = set_rate
        self._rate: float | None = None
        self._told: Wait | None = None
        self._logged: str | None = None
        self._paused: Wait | None = None
        self._looked_at = float("-inf")

    def listen(self) -> bool:
        """Obey what was ordered since the last look; False where that is not long enough ago."""
        now = self._clock.monotonic()
        if now - self._looked_at < LISTEN_EVERY:
            return False
        self._looked_at = now
        orders = self._ledger.orders.of(self._run)
        if orders.stop is not None:
            self._control.end(Ending(state=RunState.STOPPED, reason=orders.stop))
        self._pause(orders.by if orders.paused else None)
        if orders.rate is not None and orders.rate != self._rate:
            self._obey_rate(orders.rate, orders.by)
        self._tell(self._paused or self._progress.wait)
        return True

    def _pause(self, by: str | None) -> None:
        before = self._control.paused_by
        self._control.hold(by)
        if by == before:
            return
        if by is None:
            self._paused = None
            self._progress.note(Sentence("pause_lifted_here"), action="pause_lifted")
            self._progress.waiting("", None)
            return
        reason = Sentence("paused_by", by=by, run=self._run)
        self._paused = Wait(reason=reason)
        self._progress.note(reason, action="paused")
        self._progress.waiting(reason, None)

    def _obey_rate(self, rate: float, by: str) -> None:
        self._rate = rate
        if self._set_rate is not None:
            self._set_rate(rate)
            self._progress.note(Sentence("rate_ordered", rate=f"{rate:g}", by=by), action="rate")

    def _tell(self, wait: Wait | None) -> None:
        if wait != self._told:
            self._ledger.orders.note_wait(self._run, wait)
            self._told = wait
            self._log(wait)

    def _log(self, wait: Wait | None) -> None:
        """Enter a long wait once, however often its end is reckoned anew, and when it is over."""
        if wait is not None and wait.reason == self._logged:
            return
        if self._logged is not None:
            self._ledger.orders.log_wait(self._run, None)
            self._logged = None
        if wait is None or wait.until is None or wait.until - self._clock.now() < LONG:
            return
        self._ledger.orders.log_wait(self._run, wait)
        self._logged = wait.reason

    def hold_once(self, by: str) -> None:
        """Pause the run by itself, once."""
        self._ledger.orders.hold(self._run, hold=False)
        self._ledger.orders.pause(self._run, paused=True, by=by)
        self._pause(by)

    def end(self) -> None:
        """Wait for nothing any more."""
        self._tell(None)


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What became of an order to stop: the run as it is now, and what to say of it."""

    run: Run
    said: tuple[Sentence, ...]


class RunOrders:
    """Writes orders into the ledger; whoever drives the run obeys them within a second."""

    def __init__(self, ledger: Ledger, drivers: Drivers, *, by: str) -> None:
        self._ledger = ledger
        self._drivers = drivers
        self._by = by

    def pause(self, run: Run) -> Run:
        """Let nothing more be sent until somebody resumes it; UsageError unless running."""
        if self._drivers.is_left(run):
            raise UsageError(
                Sentence("not_driven", run=run.id),
                hint=Sentence("not_driven_todo", run=run.id),
                code="not_driven",
            )
        if not self._ledger.orders.pause(run.id, paused=True, by=self._by):
            raise UsageError(Sentence("nothing_to_pause", run=run.id, state=run.state.value))
        return self._ledger.runs.get(run.id)

    def stop(self, run: Run) -> Stopped:
        """Ask who drives a run to stop, end it where nobody does; UsageError if it is completed."""
        if run.state is RunState.COMPLETED:
            raise UsageError(Sentence("nothing_to_stop", run=run.id, state=run.state.value))
        if run.state is not RunState.RUNNING:
            return self._put_away(run)
        found = self._drivers.of(run)
        if found.is_free:
            # What was asked of the dead process is why the run stops: a no to the plan above all.
            asked = self._ledger.runs.stop_requested(run.id)
            reason = asked or Sentence("stopped_by_over_dead", by=self._by)
            ended = self._drivers.end(run, RunState.STOPPED, reason=reason)
            return Stopped(run=ended, said=(Sentence("stopped_dead", run=run.id),))
        self._ledger.runs.request_stop(run.id, reason=Sentence("stopped_by", by=self._by))
        asked_to = Sentence("asked_to_stop", run=run.id)
        if found.driver in (Driver.SILENT, Driver.DOUBTFUL):
            return Stopped(run=run, said=(asked_to, *found.held()))
        return Stopped(run=run, said=(asked_to,))

    def _put_away(self, run: Run) -> Stopped:
        if says(run.stop_reason, PUT_AWAY):
            raise UsageError(
                Sentence("put_away_before", run=run.id, reason=run.stop_reason),
                hint=Sentence("put_away_todo", run=run.id),
            )
        ended = self._drivers.end(
            run, RunState.STOPPED, reason=Sentence("put_away_by", by=self._by)
        )
        return Stopped(
            run=ended,
            said=(Sentence("put_away", run=run.id), Sentence("put_away_todo", run=run.id)),
        )

    def rate(self, run: Run, rate: float, *, most: float | None) -> Run:
        """Let a running run send so many writes per second; UsageError if over ``most``."""
        if most is not None and rate > most:
            raise UsageError(
                Sentence("rate_not_agreed", rate=f"{rate:g}", most=f"{most:g}"),
                hint=Sentence("rate_not_agreed_hint"),
                code="rate_not_agreed",
            )
        if not self._ledger.orders.set_rate(run.id, rate=rate, by=self._by):
            raise UsageError(Sentence("nothing_to_slow_down", run=run.id, state=run.state.value))
        return self._ledger.runs.get(run.id)

    def lift(self, found: Plan | Run) -> Run | None:
        """Lift the pause of a run that a living process drives; None where it is no such run."""
        if isinstance(found, Plan) or found.state is not RunState.RUNNING or not found.paused:
            return None
        if not self._drivers.is_driven(found):
            return None
        if not self._ledger.orders.pause(found.id, paused=False, by=self._by):
            return None
        return self._ledger.runs.get(found.id)
