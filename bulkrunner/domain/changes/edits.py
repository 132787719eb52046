"""Edits: the small steps that changes come down to, each at one path of a document.

All edits of one change are computed on the document before it, then carried out together: new
values first, the deepest first, and then what is taken away, from the end, so that no path moves
under another. Whatever no edit names is the very same object afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bulkrunner.domain.comparing import same
from bulkrunner.domain.places import ABSENT, Path, PlaceRefused, path_text
from bulkrunner.domain.records import Document
from bulkrunner.vocabulary import is_set

ROOT_LENGTH = 2
"""Steps of the paths of record and thing; these are never pruned."""

_BARE = frozenset({"@type"})
_BARE_COMPONENT = frozenset({"@type", "heldBy"})


@dataclass(frozen=True, kw_only=True)
class Put:
    """The path gets the value."""

    path: Path
    value: Any


@dataclass(frozen=True, kw_only=True)
class Add:
    """The path gets the values beside those that it has, unless equal ones are there.

    Attributes:
        as_list: what is absent becomes a list, and a single value is made one; otherwise a first
            value is put as it is, and a second one is refused where the property takes one only.
    """

    path: Path
    value: Any
    as_list: bool


@dataclass(frozen=True, kw_only=True)
class Take:
    """What stands at the path goes away."""

    path: Path


Edit: TypeAlias = Put | Add | Take


@dataclass(frozen=True, kw_only=True)
class Edited:
    """The document after edits, and the paths at or under which it may differ."""

    document: Document
    declared: tuple[Path, ...]


def carry_out(document: Document, edits: Iterable[Edit], *, prune: bool) -> Edited:
    """Return the document after the edits.

    Args:
        document: left as it is.
        edits: computed on that document.
        prune: lists, objects and components that are emptied by it go away as well.

    Raises:
        PlaceRefused: ``place_taken`` or ``overlapping_changes``.
    """
    wanted = _outermost(edits)
    after = document
    declared: list[Path] = []
    for edit in sorted(wanted, key=lambda edit: -len(edit.path)):
        match edit:
            case Put(path=path, value=value):
                after = put(after, path, value)
                declared.append(path)
            case Add(path=path):
                after = _added(after, edit)
                declared.append(path)
    for path in sorted((edit.path for edit in wanted if isinstance(edit, Take)), key=_order)[::-1]:
        after, gone = _taken(after, path, prune=prune)
        declared.append(gone)
    return Edited(document=after, declared=tuple(dict.fromkeys(declared)))


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in path)


def _outermost(edits: Iterable[Edit]) -> list[Edit]:
    """Leave out what lies inside something that is replaced or taken away as a whole."""
    given = list(edits)
    whole: dict[Path, Put | Take] = {}
    for edit in given:
        if not isinstance(edit, Add):
            first = whole.setdefault(edit.path, edit)
            if not _equal(first, edit):
                raise _overlapping(edit.path)
    for edit in given:
        if isinstance(edit, Add) and edit.path in whole:
            raise _overlapping(edit.path)
    return [
        edit
        for edit in given
        if whole.get(edit.path, edit) is edit
        and not any(edit.path[:length] in whole for length in range(len(edit.path)))
    ]


def _equal(one: Put | Take, other: Put | Take) -> bool:
    match one, other:
        case Put(), Put():
            return same(one.value, other.value)
        case Take(), Take():
            return True
    return False


def _overlapping(path: Path) -> PlaceRefused:
    return PlaceRefused(
        "overlapping_changes",
        f"{path_text(path)} would be changed in two ways at once",
        "say it in two changes, one after the other",
    )


# --- paths -------------------------------------------------------------------------------------


def value_of(node: Any, path: Path) -> Any:
    """Return what stands at a path, ``ABSENT`` where nothing does."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(node, list) or step >= len(node):
                return ABSENT
        elif not isinstance(node, dict) or step not in node:
            return ABSENT
        node = node[step]
    return node


def put(node: Any, path: Path, value: Any) -> Any:
    """Return a copy with the value at the path (``ABSENT``: taken out), sharing all the rest."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    if rest:
        copy[step] = put(copy[step], rest, value)
    elif value is ABSENT:
        del copy[step]
    else:
        copy[step] = value
    return copy


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, a single value as a list of one, ``ABSENT`` as an empty list."""
    if value is ABSENT:
        return []
    return value if isinstance(value, list) else [value]


# --- adding ------------------------------------------------------------------------------------


def _added(document: Document, edit: Add) -> Document:
    found = value_of(document, edit.path)
    if found is ABSENT:
        value = joined([], as_list(edit.value)) if edit.as_list else edit.value
        return _put(document, edit.path, value)
    present = as_list(found)
    together = joined(present, as_list(edit.value))
    if len(together) == len(present):
        return document
    if not edit.as_list and not isinstance(found, list) and not _takes_several(edit.path):
        raise PlaceRefused(
            "place_taken",
            f"{path_text(edit.path)} has another value already and takes one only",
            "remove that value first, or leave such records out with a condition",
        )
    return _put(document, edit.path, together)


def joined(present: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Return the list with the values that it does not have yet."""
    together = list(present)
    for value in values:
        if not any(same(value, known) for known in together):
            together.append(value)
    return together


def _takes_several(path: Path) -> bool:
    return isinstance(path[-1], str) and is_set(path[-1])


def _put(document: Document, path: Path, value: Any) -> Document:
    after: Document = put(document, path, value)
    return after


# --- taking away -------------------------------------------------------------------------------


def _taken(document: Document, path: Path, *, prune: bool) -> tuple[Document, Path]:
    """Return the document without what stands at the path, and the path that may differ.

    Taking out a list element moves those after it, so the whole list is what may change.
    """
    while True:
        parent = path[:-1]
        was_bare = _is_bare(value_of(document, parent), parent)
        document = _put(document, path, ABSENT)
        emptied = not was_bare and _is_bare(value_of(document, parent), parent)
        if not (prune and emptied and len(parent) > ROOT_LENGTH):
            return document, parent if isinstance(path[-1], int) else path
        path = parent


def _is_bare(node: Any, path: Path) -> bool:
    if isinstance(node, list):
        return not node
    if not isinstance(node, dict):
        return False
    return node.keys() <= (_BARE_COMPONENT if _is_component(path) else _BARE)


def _is_component(path: Path) -> bool:
    return path[-1] == "hasComponent" or (
        isinstance(path[-1], int) and len(path) > 1 and path[-2] == "hasComponent"
    )
