"""``plan``."""

from __future__ import annotations

from pathlib import Path

import click

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.cli.parameters import demand_parameters, given_parameters


@click.command()
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--env", "environment", required=True, metavar="ENV", help="Environment to plan for.")
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a parameter of the manifest; repeatable.",
)
@global_options
def plan(invocation: Invocation, job: Path, environment: str, parameters: tuple[str, ...]) -> None:
    """Read the records, compute every change, prove ownership, and store the plan.

    Never writes to the catalogue.
    """
    from bulkrunner.bootstrap import Program
    from bulkrunner.cli.conclude import plan_concluded
    from bulkrunner.cli.console import ConsoleProgress

    given = given_parameters(parameters)
    with Program(invocation.config, invocation.ledger) as program:
        invocation.document.update(environment=environment)
        loaded = program.load_job(job, given)
        demand_parameters(loaded.missing)
        invocation.document.update(
            job=loaded.job.id,
            manifest_digest=loaded.job.manifest_digest,
            effect_digest=loaded.job.effect_digest,
        )
        progress = ConsoleProgress()
        with program.planning(
            environment, progress, agreed_rate=loaded.job.agreement.rate
        ) as planning:
            for note in loaded.notes:
                invocation.say(f"note: {note}")
            plan_concluded(invocation, program, planning, lambda: planning.make(loaded))
