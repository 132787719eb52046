"""Changes that are refused after all, and entries that are refused before anything is read."""

from __future__ import annotations

from dataclasses import replace

from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.services.planning.combining import parts_of
from bulkrunner.services.planning.steps import Task, as_refused

FAILED = (Action.REFUSED, Action.NOT_FOUND)


def refused_entry(task: Task, refusal: Refusal) -> PlannedChange:
    """Return what becomes of an entry of whose record nothing is known."""
    return PlannedChange(
        number=0,
        record=task.ref,
        given=task.given,
        source=task.source,
        declared=task.verb,
        operation=task.operation,
        step=task.step,
        **as_refused(refusal),
    )


def refused(change: PlannedChange, refusal: Refusal) -> PlannedChange:
    """Return a change that is refused after all."""
    bare = replace(
        change,
        after=None,
        predicted=None,
        before_fingerprint=None,
        after_fingerprint=None,
        cleanups=(),
        pattern="",
        prerequisites=(),
        links=(),
    )
    return replace(bare, **as_refused(refusal))


def is_for(other: PlannedChange, change: PlannedChange) -> bool:
    """Tell whether a change is made, also, for the sake of another one: it takes its content in."""
    own = [(part.step, part.source) for part in parts_of(change)]
    return other.action in WRITING and any(
        not part.subject and (part.step, part.source) in own for part in parts_of(other)
    )


def fallen(needed: PlannedChange) -> Refusal:
    """Return the refusal of a change that belongs to one that is refused."""
    which = f"change {needed.number}" if needed.number else "another change of its step"
    return Refusal(
        code="prerequisite",
        message=f"it belongs to {which}, which is refused: {needed.code}",
        hint="put that one right first",
    )
