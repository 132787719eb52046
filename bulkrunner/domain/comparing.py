"""Comparing documents: the proof that nothing but the declared places changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bulkrunner.domain.diff import diff
from bulkrunner.domain.places import ABSENT, Path, path_text
from bulkrunner.domain.records import Document


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; ``1``, ``1.0`` and ``true`` are not."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(
                same(value, other[key]) for key, value in one.items()
            )
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case _:
            return type(one) is type(other) and bool(one == other)


def changed_places(before: Document, after: Document) -> frozenset[str]:
    """Return the places at which two documents differ."""
    return frozenset(difference.place for difference in diff(before, after))


def undeclared_places(before: Document, after: Document, declared: Iterable[Path]) -> list[str]:
    """Return places that differ without being, or lying under, a declared path."""
    mask: dict[Any, Any] = {}
    for path in declared:
        _add_to_mask(mask, path)
    return [path_text(path) for path in _outside(before, after, mask, ())]


def _add_to_mask(mask: dict[Any, Any], path: Path) -> None:
    node = mask
    for step in path[:-1]:
        node = node.setdefault(step, {})
        if node is True:
            return
    node[path[-1]] = True


def _outside(before: Any, after: Any, mask: dict[Any, Any], path: Path) -> list[Path]:
    if before is after:
        return []
    match before, after:
        case dict(), dict():
            keys: Iterable[Any] = before.keys() | after.keys()
            sides = (before, after)
        case list(), list() if len(before) == len(after):
            keys = range(len(before))
            sides = (dict(enumerate(before)), dict(enumerate(after)))
        case _:
            return [] if same(before, after) else [path]
    found: list[Path] = []
    for key in keys:
        inner = mask.get(key, {})
        if inner is not True:
            one, other = (side.get(key, ABSENT) for side in sides)
            found += _outside(one, other, inner, (*path, key))
    return found
