"""``doctor``."""

from __future__ import annotations

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.option(
    "--env",
    "environment",
    metavar="ENV",
    help="Only this environment (default: all with a client).",
)
@global_options
def doctor(invocation: Invocation, environment: str | None) -> None:
    """Look at configuration, credentials, rights, reachability, clock and ledger."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        examined = program.examine(environment)
        invocation.document["environments"] = [found.as_document() for found in examined]
        hosts = sorted({host for found in examined for host in found.facts["hosts"]})
        invocation.document["hosts"] = hosts
        for found in examined:
            for line in found.lines():
                invocation.say(line)
        invocation.say(f"hosts it would talk to: {', '.join(hosts) or 'none'}")
        head = program.ledger.head()
        invocation.document["ledger"] = {"place": program.ledger_place(), "head": head}
        invocation.say(f"ledger {program.ledger_place()}: readable, head {head or '(empty)'}")
