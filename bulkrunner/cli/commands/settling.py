"""``settle``."""

from __future__ import annotations

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("run")
@click.argument("change")
@click.option(
    "--as",
    "decision",
    required=True,
    type=click.Choice(["applied", "not-applied"]),
    help="What became of the change.",
)
@click.option("--record", metavar="ID", help="The record that a create made.")
@click.option("--by", required=True, metavar="NAME", help="Who decided.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, and how it was found out.")
@global_options
def settle(
    invocation: Invocation,
    run: str,
    change: str,
    decision: str,
    record: str | None,
    by: str,
    reason: str,
) -> None:
    """Decide an outcome of a run that could not be determined."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.services.settling import Settlement

    with Program(invocation.config, invocation.ledger) as program:
        said = Settlement(
            applied=decision == "applied",
            record=record,
            by=by,
            reason=reason,
            recorded_by=program.account(),
        )
        found, was, result = program.settling().settle(run, change, said)
        invocation.document.update(
            run=found.id,
            change=was.change.number,
            was=was.result.outcome.value,
            outcome=result.outcome.value,
            record=result.record,
            by=by,
            reason=reason,
            outcomes=program.ledger.outcomes(found.id),
        )
        number = was.change.number
        invocation.say(f"change {number} of run {found.id}: {result.outcome}; {result.message}")
        invocation.say(f"next: {program.next_command(program.ledger.plan(found.plan))}")
