"""Structural difference of two documents, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Literal, TypeAlias

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.places import Path, path_text
from bulkrunner.domain.records import Document

MAX_DIFFERENCES = 1000
MAX_DEPTH = 40
MAX_ALIGNED = 500

Kind: TypeAlias = Literal["added", "removed", "changed"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where two documents differ.

    Attributes:
        place: as written in manifests; the index of a list of one is left out, the index of a
            removed element counts in the document before, of an added one in the document after.
    """

    place: str
    before: Any
    after: Any
    kind: Kind


def diff(before: Document, after: Document) -> list[Difference]:
    """Return where two documents differ, at most ``MAX_DIFFERENCES``; equal ones give nothing.

    Lists are aligned by equal elements, so that what follows a removed element is not shown.
    """
    return list(islice(_diff(before, after, (), 0), MAX_DIFFERENCES))


def _diff(before: Any, after: Any, path: Path, depth: int) -> Iterator[Difference]:
    if before is after:
        return
    match before, after:
        case dict(), dict() if depth < MAX_DEPTH:
            yield from _diff_objects(before, after, path, depth)
        case list(), list() if depth < MAX_DEPTH:
            yield from _diff_lists(before, after, path, depth)
        case _:
            if canonical_bytes(before) != canonical_bytes(after):
                yield _difference(path, before, after, "changed")


def _difference(path: Path, before: Any, after: Any, kind: Kind) -> Difference:
    return Difference(place=path_text(path), before=before, after=after, kind=kind)


def _diff_objects(
    before: dict[str, Any], after: dict[str, Any], path: Path, depth: int
) -> Iterator[Difference]:
    for key, value in before.items():
        if key in after:
            yield from _diff(value, after[key], (*path, key), depth + 1)
        else:
            yield _difference((*path, key), value, None, "removed")
    for key, value in after.items():
        if key not in before:
            yield _difference((*path, key), None, value, "added")


def _diff_lists(
    before: list[Any], after: list[Any], path: Path, depth: int
) -> Iterator[Difference]:
    in_graph = path == ("@graph",)
    if len(before) == len(after) == 1 and not in_graph:
        yield from _diff(before[0], after[0], path, depth + 1)
        return
    aligned = by_position if in_graph else blocks
    for (first, end), (new_first, new_end) in aligned(before, after):
        paired = min(end - first, new_end - new_first)
        for offset in range(paired):
            old, new = before[first + offset], after[new_first + offset]
            yield from _diff(old, new, (*path, first + offset), depth + 1)
        for index in range(first + paired, end):
            yield _difference((*path, index), before[index], None, "removed")
        for index in range(new_first + paired, new_end):
            yield _difference((*path, index), None, after[index], "added")


Block: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


def by_position(before: list[Any], after: list[Any]) -> list[Block]:
    """Return two lists as one stretch, element against element."""
    return [((0, len(before)), (0, len(after)))]


def blocks(before: list[Any], after: list[Any]) -> list[Block]:
    """Return the stretches of two lists that are not equal."""
    old = [canonical_bytes(item) for item in before]
    new = [canonical_bytes(item) for item in after]
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < min(len(old), len(new)) - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old_end, new_end = len(old) - tail, len(new) - tail
    if max(old_end, new_end) - start > MAX_ALIGNED:
        return [((start, old_end), (start, new_end))]
    matcher = SequenceMatcher(None, old[start:old_end], new[start:new_end], autojunk=False)
    return [
        ((start + i1, start + i2), (start + j1, start + j2))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]
