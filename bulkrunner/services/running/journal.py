"""What a run writes into the ledger: intents at once, answers and outcomes as soon as may be."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.run import Attempt, EndedAs, Result
from bulkrunner.errors import BulkRunnerError, LedgerUnavailable
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Control


class Records:
    """One run's entries; the first that fails ends the run."""

    def __init__(self, ledger: Ledger, run: str, plan: str, control: Control) -> None:
        self._ledger = ledger
        self._run = run
        self._plan = plan
        self._control = control
        self._under_way = 0
        self._unsaved: dict[int, Result] = {}
        self._changed = threading.Condition()

    def intend(self, attempt: Attempt) -> None:
        """Store an intent; returns once it is on disk.

        Raises:
            LedgerUnavailable: it is not; nothing may be sent.
        """
        error = self._ledger.runs.intend(self._run, attempt).exception()
        if error is not None:
            raise _as_ours(error)

    def answered(self, attempt: Attempt) -> None:
        """Hand in what an attempt was answered."""
        self._watch(self._ledger.runs.answered(self._run, attempt))

    def conclude(self, change: int, result: Result) -> None:
        """Hand in an outcome."""
        with self._changed:
            self._unsaved[change] = result
        stored = self._ledger.runs.conclude(self._run, change, result)
        self._watch(stored)
        stored.add_done_callback(lambda _: self._unsaved.pop(change, None))

    def ended_as(self, changes: Sequence[int]) -> dict[int, EndedAs]:
        """Return how these changes ended, as far as they have."""
        # Looked at before the ledger: what leaves here meanwhile is on disk by then.
        unsaved = {number: self._unsaved.get(number) for number in changes}
        known = {
            number: EndedAs(outcome=result.outcome, record=result.record)
            for number, result in unsaved.items()
            if result is not None
        }
        left = [number for number in changes if number not in known]
        return {**known, **(self._ledger.runs.ended_as(self._run, left) if left else {})}

    def result_of(self, change: int) -> Result:
        """Return a change's result, ``pending`` where it has none."""
        return self._unsaved.get(change) or self._ledger.runs.result_of(self._run, change)

    def changes(self, numbers: Sequence[int]) -> list[PlannedChange]:
        """Return changes of the run's plan by their numbers."""
        return self._ledger.lookups.changes_numbered(self._plan, numbers)

    def claimed(self, records: Sequence[str], *, change: int) -> frozenset[str]:
        """Return which of these records were made by another change than this one."""
        return self._ledger.runs.claimed(records, run=self._run, change=change)

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
    return LedgerUnavailable(
        Sentence("ledger_entry_refused", error=f"{type(error).__name__}: {error}")
    )
