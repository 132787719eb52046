"""What a run writes into the ledger: intents at once, answers and outcomes as soon as may be."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from bulkrunner.domain.ports import RunLedger
from bulkrunner.domain.run import Attempt, Result
from bulkrunner.errors import BulkRunnerError, LedgerUnavailable
from bulkrunner.services.applying.control import Control


class Records:
    """One run's entries; the first that fails ends the run."""

    def __init__(self, ledger: RunLedger, run: str, control: Control) -> None:
        self._ledger = ledger
        self._run = run
        self._control = control
        self._under_way = 0
        self._changed = threading.Condition()

    def intend(self, attempt: Attempt) -> None:
        """Store an intent; returns once it is on disk.

        Raises:
            LedgerUnavailable: it is not; nothing may be sent.
        """
        error = self._ledger.intend(self._run, attempt).exception()
        if error is not None:
            raise _as_ours(error)

    def answered(self, attempt: Attempt) -> None:
        """Hand in what an attempt was answered."""
        self._watch(self._ledger.answered(self._run, attempt))

    def conclude(self, change: int, result: Result) -> None:
        """Hand in an outcome."""
        self._watch(self._ledger.conclude(self._run, change, result))

    def flush(self) -> None:
        """Wait until everything handed in is on disk, or has failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0)

    def _watch(self, stored: Future[None]) -> None:
        with self._changed:
            self._under_way += 1
        stored.add_done_callback(self._stored)

    def _stored(self, stored: Future[None]) -> None:
        error = stored.exception()
        if error is not None:
            self._control.fail(_as_ours(error))
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()


def _as_ours(error: BaseException) -> BulkRunnerError:
    if isinstance(error, BulkRunnerError):
        return error
    # Most likely a second process has written the same attempt: the ledger's key is the last fence.
    return LedgerUnavailable(f"the ledger did not take an entry ({type(error).__name__}: {error})")
