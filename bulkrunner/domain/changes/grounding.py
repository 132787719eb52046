"""Puts a row's cells and the parameters into changes, so that each record has changes of its own.

What refers to the record or its bib stays a reference: the operation is then the same in every
environment, and the same before and after it was carried out.
"""

from __future__ import annotations

from dataclasses import replace

from bulkrunner.domain.changes.kinds import (
    AppendChange,
    Change,
    ExampleChange,
    RemoveItemsChange,
    ReplaceTextChange,
    SetChange,
)
from bulkrunner.domain.conditions import ground_condition
from bulkrunner.domain.context import Context
from bulkrunner.domain.values import ground


def ground_change(change: Change, context: Context) -> Change:
    """Return the change with the row's cells and the parameters put in."""
    scope = change.scope
    if scope.when is not None:
        when = ground_condition(scope.when, context)
        change = replace(change, scope=replace(scope, when=when))
    match change:
        case SetChange(to=to):
            return replace(change, to=ground(to, context))
        case AppendChange(value=value):
            return replace(change, value=ground(value, context))
        case ReplaceTextChange(find=find, into=into):
            return replace(change, find=ground(find, context), into=ground(into, context))
        case RemoveItemsChange(matching=matching):
            return replace(change, matching=ground_condition(matching, context))
        case ExampleChange(match=match, result=result):
            return replace(change, match=ground(match, context), result=ground(result, context))
    return change
