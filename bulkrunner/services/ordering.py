"""Orders to a run from another terminal: pause, go on, another rate, stop; and its end by hand."""

from __future__ import annotations

from dataclasses import dataclass

from bulkrunner.domain.ownership import Driver
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import Ledger
from bulkrunner.domain.run import PUT_AWAY, Run, RunState
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.drivers import Drivers


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What became of an order to stop: the run as it is now, and what to say of it."""

    run: Run
    said: tuple[Sentence, ...]


class Ordering:
    """Writes orders into the ledger; whoever drives the run obeys them within a second."""

    def __init__(self, ledger: Ledger, drivers: Drivers, *, by: str) -> None:
        self._ledger = ledger
        self._drivers = drivers
        self._by = by

    def pause(self, run: Run) -> Run:
        """Let nothing more be sent until somebody resumes the run.

        Raises:
            UsageError: the run is not running, or no process drives it.
        """
        if self._drivers.is_left(run):
            raise UsageError(
                Sentence("not_driven", run=run.id),
                hint=Sentence("not_driven_todo", run=run.id),
                code="not_driven",
            )
        if not self._ledger.pause_run(run.id, paused=True, by=self._by):
            raise _not_running(run, "pause")
        return self._ledger.run(run.id)

    def stop(self, run: Run) -> Stopped:
        """Ask whoever drives a run to stop, end it where nobody does, put it away where it lies still.

        Raises:
            UsageError: it is completed, or put away already.
        """
        if run.state is RunState.COMPLETED:
            raise _not_running(run, "stop")
        if run.state is not RunState.RUNNING:
            return self._put_away(run)
        found = self._drivers.of(run)
        if found.is_free:
            # What was asked of the dead process is why the run stops: a no to the plan above all.
            asked = self._ledger.stop_requested(run.id)
            reason = asked or f"stopped by {self._by}; the process that drove it is dead"
            ended = self._drivers.end(run, RunState.STOPPED, reason=reason)
            return Stopped(run=ended, said=(Sentence("stopped_dead", run=run.id),))
        self._ledger.request_stop(run.id, reason=f"stopped by {self._by}")
        asked_to = Sentence("asked_to_stop", run=run.id)
        if found.driver in (Driver.SILENT, Driver.DOUBTFUL):
            return Stopped(run=run, said=(asked_to, *found.held()))
        return Stopped(run=run, said=(asked_to,))

    def _put_away(self, run: Run) -> Stopped:
        if run.stop_reason.startswith(PUT_AWAY):
            raise UsageError(
                Sentence("put_away_before", run=run.id, reason=run.stop_reason),
                hint=Sentence("put_away_todo", run=run.id),
            )
        ended = self._drivers.end(run, RunState.STOPPED, reason=f"{PUT_AWAY}{self._by}")
        return Stopped(
            run=ended,
            said=(Sentence("put_away", run=run.id), Sentence("put_away_todo", run=run.id)),
        )

    def rate(self, run: Run, rate: float, *, most: float | None) -> Run:
        """Let a running run send so many writes per second, also after an interruption.

        Raises:
            UsageError: more than ``most``, or the run is not running.
        """
        if most is not None and rate > most:
            raise UsageError(
                f"{rate:g} writes/s are more than the {most:g} that are agreed",
                hint="more needs agreement.rate in the manifest, and a new plan",
                code="rate_not_agreed",
            )
        if not self._ledger.rate_run(run.id, rate=rate, by=self._by):
            raise _not_running(run, "slow down")
        return self._ledger.run(run.id)

    def lift(self, found: Plan | Run) -> Run | None:
        """Lift the pause of a run that a living process drives; None where it is no such run."""
        if isinstance(found, Plan) or found.state is not RunState.RUNNING or not found.paused:
            return None
        if not self._drivers.is_driven(found):
            return None
        if not self._ledger.pause_run(found.id, paused=False, by=self._by):
            return None
        return self._ledger.run(found.id)


def _not_running(run: Run, what: str) -> UsageError:
    return UsageError(f"run {run.id} is {run.state}; there is nothing to {what}")
