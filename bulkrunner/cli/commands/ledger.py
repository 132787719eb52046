"""``ledger``: the account itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkrunner.cli.commands.completion import complete_ids
from bulkrunner.cli.options import Invocation, global_options
from bulkrunner.runner.telling import counted, counts_said, signed_said
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.adapters.bundles import Checked
    from bulkrunner.bootstrap import Program
    from bulkrunner.domain.ledger_port import Restoration

# Plans listed that stay as they are.
SHOWN = 20


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
    invocation.say(Sentence("ledger_up_to_date", place=program.ledger_place()))


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
                invocation,
                file,
                program.keeping.check_bundle(file, against=against, reviewers=reviewers),
            )
            return
        if reviewers is not None:
            raise click.UsageError(Sentence("reviewers_of_bundle"))
        _check_ledger(invocation, program, against)


def _check_ledger(invocation: Invocation, program: Program, against: str | None) -> None:
    from bulkrunner.adapters.ledger.file import PUT_BACK, PUT_COPY_BACK
    from bulkrunner.domain.ledger_port import RESTORE
    from bulkrunner.errors import ChainBroken, LedgerDamaged

    invocation.document.update(ledger=program.ledger_place())
    hint: str = Sentence("ledger_broken_hint")
    try:
        faults = program.ledger.chain.check()
    except LedgerDamaged as error:  # so much that it cannot even be opened
        asked = error.hint == PUT_BACK
        faults, hint = [error.said], PUT_COPY_BACK if asked else error.hint
    _judge(invocation, faults, hint=hint)
    head = program.ledger.chain.head()
    copied, restored = program.ledger.provenance.copied(), program.ledger.provenance.restorations()
    invocation.document.update(
        head=head, copied=copied, restored=[_told(one) for one in restored] or None
    )
    invocation.say(Sentence("ledger_intact", place=program.ledger_place(), head=head))
    for one in restored:
        invocation.say(one.describe(), indent=2)
    if copied is not None:
        invocation.say(Sentence("ledger_copied", copied=copied, restore=RESTORE), indent=2)
    if against is None:
        return
    try:
        position, since = program.keeping.head_found(against)
    except ChainBroken:
        invocation.document.update(state="broken")
        raise
    invocation.document.update(against={"event": position, "since": since})
    invocation.say(Sentence("goes_on_from", head=against, event=position, since=since))


def _judge(invocation: Invocation, faults: Sequence[str], *, hint: str) -> None:
    """Tell how it stands. ChainBroken: something does not fit."""
    from bulkrunner.errors import ChainBroken

    invocation.document.update(state="broken" if faults else "intact", faults=list(faults))
    if faults:
        for fault in faults[1:]:
            invocation.say(Sentence("also", fault=fault), err=True)
        raise ChainBroken(faults[0], hint=hint)


def _check_bundle(invocation: Invocation, file: Path, found: Checked) -> None:
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
    _judge(invocation, list(found.faults), hint=Sentence("bundle_broken_hint"))
    invocation.say(Sentence("bundle_intact", file=str(file), head=found.head))
    invocation.say(
        Sentence(
            "bundle_plan",
            plan=found.plan,
            digest=found.plan_digest,
            counts=counts_said(found.counts),
        ),
        indent=2,
    )
    for answer in found.answers:
        invocation.say(_answer_said(answer), indent=2)
    if found.run:
        outcomes = [counted(name, count) for name, count in found.outcomes.items()]
        done = Sentence("listed", parts=outcomes) if outcomes else Sentence("nothing_done")
        invocation.say(Sentence("bundle_run", run=found.run, outcomes=done), indent=2)
    if found.against is None:
        invocation.say(Sentence("bundle_compare"))
        return
    event, since = found.against
    invocation.document.update(against={"event": event, "since": since})
    invocation.say(Sentence("goes_on_from_head_given", event=event, since=since))


def _answer_said(answer: Mapping[str, Any]) -> Sentence:
    from bulkrunner.domain.approvals import Conditions

    said = Sentence(
        "bundle_answer",
        answer=Sentence("approved") if answer["answer"] == "approved" else Sentence("rejected"),
        by=answer["by"],
        reference=answer["reference"],
        signed=signed_said(answer["signed_by"], key=answer["key"] or None),
    )
    if asked := Conditions.from_dict(answer["conditions"]).describe():
        said = Sentence("bundle_answer_conditions", said=said, conditions=asked)
    return said if answer["counts"] else Sentence("bundle_answer_superseded", said=said)


@ledger.command()
@click.argument("id", shell_complete=complete_ids)
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
        found = program.standing.starting().find(id)
        head = program.keeping.export(found, out)
        run = found.id if isinstance(found, Run) else None
        invocation.document.update(
            ledger=program.ledger_place(),
            state="exported",
            head=head,
            path=str(out.absolute()),
            bundle={"plan": found.plan if isinstance(found, Run) else found.id, "run": run},
        )
        invocation.say(Sentence("bundle_written", path=str(out.absolute()), head=head))
        invocation.say(Sentence("bundle_verify", path=str(out)))


@ledger.command()
@click.option("--by", required=True, metavar="NAME", help="Who says so.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in every report.")
@global_options
def restore(invocation: Invocation, by: str, reason: str) -> None:
    """Take up a ledger that was put back from a copy: its gates open again."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.keeping.restore(by=by, reason=reason)
        invocation.document.update(
            ledger=program.ledger_place(),
            state="restored",
            head=program.ledger.chain.head(),
            copied=found.was or None,
            restored=[_told(found)],
        )
        if found.was:
            invocation.say(Sentence("ledger_taken_up", was=found.was, by=by))
        else:
            invocation.say(Sentence("ledger_no_copy", by=by))
        invocation.say(Sentence("ledger_may_not_know", known_until=found.known_until))
        invocation.say(Sentence("ledger_taken_up_then"))


@ledger.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@global_options
def copy(invocation: Invocation, source: str, target: str) -> None:
    """Move a ledger into another, empty database, and compare; FROM is closed afterwards."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        places, done = program.keeping.move(source, target)
    invocation.document.update(
        ledger=places[1],
        state="moved",
        head=done.head,
        moved={"from": places[0], "to": places[1], "rows": done.rows},
    )
    place, to = places
    invocation.say(Sentence("ledger_moved", place=place, to=to, rows=done.rows, head=done.head))
    invocation.say(Sentence("ledger_moved_then", to=to))


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
        done = program.keeping.compact(before)
        invocation.document.update(
            ledger=program.ledger_place(),
            state="compacted",
            head=program.ledger.chain.head(),
            compacted={
                "plans": list(done.plans),
                "kept": done.kept,
                "documents": done.documents,
                "bytes_before": done.before,
                "bytes_after": done.after,
            },
        )
        invocation.say(
            Sentence(
                "compacted",
                count=len(done.plans),
                documents=done.documents,
            )
        )
        if done.before is not None and done.after is not None:
            invocation.say(
                Sentence("compacted_bytes", before=done.before, after=done.after), indent=2
            )
        if done.untidied:
            invocation.say(done.untidied, indent=2)
        for plan, reason in list(done.kept.items())[:SHOWN]:
            invocation.say(Sentence("compact_stays", plan=plan, reason=reason), indent=2)
        if done.plans:
            invocation.say(Sentence("compacted_then"))
