"""The verbs: what each comes down to in one object, and the places that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bulkrunner.domain.canonical import same
from bulkrunner.domain.changes.edits import Add, Edit, Put, Take, put, value_of
from bulkrunner.domain.changes.scopes import PLAIN, Here, Scope, leaves, spots
from bulkrunner.domain.expressions.conditions import Condition, holds
from bulkrunner.domain.expressions.parsing import Pattern
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.text_functions import MAX_RESULT
from bulkrunner.domain.expressions.values import Dynamic, resolve
from bulkrunner.domain.places import (
    ABSENT,
    RECORD_PATH,
    THING_PATH,
    Path,
    Place,
    Spot,
    ambiguous,
    follow,
    parse_place,
    writable_place,
)
from bulkrunner.domain.records import record_part, thing_part
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import (
    Storage,
    comparable,
    composed,
    in_words,
    is_same_text,
    linked,
    stored_text,
    undone,
)
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class SetChange:
    """``set``: the place gets the value."""

    at: str
    to: Any
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class RemoveChange:
    """``remove``: the place goes away."""

    at: str
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class AppendChange:
    """``append``: the list at the place gets the value unless an equal one is there."""

    at: str
    value: Any
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class RemoveItemsChange:
    """``remove_items``: values of the list at the place go away where they match."""

    at: str
    matching: Condition
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class Table:
    """Old values and what each becomes; None takes the value away.

    Attributes:
        pairs: new values by old ones, as text.
        by_name: the same by the old values as the server stores them.
        results: the new values in comparable form, which are left alone when met again.
        digest: of all pairs.
    """

    pairs: Mapping[str, Any]
    by_name: Mapping[str, Any] = field(repr=False)
    results: frozenset[bytes] = field(repr=False)
    digest: str


@dataclass(frozen=True, kw_only=True)
class ReplaceValueChange:
    """``replace_value``: every value at the place becomes what the table says.

    Attributes:
        refuse_others: refuse a value that the table does not have; otherwise it is kept.
    """

    at: str
    table: Table
    refuse_others: bool = False
    scope: Scope = PLAIN


Template: TypeAlias = tuple[str | int | Dynamic, ...]

"""Pieces of what the matches of a pattern become; a number is a group."""


@dataclass(frozen=True, kw_only=True)
class ReplaceTextChange:
    """``replace_text``: in every text at the place something is replaced.

    Attributes:
        find: a text to be replaced, constant or dynamic; None where a pattern is given.
        pattern: a regular expression to be replaced, with ``template``.
        into: what ``find`` becomes, constant or dynamic.
        template: what the pattern becomes: constant and dynamic texts, and numbers for groups.
        trim: blanks at both ends go, in texts that were changed.
    """

    at: str
    find: Any = None
    pattern: Pattern | None = None
    into: Any = ""
    template: Template = ()
    trim: bool = False
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class MoveValueChange:
    """``move_value``: what stands at one place is put to another."""

    origin: str
    to: str
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class RetypeChange:
    """``retype``: every object at the place gets another ``@type``."""

    at: str
    to: str
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class ExampleChange:
    """What looks like one example comes to look like the other; both constant or dynamic."""

    match: Any
    result: Any
    scope: Scope = PLAIN


Change: TypeAlias = (
    SetChange
    | RemoveChange
    | AppendChange
    | RemoveItemsChange
    | ReplaceValueChange
    | ReplaceTextChange
    | MoveValueChange
    | RetypeChange
    | ExampleChange
)


ITEM_PREFIX = "@item."


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a verb wants to do in one object.

    Attributes:
        named: paths that it names, whether it changes anything there or not.
    """

    edits: tuple[Edit, ...] = ()
    named: tuple[Path, ...] = field(default=())


# --- set, remove, append -------------------------------------------------------------------------


def set_in(here: Here, change: SetChange, context: Context) -> Wish:
    """Give the place the value."""
    place = parse_place(change.at)
    value = localised(place, change.to, context)
    spot = _findable(here, place)
    path = spot.path
    if isinstance(spot.value, list) and not isinstance(value, list):
        if len(spot.value) > 1:
            raise ambiguous(place, len(spot.value))
        if spot.value:
            path = (*path, 0)
            spot = Spot(path=path, value=spot.value[0])
    value = context.storage.form(value, path, spot.value)
    if same(linked(spot.value), linked(value)):
        return Wish(named=(path,))
    return Wish(edits=(Put(path=path, value=value),), named=(path,))


def remove_in(here: Here, change: RemoveChange, _context: Context) -> Wish:
    """Take the place away."""
    spot = follow(here.node, here.path, parse_place(change.at))
    # Taking out a list element moves those after it, so the whole list is what may change.
    named = spot.path[:-1] if isinstance(spot.path[-1], int) else spot.path
    if spot.value is ABSENT:
        return Wish(named=(named,))
    return Wish(edits=(Take(path=spot.path),), named=(named,))


