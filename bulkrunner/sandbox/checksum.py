"""The server's checksum of a document: the plain half of its ETag."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from bulkrunner import vocabulary

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
