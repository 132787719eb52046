"""``report`` and ``status``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program

FORMS = ["html", "json", "jsonl", "csv", "xlsx", "md", "zip"]


@click.command()
@click.argument("ids", metavar="ID", nargs=-1, required=True)
@click.option(
    "--diff",
    is_flag=True,
    help="Say what changed between two plans instead; give both, the older first (md or json).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="Form of the report  [default: html; md with --diff]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="File to write (default: ID.FORMAT here).",
)
@global_options
def report(
    invocation: Invocation,
    ids: tuple[str, ...],
    *,
    diff: bool,
    form: str | None,
    out: Path | None,
) -> None:
    """Write what the reviewer at KB reads, of a plan or a run; or what changed between two plans."""
    from bulkrunner.bootstrap import Program

    language = invocation.language or "sv"
    wanted = 2 if diff else 1
    if len(ids) != wanted:
        raise UsageError(
            Sentence("report_ids", wanted=wanted, count=len(ids)),
            hint=Sentence("report_ids_hint"),
        )
    with Program(invocation.config, invocation.ledger) as program:
        if diff:
            found = program.reports.write_plan_diff(
                ids[0], ids[1], form=form or "md", language=language, out=out
            )
        else:
            found = program.reports.write_report(
                ids[0], form=form or "html", language=language, out=out
            )
        invocation.document.update(found.as_dict())
        invocation.say(str(found.path))
        if found.fault:
            invocation.say(Sentence("ledger_does_not_fit", fault=found.fault), err=True)
            invocation.say(Sentence("report_not_proved"), err=True)
        if found.head is not None:
            invocation.say(Sentence("ledger_head", head=found.head), err=True)


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
        found = program.standing.status(id)
        invocation.document.update(found.as_document())
        for line in found.lines():
            invocation.say(line)


def _watch(invocation: Invocation, program: Program, prefix: str | None) -> None:
    """Show what changes; Ctrl-C ends it as well as the end of the last run."""
    shown: list[str] = []
    try:
        for found in program.standing.watch(prefix):
            invocation.document.update(found.as_document())
            lines = list(found.lines())
            if lines != shown:
                if not invocation.as_json and sys.stdout.isatty():
                    click.clear()
                invocation.say("\n".join(lines))
                shown = lines
    except KeyboardInterrupt:
        return
