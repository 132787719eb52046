"""``undo``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("run")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Job folder to make; it must not be there yet.",
)
@click.option(
    "--only",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Restore these records only: a list of ids, or a report in JSON Lines.",
)
@global_options
def undo(invocation: Invocation, run: str, out: Path, only: Path | None) -> None:
    """Write a job that restores what the job of a run changed; it goes the same road."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.ledger.run(run)
        plan = program.ledger.plan(found.plan)
        job = program.write_undo(plan, out, only=only)
        invocation.document.update(
            run=found.id,
            job=job,
            folder=str(out),
            manifest=str(out / "job.yaml"),
            undoes=plan.job,
            effect_digest=plan.effect_digest,
        )
        invocation.say(f"{out}/ restores what {plan.job} ({plan.effect_digest}) changed")
        invocation.say(
            "it goes the same road: plan and run it in a test environment, then plan it for "
            "production, and have it approved"
        )
        first = program.first_environment()
        invocation.say(f"next: bulkrunner plan {shlex.quote(str(out))} --env {first}")
