"""``status``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bulkrunner.cli.options import Invocation, global_options

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program


@click.command()
@click.argument("id", required=False)
@click.option("--watch", is_flag=True, help="Show it again and again until nothing is running.")
@global_options
def status(invocation: Invocation, id: str | None, *, watch: bool) -> None:  # noqa: A002
    """Show jobs, plans, runs and gates, and the next command to give."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        if watch:
            _watch(invocation, program, id)
            return
        found = program.status(id)
        invocation.document.update(found.as_document())
        for line in found.lines():
            invocation.say(line)


def _watch(invocation: Invocation, program: Program, prefix: str | None) -> None:
    """Show what changes; Ctrl-C ends it as well as the end of the last run."""
    shown: list[str] = []
    try:
        for found in program.watch(prefix):
            invocation.document.update(found.as_document())
            lines = list(found.lines())
            if lines != shown:
                if not invocation.as_json and sys.stdout.isatty():
                    click.clear()
                invocation.say("\n".join(lines))
                shown = lines
    except KeyboardInterrupt:
        return
