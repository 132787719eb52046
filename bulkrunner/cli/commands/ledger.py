"""``ledger``: the account itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulkrunner.cli.options import Invocation, global_options

if TYPE_CHECKING:
    from bulkrunner.adapters.bundles import Checked
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.restoration import Restoration

SHOWN = 20
"""Plans listed that stay as they are."""


@click.group()
@global_options
def ledger(invocation: Invocation) -> None:
    """Migrate the ledger, verify it, prove from it, make it smaller."""


@ledger.command()
@global_options
def upgrade(invocation: Invocation) -> None:
    """Bring the ledger's tables to this version of the program."""
    from bulkrunner.bootstrap import Program

    program = Program(invocation.config, invocation.ledger)
    program.upgrade_ledger()
    invocation.document.update(ledger=program.ledger_place(), state="upgraded")
    invocation.say(f"{program.ledger_place()} is up to date")


@ledger.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--against", metavar="HEAD", help="A head from a report or answer; it must be the ledger's own."
)
@click.option(
    "--reviewers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Allowed-signers file that signatures in FILE must be by.",
)
@global_options
def check(
    invocation: Invocation, file: Path | None, against: str | None, reviewers: Path | None
) -> None:
    """Verify the ledger, or a bundle FILE by itself, and name the first row that does not fit."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        if file is not None:
            _check_bundle(
                invocation, file, program.check_bundle(file, against=against, reviewers=reviewers)
            )
            return
        if reviewers is not None:
            raise click.UsageError("--reviewers is of a bundle; say which: ledger check FILE")
        _check_ledger(invocation, program, against)


def _check_ledger(invocation: Invocation, program: Program, against: str | None) -> None:
    from bulkrunner.adapters.ledger.file import PUT_BACK, PUT_COPY_BACK
    from bulkrunner.domain.restoration import RESTORE
    from bulkrunner.errors import ChainBroken, LedgerDamaged

    invocation.document.update(ledger=program.ledger_place())
    hint = "restore the ledger from a backup; do not run from this one"
    try:
        faults = program.ledger.check()
    except LedgerDamaged as error:  # so much that it cannot even be opened
        asked = error.hint == PUT_BACK
        faults, hint = [error.said], PUT_COPY_BACK if asked else error.hint
    _judge(invocation, faults, hint=hint)
    head = program.ledger.head()
    copied, restored = program.ledger.copied(), program.ledger.restorations()
    invocation.document.update(
        head=head, copied=copied, restored=[_told(one) for one in restored] or None
    )
    invocation.say(f"{program.ledger_place()}: chain intact, head {head}")
    for one in restored:
        invocation.say(f"  {one.describe()}")
    if copied is not None:
        invocation.say(f"  {copied}; nothing runs from it until somebody says so: {RESTORE}")
    if against is None:
        return
    try:
        position, since = program.head_found(against)
    except ChainBroken:
        invocation.document.update(state="broken")
        raise
    invocation.document.update(against={"event": position, "since": since})
    invocation.say(f"it goes on from {against}: event {position}, {since} events since")


def _judge(invocation: Invocation, faults: Sequence[str], *, hint: str) -> None:
    """Tell how it stands.

    Raises:
        ChainBroken: something does not fit.
    """
    from bulkrunner.errors import ChainBroken

    invocation.document.update(state="broken" if faults else "intact", faults=list(faults))
    if faults:
        for fault in faults[1:]:
            invocation.say(f"also: {fault}", err=True)
        raise ChainBroken(faults[0], hint=hint)


def _check_bundle(invocation: Invocation, file: Path, found: Checked) -> None:
    from bulkrunner.domain.approvals import Conditions

    invocation.document.update(
        ledger=str(file.absolute()),
        head=found.head,
        bundle={
            "plan": found.plan,
            "plan_digest": found.plan_digest,
            "run": found.run,
            "counts": found.counts,
            "outcomes": found.outcomes,
            "answers": found.answers,
        },
    )
    _judge(invocation, list(found.faults), hint="ask for another copy, from whoever made it")
    invocation.say(f"{file}: intact, head {found.head}")
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items() if count)
    invocation.say(f"  plan {found.plan} ({found.plan_digest}): {counts}")
    for answer in found.answers:
        how = (
            f"signed by {answer['signed_by']} ({answer['key']})" if answer["key"] else "not signed"
        )
        asked = Conditions.from_dict(answer["conditions"]).describe()
        more = f"; conditions: {asked}" if asked else ""
        more += "" if answer["counts"] else "; counts no more, a later answer does"
        invocation.say(
            f"  {answer['answer']} by {answer['by']}, {answer['reference']}; {how}{more}"
        )
    if found.run:
        outcomes = ", ".join(f"{count:,} {name}" for name, count in found.outcomes.items())
        invocation.say(f"  run {found.run}: {outcomes or 'nothing was done'}")
    if found.against is None:
        invocation.say("compare the head with the one in the report that you were sent")
        return
    event, since = found.against
    invocation.document.update(against={"event": event, "since": since})
    invocation.say(f"it goes on from the head given: event {event}, {since} events since")


@ledger.command()
@click.argument("id")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, such as r-4k7x2mw9qz.zip.",
)
@global_options
def export(invocation: Invocation, id: str, out: Path) -> None:  # noqa: A002
    """Write a plan or run, its answers and events into one file that is verified by itself."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.run import Run

    with Program(invocation.config, invocation.ledger) as program:
        found = program.starting().find(id)
        head = program.export(found, out)
        run = found.id if isinstance(found, Run) else None
        invocation.document.update(
            ledger=program.ledger_place(),
            state="exported",
            head=head,
            path=str(out.absolute()),
            bundle={"plan": found.plan if isinstance(found, Run) else found.id, "run": run},
        )
        invocation.say(f"{out.absolute()}: head {head}")
        invocation.say(f"verify it anywhere: bulkrunner ledger check {out}")


