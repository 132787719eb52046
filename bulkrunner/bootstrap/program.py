"""Everything one command needs, in one object."""

from __future__ import annotations

from functools import cached_property

from bulkrunner.bootstrap.clients import Clients
from bulkrunner.bootstrap.core import Core
from bulkrunner.bootstrap.gates import Gating
from bulkrunner.bootstrap.keeping import Keeping
from bulkrunner.bootstrap.planning import Plans
from bulkrunner.bootstrap.reporting import Reporting
from bulkrunner.bootstrap.running import Runs
from bulkrunner.bootstrap.standing import Standing


class Program(Core):
    """The whole program behind the command line; one object for each command."""

    @cached_property
    def gating(self) -> Gating:
        """Evaluates the gates of a plan."""
        return Gating(self)

    @cached_property
    def plans(self) -> Plans:
        """Makes plans and tells what is in them."""
        return Plans(self)

    @cached_property
    def runs(self) -> Runs:
        """Carries plans out."""
        return Runs(self, self.gating)

    @cached_property
    def standing(self) -> Standing:
        """Tells how plans and runs stand."""
        return Standing(self, self.gating)

    @cached_property
    def reports(self) -> Reporting:
        """Writes reports."""
        return Reporting(self, self.gating)

    @cached_property
    def keeping(self) -> Keeping:
        """Exports, checks and compacts the ledger."""
        return Keeping(self, self.gating)

    @cached_property
    def clients(self) -> Clients:
        """Tells which API clients were used for what."""
        return Clients(self)
