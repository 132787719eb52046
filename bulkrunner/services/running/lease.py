"""Who drives a run: its lease, taken, kept and asked for; and the end of a run that none drives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.run import (
    USUAL,
    Lease,
    LeaseTimes,
    Owner,
    Ownership,
    Run,
    RunState,
    ownership,
)
from bulkrunner.errors import BulkRunnerError, LeaseLost, LedgerUnavailable, UsageError
from bulkrunner.sentences import Sentence, verbatim


class RunHeld(UsageError):
    """Somebody else drives the run."""

    default_code = "run_held"


class LeaseKeeper:
    """Holds the lease of one run.

    Its deadline is on a clock that runs on while the machine is suspended.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        owner: Owner,
        *,
        alive: Callable[[Owner], bool | None],
        times: LeaseTimes,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._owner = owner
        self._alive = alive
        self._times = times
        self._lease: Lease | None = None
        self._deadline = float("-inf")
        self._done = False
        self._end = threading.Condition()
        self._thread: threading.Thread | None = None

    def first(self, run: str) -> Lease:
        """Return the lease that a new run is stored with; this process holds it."""
        asked_at = self._clock.monotonic()
        lease = Lease(
            run=run,
            owner=self._owner,
            token=1,
            expires_at=self._expiry(),
            taken_at=self._clock.now(),
        )
        self._hold(lease, asked_at)
        return lease

    def take(self, run: str) -> bool:
        """Take the lease of a run; False: we have it. RunHeld: another, which may live."""
        if self._lease is not None and self._lease.run == run:
            return False
        asked_at = self._clock.monotonic()
        held = self._ledger.leases.of(run)
        if held is not None:
            self._require_free(held)
        lease = self._ledger.leases.take(
            run,
            self._owner,
            expires_at=self._expiry(),
            replaces=None if held is None else held.token,
        )
        if lease is None:
            raise RunHeld(Sentence("run_just_taken", run=run), hint=verbatim("bulkrunner status"))
        self._hold(lease, asked_at)
        return True

    def _require_free(self, held: Lease) -> None:
        found = ownership(
            held, alive=self._alive(held.owner), now=self._clock.now(), times=self._times
        )
        if not found.is_free:
            why, todo = found.held()
            raise RunHeld(why, hint=todo)

    def _expiry(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._times.life)

    def _hold(self, lease: Lease, asked_at: float) -> None:
        self._lease = lease
        self._deadline = asked_at + self._times.life

    def require(self) -> None:
        """Raise LeaseLost unless this process may send."""
        if self._clock.monotonic() >= self._deadline:
            raise LeaseLost(
                Sentence("right_to_drive_over"),
                hint=Sentence("right_to_drive_over_hint"),
            )

    def start(self, fail: Callable[[BaseException], None]) -> None:
        """Renew the lease in the background; ``fail`` is told where that does not work."""
        self._thread = threading.Thread(target=self._keep, args=(fail,), name="lease", daemon=True)
        self._thread.start()

    def _keep(self, fail: Callable[[BaseException], None]) -> None:
        while not self._is_done_within(self._times.renew_every):
            try:
                self.renew()
            except LedgerUnavailable:
                continue  # the deadline stands; there may be time for another try
            except BulkRunnerError as error:
                fail(error)
                return

    def _is_done_within(self, seconds: float) -> bool:
        with self._end:
            return self._clock.wait_for(self._end, lambda: self._done, seconds)

    def renew(self) -> None:
        """Renew the lease once; LeaseLost, or LedgerUnavailable where it cannot be written."""
        self.require()
        asked_at = self._clock.monotonic()
        lease = self._lease
        if lease is None or not self._ledger.leases.renew(lease, expires_at=self._expiry()):
            self._deadline = float("-inf")
            self.require()
        self._deadline = asked_at + self._times.life

    def stop(self) -> None:
        with self._end:
            self._done = True
            self._end.notify_all()
        if self._thread is not None:
            self._thread.join()

    def give_back(self) -> None:
        """Drop the lease; does nothing where it is not this process's any more."""
        if self._lease is not None:
            self._ledger.leases.drop(self._lease)
            self._lease = None
            self._deadline = float("-inf")


# Reason of a run whose driver died, once somebody has noticed.
LEFT = Sentence("run_left_by_dead")


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
