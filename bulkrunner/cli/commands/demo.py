"""``demo``."""

from __future__ import annotations

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@global_options
def demo(invocation: Invocation) -> None:
    """Take a real job the whole road on the embedded sandbox, in a temporary folder."""
    from bulkrunner.cli.demonstration import Demonstration

    told = Demonstration(invocation.say, language=invocation.language or "sv").run()
    invocation.document.update(
        report=str(told.report),
        folder=str(told.folder),
        steps=[
            {"command": step.command, "exit_code": step.exit_code, "expected": step.expected}
            for step in told.steps
        ],
    )
