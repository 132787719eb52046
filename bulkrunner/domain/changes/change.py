"""Changes: read from a manifest, bound to a row, applied to a document, and in portable form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bulkrunner.domain.canonical import same
from bulkrunner.domain.changes.by_example import example_edits, looks_like
from bulkrunner.domain.changes.edits import Add, Edit, Put, Take, carry_out, value_of
from bulkrunner.domain.changes.scopes import Here, Scope, Within, objects
from bulkrunner.domain.changes.verbs import (
    AppendChange,
    Change,
    ExampleChange,
    MoveValueChange,
    RemoveChange,
    RemoveItemsChange,
    ReplaceTextChange,
    ReplaceValueChange,
    RetypeChange,
    SetChange,
    Table,
    Template,
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
from bulkrunner.domain.expressions.conditions import (
    condition_data,
    condition_references,
    ground_condition,
    holds,
)
from bulkrunner.domain.expressions.parsing import FormError
from bulkrunner.domain.expressions.references import Context, Reference
from bulkrunner.domain.expressions.values import (
    ground,
    joined_text,
    references_of,
    resolve,
    settle,
    written,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import (
    Path,
    Place,
    parse_place,
    refuse_component,
    writable_place,
)
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refused
from bulkrunner.sentences import Sentence


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
        Refused: the change cannot be made.
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
        raise Refused(
            "unclear_example",
            Sentence("unclear_example", why=error.said),
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
        Refused: a value of the form is missing.
    """
    return looks_like(_forms(change, context)[0], context.document)


def _forms(change: ExampleChange, context: Context) -> tuple[dict[str, Any], dict[str, Any]]:
    match = context.iris.localise(resolve(change.match, context))
    return match, context.iris.localise(resolve(change.result, context))


MAX_SHOWN = 20

"""Rows of a table that a plan keeps; of longer ones it keeps the digest."""


def neutral_change(change: Change, iris: IriMap) -> dict[str, Any]:
    """Return the change with record IRIs written without a base."""
    return _verb(change, iris) | _scope_neutral(change.scope, iris)


def written_change(change: Change) -> dict[str, Any]:
    """Return the change as it is declared, the content of its input files included."""
    return _verb(change, None) | _scope_neutral(change.scope, None)


def _verb(change: Change, iris: IriMap | None) -> dict[str, Any]:
    match change:
        case SetChange(at=at, to=to):
            return {"set": {"at": at, "to": neutral_value(at, to, iris)}}
        case RemoveChange(at=at):
            return {"remove": {"at": at}}
        case AppendChange(at=at, value=value):
            return {"append": {"at": at, "value": neutral_value(at, value, iris)}}
        case RemoveItemsChange(at=at, matching=matching):
            return {"remove_items": {"at": at, "matching": condition_data(matching, iris)}}
        case ReplaceValueChange():
            return {"replace_value": _replace_value_neutral(change, iris)}
        case ReplaceTextChange():
            return {"replace_text": _replace_text_neutral(change)}
        case MoveValueChange(origin=origin, to=goal):
            return {"move_value": {"from": origin, "to": goal}}
        case RetypeChange(at=at, to=name):
            return {"retype": {"at": at, "to": name}}
        case ExampleChange(match=match, result=result):
            forms = {"match": written(match), "result": written(result)}
            return {"example": neutral_value("", forms, iris)}


def _scope_neutral(scope: Scope, iris: IriMap | None) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if scope.within is not None:
        data["in"] = scope.within.value
    if scope.each is not None:
        data["in"] = {"each": scope.each}
    if scope.when is not None:
        data["when"] = condition_data(scope.when, iris)
    return data


def _replace_value_neutral(change: ReplaceValueChange, iris: IriMap | None) -> dict[str, Any]:
    table = _table_neutral(change.table, change.at, iris)
    return {
        "at": change.at,
        "table": table,
        "otherwise": "refuse" if change.refuse_others else "keep",
    }


def _table_neutral(table: Table, at: str, iris: IriMap | None) -> dict[str, Any]:
    if len(table.pairs) > MAX_SHOWN:
        return {"digest": table.digest}
    return {
        neutral_value(at, old, iris): neutral_value(at, new, iris)
        for old, new in table.pairs.items()
    }


def _replace_text_neutral(change: ReplaceTextChange) -> dict[str, Any]:
    data: dict[str, Any] = {"at": change.at}
    if change.pattern is not None:
        data |= {"pattern": change.pattern.text, "with": _written_template(change.template)}
    else:
        data |= {"find": written(change.find), "with": written(change.into)}
    return data | ({"trim": True} if change.trim else {})


def _written_template(template: Template) -> Any:
    """Return the replacement of a pattern as it is written in a manifest."""
    pieces = [
        f"\\{piece}"
        if isinstance(piece, int)
        else piece.replace("\\", "\\\\")
        if isinstance(piece, str)
        else piece
        for piece in template
    ]
    return written(joined_text(pieces))


def neutral_value(at: str, value: Any, iris: IriMap | None) -> Any:
    """Return a value that is to stand at a place, with record IRIs written without a base."""
    plain = written(value)
    if iris is None:
        return plain
    if isinstance(plain, str) and at.rpartition(".")[2] == "@id":
        return iris.neutral({"@id": plain})["@id"]
    return iris.neutral(plain)


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
