"""Which process drives which run, and the end of a run that none drives any more."""

from __future__ import annotations

from collections.abc import Callable

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.ownership import USUAL, LeaseTimes, Ownership, ownership
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import Owner, Run, RunState
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.lease import LeaseKeeper

LEFT = Sentence("run_left_by_dead")
"""Reason of a run whose driver died, once somebody has noticed."""


class Drivers:
    """Asks the leases of the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        owner: Owner,
        *,
        alive: Callable[[Owner], bool | None],
        times: LeaseTimes = USUAL,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._alive = alive
        self._times = times

    def of(self, run: Run) -> Ownership:
        """Return who drives a run."""
        lease = self._ledger.leases.of(run.id)
        alive = None if lease is None else self._alive(lease.owner)
        return ownership(lease, alive=alive, now=self._clock.now(), times=self._times)

    def is_driven(self, run: Run) -> bool:
        """Return True if a process works on a running run, or waits by itself."""
        return run.state is RunState.RUNNING and self.of(run).works

    def is_left(self, run: Run) -> bool:
        """Return True if a run counts as running and no process drives it any more."""
        return run.state is RunState.RUNNING and self.of(run).is_free

    def end(self, run: Run, state: RunState, *, reason: str) -> Run:
        """Take up a run that no process drives, and end it; RunHeld where one does, or may."""
        keeper = LeaseKeeper(
            self._ledger, self._clock, self._owner, alive=self._alive, times=self._times
        )
        keeper.take(run.id)
        try:
            found = self._ledger.runs.get(run.id)
            if found.state is RunState.COMPLETED:
                return found
            # Nothing was sent: it lies idle for as long as before.
            at = self._clock.now() if state is RunState.COMPLETED else found.active_at
            return self._ledger.runs.move(found.id, state, at=at, reason=reason)
        finally:
            keeper.give_back()
