"""``completion``: commands, environments, job folders, plans and runs, completed by the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from datetime import datetime

    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.plan import Plan
    from bulkrunner.domain.run import Run

SHELLS = ("bash", "zsh", "fish")

# Set by the shell's script when it asks.
ASKED_BY = "_BULKRUNNER_COMPLETE"

# What a shell is offered at most.
MOST = 100


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@global_options
def completion(invocation: Invocation, shell: str) -> None:
    """Print the script by which a shell completes what is typed."""
    from bulkrunner.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(Sentence("usage_not_one_of", value=repr(shell), known=list(SHELLS)))
    maker = kind(cli, {}, "bulkrunner", ASKED_BY)
    # Its own ``source`` runs a shell to ask for its version.
    script = maker.source_template % maker.source_vars()
    invocation.document["script"] = script
    invocation.say(script)


def complete_ids(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer plans and runs of the ledger, the newest first, each with what it is of."""

    def ask(program: Program) -> list[CompletionItem]:
        if not program.has_ledger():
            return []
        found: list[tuple[datetime, Plan | Run]] = [
            *((one.created_at, one) for one in program.ledger.plans.all()),
            *((one.started_at, one) for one in program.ledger.runs.all()),
        ]
        found.sort(key=lambda one: one[0], reverse=True)
        return [
            CompletionItem(one.id, help=f"{one.job}, {one.environment}")
            for _, one in found
            if one.id.startswith(typed)
        ]

    return _asked(ctx, ask)


def complete_environments(
    ctx: click.Context, _param: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Offer the environments that are known here."""
    return _asked(
        ctx,
        lambda program: [
            CompletionItem(name, help=one.kind.value)
            for name, one in sorted(program.settings.environments.items())
            if name.startswith(typed)
        ],
    )


def complete_jobs(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer job folders; where there is none, the shell completes folders as it does."""
    shown, slash, begins = typed.rpartition("/")
    try:
        folders = sorted(path.parent for path in Path(shown + slash or ".").glob("*/job.yaml"))
    except OSError:
        folders = []
    found = [
        CompletionItem(shown + slash + path.name)
        for path in folders
        if path.name.startswith(begins)
    ]
    return found[:MOST] or [CompletionItem(typed, type="dir")]


def _asked(
    ctx: click.Context, ask: Callable[[Program], list[CompletionItem]]
) -> list[CompletionItem]:
    """Ask the program as the words typed so far configure it; of a fault nobody is told here."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.errors import BulkRunnerError

    given = {**ctx.find_root().params, **{name: one for name, one in ctx.params.items() if one}}
    try:
        with Program(given.get("config"), given.get("ledger")) as program:
            return ask(program)[:MOST]
    except (BulkRunnerError, OSError):
        return []


job_argument = click.argument("job", type=click.Path(path_type=Path), shell_complete=complete_jobs)
