"""Changes: read from a manifest, bound to a row, applied to a document, and in portable form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bulkrunner.domain.canonical import digest, same
from bulkrunner.domain.changes.by_example import META, check_example, example_edits, looks_like
from bulkrunner.domain.changes.edits import Add, Edit, Put, Take, carry_out, value_of
from bulkrunner.domain.changes.scopes import PLAIN, Here, Scope, Within, objects
from bulkrunner.domain.changes.verbs import (
    ITEM_PREFIX,
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
from bulkrunner.domain.expressions.condition_parsing import parse_condition, parse_matching
from bulkrunner.domain.expressions.conditions import (
    condition_data,
    condition_references,
    ground_condition,
    holds,
)
from bulkrunner.domain.expressions.parsing import FormError, Outside, brief, meant
from bulkrunner.domain.expressions.references import Context, Reference
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import (
    Dynamic,
    ground,
    joined_text,
    references_of,
    resolve,
    settle,
    text_pieces,
    written,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import (
    RECORD_PREFIX,
    Path,
    Place,
    PlaceError,
    parse_place,
    refuse_component,
    writable_place,
)
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import comparable, demand_kept, stored_text
from bulkrunner.sentences import Sentence, joined

MAX_TABLE = 1_000_000

TABLE_FILE = frozenset({"file", "from", "to", "header", "separator", "encoding", "sheet", "hidden"})

"""Keys of a table that stands in a file."""

_SCOPE = ("in", "when")

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9:_-]{0,99}")

_GROUP = re.compile(r"\\(.?)", re.DOTALL)


def parse_change(data: Mapping[str, Any], outside: Outside) -> Change:
    """Read one change: a verb with its arguments, and perhaps ``in`` and ``when``.

    Raises:
        FormError: malformed; says where.
    """
    verbs = [key for key in data if key not in _SCOPE]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        strange = next((key for key in verbs if key not in VERBS), "")
        raise FormError(
            Sentence("change_of_one_verb", verbs=", ".join(VERBS)),
            key=strange or None,
            hint=meant(strange, list(VERBS)) if strange else "",
        )
    verb = verbs[0]
    scope = _scope(data, outside)
    try:
        return VERBS[verb](data[verb], scope, outside)
    except FormError as error:
        raise error.below(verb) from None


def _scope(data: Mapping[str, Any], outside: Outside) -> Scope:
    within, each = _within(data["in"]) if "in" in data else (None, None)
    when = None
    if "when" in data:
        try:
            when = parse_condition(data["when"], outside)
        except FormError as error:
            raise error.below("when") from None
    return Scope(within=within, each=each, when=when)


def _within(data: Any) -> tuple[Within | None, str | None]:
    if isinstance(data, dict) and data.keys() == {"each"} and isinstance(data["each"], str):
        try:
            parse_place(data["each"])
        except PlaceError as error:
            raise _no_place(data["each"], error).below("in", "each") from None
        return None, data["each"]
    known = [one.value for one in Within]
    if not isinstance(data, str) or data not in known:
        raise FormError(
            Sentence("scope_unknown", given=brief(data)),
            path=("in",),
            hint=joined((meant(str(data), known), Sentence("or_each", form="{each: place}"))),
        )
    return Within(data), None


def _at(data: Mapping[str, Any], scope: Scope, *, key: str = "at") -> str:
    text = data[key]
    try:
        place = parse_place(text)
    except PlaceError as error:
        raise _no_place(text, error).below(key) from None
    if place.in_record and not (scope.within is None and scope.each is None):
        raise FormError(
            Sentence("place_in_record_twice", text=brief(text)),
            path=(key,),
            hint=Sentence("place_in_record_twice_hint"),
        )
    return str(text)


def _no_place(text: str, error: PlaceError) -> FormError:
    form = "in: {each: hasNote}, when: {…}"
    hint = Sentence("some_elements", form=form) if "[" in text else ""
    return FormError(
        Sentence("no_place", text=brief(text), why=error.said), hint=hint, code="bad_place"
    )


def _value(data: Mapping[str, Any], key: str) -> Any:
    try:
        return parse_value(data[key])
    except FormError as error:
        raise error.below(key) from None


def _written_value(data: Mapping[str, Any], key: str) -> Any:
    """Return a value that is to be written at a place."""
    value = _value(data, key)
    try:
        kept_value(str(data["at"]), value)
    except FormError as error:
        raise error.below(key) from None
    return value


def kept_value(at: str, value: Any) -> None:
    """Go on where a constant that is to be written holds nothing that the server takes away again.

    Raises:
        FormError: it does.
    """
    if isinstance(value, Dynamic):
        return
    try:
        place = parse_place(at)
        demand_kept(value, (*place.root, *place.steps))
    except PlaceError:
        return  # told by itself
    except Refused as refused:
        found = refused.refusal
        raise FormError(found.message, hint=found.hint, code=found.code) from None


# --- the verbs -----------------------------------------------------------------------------------


def _set(data: Mapping[str, Any], scope: Scope, _outside: Outside) -> Change:
    return SetChange(at=_at(data, scope), to=_placed_value(data, "to", scope), scope=scope)


def _placed_value(data: Mapping[str, Any], key: str, scope: Scope) -> Any:
    """Return a value to be written, which does not have the place itself where all places are meant."""
    value, at = _written_value(data, key), str(data["at"])
    if scope.within is Within.ANYWHERE and _has_key(value, at.partition(".")[0]):
        raise FormError(
            Sentence("place_within_value", at=at), path=(key,), hint=Sentence("scope_narrower")
        )
    return value


def _has_key(value: Any, key: str) -> bool:
    match value:
        case dict():
            return key in value or any(_has_key(inner, key) for inner in value.values())
        case list():
            return any(_has_key(inner, key) for inner in value)
    return False


def _remove(data: Mapping[str, Any], scope: Scope, _outside: Outside) -> Change:
    return RemoveChange(at=_at(data, scope), scope=scope)


def _append(data: Mapping[str, Any], scope: Scope, _outside: Outside) -> Change:
    return AppendChange(at=_at(data, scope), value=_placed_value(data, "value", scope), scope=scope)


def _remove_items(data: Mapping[str, Any], scope: Scope, outside: Outside) -> Change:
    try:
        matching = parse_matching(data["matching"], outside)
    except FormError as error:
        raise error.below("matching") from None
    return RemoveItemsChange(at=_at(data, scope), matching=matching, scope=scope)


def _replace_value(data: Mapping[str, Any], scope: Scope, outside: Outside) -> Change:
    otherwise = data.get("otherwise", "keep")
    if otherwise not in ("keep", "refuse"):
        raise FormError(Sentence("table_otherwise", given=brief(otherwise)), path=("otherwise",))
    try:
        table = _table(data["table"], outside)
        for old, new in table.pairs.items():
            if new is not None:
                _kept_below(old, str(data["at"]), new)
    except FormError as error:
        raise error.below("table") from None
    return ReplaceValueChange(
        at=_at(data, scope), table=table, refuse_others=otherwise == "refuse", scope=scope
    )


def _kept_below(key: str, at: str, value: Any) -> None:
    try:
        kept_value(at, value)
    except FormError as error:
        raise FormError(error.message, key=key, hint=error.hint, code=error.code) from None


def _table(data: Any, outside: Outside) -> Table:
    if not isinstance(data, dict) or not data:
        raise FormError(Sentence("table_form", form="{file: name}"))
    pairs: Mapping[str, Any] = data
    if isinstance(data.get("file"), str) and data.keys() <= TABLE_FILE:
        pairs = outside.lists.table(data)
    if len(pairs) > MAX_TABLE:
        raise FormError(Sentence("table_long", most=MAX_TABLE))
    for old, new in pairs.items():
        if isinstance(parse_value(new), Dynamic):
            raise FormError(Sentence("table_constants"), key=old)
    return Table(
        pairs=dict(pairs),
        by_name=_by_name(pairs),
        results=frozenset(comparable(new) for new in pairs.values() if new is not None),
        digest=digest(dict(pairs)),
    )


def _by_name(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return new values by old ones as the server stores these."""
    found: dict[str, Any] = {}
    for old, new in pairs.items():
        name = stored_text(old)
        if name in found and comparable(found[name]) != comparable(new):
            raise FormError(
                Sentence("table_twice", old=brief(old)),
                key=old,
            )
        found[name] = new
    return found


