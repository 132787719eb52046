"""Composition root: settings become adapters, adapters become services. Nothing else wires."""

from __future__ import annotations

from bulkrunner.bootstrap.program import (
    Program,
    kinds_of_jobs,
    manifest_schema,
    new_job_folder,
    serve_sandbox,
)
from bulkrunner.bootstrap.reports import WrittenReport
from bulkrunner.bootstrap.sessions import PlanningSession, RunningSession, effective_policy

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
