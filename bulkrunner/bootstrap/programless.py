"""What needs no configuration: new job folders, the manifest's schema and the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bulkrunner.adapters.process import SystemClock
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.jobs import NewJob


def new_job_folder(name: str, parent: Path, *, kind: str, sigels: Sequence[str]) -> NewJob:
    """Make a job folder with a commented manifest of a kind of job."""
    from bulkrunner.adapters.jobs import new_job

    today = SystemClock().now().date().isoformat()
    return new_job(name, parent, kind=kind, sigels=sigels, today=today)


def kinds_of_jobs() -> dict[str, str]:
    """Return the kinds of jobs that there are templates of, each with a sentence."""
    from bulkrunner.adapters.jobs import kinds

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
    from bulkrunner.sandbox.launch import run
    from bulkrunner.sandbox.load import LoadError
    from bulkrunner.sandbox.pair import SandboxOptions

    try:
        run(
            SandboxOptions(data=data, load=load),
            ports={"test": test_port, "production": production_port},
            write_config=write_config,
        )
    except (OSError, LoadError) as error:
        raise UsageError(Sentence("sandbox_not_started", error=str(error))) from None
