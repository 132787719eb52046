"""Reads a change as a manifest writes it: the verb, its scope, its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.changes.by_example import META, check_example
from bulkrunner.domain.changes.scopes import PLAIN, Scope, Within
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
)
from bulkrunner.domain.expressions.condition_parsing import parse_condition, parse_matching
from bulkrunner.domain.expressions.parsing import FormError, Outside, brief, meant
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import (
    Dynamic,
    text_pieces,
)
from bulkrunner.domain.places import (
    RECORD_PREFIX,
    Path,
    PlaceError,
    parse_place,
)
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
