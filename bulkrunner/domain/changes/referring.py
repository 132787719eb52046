"""What a change refers to."""

from __future__ import annotations

from collections.abc import Iterator

from bulkrunner.domain.changes.kinds import (
    AppendChange,
    Change,
    ExampleChange,
    RemoveItemsChange,
    ReplaceTextChange,
    SetChange,
)
from bulkrunner.domain.conditions import condition_references
from bulkrunner.domain.references import Reference
from bulkrunner.domain.values import references_of


def change_references(change: Change) -> Iterator[Reference]:
    """Yield every reference of a change, those of its conditions included."""
    if change.scope.when is not None:
        yield from condition_references(change.scope.when)
    match change:
        case SetChange(to=value) | AppendChange(value=value):
            yield from references_of(value)
        case ReplaceTextChange(find=find, into=into, template=template):
            for piece in template:
                yield from references_of(piece)
            yield from references_of(find)
            yield from references_of(into)
        case RemoveItemsChange(matching=matching):
            yield from condition_references(matching)
        case ExampleChange(match=match, result=result):
            yield from references_of(match)
            yield from references_of(result)
