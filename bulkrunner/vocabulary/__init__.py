"""The catalogue's vocabulary: which terms exist, how they behave and how classes relate.

The table is read on first use and kept. Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

__all__ = [
    "category",
    "classes_under",
    "collection",
    "is_object_property",
    "is_set",
    "is_skipped",
    "is_subclass_of",
    "is_term",
    "is_vocab_typed",
    "literal_kind",
    "terms",
]

_COLLECTIONS = {"marc:bib": "bib", "marc:auth": "auth", "marc:hold": "hold", "marc:none": "none"}


@dataclass(frozen=True, kw_only=True)
class _Table:
    terms: frozenset[str]
    sets: frozenset[str]
    objects: frozenset[str]
    vocab_typed: frozenset[str]
    skipped: frozenset[str]
    numbers: frozenset[str]
    booleans: frozenset[str]
    unsaid: frozenset[str]
    parents: dict[str, tuple[str, ...]]
    categories: dict[str, frozenset[str]]


@cache
def _table() -> _Table:
    raw = json.loads(files(__name__).joinpath("terms.json").read_text(encoding="utf-8"))
    parents: dict[str, tuple[str, ...]] = {}
    for entry in raw["parents"].split():
        name, _, above = entry.partition("<")
        parents[name] = tuple(above.split(",")) if above else ()
    categories: dict[str, set[str]] = {}
    for label, members in raw["category"].items():
        for member in members.split():
            categories.setdefault(member, set()).add(label)
    return _Table(
        terms=frozenset(raw["terms"].split()),
        sets=frozenset(raw["set"].split()),
        objects=frozenset(raw["object"].split()),
        vocab_typed=frozenset(raw["vocab_typed"].split()),
        skipped=frozenset(raw["skip"].split()),
        numbers=frozenset(raw["number"].split()),
        booleans=frozenset(raw["boolean"].split()),
        unsaid=frozenset(raw["unsaid"].split()),
        parents=parents,
        categories={name: frozenset(labels) for name, labels in categories.items()},
    )


def terms() -> frozenset[str]:
    """Return every class, property and value that the vocabulary defines."""
    return _table().terms


def is_term(name: str) -> bool:
    """Whether the vocabulary defines this class, property or value."""
    return name in _table().terms


def is_set(name: str) -> bool:
    """Whether the property is normally a list in which order does not matter."""
    return name in _table().sets


def is_object_property(name: str) -> bool:
    """Whether the property takes an object (a link or a nested node)."""
    return name in _table().objects


def is_vocab_typed(name: str) -> bool:
    """Whether the property's plain value is itself a term of the vocabulary."""
    return name in _table().vocab_typed


def literal_kind(name: str) -> str | None:
    """Kind of the property's plain values: ``text``, ``number`` or ``boolean``; None if unsaid.

    The vocabulary gives hardly any property a data type; all but a few are texts.
    """
    table = _table()
    if name in table.numbers:
        return "number"
    if name in table.booleans:
        return "boolean"
    plain = name in table.terms and name not in table.objects and name not in table.unsaid
    return "text" if plain and not name.rpartition(":")[2][:1].isupper() else None


def is_skipped(name: str) -> bool:
    """Whether the key is the catalogue's own and never checked."""
    return name in _table().skipped


def category(name: str) -> frozenset[str]:
    """Labels the vocabulary puts directly on the term, such as ``marc:hold`` or ``pending``."""
    return _table().categories.get(name, frozenset())


@lru_cache(maxsize=4096)
def _lineage(name: str) -> tuple[str, ...]:
    """Return the class and every class above it, nearest first."""
    seen = [name]
    for current in seen:
        seen.extend(above for above in _table().parents.get(current, ()) if above not in seen)
    return tuple(seen)


def is_subclass_of(name: str, base: str) -> bool:
    """Whether the class is ``base`` or lies below it."""
    return base in _lineage(name)


@lru_cache(maxsize=4096)
def classes_under(base: str) -> frozenset[str]:
    """Return ``base`` and every class below it."""
    return frozenset({base} | {name for name in _table().parents if base in _lineage(name)})


@lru_cache(maxsize=4096)
def collection(name: str) -> str | None:
    """Collection of records about things of this class: bib, auth, hold, none, or None if unsaid."""
    for current in _lineage(name):
        for label in category(current):
            if label in _COLLECTIONS:
                return _COLLECTIONS[label]
    return None
