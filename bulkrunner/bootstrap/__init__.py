"""Composition root: everything that one command needs, in one object. Nothing else wires."""

from __future__ import annotations

from functools import cached_property

from bulkrunner.bootstrap.cluster import Cluster
from bulkrunner.bootstrap.core import Core
from bulkrunner.bootstrap.oversight import Clients, GateWiring, StatusWiring
from bulkrunner.bootstrap.reports import LedgerWiring, ReportWiring, WrittenReport
from bulkrunner.bootstrap.sessions import (
    PlanningSession,
    Plans,
    RunningSession,
    Runs,
    effective_policy,
)


class Program(Core):
    """The whole program behind the command line; one object for each command."""

    @cached_property
    def gating(self) -> GateWiring:
        """Evaluates the gates of a plan."""
        return GateWiring(self)

    @cached_property
    def plans(self) -> Plans:
        """Makes plans and tells what is in them."""
        return Plans(self)

    @cached_property
    def runs(self) -> Runs:
        """Carries plans out."""
        return Runs(self, self.gating)

    @cached_property
    def standing(self) -> StatusWiring:
        """Tells how plans and runs stand."""
        return StatusWiring(self, self.gating)

    @cached_property
    def reports(self) -> ReportWiring:
        """Writes reports."""
        return ReportWiring(self, self.gating)

    @cached_property
    def keeping(self) -> LedgerWiring:
        """Exports, checks and compacts the ledger."""
        return LedgerWiring(self, self.gating)

    @cached_property
    def cluster(self) -> Cluster:
        """Queues jobs, and does what is queued."""
        return Cluster(self)

    @cached_property
    def clients(self) -> Clients:
        """Tells which API clients were used for what."""
        return Clients(self)


__all__ = [
    "PlanningSession",
    "Program",
    "RunningSession",
    "WrittenReport",
    "effective_policy",
]
