"""Which leaves of a record a written change names: an oracle that shares nothing with the program.

A leaf is told by its keys from the record part or the item, list indexes left out, and by its
value. A change names it where, below the start of one of its objects, the leaf's keys begin with
the keys of the change's place; so does what stands above the place, since it may be emptied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

Keys = tuple[str, ...]

KEPT = ("@type", "heldBy")
"""What an object has besides its content; it goes when the content has gone."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A value that is no object or list, or an empty one.

    Attributes:
        part: 0 for the record part, 1 for the item.
        keys: from there, without list indexes. indexed: with them. value: the leaf itself.
    """

    part: int
    keys: Keys
    indexed: tuple[str | int, ...]
    value: Any


def leaves(document: dict[str, Any]) -> list[Leaf]:
    """Every leaf in the order of the document."""
    return [
        leaf for part, node in enumerate(document["@graph"]) for leaf in _below(node, part, (), ())
    ]


def _below(node: Any, part: int, keys: Keys, indexed: tuple[str | int, ...]) -> Iterator[Leaf]:
    if isinstance(node, dict) and node:
        for key, inner in node.items():
            yield from _below(inner, part, (*keys, key), (*indexed, key))
    elif isinstance(node, list) and node:
        for number, inner in enumerate(node):
            yield from _below(inner, part, keys, (*indexed, number))
    else:
        yield Leaf(part=part, keys=keys, indexed=indexed, value=node)


def places(change: dict[str, Any]) -> list[str]:
    """The places that a written change names, those of an example form by form."""
    (verb,) = change.keys() - {"in", "when"}
    given = change[verb]
    if verb == "move_value":
        return [given["from"], given["to"]]
    if verb == "example":
        return [
            ".".join(leaf.keys)
            for form in ("match", "result")
            for leaf in _below(given[form], 1, (), ())
            if leaf.keys
        ]
    return [given["at"]]


def is_named(leaf: Leaf, changes: Sequence[dict[str, Any]]) -> bool:
    """Whether one of the changes names the leaf."""
    return any(
        _meets(below, tuple(place.split(".")))
        for change in changes
        for place in places(change)
        for below in _starts(leaf, change)
    )


def _meets(below: Keys, place: Keys) -> bool:
    shared = min(len(below), len(place))
    return below[:shared] == place[:shared]


def _starts(leaf: Leaf, change: dict[str, Any]) -> Iterator[Keys]:
    """Yield the leaf's keys from the start of every object that the change may be made in."""
    scope = change.get("in", "item")
    if isinstance(scope, dict):
        each = tuple(scope["each"].split("."))
        if leaf.part == 1 and leaf.keys[: len(each)] == each:
            yield leaf.keys[len(each) :]
    elif scope == "anywhere":
        yield from (leaf.keys[start:] for start in range(len(leaf.keys)))
    elif scope == "record":
        if leaf.part == 0:
            yield leaf.keys
    elif leaf.part == 1:
        depth = next(
            (n for n, key in enumerate(leaf.keys) if key != "hasComponent"), len(leaf.keys)
        )
        first, last = {"item": (0, 0), "components": (1, depth)}.get(scope, (0, depth))
        yield from (leaf.keys[start:] for start in range(first, last + 1))


def unnamed(document: dict[str, Any], changes: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Every leaf that no change names, in order, but what an emptied object has besides content."""
    found = leaves(document)
    named = {(leaf.part, leaf.indexed): is_named(leaf, changes) for leaf in found}
    return [
        (leaf.part, leaf.keys, type(leaf.value).__name__, repr(leaf.value))
        for leaf in found
        if not named[leaf.part, leaf.indexed]
        and not _goes_with_the_rest(leaf, found, named, changes)
    ]


def _goes_with_the_rest(
    leaf: Leaf,
    found: Sequence[Leaf],
    named: dict[Any, bool],
    changes: Sequence[dict[str, Any]],
) -> bool:
    """Whether the leaf is the type or library of an object all of whose content is named."""
    at = next((n for n, step in enumerate(leaf.indexed) if step in KEPT), None)
    if at is None or at == 0:
        return False
    holder = leaf.indexed[:at]
    inside = [
        other
        for other in found
        if other.part == leaf.part
        and other.indexed[:at] == holder
        and len(other.indexed) > at
        and other.indexed[at] not in KEPT
    ]
    if not inside:  # emptied, or empty from the start: a change has been here, or not
        keys = tuple(step for step in holder if isinstance(step, str))
        return is_named(replace(leaf, keys=keys, indexed=holder), changes)
    return all(
        named[other.part, other.indexed] or _goes_with_the_rest(other, found, named, changes)
        for other in inside
    )
