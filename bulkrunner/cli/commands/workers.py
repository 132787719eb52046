"""``submit`` and ``worker``: jobs queued, and done by any number of machines."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from bulkrunner.cli.commands.completion import complete_environments, job_argument
from bulkrunner.cli.options import Invocation, given_parameters, global_options, parameter_option
from bulkrunner.runner.lines import demand_parameters
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
    "--at",
    metavar="TIME",
    help="Not before this moment, e.g. 2026-12-24T20:00 by the environment's clock.",
)
@parameter_option
@global_options
def submit(
    invocation: Invocation,
    job: Path,
    environment: str,
    at: str | None,
    parameters: tuple[str, ...],
) -> None:
    """Queue the rest of a job's road in an environment: plan, run and verify, by any worker."""
    from bulkrunner.bootstrap import Program

    given = given_parameters(parameters)
    with Program(invocation.config, invocation.ledger) as program:
        invocation.document.update(environment=environment)
        program.cluster.queue()
        loaded = program.load_job(job, given)
        demand_parameters(loaded.missing)
        zone = program.settings.environment(environment).timezone
        moment = None if at is None else _moment(at, zone)
        program.cluster.submit(loaded, environment, moment, given)
        workers = [one for one in program.cluster.listed()[1] if one["alive"]]
        invocation.document.update(
            job=loaded.job.id,
            manifest_digest=loaded.job.manifest_digest,
            at=None if moment is None else moment.isoformat(),
            workers=len(workers),
        )
        invocation.say(Sentence("submitted", job=loaded.job.id, environment=environment))
        digest = loaded.job.manifest_digest
        invocation.say(Sentence("manifest_digest", manifest_digest=digest), indent=2)
        if not workers:
            invocation.say(Sentence("no_worker_lives"), indent=2)
        invocation.say(Sentence("next", command="bulkrunner status"))


def _moment(given: str, zone: str) -> datetime:
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise click.UsageError(Sentence("at_unread", given=repr(given[:60]))) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


@click.command()
@click.option("--name", metavar="NAME", help="What others see; default: the machine's name.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=64),
    default=2,
    show_default=True,
    metavar="N",
    help="Jobs at a time.",
)
@global_options
def worker(invocation: Invocation, name: str | None, concurrency: int) -> None:
    """Take jobs from the queue and do them, until SIGINT or SIGTERM.

    What is under way then is stopped after what is in flight, and another worker goes on with it.
    """
    from bulkrunner.bootstrap import Program
    from bulkrunner.cli.console import stoppable

    done: list[Sentence] = []

    def tell(said: Sentence) -> None:
        done.append(said)
        invocation.say(said, err=True)

    with Program(invocation.config, invocation.ledger) as program:
        at_work = program.cluster.worker(program.again, name, concurrency, tell)
        invocation.document.update(name=at_work.name, done=0)
        invocation.say(Sentence("worker_begins", name=at_work.name, count=concurrency), err=True)
        with stoppable(at_work.stop, invocation.last_words, invocation.worded):
            at_work.run()
        invocation.document.update(done=len(done))
        invocation.say(Sentence("worker_ends", name=at_work.name), err=True)
