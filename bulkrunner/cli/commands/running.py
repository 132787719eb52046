"""``run``, ``resume``, ``verify``, ``settle``, ``undo``, and ``pause``, ``rate``, ``stop``."""

from __future__ import annotations

from pathlib import Path

import click

from bulkrunner.cli.commands.completion import complete_environments, complete_ids, job_argument
from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.runner.telling import word
from bulkrunner.sentences import Sentence


@click.command()
@job_argument
@click.option(
    "--env",
    "environment",
    shell_complete=complete_environments,
    required=True,
    metavar="ENV",
    help="Environment to run in.",
)
@click.option(
    "--plan",
    "plan_id",
    metavar="ID",
    shell_complete=complete_ids,
    help="This plan instead of the newest.",
)
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
    with invocation.runner() as runner:
        runner.run(job, environment, plan=plan_id, limit=limit, hold=hold)


@click.command()
@click.argument("id", required=False, shell_complete=complete_ids)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the next N changes in plan order, then stop.",
)
@global_options
def resume(invocation: Invocation, id: str | None, limit: int | None) -> None:  # noqa: A002
    """Continue an interrupted plan or run, or lift a pause; without ID the newest one."""
    with invocation.runner() as runner:
        runner.resume(id, limit=limit)


@click.command()
@click.argument("run", shell_complete=complete_ids)
@global_options
def verify(invocation: Invocation, run: str) -> None:
    """Read every record of a run again and compare it with what was written."""
    with invocation.runner() as runner:
        runner.verify(run)


@click.command()
@click.argument("id", shell_complete=complete_ids)
@global_options
def pause(invocation: Invocation, id: str) -> None:  # noqa: A002
    """Let a running run, in whatever terminal, send nothing until it is resumed."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.standing.ordering().pause(program.standing.starting().run_of(id))
        invocation.document.update(run=found.id, state=found.state.value, paused=found.paused)
        invocation.say(Sentence("run_pauses", run=found.id))


@click.command()
@click.argument("id", shell_complete=complete_ids)
@click.argument("rate", type=click.FloatRange(min=0.001, max=10000), metavar="N")
@global_options
def rate(invocation: Invocation, id: str, rate: float) -> None:  # noqa: A002
    """Let a running run, in whatever terminal, send N writes per second."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        run = program.standing.starting().run_of(id)
        found = program.standing.ordering().rate(run, rate, most=program.standing.most_rate(run))
        invocation.document.update(run=found.id, state=found.state.value, rate=found.rate)
        if program.drivers().is_left(found):
            invocation.say(Sentence("nobody_drives_rate", run=found.id, rate=f"{rate:g}"))
            return
        invocation.say(Sentence("run_rate", run=found.id, rate=f"{rate:g}"))


@click.command()
@click.argument("id", shell_complete=complete_ids)
@global_options
def stop(invocation: Invocation, id: str) -> None:  # noqa: A002
    """Let a run stop, in whatever terminal; one that lies still is put away.

    Whoever drives the run is asked to stop. Where its process is dead it is ended here. Both can be
    resumed. Of a run that is stopped or interrupted already `resume` without ID takes no more notice.
    """
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        stopped = program.standing.ordering().stop(program.standing.starting().run_of(id))
        invocation.document.update(run=stopped.run.id, state=stopped.run.state.value)
        for sentence in stopped.said:
            invocation.say(sentence)


@click.command()
@click.argument("run", shell_complete=complete_ids)
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
    from bulkrunner.services.settle import Settlement

    with Program(invocation.config, invocation.ledger) as program:
        said = Settlement(
            applied=decision == "applied",
            record=record,
            by=by,
            reason=reason,
            recorded_by=program.account(),
        )
        found, was, result = program.gating.settling().settle(run, change, said)
        invocation.document.update(
            run=found.id,
            change=was.change.number,
            was=was.result.outcome.value,
            outcome=result.outcome.value,
            record=result.record,
            by=by,
            reason=reason,
            outcomes=program.ledger.runs.outcomes(found.id),
        )
        number = was.change.number
        invocation.say(
            Sentence(
                "change_settled",
                number=number,
                run=found.id,
                outcome=word(result.outcome.value),
                message=result.message,
            )
        )
        invocation.say(
            Sentence(
                "next", command=program.standing.next_command(program.ledger.plans.get(found.plan))
            )
        )


@click.command()
@click.argument("run", shell_complete=complete_ids)
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
    with invocation.runner() as runner:
        runner.undo(run, out, only=only)
