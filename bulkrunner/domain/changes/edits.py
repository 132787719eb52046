"""Edits: the small steps that changes come down to, each at one path of a document."""

# All edits of one change are computed on the document before it, then carried out together: new
# values first, the deepest first, and then what is taken away, from the end, so that no path moves
# under another. Whatever no edit names is the very same object afterwards.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bulkrunner.domain.canonical import listed, same
from bulkrunner.domain.places import ABSENT, Path, path_text, value_of
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import comparable
from bulkrunner.sentences import Sentence
from bulkrunner.vocabulary import is_set

ROOT_LENGTH = 2  # steps of the paths of record and thing; these are never pruned

_BARE = frozenset({"@type"})
_BARE_COMPONENT = frozenset({"@type", "heldBy"})


@dataclass(frozen=True, kw_only=True)
class Put:
    """The path gets the value."""

    path: Path
    value: Any


@dataclass(frozen=True, kw_only=True)
class Add:
    """The path gets the values beside those that it has, unless equal ones are there."""

    path: Path
    value: Any
    # What is absent becomes a list, and a single value is made one; otherwise a first value is put
    # as it is, and a second one is refused where the property takes one only.
    as_list: bool


@dataclass(frozen=True, kw_only=True)
class Take:
    """What stands at the path goes away."""

    path: Path


Edit: TypeAlias = Put | Add | Take


@dataclass(frozen=True, kw_only=True)
class EditSet:
    """Edits of one change; ``named``: paths that it names, whether it changes anything there or not."""

    edits: tuple[Edit, ...] = ()
    named: tuple[Path, ...] = ()

    @classmethod
    def joined(cls, sets: Iterable[EditSet]) -> EditSet:
        """Return one for all objects."""
        given = list(sets)
        return cls(
            edits=tuple(edit for one in given for edit in one.edits),
            named=tuple(path for one in given for path in one.named),
        )


@dataclass(frozen=True, kw_only=True)
class Edited:
    """The document after edits, and the paths at or under which it may differ."""

    document: Document
    declared: tuple[Path, ...]


def carry_out(document: Document, edits: Iterable[Edit], *, prune: bool) -> Edited:
    """Return the document after edits computed on it."""
    # Refused: ``place_taken``, ``overlapping_changes``.
    # ``prune``: lists, objects and components that are emptied by it go away as well.
    wanted = _outermost(edits)
    puts = {edit.path: edit.value for edit in wanted if isinstance(edit, Put)}
    after: Document = _with_all(document, _tree(puts))
    adds = [edit for edit in wanted if isinstance(edit, Add)]
    for add in sorted(adds, key=lambda edit: -len(edit.path)):
        after = _added(after, add)
    declared = [*puts, *(add.path for add in adds)]
    takes = _tree({edit.path: ABSENT for edit in wanted if isinstance(edit, Take)})
    if takes:
        after = _without_all(after, takes, (), prune=prune, declared=declared)
    return Edited(document=after, declared=tuple(dict.fromkeys(declared)))


@dataclass(frozen=True)
class _Leaf:
    """What is to stand at the end of a path."""

    value: Any


_Tree: TypeAlias = dict[Any, "_Tree | _Leaf"]


def _tree(values: Mapping[Path, Any]) -> _Tree:
    """Return paths as a tree, so that each list and object on them is copied once only."""
    root: _Tree = {}
    for path, value in values.items():
        node = root
        for step in path[:-1]:
            inner = node.setdefault(step, {})
            if isinstance(inner, dict):
                node = inner
        node[path[-1]] = _Leaf(value)
    return root


def _with_all(node: Any, tree: _Tree) -> Any:
    """Return a copy with the values of a tree put in, sharing all the rest."""
    if not tree:
        return node
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    for step, inner in tree.items():
        copy[step] = inner.value if isinstance(inner, _Leaf) else _with_all(copy[step], inner)
    return copy


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


def _overlapping(path: Path) -> Refused:
    return Refused(
        "overlapping_changes",
        Sentence("overlapping_changes", path=path_text(path)),
        Sentence("overlapping_changes_hint"),
    )


# --- paths -------------------------------------------------------------------------------------


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
    return [] if value is ABSENT else listed(value)


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
        raise Refused(
            "place_taken",
            Sentence("place_has_value", path=path_text(edit.path)),
            Sentence("place_has_value_hint"),
        )
    return _put(document, edit.path, together)


def joined(present: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Return the list with the values that it does not have yet."""
    together = list(present)
    known = {comparable(value) for value in present}
    for value in values:
        form = comparable(value)
        if form not in known:
            known.add(form)
            together.append(value)
    return together


def _takes_several(path: Path) -> bool:
    return isinstance(path[-1], str) and is_set(path[-1])


def _put(document: Document, path: Path, value: Any) -> Document:
    after: Document = put(document, path, value)
    return after


# --- taking away -------------------------------------------------------------------------------


def _without_all(node: Any, tree: _Tree, path: Path, *, prune: bool, declared: list[Path]) -> Any:
    """Return a copy without what a tree says, ``ABSENT`` where nothing worth keeping is left."""
    # Taking out a list element moves those after it, so the whole list is what may change.
    left: dict[Any, Any] = dict(enumerate(node)) if isinstance(node, list) else dict(node)
    for step, inner in tree.items():
        if isinstance(inner, _Leaf):
            left[step] = ABSENT
        else:
            left[step] = _without_all(
                left[step], inner, (*path, step), prune=prune, declared=declared
            )
    gone = [step for step in tree if left[step] is ABSENT]
    for step in gone:
        del left[step]
        declared.append(path if isinstance(node, list) else (*path, step))
    after: Any = list(left.values()) if isinstance(node, list) else left
    emptied = bool(gone) and _is_bare(after, path) and not _is_bare(node, path)
    return ABSENT if prune and emptied and len(path) > ROOT_LENGTH else after


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
