"""What a planned change does to its document, place by place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkrunner.domain.contents import MAX_LEAVES, contents, left_out
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.reading import read_differences

_Differ = Callable[[PlannedChange], tuple[Difference, ...]]


def _updated(change: PlannedChange) -> tuple[Difference, ...]:
    if change.before is None or change.after is None:
        return ()
    return tuple(read_differences(change.before, change.after))


def _deleted(change: PlannedChange) -> tuple[Difference, ...]:
    return tuple(
        Difference(place=place, before=value, after=None, kind="removed")
        for place, value in contents(change.before or {})
    )


def _created(change: PlannedChange) -> tuple[Difference, ...]:
    return tuple(
        Difference(place=place, before=None, after=value, kind="added")
        for place, value in contents(change.after or {})
    )


_DIFFERS: dict[Action, _Differ] = {
    Action.UPDATE: _updated,
    Action.DELETE: _deleted,
    Action.CREATE: _created,
}


def differences_of(change: PlannedChange) -> tuple[Difference, ...]:
    """Return what the change does to the document, place by place."""
    differ = _DIFFERS.get(change.action)
    return differ(change) if differ else ()


def beyond_of(change: PlannedChange, found: Sequence[Difference]) -> int:
    """Return how many places of a record that goes away or is made are not among the differences."""
    if change.action is Action.UPDATE or len(found) < MAX_LEAVES:
        return 0
    return left_out(change.before or change.after or {})