def _replace_text(data: Mapping[str, Any], scope: Scope, outside: Outside) -> Change:
    if ("find" in data) == ("pattern" in data):
        raise FormError(Sentence("find_or_pattern"))
    change = ReplaceTextChange(at=_at(data, scope), trim=data.get("trim", False), scope=scope)
    if "find" in data:
        find = _value(data, "find")
        if not isinstance(find, Dynamic) and not (isinstance(find, str) and find):
            raise FormError(Sentence("find_no_text"), path=("find",))
        into = _value(data, "with")
        if not isinstance(into, (str, Dynamic)):
            raise FormError(Sentence("with_no_text"), path=("with",))
        return replace(change, find=find, into=into)
    try:
        pattern = outside.engine.compile(data["pattern"])
    except FormError as error:
        raise error.below("pattern") from None
    pieces = text_pieces(_value(data, "with"))
    if pieces is None:
        raise FormError(Sentence("with_no_text"), path=("with",))
    template: list[str | int | Dynamic] = []
    for piece in pieces:
        template += _template(piece, pattern.groups) if isinstance(piece, str) else [piece]
    return replace(change, pattern=pattern, template=tuple(template))


def _template(text: str, groups: int) -> tuple[str | int, ...]:
    r"""Read the replacement of a pattern: ``\1`` is a group, ``\0`` all of it, ``\\`` a backslash."""
    pieces: list[str | int] = []
    at = 0
    for match in _GROUP.finditer(text):
        pieces.append(text[at : match.start()])
        letter = match[1]
        if letter == "\\":
            pieces.append("\\")
        elif not (letter.isascii() and letter.isdigit()):
            raise FormError(
                Sentence("replacement_unknown", found=brief(match[0])),
                path=("with",),
                hint=Sentence("replacement_unknown_hint"),
            )
        elif int(letter) > groups:
            raise FormError(
                Sentence("pattern_groups", count=groups, letter=letter),
                path=("with",),
                hint=Sentence("pattern_groups_hint"),
            )
        else:
            pieces.append(int(letter))
        at = match.end()
    return tuple(piece for piece in (*pieces, text[at:]) if piece != "")


