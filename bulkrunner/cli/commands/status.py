"""``status``."""

from __future__ import annotations

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("id", required=False)
@global_options
def status(invocation: Invocation, id: str | None) -> None:  # noqa: A002
    """Show jobs, plans, runs and gates, and the next command to give."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.status(id)
        invocation.document.update(found.as_document())
        for line in found.lines():
            invocation.say(line)
