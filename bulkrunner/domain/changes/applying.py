"""Carries a change out: finds its objects, tests its condition, applies its edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.domain.changes.edits import carry_out
from bulkrunner.domain.changes.example import example_edits, looks_like
from bulkrunner.domain.changes.kinds import (
    AppendChange,
    Change,
    ExampleChange,
    MoveValueChange,
    RemoveChange,
    RemoveItemsChange,
    ReplaceTextChange,
    ReplaceValueChange,
    RetypeChange,
    Scope,
    SetChange,
)
from bulkrunner.domain.changes.scopes import Here, objects
from bulkrunner.domain.changes.verbs import (
    Wish,
    append_in,
    joined_wishes,
    move_value_in,
    remove_in,
    remove_items_in,
    replace_text_in,
    replace_value_in,
    retype_in,
    set_in,
)
from bulkrunner.domain.conditions import holds, reduce_condition
from bulkrunner.domain.context import Context
from bulkrunner.domain.forms import FormError
from bulkrunner.domain.places import (
    Path,
    Place,
    PlaceRefused,
    parse_place,
    refuse_component,
    writable_place,
)
from bulkrunner.domain.records import Document
from bulkrunner.domain.values import reduce, resolve

_CONTRACT = (SetChange, RemoveChange, AppendChange)
"""Verbs whose form without scope leaves emptied objects and lists as they are."""

_VERBS: dict[type[Any], Callable[[Here, Any, Context], Wish]] = {
    SetChange: set_in,
    RemoveChange: remove_in,
    AppendChange: append_in,
    RemoveItemsChange: remove_items_in,
    ReplaceValueChange: replace_value_in,
    ReplaceTextChange: replace_text_in,
    MoveValueChange: move_value_in,
    RetypeChange: retype_in,
}


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What one change made of a document.

    Attributes:
        declared: paths at or under which it may have changed something.
        resolved: the change with its values looked up.
        effective: it found something to do.
    """

    document: Document
    declared: tuple[Path, ...]
    resolved: Change
    effective: bool


def apply_change(document: Document, change: Change, context: Context) -> Changed:
    """Return the document after one change.

    Raises:
        PlaceRefused: the change cannot be made.
    """
    context = context.of(document)
    resolved = resolved_change(change, context)
    if isinstance(resolved, ExampleChange):
        wish = _by_example(document, resolved, context)
    else:
        wish = _by_verb(document, resolved, context)
    plain = isinstance(resolved, _CONTRACT) and resolved.scope.is_plain
    edited = carry_out(document, wish.edits, prune=not plain)
    return Changed(
        document=edited.document,
        declared=tuple(dict.fromkeys((*wish.named, *edited.declared))),
        resolved=resolved,
        effective=edited.document is not document,
    )


def _by_verb(document: Document, change: Any, context: Context) -> Wish:
    scope: Scope = change.scope
    place = _place(change)
    if scope.within is None and scope.each is None:
        refuse_component(document, place)
    verb = _VERBS[type(change)]
    return joined_wishes(
        verb(here, change, context.at(here.node))
        for here in objects(document, scope, place)
        if scope.when is None or holds(scope.when, context.at(here.node))
    )


def _place(change: Any) -> Place:
    text = change.origin if isinstance(change, MoveValueChange) else change.at
    scope: Scope = change.scope
    return writable_place(text) if scope.is_one_object else parse_place(text)


def _by_example(document: Document, change: ExampleChange, context: Context) -> Wish:
    match = context.iris.localise(change.match)
    result = context.iris.localise(change.result)
    if not looks_like(match, document):
        return Wish()
    try:
        edits = example_edits(match, result, document)
    except FormError as error:
        raise PlaceRefused(
            "unclear_example",
            f"with this record's values the example is unclear: {error.message}",
            error.hint,
        ) from None
    return Wish(edits=tuple(edits), named=tuple(edit.path for edit in edits))


# --- values looked up ----------------------------------------------------------------------------


def resolved_change(change: Change, context: Context) -> Change:
    """Return the change with its references looked up, as far as they do not depend on the object.

    Raises:
        PlaceRefused: a value is missing, or cannot be used.
    """
    scope = change.scope
    if scope.when is not None:
        when = reduce_condition(scope.when, context)
        change = replace(change, scope=replace(scope, when=when))
    look_up = resolve if scope.is_one_object else reduce
    match change:
        case SetChange(at=at, to=to):
            return replace(change, to=look_up(to, context, at_id=_is_id(at)))
        case AppendChange(at=at, value=value):
            return replace(change, value=look_up(value, context, at_id=_is_id(at)))
        case ReplaceTextChange(find=find, into=into):
            return replace(change, find=look_up(find, context), into=look_up(into, context))
        case RemoveItemsChange(matching=matching):
            return replace(change, matching=reduce_condition(matching, context))
        case ExampleChange(match=match, result=result):
            return replace(change, match=resolve(match, context), result=resolve(result, context))
    return change


def _is_id(at: str) -> bool:
    return at == "@id" or at.endswith(".@id")
