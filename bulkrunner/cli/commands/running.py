"""``run``, ``resume`` and ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--env", "environment", required=True, metavar="ENV", help="Environment to run in.")
@click.option("--plan", "plan_id", metavar="ID", help="This plan instead of the newest.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the next N changes in plan order, then stop.",
)
@click.option(
    "--hold-after-canary",
    "hold",
    is_flag=True,
    help="Pause once the first changes, one of every kind, are verified, and wait for resume.",
)
@global_options
def run(
    invocation: Invocation,
    job: Path,
    environment: str,
    plan_id: str | None,
    limit: int | None,
    *,
    hold: bool,
) -> None:
    """Execute the newest plan of the job in the environment, if every gate is open."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.cli.conclude import run_concluded

    with Program(invocation.config, invocation.ledger) as program:
        invocation.document.update(environment=environment)
        loaded = program.load_job(job)
        chosen = program.starting().choose(loaded.job, environment, plan_id)
        run_concluded(invocation, program, chosen, limit=limit, hold=hold)


@click.command()
@click.argument("id", required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the next N changes in plan order, then stop.",
)
@global_options
def resume(invocation: Invocation, id: str | None, limit: int | None) -> None:  # noqa: A002
    """Continue an interrupted plan or run, or lift a pause; without ID the newest one."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.cli.conclude import pause_lifted, plan_concluded, run_concluded
    from bulkrunner.cli.console import ConsoleProgress
    from bulkrunner.cli.documents import blank
    from bulkrunner.domain.plan import Plan

    with Program(invocation.config, invocation.ledger) as program:
        found = program.to_resume(id, tell=lambda text: invocation.say(text, err=True))
        if id is None:
            what = "plan" if isinstance(found, Plan) else "run"
            invocation.say(f"{what} {found.id}: {found.job} in {found.environment}", err=True)
        if lifted := program.ordering().lift(found):
            pause_lifted(invocation, program, lifted)
            return
        if not isinstance(found, Plan):
            run_concluded(invocation, program, found, limit=limit)
            return
        invocation.document = {**blank("plan"), "plan": found.id}
        loaded = program.load_again(found)
        progress = ConsoleProgress()
        with program.planning(
            found.environment, progress, agreed_rate=loaded.job.agreement.rate
        ) as planning:
            plan_concluded(invocation, program, planning, lambda: planning.resume(found, loaded))


@click.command()
@click.argument("run")
@global_options
def verify(invocation: Invocation, run: str) -> None:
    """Read every record of a run again and compare it with what was written."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.cli.console import ConsoleProgress
    from bulkrunner.errors import IncompleteOutcome

    with Program(invocation.config, invocation.ledger) as program:
        found = program.ledger.run(run)
        invocation.document.update(run=found.id, environment=found.environment)
        with program.verifying(found, ConsoleProgress()) as verifying:
            result = verifying.verify()
        invocation.document.update(
            checked=result.checked, differences=result.differences, requests=result.requests
        )
        invocation.say(f"run {found.id}: {result.checked:,} records read again")
        for difference in result.differences[:20]:
            invocation.say(f"  {difference['record']}: {difference['message']}")
        if result.differences:
            raise IncompleteOutcome(
                f"{_records(result.differences)} from what the run wrote",
                hint="see the differences; somebody may have edited them since",
                code="differences",
            )
        invocation.say("every one is as the run left it")


def _records(differences: list[dict[str, Any]]) -> str:
    count = len({difference["record"] for difference in differences})
    return "1 record differs" if count == 1 else f"{count} records differ"
