"""``sandbox`` and ``demo``."""

from __future__ import annotations

from pathlib import Path

import click

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence


@click.command()
@click.option(
    "--test-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port of the test environment.",
)
@click.option(
    "--production-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port of the production environment.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep records in this folder (default: in memory).",
)
@click.option(
    "--load",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Records to start with instead of the built-in ones.",
)
@click.option(
    "--write-config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a bulkrunner.toml for it, and the credentials beside it (.env).",
)
@global_options
def sandbox(
    invocation: Invocation,
    test_port: int,
    production_port: int,
    data: Path | None,
    load: Path | None,
    write_config: Path | None,
) -> None:
    """Serve the embedded Libris, a test and a production environment, on loopback until stopped."""
    from bulkrunner.sandbox.engine import SandboxOptions
    from bulkrunner.sandbox.load import LoadError
    from bulkrunner.sandbox.server import run

    ports = {"test": test_port, "production": production_port}
    try:
        run(SandboxOptions(data=data, load=load), ports=ports, write_config=write_config)
    except (OSError, LoadError) as error:
        raise UsageError(Sentence("sandbox_not_started", error=str(error))) from None
    invocation.printed = True


@click.command()
@global_options
def demo(invocation: Invocation) -> None:
    """Take a real job the whole road on the embedded sandbox, in a temporary folder."""
    from bulkrunner.cli.demonstration import Demonstration

    told = Demonstration(
        invocation.say,
        language=invocation.language or "sv",
        told_in=invocation.language or "en",
    ).run()
    invocation.document.update(
        report=str(told.report),
        folder=str(told.folder),
        steps=[
            {"command": step.command, "exit_code": step.exit_code, "expected": step.expected}
            for step in told.steps
        ],
    )