def append_in(here: Here, change: AppendChange, context: Context) -> Wish:
    """Add the value to the list at the place."""
    place = parse_place(change.at)
    spot = _findable(here, place)
    if isinstance(place.steps[-1], int) and not isinstance(spot.value, list):
        raise Refused(
            "no_such_place",
            Sentence("element_no_list", place=place.text),
            Sentence("element_no_list_hint"),
        )
    value = localised(place, change.value, context)
    value = context.storage.form(value, spot.path, spot.value)
    return Wish(edits=(Add(path=spot.path, value=value, as_list=True),), named=(spot.path,))


def _findable(here: Here, place: Place) -> Spot:
    spot = follow(here.node, here.path, place)
    if spot.value is ABSENT and not spot.creatable:
        raise no_such_place(place)
    return spot


def no_such_place(place: Place) -> Refused:
    """Return the refusal of a place whose parent is not there."""
    return Refused(
        "no_such_place",
        Sentence("no_such_place", place=place.text),
        Sentence("no_such_place_hint"),
    )


def localised(place: Place, value: Any, context: Context) -> Any:
    """Return a value, looked up, with record IRIs moved to the environment written to."""
    at_id = place.steps[-1] == "@id"
    found = resolve(value, context, at_id=at_id)
    if at_id and isinstance(found, str):
        return context.iris.localise({"@id": found})["@id"]
    return context.iris.localise(found)


# --- every value of a place ----------------------------------------------------------------------


def remove_items_in(here: Here, change: RemoveItemsChange, context: Context) -> Wish:
    """Take away the values at the place that match; a single value is a list of one."""
    steps = parse_place(change.at).steps
    takes: list[Edit] = []
    named = []
    for path, value in spots(here.node, here.path, steps):
        named.append(path)
        if isinstance(value, list):
            elements = [((*path, index), item) for index, item in enumerate(value)]
        else:
            elements = [(path, value)]
        # Each is tested by itself, on the record as it was before this change.
        takes += [
            Take(path=spot) for spot, item in elements if holds(change.matching, context.at(item))
        ]
    return Wish(edits=tuple(takes), named=tuple(named))


def replace_value_in(here: Here, change: ReplaceValueChange, context: Context) -> Wish:
    """Turn every value at the place into what the table says."""
    place = parse_place(change.at)

    def new(value: Any) -> Any:
        return _from_table(change, place, value, context)

    return _rewritten(here, place, new, context.storage)


def _from_table(change: ReplaceValueChange, place: Place, value: Any, context: Context) -> Any:
    at_id = place.steps[-1] == "@id"
    for name in _names(value, context, at_id=at_id):
        if name in change.table.by_name:
            wanted = change.table.by_name[name]
            return ABSENT if wanted is None else localised(place, wanted, context)
    if change.refuse_others and not _is_result(change, value, context, at_id=at_id):
        raise Refused(
            "not_in_table",
            Sentence("not_in_table", place=place.text),
            Sentence("not_in_table_hint"),
        )
    return value


def _names(value: Any, context: Context, *, at_id: bool) -> Iterator[str]:
    match value:
        case str():
            yield stored_text(value)
            parts = context.iris.split(value) if at_id else None
            if parts:
                _, short, suffix = parts
                yield from (f"{base}{short}{suffix}" for base in context.iris.bases)
                yield short
        case bool() | int() | float():
            yield in_words(value)


def _is_result(change: ReplaceValueChange, value: Any, context: Context, *, at_id: bool) -> bool:
    if comparable(value) in change.table.results:
        return True
    names = _names(value, context, at_id=at_id)
    return at_id and any(comparable(name) in change.table.results for name in names)


