"""The effect of one change: which places it touches and in what way, list indexes left out.

Two changes have the same shape when they touch the same places in the same way; they have the same
values when what stands there before and after is equal too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from bulkrunner.domain.diff import Difference

MAX_TEXT = 300
"""Characters of a value that are compared and kept; longer ones go on as a digest."""

MAX_LEAVES = 60
MAX_DEPTH = 12

Kind: TypeAlias = Literal["added", "removed", "changed"]


class Leaf(NamedTuple):
    """A value inside a changed place; ``at`` is empty for the place's own value.

    ``before`` and ``after`` are texts, None where there is none.
    """

    at: str
    before: str | None
    after: str | None


class Part(NamedTuple):
    """One changed place."""

    place: str
    kind: Kind
    leaves: tuple[Leaf, ...]


class Slot(NamedTuple):
    """A place and a value inside it, as far as changes of one shape have it in common."""

    place: str
    kind: Kind
    at: str


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change does.

    Attributes:
        parts: in an order that does not depend on the record's.
        shape: its slots, sorted. values: digest of every value. longest: characters of the longest
            value. places: how many places are touched.
    """

    parts: tuple[Part, ...]
    shape: tuple[Slot, ...]
    values: bytes
    longest: int
    places: int

    @property
    def top(self) -> tuple[str, ...]:
        """Return the properties that are touched, sorted."""
        return tuple(sorted({top_of(slot.place) for slot in self.shape}))

    @property
    def of_thing(self) -> tuple[str, ...]:
        """Return the properties of the item or instance that are touched, sorted."""
        return tuple(name for name in self.top if not name.startswith("@record"))


def effect_of(differences: Sequence[Difference]) -> Effect:
    """Return the effect of a change's differences."""
    parts, longest = [], 0
    for item in differences:
        before = {} if item.kind == "added" else _leaves(item.before)
        after = {} if item.kind == "removed" else _leaves(item.after)
        longest = max(longest, *map(len, before.values()), *map(len, after.values()), 0)
        names = dict.fromkeys((*before, *after))
        leaves = tuple(Leaf(at, _bounded(before.get(at)), _bounded(after.get(at))) for at in names)
        parts.append(Part(general(item.place), item.kind, leaves[:MAX_LEAVES]))
    parts.sort(key=_order)
    shape = {Slot(part.place, part.kind, leaf.at) for part in parts for leaf in part.leaves}
    told = json.dumps(parts, ensure_ascii=False)
    return Effect(
        parts=tuple(parts),
        shape=tuple(sorted(shape)),
        values=hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest(),
        longest=longest,
        places=len(parts),
    )


def _order(part: Part) -> str:
    return json.dumps(part)


@lru_cache(maxsize=4096)
def general(place: str) -> str:
    """Return a place without its list indexes: ``hasNote.3.label`` is ``hasNote.label``."""
    return ".".join(step for step in place.split(".") if not step.isdecimal())


def top_of(place: str) -> str:
    """Return the property that a place begins with, ``@record.`` kept."""
    head, _, rest = place.partition(".")
    return f"{head}.{rest.partition('.')[0]}" if head == "@record" else head


def _leaves(value: Any) -> dict[str, str]:
    """Return by place inside the value what it says there."""
    found: dict[str, list[str]] = {}
    for at, text in _walk("", value, 0):
        found.setdefault(at, []).append(text)
    return {at: "; ".join(texts) for at, texts in found.items()}


def _walk(at: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    match value:
        case {"@id": str(iri), **rest} if not rest:
            yield at, iri
        case dict() if value and depth < MAX_DEPTH:
            for key, item in value.items():
                if key != "@type" or len(value) == 1:
                    yield from _walk(f"{at}.{key}" if at else key, item, depth + 1)
        case list() if value and depth < MAX_DEPTH:
            for item in value:
                yield from _walk(at, item, depth + 1)
        case str():
            yield at, value
        case _:
            yield at, json.dumps(value, ensure_ascii=False, default=str)


def _bounded(text: str | None) -> str | None:
    if text is None or len(text) <= MAX_TEXT:
        return text
    rest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{text[:MAX_TEXT]}… #{rest}"
