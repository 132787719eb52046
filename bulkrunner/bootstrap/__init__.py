"""Composition root: settings become adapters, adapters become services. Nothing else wires."""

from __future__ import annotations

from bulkrunner.bootstrap.planning import PlanningSession, effective_policy
from bulkrunner.bootstrap.program import Program
from bulkrunner.bootstrap.programless import (
    kinds_of_jobs,
    manifest_schema,
    new_job_folder,
    serve_sandbox,
)
from bulkrunner.bootstrap.reporting import WrittenReport
from bulkrunner.bootstrap.running import RunningSession

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
