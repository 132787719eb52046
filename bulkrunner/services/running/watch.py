"""The watch over a run: it walks all that the run rests on, and tests the gates, beside the crew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from bulkrunner.domain.ledger_port import Ledger, Seals, block_of
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import RunState
from bulkrunner.domain.run_ledger import WorkItem
from bulkrunner.errors import GateClosed
from bulkrunner.sentences import Sentence
from bulkrunner.services.gatekeeper import miscounted, relied_on
from bulkrunner.services.running.control import Control, Stopped
from bulkrunner.services.targets import open_gates

T = TypeVar("T")

RECHECK_EVERY = 3600.0


class Watch:
    """Verifies a block of changes before its use, and everything else in a thread of its own.

    A run is complete only when the thread has seen everything. It begins anew each hour, and when
    it is asked to, by testing the gates; it never holds up who hands out the changes.
    """

    def __init__(
        self,
        ledger: Ledger,
        plan: Plan,
        run: str,
        control: Control,
        clock: Clock,
        *,
        recheck: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._plan = plan
        self._run = run
        self._control = control
        self._clock = clock
        self._recheck = recheck
        self._seals = ledger.chain.seals()
        self._sound: set[int] = set()
        self._changed = threading.Condition()
        self._asked = False
        self._idle = False
        self._closed = False
        self._rechecked_at = clock.monotonic()
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)

    # --- asked by who hands out the changes -----------------------------------------------------

    def start(self) -> None:
        """Begin to walk. GateClosed: what everything else is verified by does not fit."""
        self._require(self._seals.fault)
        self._thread.start()

    def require(self, change: int) -> None:
        """Verify the block of a change, before anything of it is used. GateClosed: it was edited."""
        block = block_of(change)
        if block not in self._sound:
            self._require(self._seals.block(self._plan.id, self._run, change))
            self._sound.add(block)

    def recognise(self, item: WorkItem) -> None:
        """Require that a change was read as it was verified. GateClosed: it was edited since."""
        self._require(self._seals.recognise(item))

    def ask(self) -> None:
        """Have the gates tested again, and then everything."""
        with self._changed:
            self._asked = True
            self._idle = False
            self._changed.notify_all()

    def look_at_the_clock(self) -> None:
        """Ask for what is due each hour."""
        now = self._clock.monotonic()
        if now - self._rechecked_at >= RECHECK_EVERY:
            self._rechecked_at = now
            self.ask()

    @property
    def is_done(self) -> bool:
        """Whether everything was seen, and nothing more is asked for."""
        return self._idle

    def wait(self, seconds: float) -> bool:
        """Wait until everything was seen, or a fault was found; False where that takes longer."""
        with self._changed:
            return self._clock.wait_for(self._changed, self._is_over, seconds)

    def _is_over(self) -> bool:
        return self._idle or not self._thread.is_alive()

    def close(self) -> None:
        """End the thread after the piece that it is at."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    # --- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._walk(self._seals)
            while self._next():
                seals = self._ledger.chain.seals()
                self._require(seals.fault)
                self._walk(seals)
        except Stopped:
            return
        except GateClosed as error:
            self._control.fail(error, RunState.STOPPED)
        except BaseException as error:  # noqa: BLE001 (handed to the thread that feeds)
            self._control.fail(error)

    def _next(self) -> bool:
        """Wait until more is asked for; False where nothing will be."""
        with self._changed:
            self._idle = not self._asked
            self._changed.notify_all()
            self._clock.wait_for(self._changed, lambda: self._asked or self._closed, None)
        self._test_gates()
        return not self._closed

    def _test_gates(self) -> None:
        """Test the gates where that was asked for, also in the middle of a long walk."""
        with self._changed:
            asked, self._asked = self._asked, False
        if asked:
            self._recheck()

    def _walk(self, seals: Seals) -> None:
        """Look at everything; Stopped where the run is over before."""
        for fault in self._go_on(seals.rest(self._plan.id, relied_on(self._plan, self._ledger))):
            self._require(fault)
        digests = self._go_on(self._ledger.plans.change_digests(self._plan.id))
        self._require(miscounted(self._plan, self._ledger, digests))

    def _go_on(self, pieces: Iterator[T]) -> Iterator[T]:
        for piece in pieces:
            if self._closed:
                raise Stopped
            self._test_gates()
            yield piece

    def _require(self, fault: Sentence | None) -> None:
        if fault is not None:
            open_gates([GateResult(name="ledger", open=False, reason=fault)])