@ledger.command()
@click.option("--by", required=True, metavar="NAME", help="Who says so.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in every report.")
@global_options
def restore(invocation: Invocation, by: str, reason: str) -> None:
    """Take up a ledger that was put back from a copy: its gates open again."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.restore(by=by, reason=reason)
        invocation.document.update(
            ledger=program.ledger_place(),
            state="restored",
            head=program.ledger.head(),
            copied=found.was or None,
            restored=[_told(found)],
        )
        if found.was:
            invocation.say(f"{found.was}; it is the ledger from now on, by the word of {by}")
        else:
            invocation.say(f"nothing says that it is a copy; noted all the same, by {by}")
        invocation.say(
            f"what was sent after {found.known_until:%Y-%m-%d %H:%M} UTC it may not know: new bibs "
            "are searched for before they are sent, everything else is looked at as ever"
        )
        invocation.say("see that no other copy of it is used: bulkrunner status shows the gates")


def _told(restoration: Restoration) -> dict[str, str]:
    return {
        "at": restoration.at.isoformat(),
        "by": restoration.by,
        "reason": restoration.reason,
        "recorded_by": restoration.recorded_by,
        "known_until": restoration.known_until.isoformat(),
        "was": restoration.was,
    }


@ledger.command()
@click.option(
    "--before",
    required=True,
    metavar="DATE|RUN",
    help="Plans made, and runs ended, before this day (2026-01-31) or the start of this run.",
)
@global_options
def compact(invocation: Invocation, before: str) -> None:
    """Drop the records' contents that old plans hold; what was done stays on record."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        done = program.compact(before)
        invocation.document.update(
            ledger=program.ledger_place(),
            state="compacted",
            head=program.ledger.head(),
            compacted={
                "plans": list(done.plans),
                "kept": done.kept,
                "documents": done.documents,
                "bytes_before": done.before,
                "bytes_after": done.after,
            },
        )
        invocation.say(f"{len(done.plans)} plans compacted, {done.documents:,} documents dropped")
        if done.before is not None and done.after is not None:
            invocation.say(f"  the file had {done.before:,} bytes and has {done.after:,}")
        if done.untidied:
            invocation.say(f"  {done.untidied}")
        for plan, reason in list(done.kept.items())[:SHOWN]:
            invocation.say(f"  plan {plan} stays: {reason}")
        if done.plans:
            invocation.say("runs of these plans can no longer be undone, verified or exported")
