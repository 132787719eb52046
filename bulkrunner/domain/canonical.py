"""Canonical JSON and digests: the same meaning gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence

# Made once: it is called for every value that is compared.
_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)


def canonical_bytes(value: Any) -> bytes:
    """Return JSON with sorted keys and no blanks, as UTF-8; ValueError: NaN or infinity inside."""
    # Numbers keep their kind: ``1`` and ``1.0`` differ.
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def digest(value: Any) -> str:
    """Return ``sha256:<64 hex digits>`` over the canonical JSON of the value."""
    return digest_of_bytes(canonical_bytes(value))


_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


def as_digest(text: str) -> str | None:
    """Return a digest as somebody wrote it, as ``sha256:<hex>``; None where it is none."""
    found = _DIGEST.fullmatch("".join(text.split()))
    return f"sha256:{found[1].lower()}" if found else None


def as_head(text: str) -> str:
    """Return a ledger's head as somebody wrote it, as ``sha256:<hex>``."""
    # UsageError where it is none.
    head = as_digest(text)
    if head is None:
        raise UsageError(
            Sentence("no_head", given=text[:80]),
            hint=Sentence("no_head_hint"),
        )
    return head


def digest_of_bytes(data: bytes) -> str:
    """Return ``sha256:<64 hex digits>`` over the bytes as they are."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def same(one: Any, other: Any) -> bool:
    """Return True if two JSON values are equal; ``1``, ``1.0`` and ``true`` are not."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(
                same(value, other[key]) for key, value in one.items()
            )
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case _:
            return type(one) is type(other) and bool(one == other)


def is_deeper(value: Any, most: int) -> bool:
    """Return True if objects and lists are nested in more than so many levels."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for node in level
            if isinstance(node, (dict, list))
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def listed(value: Any) -> list[Any]:
    """Return a list as it is, a single value as a list of one."""
    return value if isinstance(value, list) else [value]
