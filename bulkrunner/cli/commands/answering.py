"""``approve`` and ``reject``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bulkrunner.cli.commands.completion import complete_ids
from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.domain.plan import Plan
    from bulkrunner.domain.standing import Bounds
    from bulkrunner.services.reviews import Read, Reviews

F = TypeVar("F", bound=Callable[..., Any])


def _answer_options(command: F) -> F:
    """Add what both answers take."""
    options = (
        click.argument("plan", required=False, shell_complete=complete_ids),
        click.option("--by", metavar="NAME", help="Whose answer it is."),
        click.option("--reference", metavar="REF", help="Case number or mail of the answer."),
        click.option(
            "--digest",
            metavar="DIGEST",
            help="Plan digest named in the answer; must be the plan's.",
        ),
        click.option(
            "--from",
            "letter",
            metavar="FILE",
            help="Read the answer from a mail or text file instead; -: from stdin.",
        ),
        click.option(
            "--draft",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write the answer as the text to be signed, and record nothing.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_answer_options
@click.option(
    "--agree",
    "statements",
    multiple=True,
    metavar="STATEMENT",
    help="What the answer agrees to in particular, word for word; repeatable.",
)
@click.option(
    "--per-night",
    type=click.IntRange(min=1),
    metavar="N",
    help="Condition: at most so many writes a night.",
)
@click.option(
    "--not-before",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DATE",
    help="Condition: nothing is written before this day.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="ID",
    help="Condition: leave this record, or this change as PLAN.NUMBER, alone; repeatable.",
)
@click.option(
    "--standing",
    is_flag=True,
    help="The answer is a standing approval too, within the bounds that the manifest asks for.",
)
@click.option(
    "--until",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DATE",
    help="Standing approval: the last day on which later plans may run.",
)
@click.option(
    "--per-run",
    metavar="COUNTS",
    help="Standing approval: changes of a run, as update=300,delete=0; what is not named is 0.",
)
@click.option(
    "--per-day",
    metavar="COUNTS",
    help="Standing approval: changes in 24 hours, as 600 or update=600,delete=5.",
)
@click.option(
    "--signature",
    type=click.Path(path_type=Path, dir_okay=False),
    help="SSH signature under the answer of --from, where it is a file of its own.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="The answer may drop conditions that the same person set before.",
)
@click.option(
    "--words-read",
    is_flag=True,
    help="The words beside the answer of --from have been read, and change nothing.",
)
@global_options
def approve(invocation: Invocation, **given: Any) -> None:
    """Record KB's yes to exactly this plan."""
    _answer(invocation, approved=True, **given)


@click.command()
@_answer_options
@global_options
def reject(invocation: Invocation, **given: Any) -> None:
    """Record KB's no; it withdraws an earlier yes and stops a running run."""
    _answer(invocation, approved=False, **given)


def _answer(
    invocation: Invocation,
    *,
    approved: bool,
    draft: Path | None,
    replace: bool = False,
    words_read: bool = False,
    **given: Any,
) -> None:
    with invocation.runner() as runner:
        reviews = runner.program.gating.approving()
        read = _read(reviews, approved=approved, **given)
        if draft is not None:
            _drafted(invocation, reviews, read, draft)
        else:
            runner.record(read, replace=replace, words_read=words_read)


def _read(
    approving: Reviews,
    *,
    approved: bool,
    plan: str | None,
    letter: str | None,
    signature: Path | None = None,
    not_before: datetime | None = None,
    standing: bool = False,
    until: datetime | None = None,
    **told: Any,
) -> Read:
    if letter is not None:
        if any(told.values()) or not_before or standing or until:
            raise click.UsageError(Sentence("answer_says_all"))
        return _read_letter(approving, letter, approved=approved, plan=plan, signature=signature)
    if signature is not None:
        raise click.UsageError(Sentence("signature_without_answer"))
    missing = [
        name
        for name, value in (
            ("PLAN", plan),
            ("--by", told.get("by")),
            ("--reference", told.get("reference")),
        )
        if value is None
    ]
    if missing or plan is None:
        raise click.UsageError(Sentence("answer_incomplete", missing=", ".join(missing)))
    bounds = {"until": until, "per_run": told.pop("per_run", None)}
    bounds["per_day"] = told.pop("per_day", None)
    for name, value in bounds.items():
        if value is not None and not standing:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(Sentence("answer_standing_needs", option=option))
    if standing:
        told["standing"] = partial(_bounds, **bounds)
    return _told(approving, plan, approved=approved, not_before=not_before, **told)


def _bounds(
    plan: Plan, *, until: datetime | None, per_run: str | None, per_day: str | None
) -> Bounds:
    """Return what the operator was told of a standing approval."""
    from bulkrunner.domain.standing import asked_of
    from bulkrunner.errors import UsageError
    from bulkrunner.services.given_bounds import given_within

    if (asked := asked_of(plan)) is None:
        raise UsageError(Sentence("answer_standing_none", plan=plan.id), code="no_standing_asked")
    day = until.date() if until else None
    return given_within(asked, until=day, per_run=per_run or "", per_day=per_day or "")


def _told(
    approving: Reviews,
    plan: str,
    *,
    not_before: datetime | None,
    per_night: int | None = None,
    **told: Any,
) -> Read:
    from bulkrunner.domain.approvals import Conditions

    day: date | None = not_before.date() if not_before else None
    return approving.told(plan, conditions=Conditions(per_night=per_night, not_before=day), **told)


def _read_letter(
    approving: Reviews, letter: str, *, approved: bool, plan: str | None, signature: Path | None
) -> Read:
    from bulkrunner.adapters.mail import read_letter
    from bulkrunner.domain.filled_forms import find_answers

    seal = "" if signature is None else find_answers(read_letter(str(signature))).signatures
    if signature is not None and not seal:
        raise click.UsageError(Sentence("signature_missing_in", path=str(signature)))
    found = find_answers(read_letter(letter))
    return approving.read(found, approved=approved, prefix=plan, signature=seal[0] if seal else "")


def _drafted(invocation: Invocation, approving: Reviews, read: Read, path: Path) -> None:
    from bulkrunner.adapters.signatures import NAMESPACE
    from bulkrunner.errors import UsageError, why_of
    from bulkrunner.runner.recorded import tell_beside

    try:
        path.write_text(approving.draft(read), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            Sentence("file_not_written", path=str(path), why=why_of(error)),
            code="not_written",
        ) from None
    answer = read.answer
    invocation.document.update(
        plan=read.plan.id,
        plan_digest=answer.digest,
        by=answer.by,
        reference=answer.reference,
        draft=str(path.absolute()),
    )
    invocation.say(Sentence("answer_drafted", path=str(path.absolute()), by=answer.by))
    tell_beside(invocation, read.beside)
    if answer.approved:
        invocation.say(Sentence("to_be_signed", namespace=NAMESPACE, path=str(path)))
        invocation.say(Sentence("then_approve", path=str(path)))
