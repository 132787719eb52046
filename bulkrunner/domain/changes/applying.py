"""Carries a change out: finds its objects, tests its condition, applies its edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.domain.changes.edits import Add, Edit, Put, Take, carry_out, value_of
from bulkrunner.domain.changes.example import example_edits, looks_like
from bulkrunner.domain.changes.grounding import settle_change
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
    Within,
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
from bulkrunner.domain.comparing import same
from bulkrunner.domain.conditions import holds
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
from bulkrunner.domain.values import resolve

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
        settled: the change with the values in it that it was carried out with.
        effective: it found something to do.
    """

    document: Document
    declared: tuple[Path, ...]
    settled: Change
    effective: bool


def apply_change(document: Document, change: Change, context: Context) -> Changed:
    """Return the document after one change.

    Raises:
        PlaceRefused: the change cannot be made.
    """
    context = context.of(document)
    if isinstance(change, ExampleChange):
        wish = _by_example(document, change, context)
    else:
        wish = _by_verb(document, change, context)
    for edit in wish.edits:
        if not isinstance(edit, Take):
            context.storage.refuse_below_link(edit.path)
    plain = isinstance(change, _CONTRACT) and change.scope.is_plain
    edited = carry_out(document, wish.edits, prune=not plain)
    effective = edited.document is not document
    return Changed(
        document=edited.document,
        declared=tuple(dict.fromkeys((*wish.named, *edited.declared))),
        settled=settle_change(change, context) if effective else change,
        effective=effective,
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
    one = scope.each is None and scope.within in (None, Within.ITEM, Within.RECORD)
    return writable_place(text) if one else parse_place(text)


def _by_example(document: Document, change: ExampleChange, context: Context) -> Wish:
    match, result = _forms(change, context)
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
    formed = (_formed(edit, context) for edit in edits)
    return Wish(
        edits=tuple(edit for edit in formed if edit is not None),
        named=tuple(edit.path for edit in edits),
    )


def _formed(edit: Edit, context: Context) -> Edit | None:
    """Return an edit with its value in the form of the record; None where that is there already."""
    if isinstance(edit, Take):
        return edit
    found = value_of(context.document, edit.path)
    if isinstance(edit, Add):
        return replace(edit, value=context.storage.form(edit.value, edit.path, found))
    there = found if isinstance(found, list) else []
    if isinstance(edit.value, list):
        value: Any = [
            item
            if any(item is other for other in there)
            else context.storage.form(item, (*edit.path, index), found)
            for index, item in enumerate(edit.value)
        ]
    else:
        value = context.storage.form(edit.value, edit.path, found)
    return None if same(found, value) else Put(path=edit.path, value=value)


def fits_example(change: ExampleChange, context: Context) -> bool:
    """Tell whether the record looks like the first form of an example.

    Raises:
        PlaceRefused: a value of the form is missing.
    """
    return looks_like(_forms(change, context)[0], context.document)


def _forms(change: ExampleChange, context: Context) -> tuple[dict[str, Any], dict[str, Any]]:
    match = context.iris.localise(resolve(change.match, context))
    return match, context.iris.localise(resolve(change.result, context))
