"""Orders to a running run from another terminal: pause, go on, another rate, stop."""

from __future__ import annotations

from collections.abc import Callable

from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import Clock, Ledger
from bulkrunner.domain.run import Owner, Run, RunState
from bulkrunner.errors import UsageError


class Ordering:
    """Writes orders into the ledger; whoever drives the run obeys them within a second."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        alive: Callable[[Owner], bool | None],
        by: str,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._alive = alive
        self._by = by

    def pause(self, run: Run) -> Run:
        """Let nothing more be sent until somebody resumes the run.

        Raises:
            UsageError: the run is not running, or no process drives it.
        """
        self._require_driven(run)
        if not self._ledger.pause_run(run.id, paused=True, by=self._by):
            raise _not_running(run, "pause")
        return self._ledger.run(run.id)

    def stop(self, run: Run) -> Run:
        """Ask whoever drives the run to stop.

        Raises:
            UsageError: the run is not running, or no process drives it.
        """
        self._require_driven(run)
        if run.state is not RunState.RUNNING:
            raise _not_running(run, "stop")
        self._ledger.request_stop(run.id, reason=f"stopped by {self._by}")
        return run

    def rate(self, run: Run, rate: float, *, most: float | None) -> Run:
        """Let the run send so many writes per second from now on, also after an interruption.

        Args:
            run: which is running.
            rate: writes per second.
            most: that are allowed; None: any number.

        Raises:
            UsageError: more than allowed, or the run is not running.
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

    def is_orphan(self, run: Run) -> bool:
        """Tell whether a running run is driven by no process any more, as far as can be known."""
        if run.state is not RunState.RUNNING:
            return False
        lease = self._ledger.lease(run.id)
        if lease is None:
            return True
        alive = self._alive(lease.owner)
        return alive is False or (alive is None and lease.expires_at <= self._clock.now())

    def _require_driven(self, run: Run) -> None:
        if self.is_orphan(run):
            raise UsageError(
                f"no process drives run {run.id}: the one that did is dead; nothing is sent, and "
                "no order was left",
                hint=f"go on with: bulkrunner resume {run.id}",
                code="not_driven",
            )

    def lift(self, found: Plan | Run) -> Run | None:
        """Lift the pause of a run that a living process drives; None where it is no such run."""
        if isinstance(found, Plan) or found.state is not RunState.RUNNING or not found.paused:
            return None
        if self.is_orphan(found):
            return None
        if not self._ledger.pause_run(found.id, paused=False, by=self._by):
            return None
        return self._ledger.run(found.id)


def _not_running(run: Run, what: str) -> UsageError:
    return UsageError(f"run {run.id} is {run.state}; there is nothing to {what}")
