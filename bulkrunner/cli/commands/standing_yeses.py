"""``standing``: the standing approvals that KB has given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.services.recurring import Basis
    from bulkrunner.services.standing_summaries import StandingSummaries


@click.group()
@global_options
def standing(invocation: Invocation) -> None:
    """List, show and end the standing approvals that KB has given."""


@standing.command(name="list")
@global_options
def list_(invocation: Invocation) -> None:
    """List every standing approval, with what has ended it."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        summaries = program.gating.summaries()
        found = list(summaries.all())
        invocation.document["standing"] = [summaries.as_data(one) for one in found]
        for one in found:
            _tell(invocation, summaries, one)
        if not found:
            invocation.say(Sentence("standing_none"))


@standing.command()
@click.argument("ref")
@global_options
def show(invocation: Invocation, ref: str) -> None:
    """Show one: its bounds, its runs, and what is used of the last 24 hours."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.standing import counts_told

    with Program(invocation.config, invocation.ledger) as program:
        summaries = program.gating.summaries()
        found = summaries.find(ref)
        data: dict[str, Any] = summaries.as_data(found)
        invocation.document["standing"] = [data]
        _tell(invocation, summaries, found)
        used = counts_told(data["used"]) or [Sentence("standing_nothing_used")]
        invocation.say(Sentence("standing_used", used=used), indent=2)
        for run in data["runs"]:
            invocation.say(Sentence("standing_run", run=run), indent=2)


@standing.command()
@click.argument("ref")
@click.option("--by", required=True, metavar="NAME", help="Who ends it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@global_options
def end(invocation: Invocation, ref: str, by: str, reason: str) -> None:
    """End one; a run that rests on it stops."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.answer_text import line
    from bulkrunner.errors import UsageError

    for option, text in (("--by", by), ("--reason", reason)):
        if not line(text):
            raise UsageError(Sentence("option_empty", option=option))
    with Program(invocation.config, invocation.ledger) as program:
        summaries = program.gating.summaries()
        found = summaries.find(ref)
        if (over := summaries.over(found)) is not None:
            raise UsageError(
                Sentence("standing_over_already", plan=found.approved.id, why=over),
                code="standing_over",
            )
        stopping = summaries.end(found, by=line(by), reason=line(reason))
        invocation.document["standing"] = [summaries.as_data(found)]
        invocation.document["stopping"] = [run.id for run in stopping]
        invocation.say(Sentence("standing_ended_now", plan=found.approved.id))
        for run in stopping:
            invocation.say(Sentence("asked_to_stop", run=run.id))


def _tell(invocation: Invocation, summaries: StandingSummaries, found: Basis) -> None:
    """Say who gave it for what, and whether it holds."""
    invocation.say(
        Sentence(
            "standing_listed",
            plan=found.approved.id,
            job=found.approved.job,
            environment=found.approved.environment,
            said=found.rests_on().told(),
        )
    )
    if (over := summaries.over(found)) is not None:
        invocation.say(Sentence("standing_over", why=over), indent=2)
