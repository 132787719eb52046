"""What must be gone before a bib can be deleted: the records of the same plan that link to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.ports import PlanLedger
from bulkrunner.services.planning.steps import as_refused

SHOWN = 5
"""Records named in a refusal."""


def in_order(
    ledger: PlanLedger, plan: str, changes: Sequence[PlannedChange]
) -> list[PlannedChange]:
    """Return the next changes of a plan, each deletion of a bib waiting for what links to it.

    A link counts as gone where an earlier change deletes the record that has it; any other link
    refuses the deletion.

    Args:
        ledger: holds the plan's changes so far.
        plan: its id.
        changes: in plan order, duplicates already refused.
    """
    links = [link for change in changes for link in change.links]
    deleted = dict(ledger.deletions(plan, links)) if links else {}
    ordered = []
    for change in changes:
        done = _after_what_links(change, deleted) if change.links else change
        if done.action is Action.DELETE:
            deleted[done.record] = done.number
        ordered.append(done)
    return ordered


def _after_what_links(change: PlannedChange, deleted: dict[str, int]) -> PlannedChange:
    if change.action is not Action.DELETE:
        return replace(change, links=())
    left = [link for link in change.links if link not in deleted]
    if not left:
        numbers = sorted({deleted[link] for link in change.links})
        return replace(change, prerequisites=tuple(numbers), links=())
    shown = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if left[SHOWN:] else "")
    refusal = Refusal(
        code="linked",
        message=f"{len(left)} records link to it: {shown}",
        hint="the server refuses to delete what something links to; "
        "delete those first, or earlier in the same job",
    )
    refused = replace(change, links=(), before_fingerprint=None, pattern="")
    return replace(refused, **as_refused(refusal))