def replace_text_in(here: Here, change: ReplaceTextChange, context: Context) -> Wish:
    """Replace something in every text at the place."""
    place = parse_place(change.at)
    find = _part(resolve(change.find, context))
    into = _part(resolve(change.into, context))
    template = [resolve(piece, context) for piece in change.template]
    if change.pattern is None and not (isinstance(find, str) and find and isinstance(into, str)):
        raise Refused(
            "not_text",
            Sentence("find_value_no_text", place=place.text),
            Sentence("find_value_no_text_hint"),
        )

    def new(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = _replaced(change, place, composed(value), find, into, template)
        if text == composed(value):
            return value
        return (text.strip() if change.trim else text) or ABSENT

    return _rewritten(here, place, new, context.storage)


def _part(value: Any) -> Any:
    """Return a part of a text: numbers and truth values as they are written."""
    return composed(in_words(value)) if isinstance(value, (str, int, float)) else value


def _replaced(
    change: ReplaceTextChange,
    place: Place,
    text: str,
    find: Any,
    into: Any,
    template: Sequence[str | int],
) -> str:
    if change.pattern is not None:
        made = change.pattern.replaced(text, template)
    elif len(text) + text.count(find) * (len(into) - len(find)) > MAX_RESULT:
        made = None
    else:
        made = text.replace(find, into)
    if made is None or len(made) > MAX_RESULT:
        raise Refused(
            "text_too_long",
            Sentence("text_too_long", place=place.text),
            Sentence("leave_out_by_condition"),
        )
    return made


def _rewritten(here: Here, place: Place, new: Callable[[Any], Any], storage: Storage) -> Wish:
    """Return the edits that make every value at the place a new one; ``ABSENT`` takes it away.

    What becomes equal to another element of its list goes away, so that nothing is there twice.
    """
    edits: list[Edit] = []
    named: list[Path] = []
    for path, value in leaves(here.node, here.path, place.steps):
        named.append(path)
        wanted = new(value)
        if wanted is ABSENT:
            edits.append(Take(path=path))
        elif not same(wanted, value):
            formed = storage.form(wanted, path, value)
            if not same(formed, value):
                edits.append(Put(path=path, value=formed))
            elif not is_same_text(wanted, value):
                raise undone(path, wanted)
    return Wish(edits=tuple(_without_repeats(here, edits)), named=tuple(named))


def _without_repeats(here: Here, edits: list[Edit]) -> Iterator[Edit]:
    puts = [edit for edit in edits if isinstance(edit, Put)]
    yield from (edit for edit in edits if not isinstance(edit, Put))
    changed: dict[Path, dict[Path, list[Put]]] = {}
    for edit in puts:
        element = _element_of(edit.path, here.path)
        if element is None:
            yield edit
        else:
            changed.setdefault(element[:-1], {}).setdefault(element, []).append(edit)
    for path, elements in changed.items():
        yield from _once_in_list(value_of(here.node, path[len(here.path) :]), path, elements)


def _once_in_list(
    items: Sequence[Any], path: Path, elements: Mapping[Path, list[Put]]
) -> Iterator[Edit]:
    """Yield the edits of a list's elements; what would be there already is taken away instead."""
    known = {comparable(item) for index, item in enumerate(items) if (*path, index) not in elements}
    for element, made in elements.items():
        value = items[int(element[-1])]
        for edit in made:
            value = put(value, edit.path[len(element) :], edit.value)
        form = comparable(value)
        if form in known:
            yield Take(path=element)
        else:
            known.add(form)
            yield from made


def _element_of(path: Path, root: Path) -> Path | None:
    """Return the path of the innermost list element that a path lies in, inside the object."""
    for length in range(len(path), len(root), -1):
        if isinstance(path[length - 1], int):
            return path[:length]
    return None


# --- moving and retyping -------------------------------------------------------------------------


def move_value_in(here: Here, change: MoveValueChange, context: Context) -> Wish:
    """Put what stands at one place to another."""
    origin = parse_place(change.origin)
    spot = follow(here.node, here.path, origin)
    if spot.value is ABSENT:
        return Wish()
    goal, place = _goal(here, change, context)
    named = spot.path[:-1] if isinstance(spot.path[-1], int) else spot.path
    target = _findable(goal, place)
    moved = Storage.of(context.document, from_records=True).form(spot.value, target.path)
    return Wish(
        edits=(
            Add(path=target.path, value=moved, as_list=False),
            Take(path=spot.path),
        ),
        named=(named, target.path),
    )


def _goal(here: Here, change: MoveValueChange, context: Context) -> tuple[Here, Place]:
    """Return the object that a moved value goes to, and the place in it."""
    document = context.document
    if change.to.startswith(ITEM_PREFIX):
        place = writable_place(change.to.removeprefix(ITEM_PREFIX))
        return Here(path=THING_PATH, node=thing_part(document)), place
    place = parse_place(change.to)
    if place.in_record:
        return Here(path=RECORD_PATH, node=record_part(document)), writable_place(change.to)
    if place.steps[0] in here.kept:
        writable_place(change.to)
    return here, place


def retype_in(here: Here, change: RetypeChange, _context: Context) -> Wish:
    """Give every object at the place another type."""
    edits: list[Edit] = []
    named: list[Path] = []
    for path, value in leaves(here.node, here.path, parse_place(change.at).steps):
        # A link has no type of its own.
        if not isinstance(value, dict) or value.keys() == {"@id"}:
            continue
        named.append((*path, "@type"))
        if not same(value.get("@type", ABSENT), change.to):
            edits.append(Put(path=(*path, "@type"), value=change.to))
    return Wish(edits=tuple(edits), named=tuple(named))


def joined_wishes(wishes: Iterable[Wish]) -> Wish:
    """Return one wish for all objects."""
    given = list(wishes)
    return Wish(
        edits=tuple(edit for wish in given for edit in wish.edits),
        named=tuple(path for wish in given for path in wish.named),
    )
