"""``approve`` and ``reject``."""

from __future__ import annotations

from typing import Any

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("plan")
@click.option("--by", required=True, metavar="NAME", help="Who at KB said yes.")
@click.option(
    "--reference", required=True, metavar="REF", help="Case number or mail of the answer."
)
@click.option(
    "--agree",
    "statements",
    multiple=True,
    metavar="STATEMENT",
    help="A looser policy value that the answer agrees to, word for word; repeatable.",
)
@click.option(
    "--digest", metavar="DIGEST", help="Plan digest named in the answer; must be the plan's."
)
@global_options
def approve(invocation: Invocation, **given: Any) -> None:
    """Record KB's yes to exactly this plan."""
    _answer(invocation, approved=True, **given)


@click.command()
@click.argument("plan")
@click.option("--by", required=True, metavar="NAME", help="Who said no.")
@click.option(
    "--reference", required=True, metavar="REF", help="Case number or mail of the answer."
)
@click.option(
    "--digest", metavar="DIGEST", help="Plan digest named in the answer; must be the plan's."
)
@global_options
def reject(invocation: Invocation, **given: Any) -> None:
    """Record KB's no; it withdraws an earlier yes and stops a running run."""
    _answer(invocation, approved=False, statements=(), **given)


def _answer(
    invocation: Invocation,
    *,
    approved: bool,
    plan: str,
    by: str,
    reference: str,
    statements: tuple[str, ...],
    digest: str | None,
) -> None:
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found, approval, stopping = program.approving().answer(
            plan,
            approved=approved,
            by=by,
            reference=reference,
            recorded_by=program.account(),
            statements=statements,
            digest=digest,
        )
        word = "approved" if approved else "rejected"
        invocation.document.update(
            plan=found.id,
            plan_digest=approval.plan_digest,
            answer=word,
            by=approval.by,
            reference=approval.reference,
        )
        if approved:
            invocation.document["statements"] = list(approval.statements)
        else:
            invocation.document["stopping"] = [run.id for run in stopping]
        invocation.say(
            f"{word}: plan {found.id} ({approval.plan_digest}) by {approval.by}, "
            f"{approval.reference}; recorded by {approval.recorded_by}, not signed"
        )
        for run in stopping:
            invocation.say(f"run {run.id} was asked to stop")
        if approved:
            invocation.say(f"next: {program.next_command(found)}")
