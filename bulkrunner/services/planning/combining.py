"""Several entries for one record become one planned change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.domain.plan import Part, PlannedChange, operation_digest
from bulkrunner.services.planning.steps import Creation, Task, Wanted


def joined_operation(earlier: PlannedChange | None, operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return one operation in neutral form for what is done to a record by and by."""
    done = dict(earlier.operation) if earlier is not None else {}
    if not done:
        return dict(operation)
    if not operation:
        return done
    return {"steps": [*done.get("steps", [done]), dict(operation)]}


def wish_of(wish: Wanted | Creation) -> str:
    """Return the digest of what one entry wants of a record."""
    return operation_digest(wish.operation if wish.wish is None else wish.wish)


def joined_wish(earlier: PlannedChange | None, wish: str) -> str:
    """Return the digest of what all entries up to this one want of a record."""
    if earlier is None or not earlier.operation:
        return wish
    wanted = [part.wish for part in parts_of(earlier) if part.wish]
    return operation_digest({"steps": [*wanted, wish]}) if wanted else wish


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
            wish=change.wish_digest() if change.operation else "",
        ),
    )


def part_of(task: Task, change: PlannedChange, wish: str) -> Part:
    """Return an entry's own part in a change.

    Args:
        task: of the entry.
        change: as the entry would have it by itself.
        wish: digest of what the entry wants of the record, empty where it wants nothing.
    """
    return Part(
        step=task.step,
        source=task.source,
        given=task.given,
        action=change.action,
        code=change.code,
        message=change.message,
        wish=wish,
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
