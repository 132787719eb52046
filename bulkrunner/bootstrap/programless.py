"""What needs no configuration: new job folders and the sandbox."""

from __future__ import annotations

from pathlib import Path

from bulkrunner.adapters.clock import SystemClock
from bulkrunner.errors import UsageError


def new_job_folder(name: str, parent: Path) -> Path:
    """Make a job folder with a commented manifest."""
    from bulkrunner.adapters.new_job import new_job

    return new_job(name, parent, today=SystemClock().now().date().isoformat())


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
        raise UsageError(f"the sandbox cannot start: {error}") from None
