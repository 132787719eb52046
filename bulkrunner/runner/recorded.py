"""What is told of an answer that was recorded: what it asks, what it does to runs, what is next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bulkrunner.runner.telling import Telling, signed_said
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.bootstrap import Program
    from bulkrunner.services.reviews import Recorded

# Characters shown of what stands beside an answer.
SHOWN = 500


def tell_recorded(telling: Telling, program: Program, recorded: Recorded) -> None:
    plan, approval = recorded.plan, recorded.approval
    word = "approved" if approval.approved else "rejected"
    telling.document.update(
        plan=plan.id,
        plan_digest=approval.plan_digest,
        answer=word,
        by=approval.by,
        reference=approval.reference,
    )
    if approval.approved:
        telling.document.update(
            statements=list(approval.statements),
            conditions=approval.conditions.as_dict(),
            signed_by=approval.signer or None,
            standing=approval.standing and approval.standing.as_dict(),
        )
    else:
        telling.document["stopping"] = [run.id for run in recorded.stopping]
    said = Sentence(
        "answer_recorded",
        answer=Sentence("approved") if approval.approved else Sentence("rejected"),
        plan=plan.id,
        digest=approval.plan_digest,
        by=approval.by,
        reference=approval.reference,
        recorded_by=approval.recorded_by,
        signed=signed_said(approval.signer),
    )
    telling.say(Sentence("answer_known", said=said) if recorded.known else said)
    if approval.conditions:
        telling.say(Sentence("conditions", conditions=approval.conditions.describe()), indent=2)
    if approval.standing is not None:
        bounds = approval.standing.told()
        telling.say(Sentence("condition_standing", bounds=bounds), indent=2)
    if recorded.dropped:
        telling.say(Sentence("conditions_dropped", dropped=recorded.dropped.describe()), indent=2)
    if recorded.unverified:
        telling.say(Sentence("signature_not_verified"), indent=2)
    tell_beside(telling, recorded.beside)
    if not approval.approved:
        _tell_runs(telling, program, recorded)
        return
    lines, command = program.standing.after_yes(plan)
    for line in lines:
        telling.say(line)
    telling.say(Sentence("next", command=command))


def _tell_runs(telling: Telling, program: Program, recorded: Recorded) -> None:
    """Say what a no does to the plan's runs: what is written stays until it is taken back."""
    from bulkrunner.domain.run import RunState

    for run in recorded.stopping:
        if program.drivers().is_left(run):
            telling.say(Sentence("nobody_drives_rejected", run=run.id))
        else:
            telling.say(Sentence("asked_to_stop", run=run.id))
    for run in program.ledger.runs.all(plan=recorded.plan.id):
        if run.state is RunState.COMPLETED:
            folder = shlex.quote(f"undo-{recorded.plan.job}")
            telling.say(Sentence("no_comes_too_late", run=run.id))
            telling.say(Sentence("to_take_back", run=run.id, folder=folder))


def tell_beside(telling: Telling, beside: str) -> None:
    """Show words that the program does not understand; they may set a condition."""
    if not beside:
        return
    telling.say(Sentence("beside_answer"))
    telling.say(Sentence("beside_answer_condition"))
    shown = beside[:SHOWN] + ("…" if len(beside) > SHOWN else "")
    for row in shown.splitlines():
        if row := "".join(letter for letter in row if letter.isprintable()).strip():
            telling.say(f"| {row}", indent=2)
