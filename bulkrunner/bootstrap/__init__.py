"""Composition root: everything that one command needs, in one object. Nothing else wires."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bulkrunner.adapters.process import SystemClock
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
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.job_folders import NewJob


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
    def clients(self) -> Clients:
        """Tells which API clients were used for what."""
        return Clients(self)


def new_job_folder(name: str, parent: Path, *, kind: str, sigels: Sequence[str]) -> NewJob:
    """Make a job folder with a commented manifest of a kind of job."""
    from bulkrunner.adapters.job_folders import new_job

    today = SystemClock().now().date().isoformat()
    return new_job(name, parent, kind=kind, sigels=sigels, today=today)


def kinds_of_jobs() -> dict[str, str]:
    """Return the kinds of jobs that there are templates of, each with a sentence."""
    from bulkrunner.adapters.job_folders import kinds

    return kinds()


def manifest_schema() -> str:
    """Return the JSON Schema of manifests."""
    from bulkrunner.adapters.manifests.job_schema import schema_text

    return schema_text()


def serve_sandbox(
    *,
    test_port: int,
    production_port: int,
    data: Path | None,
    load: Path | None,
    write_config: Path | None,
) -> None:
    """Serve the embedded Libris until SIGINT or SIGTERM.

    Raises:
        UsageError: a port is taken, or a file to load cannot be read.
    """
    from bulkrunner.sandbox.engine import SandboxOptions
    from bulkrunner.sandbox.load import LoadError
    from bulkrunner.sandbox.server import run

    try:
        run(
            SandboxOptions(data=data, load=load),
            ports={"test": test_port, "production": production_port},
            write_config=write_config,
        )
    except (OSError, LoadError) as error:
        raise UsageError(Sentence("sandbox_not_started", error=str(error))) from None


__all__ = [
    "PlanningSession",
    "Program",
    "RunningSession",
    "WrittenReport",
    "effective_policy",
    "kinds_of_jobs",
    "manifest_schema",
    "new_job_folder",
    "serve_sandbox",
]
