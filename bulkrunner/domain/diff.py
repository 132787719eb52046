"""Differences of two documents: place by place, by content, and as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import Any, Literal, TypeAlias

from bulkrunner.domain.canonical import canonical_bytes, listed, same
from bulkrunner.domain.places import ABSENT, Path, path_text
from bulkrunner.domain.records import KEPT, THING_KEPT, Document, record_part, thing_part
from bulkrunner.vocabulary import is_set

MAX_DIFFERENCES = 1000

MAX_DEPTH = 40

MAX_ALIGNED = 500

Kind: TypeAlias = Literal["added", "removed", "changed"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where two documents differ."""

    # As written in manifests; the index of a list of one is left out, the index of a removed
    # element counts in the document before, of an added one in the document after.
    place: str
    before: Any
    after: Any
    kind: Kind


def diff(before: Document, after: Document) -> list[Difference]:
    """Return where two documents differ, at most ``MAX_DIFFERENCES``; equal ones give nothing."""
    # Lists are aligned by equal elements, so that what follows a removed element is not shown.
    return list(islice(_walk(before, after, (), 0, as_read=False), MAX_DIFFERENCES))


def read_differences(before: Document, after: Document) -> list[Difference]:
    """Return where two documents differ as a person reads them, at most ``MAX_DIFFERENCES``."""
    # In lists that the vocabulary calls sets, and between a value and a list of it, order and form
    # do not count; documents that differ in nothing else are compared place by place.
    found = list(islice(_walk(before, after, (), 0, as_read=True), MAX_DIFFERENCES))
    return found or diff(before, after)


def _walk(
    before: Any, after: Any, path: Path, depth: int, *, as_read: bool
) -> Iterator[Difference]:
    if before is after or (type(before) is type(after) is str and before == after):
        return
    match before, after:
        case dict(), dict() if depth < MAX_DEPTH:
            yield from _objects(before, after, path, depth, as_read=as_read)
        case list(), list() if depth < MAX_DEPTH:
            yield from _lists(before, after, path, depth, as_read=as_read)
        case (list(), _) | (_, list()) if depth < MAX_DEPTH and as_read:
            yield from _lists(listed(before), listed(after), path, depth, as_read=True)
        case _:
            if canonical_bytes(before) != canonical_bytes(after):
                yield Difference(place=path_text(path), before=before, after=after, kind="changed")


def _is_surely_same(one: Any, other: Any) -> bool:
    """Return True if two values are written alike, so that nothing of them differs."""
    # ``1``, ``1.0`` and ``true`` are equal to each other, but not written alike.
    return bool(one == other) and (type(one) is str or repr(one) == repr(other))


def _objects(
    before: dict[str, Any], after: dict[str, Any], path: Path, depth: int, *, as_read: bool
) -> Iterator[Difference]:
    for key, value in before.items():
        if key not in after:
            yield _removed((*path, key), value)
        elif not _is_surely_same(value, after[key]):
            yield from _walk(value, after[key], (*path, key), depth + 1, as_read=as_read)
    for key, value in after.items():
        if key not in before:
            yield _added((*path, key), value)


def _lists(
    before: list[Any], after: list[Any], path: Path, depth: int, *, as_read: bool
) -> Iterator[Difference]:
    if len(before) == len(after) == 1 and path != ("@graph",):
        yield from _walk(before[0], after[0], path, depth + 1, as_read=as_read)
        return
    for old, new in _pairs(before, after, path, as_read=as_read):
        if old is None and new is not None:
            yield _added((*path, new), after[new])
        elif new is None and old is not None:
            yield _removed((*path, old), before[old])
        elif old is not None and new is not None:
            yield from _walk(before[old], after[new], (*path, old), depth + 1, as_read=as_read)


_Pair: TypeAlias = tuple[int | None, int | None]


def _pairs(before: list[Any], after: list[Any], path: Path, *, as_read: bool) -> Iterator[_Pair]:
    """Yield which elements stand against each other; of most lists without the equal ones."""
    if path == ("@graph",):
        yield from zip_longest(range(len(before)), range(len(after)))
    elif as_read and path and isinstance(path[-1], str) and is_set(path[-1]):
        yield from _unordered(before, after)
    else:
        for (first, end), (new_first, new_end) in _blocks(before, after):
            yield from zip_longest(range(first, end), range(new_first, new_end))


_Block: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


def _blocks(before: list[Any], after: list[Any]) -> list[_Block]:
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


MAX_LEAVES = 200  # places listed of one document; the rest is in the document itself

MOST = 100_000  # places of one part that are counted

MAX_NESTING = 30

COMPONENTS = "hasComponent"

# Said elsewhere of a record: which it is, and whose.
_SAID_OF_THING = THING_KEPT | {"mainEntity"}


def contents(document: Document) -> list[tuple[str, Any]]:
    """Return (place, value) of what the document says, at most ``MAX_LEAVES``."""
    # Places are written as in a manifest: from the thing, or ``@record.`` from the record part; the
    # index of a list of one is left out, and so are types beside other content. Components come
    # after the thing's own properties, and are what is left out first where there are too many.
    thing, record = thing_part(document), record_part(document)
    own = _of_part("", thing, _SAID_OF_THING | {COMPONENTS})
    managed = _of_part("@record.", record, KEPT)
    room = max(0, MAX_LEAVES - len(own) - len(managed))
    parts = {COMPONENTS: thing[COMPONENTS]} if COMPONENTS in thing else {}
    return [*own, *_of_part("", parts, frozenset(), limit=room), *managed][:MAX_LEAVES]


def left_out(document: Document) -> int:
    """Return how many places ``contents`` leaves out; of very many at least so many."""
    kept = (
        (thing_part(document), _SAID_OF_THING),
        (record_part(document), KEPT),
    )
    total = sum(len(_of_part("", part, hidden, limit=MOST)) for part, hidden in kept)
    return max(0, total - MAX_LEAVES)


def _of_part(
    prefix: str, part: dict[str, Any], hidden: frozenset[str], *, limit: int = MAX_LEAVES
) -> list[tuple[str, Any]]:
    leaves = (
        leaf
        for key, value in part.items()
        if key not in hidden
        for leaf in _leaves(f"{prefix}{key}", value, depth=0)
    )
    return list(islice(leaves, limit))


def _leaves(place: str, value: Any, *, depth: int) -> Iterator[tuple[str, Any]]:
    if depth == MAX_NESTING:
        yield place, value
        return
    match value:
        case {"@id": str(iri), **rest} if not rest:
            yield place, iri
        case dict() if value:
            for key, item in value.items():
                if key == "@type" and len(value) > 1:
                    continue
                yield from _leaves(f"{place}.{key}", item, depth=depth + 1)
        case [only]:
            yield from _leaves(place, only, depth=depth + 1)
        case list() if value:
            for index, item in enumerate(value):
                yield from _leaves(f"{place}.{index}", item, depth=depth + 1)
        case _:
            yield place, value
