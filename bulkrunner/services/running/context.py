"""What every change of a run has in common, and the progress of one change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import Unknown
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.ports import CatalogueWriter, Clock, WriteGate
from bulkrunner.domain.run import Attempt
from bulkrunner.services.running.access import Access
from bulkrunner.services.running.control import Control
from bulkrunner.services.running.history import Creations
from bulkrunner.services.running.journal import Records
from bulkrunner.services.running.lease import LeaseKeeper
from bulkrunner.services.running.throttle import Hours, LeftOut, Pauses, Terms


@dataclass(kw_only=True)
class ServerClock:
    """How far the server's clock is ahead of ours, from the answers to writes."""

    ahead: timedelta | None = None

    def learn(self, server: datetime | None, ours: datetime | None) -> None:
        """Take in one answer's ``Date`` and when it came."""
        if server is not None and ours is not None:
            self.ahead = server - ours

    def at(self, ours: datetime) -> datetime | None:
        """Return a moment of ours by the server's clock, a little early; None if unknown."""
        return None if self.ahead is None else ours + self.ahead - timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The parts that carry out changes.

    Attributes:
        sigels: libraries that the job may touch.
        confirm_fully: read the content back, to compare it with what was predicted.
        unknown: since when things may have been sent that the ledger does not know; None: none.
    """

    catalogue: CatalogueWriter
    clock: Clock
    iris: IriMap
    active_sigel: str
    sigels: frozenset[str]
    gate: WriteGate
    hours: Hours
    records: Records
    lease: LeaseKeeper
    access: Access
    control: Control
    pauses: Pauses
    terms: Terms
    server_clock: ServerClock
    creations: Creations
    confirm_fully: bool
    unknown: Unknown | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to write, and hold it.

        Raises:
            Stopped: the run ended meanwhile.
            AccessLost, Interrupted: a new token came with fewer rights, or none can be had.
        """
        with ExitStack() as stack:
            with self.control.parking():
                self.pauses.wait(self.control)
                self.hours.wait(self.control)
                self.terms.wait(self.control)
                stack.enter_context(self.gate())
            self.control.check()
            self.access.require_with_this_token()
            yield

    def leaves_out(self, work: Work) -> bool:
        """Tell whether the approval leaves a change out; what was sent already is settled."""
        return not work.attempts and self.terms.excludes(work.change.number)

    def may_send(self, work: Work) -> bool:
        """Tell, after the look, whether writing is still allowed: turn and look may wait for long.

        Raises:
            Stopped: the run ended meanwhile.
            LeftOut: the approval leaves the change out by now.
        """
        self.control.check()
        if self.leaves_out(work):
            raise LeftOut
        return self.control.paused_by is None and self.hours.are_open() and self.terms.take()


@dataclass(kw_only=True)
class Work:
    """One change with every send of it so far.

    Attributes:
        confirm_fully: read the content back, to compare it with what was predicted.
        refers: the ids of records that this run created were put into the planned change.
    """

    change: PlannedChange
    attempts: list[Attempt] = field(default_factory=list)
    confirm_fully: bool = True
    refers: bool = False
