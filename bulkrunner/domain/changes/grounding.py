"""Puts values into changes, so that each record has changes of its own.

Grounded, a change has the row's cells and the parameters in it: what is wanted of the record, the
same before and after it was carried out. Settled, it has what record and bib gave: what was done.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bulkrunner.domain.changes.kinds import (
    AppendChange,
    Change,
    ExampleChange,
    RemoveItemsChange,
    ReplaceTextChange,
    SetChange,
    Within,
)
from bulkrunner.domain.conditions import ground_condition
from bulkrunner.domain.context import Context
from bulkrunner.domain.values import ground, settle


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
        case ReplaceTextChange(find=find, into=into, template=template):
            pieces = tuple(ground(piece, context) for piece in template)
            find, into = ground(find, context), ground(into, context)
            return replace(change, find=find, into=into, template=pieces)
        case RemoveItemsChange(matching=matching):
            return replace(change, matching=ground_condition(matching, context))
        case ExampleChange(match=match, result=result):
            return replace(change, match=ground(match, context), result=ground(result, context))
    return change


def settle_change(change: Change, context: Context) -> Change:
    """Return the change with the values in it that it was carried out with.

    Values of components and other objects that it was made in stay references: each has its own.
    """
    scope = change.scope
    one = scope.each is None and scope.within in (None, Within.ITEM, Within.RECORD)
    look_up = partial(settle, whole=one)
    match change:
        case SetChange(at=at, to=to):
            return replace(change, to=look_up(to, context, at_id=_is_id(at)))
        case AppendChange(at=at, value=value):
            return replace(change, value=look_up(value, context, at_id=_is_id(at)))
        case ReplaceTextChange(find=find, into=into, template=template):
            pieces = tuple(look_up(piece, context) for piece in template)
            find, into = look_up(find, context), look_up(into, context)
            return replace(change, find=find, into=into, template=pieces)
        case ExampleChange(match=match, result=result):
            return replace(
                change,
                match=settle(match, context, whole=True),
                result=settle(result, context, whole=True),
            )
    return change


def _is_id(at: str) -> bool:
    return at == "@id" or at.endswith(".@id")
