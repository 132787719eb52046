"""Differences as cataloguers read them: a set has no order, one value is a list of one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any, TypeAlias

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.diff import MAX_DEPTH, MAX_DIFFERENCES, Difference, blocks, by_position, diff
from bulkrunner.domain.places import Path, path_text
from bulkrunner.domain.records import Document
from bulkrunner.vocabulary import is_set

_Pair: TypeAlias = tuple[int | None, int | None]


def read_differences(before: Document, after: Document) -> list[Difference]:
    """Return where two documents differ, at most ``MAX_DIFFERENCES``.

    In lists that the vocabulary calls sets, and between a value and a list of it, order and form
    do not count; documents that differ in nothing else are compared place by place.
    """
    found = list(islice(_walk(before, after, (), 0), MAX_DIFFERENCES))
    return found or diff(before, after)


def _walk(before: Any, after: Any, path: Path, depth: int) -> Iterator[Difference]:
    if before is after or (type(before) is type(after) is str and before == after):
        return
    match before, after:
        case dict(), dict() if depth < MAX_DEPTH:
            yield from _objects(before, after, path, depth)
        case (list(), _) | (_, list()) if depth < MAX_DEPTH:
            yield from _lists(_listed(before), _listed(after), path, depth)
        case _:
            if canonical_bytes(before) != canonical_bytes(after):
                yield Difference(place=path_text(path), before=before, after=after, kind="changed")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _objects(
    before: dict[str, Any], after: dict[str, Any], path: Path, depth: int
) -> Iterator[Difference]:
    for key, value in before.items():
        if key not in after:
            yield _removed((*path, key), value)
        elif type(value) is not str or value != after[key]:
            yield from _walk(value, after[key], (*path, key), depth + 1)
    for key, value in after.items():
        if key not in before:
            yield _added((*path, key), value)


def _lists(before: list[Any], after: list[Any], path: Path, depth: int) -> Iterator[Difference]:
    if len(before) == len(after) == 1 and path != ("@graph",):
        yield from _walk(before[0], after[0], path, depth + 1)
        return
    for old, new in _pairs(before, after, path):
        if old is None and new is not None:
            yield _added((*path, new), after[new])
        elif new is None and old is not None:
            yield _removed((*path, old), before[old])
        elif old is not None and new is not None:
            yield from _walk(before[old], after[new], (*path, old), depth + 1)


def _pairs(before: list[Any], after: list[Any], path: Path) -> Iterator[_Pair]:
    """Yield which elements stand against each other, equal ones left out."""
    if path == ("@graph",):
        yield from _stretches(by_position(before, after))
    elif path and isinstance(path[-1], str) and is_set(path[-1]):
        yield from _unordered(before, after)
    else:
        yield from _stretches(blocks(before, after))


def _stretches(found: list[Any]) -> Iterator[_Pair]:
    for (first, end), (new_first, new_end) in found:
        yield from zip_longest(range(first, end), range(new_first, new_end))


def _unordered(before: list[Any], after: list[Any]) -> Iterator[_Pair]:
    """Yield what two sets do not share; as many old as new ones of a type stand in pairs."""
    gone, come = _unshared(before, after), _unshared(after, before)
    for kind in dict.fromkeys(
        [*(_kind(before[i]) for i in gone), *(_kind(after[i]) for i in come)]
    ):
        old = [index for index in gone if _kind(before[index]) == kind]
        new = [index for index in come if _kind(after[index]) == kind]
        if len(old) == len(new):
            yield from zip(old, new, strict=True)
        else:
            yield from ((index, None) for index in old)
            yield from ((None, index) for index in new)


def _unshared(mine: list[Any], theirs: list[Any]) -> list[int]:
    """Return indexes of elements that the other list has not as often."""
    left: dict[bytes, int] = {}
    for item in theirs:
        key = canonical_bytes(item)
        left[key] = left.get(key, 0) + 1
    found = []
    for index, item in enumerate(mine):
        key = canonical_bytes(item)
        if left.get(key, 0):
            left[key] -= 1
        else:
            found.append(index)
    return found


def _kind(item: Any) -> str:
    if not isinstance(item, dict):
        return type(item).__name__
    name = item.get("@type")
    return f"@{name}" if isinstance(name, str) else ("@link" if "@id" in item else "@")


def _removed(path: Path, value: Any) -> Difference:
    return Difference(place=path_text(path), before=value, after=None, kind="removed")


def _added(path: Path, value: Any) -> Difference:
    return Difference(place=path_text(path), before=None, after=value, kind="added")