def _move_value(data: Mapping[str, Any], scope: Scope, _outside: Outside) -> Change:
    origin = _at(data, scope, key="from")
    one, other = parse_place(origin), _goal(data["to"])
    if one.in_record == other[0] and not data["to"].startswith(ITEM_PREFIX):
        shorter = min(len(one.steps), len(other[1]))
        if one.steps[:shorter] == other[1][:shorter]:
            raise FormError(Sentence("places_inside"), path=("to",))
    return MoveValueChange(origin=origin, to=data["to"], scope=scope)


def _goal(text: str) -> tuple[bool, Path]:
    try:
        place = parse_place(text.removeprefix(ITEM_PREFIX))
    except PlaceError as error:
        raise _no_place(text, error).below("to") from None
    if text.startswith(ITEM_PREFIX) and place.in_record:
        raise FormError(Sentence("begins_twice", text=brief(text)), path=("to",))
    return text.startswith(RECORD_PREFIX), place.steps


def _retype(data: Mapping[str, Any], scope: Scope, _outside: Outside) -> Change:
    if not isinstance(data["to"], str) or not _TYPE.fullmatch(data["to"]):
        raise FormError(Sentence("no_type", given=brief(data["to"])), path=("to",))
    return RetypeChange(at=_at(data, scope), to=data["to"], scope=scope)


def parse_example(data: Mapping[str, Any]) -> ExampleChange:
    """Read a change by example.

    Raises:
        FormError: the two forms do not say plainly what becomes of what.
    """
    check_example(data["match"], data["result"])
    for key, value in data["result"].items():
        if key != META:
            try:
                _kept_below(key, key, parse_value(value))
            except FormError as error:
                raise error.below("result") from None
    return ExampleChange(match=_value(data, "match"), result=_value(data, "result"), scope=PLAIN)


VERBS: dict[str, Callable[[Any, Scope, Outside], Change]] = {
    "set": _set,
    "remove": _remove,
    "append": _append,
    "remove_items": _remove_items,
    "replace_value": _replace_value,
    "replace_text": _replace_text,
    "move_value": _move_value,
    "retype": _retype,
}


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
