"""Everything one command needs, in one object."""

from __future__ import annotations

from bulkrunner.bootstrap.clients import Clients
from bulkrunner.bootstrap.keeping import Keeping
from bulkrunner.bootstrap.planning import Plans
from bulkrunner.bootstrap.reporting import Reporting
from bulkrunner.bootstrap.running import Runs
from bulkrunner.bootstrap.standing import Standing


class Program(Plans, Runs, Standing, Reporting, Keeping, Clients):
    """The whole program behind the command line; one object for each command."""
