"""Several entries for one record become one planned change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.domain.plan import Part, PlannedChange, operation_digest
from bulkrunner.services.planning.steps import Task


def joined_operation(earlier: PlannedChange | None, operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return one operation in neutral form for what is done to a record by and by."""
    done = dict(earlier.operation) if earlier is not None else {}
    if not done:
        return dict(operation)
    if not operation:
        return done
    return {"steps": [*done.get("steps", [done]), dict(operation)]}


def parts_of(change: PlannedChange) -> tuple[Part, ...]:
    """Return every entry that concerns the change's record."""
    return change.parts or (
        Part(
            step=change.step,
            source=change.source,
            given=change.given,
            action=change.action,
            code=change.code,
            message=change.message,
            operation=operation_digest(change.operation),
        ),
    )


def part_of(task: Task, change: PlannedChange, operation: str) -> Part:
    """Return an entry's own part in a change.

    Args:
        task: of the entry.
        change: as the entry would have it by itself.
        operation: digest of what the entry wants of the record.
    """
    return Part(
        step=task.step,
        source=task.source,
        given=task.given,
        action=change.action,
        code=change.code,
        message=change.message,
        operation=operation,
        subject=task.subject,
    )


def subject_part(change: PlannedChange, step: int | None) -> Part | None:
    """Return the part in which the same step has named the record already."""
    if step is None:
        return None
    return next((part for part in parts_of(change) if part.subject and part.step == step), None)


def with_part(earlier: PlannedChange, part: Part) -> PlannedChange:
    """Return a change as it stands, with one more entry that concerns its record."""
    return replace(earlier, parts=(*parts_of(earlier), part))
