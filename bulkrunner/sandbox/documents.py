"""Record documents: ids, links, holding, library, checksum."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from bulkrunner import vocabulary

Document = dict[str, Any]

LIBRARY_BASE = "https://libris.kb.se/library/"

DELETED = "marc:Deleted"

_READ_ONLY_DATASETS = ("https://id.kb.se/dataset/", "https://libris.kb.se/dataset/")


def library_iri(sigel: str) -> str:
    """Return the library IRI of a sigel, encoded as Java's URLEncoder does."""
    return LIBRARY_BASE + quote_plus(sigel, safe="*").replace("~", "%7E")


def sigel_of_library(iri: object) -> str | None:
    """Return the sigel of a library IRI, or None where it is no such IRI."""
    if not isinstance(iri, str) or not iri.startswith(LIBRARY_BASE):
        return None
    return unquote_plus(iri[len(LIBRARY_BASE) :])


def node(document: Document, place: int) -> Document:
    """Return graph[place], or an empty node."""
    graph = document.get("@graph")
    if isinstance(graph, list) and len(graph) > place and isinstance(graph[place], dict):
        found: Document = graph[place]
        return found
    return {}


def link(holder: Document, name: str) -> str | None:
    """Return the @id of a property that holds one link."""
    value = holder.get(name)
    target = value.get("@id") if isinstance(value, dict) else None
    return target if isinstance(target, str) else None


def text(holder: Document, name: str) -> str | None:
    """Return a property's value where it is a string."""
    value = holder.get(name)
    return value if isinstance(value, str) else None


def aliases(holder: Document) -> list[str]:
    """Return the IRIs in a node's sameAs."""
    same = holder.get("sameAs")
    entries = same if isinstance(same, list) else [same]
    return [e["@id"] for e in entries if isinstance(e, dict) and isinstance(e.get("@id"), str)]


def thing_type(document: Document) -> str:
    """Return the type of the main thing, empty where there is none."""
    return text(node(document, 1), "@type") or ""


def collection(document: Document) -> str:
    """Return the record's legacy collection; ``none`` where its class belongs to none."""
    return vocabulary.collection(thing_type(document)) or "none"


def is_holding(document: Document) -> bool:
    """Whether holding rights apply: every Item, whatever its collection."""
    kind = thing_type(document)
    return vocabulary.collection(kind) == "hold" or vocabulary.is_subclass_of(kind, "Item")


def holding_sigel(document: Document) -> str | None:
    """Return the sigel of the top-level heldBy."""
    return sigel_of_library(link(node(document, 1), "heldBy"))


def holding_pair(document: Document) -> tuple[str, str] | None:
    """Return heldBy and itemOf of a holding whose collection is hold."""
    if collection(document) != "hold":
        return None
    thing = node(document, 1)
    held_by, item_of = link(thing, "heldBy"), link(thing, "itemOf")
    return (held_by, item_of) if held_by and item_of else None


def is_read_only(document: Document) -> bool:
    """Whether the record belongs to data that REST may not change."""
    record = node(document, 0)
    if record.get("@type") != "Record":
        return True
    datasets = record.get("inDataset")
    entries = datasets if isinstance(datasets, list) else [datasets]
    return any(
        isinstance(entry, dict) and str(entry.get("@id", "")).startswith(_READ_ONLY_DATASETS)
        for entry in entries
    )


def says_deleted(document: Document) -> bool:
    """Whether the body's own recordStatus is the deleted one."""
    return node(document, 0).get("recordStatus") == DELETED


def links(document: Document) -> Iterator[tuple[str, str]]:
    """Yield (relation, IRI) of every link; relations of the record start with ``meta``."""
    yield from _links(node(document, 0), ("meta",))
    yield from _links(node(document, 1), ())


def _links(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _links(item, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "@id" and isinstance(inner, str):
                yield ".".join(path), inner
            elif key != "sameAs" and isinstance(inner, dict | list):
                yield from _links(inner, (*path, key))


def replace_prefix(value: Any, old: str, new: str) -> Any:
    """Return the value with ``old`` replaced at the start of every @id."""
    match value:
        case dict():
            return {
                key: new + inner[len(old) :]
                if key == "@id" and isinstance(inner, str) and inner.startswith(old)
                else replace_prefix(inner, old, new)
                for key, inner in value.items()
            }
        case list():
            return [replace_prefix(item, old, new) for item in value]
    return value


_NOT_COUNTED = frozenset({"created", "modified", "recordStatus"})


def checksum(document: dict[str, Any]) -> str:
    """Return the document's checksum as the decimal text the server uses."""
    return str(_signed(_sum(document, 1, 1, in_set=False), 64))


@lru_cache(maxsize=65536)
def string_hash(text: str) -> int:
    """Java's String.hashCode, signed 32 bits."""
    value = 0
    if text.isascii():
        for byte in text.encode("ascii"):
            value = (31 * value + byte) & 0xFFFFFFFF
    else:
        raw = text.encode("utf-16-le", "surrogatepass")
        for low, high in zip(raw[::2], raw[1::2], strict=True):
            value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return _signed(value, 32)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _sum(node: Any, depth: int, factor: int, *, in_set: bool) -> int:
    match node:
        case dict():
            return sum(_member(key, value, depth) for key, value in node.items())
        case list():
            step = 0 if in_set else 1
            return sum(
                _sum(item, depth + step * place, 1, in_set=False)
                for place, item in enumerate(node, start=1)
            )
        case str():
            return _signed(string_hash(node) * depth * factor, 32)
        case bool():
            return depth if node else 0
        case int():
            bits = 32 if -(2**31) <= node < 2**31 else 64
            return _signed(node * depth * factor, bits)
        case float():
            return _signed(_double_hash(node) * depth, 32)
    return 0


def _member(key: str, value: Any, depth: int) -> int:
    if key in _NOT_COUNTED:
        return 0
    hashed = string_hash(key)
    own = _signed(hashed * depth, 32)
    return own + _sum(value, depth + 1, hashed, in_set=vocabulary.is_set(key))


def _double_hash(value: float) -> int:
    bits: int = struct.unpack(">q", struct.pack(">d", value))[0]
    return _signed(bits ^ ((bits & 0xFFFFFFFFFFFFFFFF) >> 32), 32)


ALPHABET = "0123456789bcdfghjklmnpqrstvwxz"

_RANDOM_LENGTH = 7


class IdGenerator:
    """Makes system ids; the same seed and times give the same ids."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 (ids are no secrets)

    def next(self, moment: datetime) -> str:
        """Return a new id for a record created at this moment."""
        rest = int(moment.timestamp() * 1000)
        digits: list[int] = []
        while rest:
            rest, digit = divmod(rest, len(ALPHABET))
            digits.insert(0, digit)
        last = digits[-1]
        turned = [(digit + last) % len(ALPHABET) for digit in digits[:-1]] + [last]
        tail = (self._random.choice(ALPHABET) for _ in range(_RANDOM_LENGTH))
        return "".join(ALPHABET[digit] for digit in turned) + "".join(tail)
