"""Which process drives which run, and the end of a run that none drives any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bulkrunner.domain.ownership import USUAL, LeaseTimes, Ownership, ownership
from bulkrunner.domain.ports import Clock, RunLedger
from bulkrunner.domain.run import Owner, Run, RunState
from bulkrunner.services.applying.lease import LeaseKeeper

LEFT = "the process that drove it is dead"
"""Reason of a run whose driver died, once somebody has noticed."""


class Drivers:
    """Asks the leases of the ledger."""

    def __init__(
        self,
        ledger: RunLedger,
        clock: Clock,
        owner: Owner,
        *,
        alive: Callable[[Owner], bool | None],
        times: LeaseTimes = USUAL,
    ) -> None:
        """Take parts.

        Args:
            ledger: of the runs.
            clock: to compare leases with.
            owner: this process.
            alive: whether an owner's process lives; None where that cannot be told from here.
            times: how long a lease counts.
        """
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._alive = alive
        self._times = times

    def of(self, run: Run) -> Ownership:
        """Return who drives a run."""
        lease = self._ledger.lease(run.id)
        alive = None if lease is None else self._alive(lease.owner)
        return ownership(lease, alive=alive, now=self._clock.now(), times=self._times)

    def is_driven(self, run: Run) -> bool:
        """Return True if a process works on a running run, or waits by itself."""
        return run.state is RunState.RUNNING and self.of(run).works

    def is_left(self, run: Run) -> bool:
        """Return True if a run counts as running and no process drives it any more."""
        return run.state is RunState.RUNNING and self.of(run).is_free

    def end(self, run: Run, state: RunState, *, reason: str) -> Run:
        """Take up a run that no process drives, and end it without sending anything.

        It is as idle as before: when it was last active stays.

        Raises:
            RunHeld: a process that lives, or may live, drives it.
        """
        keeper = LeaseKeeper(
            self._ledger, self._clock, self._owner, alive=self._alive, times=self._times
        )
        keeper.take(run.id)
        try:
            found = self._ledger.run(run.id)
            if found.state is RunState.COMPLETED:
                return found
            return self._ledger.move_run(found.id, state, at=self._at(found, state), reason=reason)
        finally:
            keeper.give_back()

    def _at(self, run: Run, state: RunState) -> datetime:
        return self._clock.now() if state is RunState.COMPLETED else run.active_at
