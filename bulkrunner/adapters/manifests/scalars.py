"""What an unquoted word of a manifest means: text, unless it is plainly something else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>\.[0-9]+)?(?P<power>[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_LARGEST = 2**63 - 1


class BadNumber(ValueError):
    """A number that cannot be kept as it is written."""


def plain(text: str) -> Any:
    """Return the meaning of an unquoted YAML scalar.

    ``NO``, ``yes``, ``0123``, ``1_000`` and dates are text.

    Raises:
        BadNumber: a number beyond 64 bits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-0123456789" and _NUMBER.fullmatch(text):
        return number(text)
    return text


_CONTENT = frozenset({"operations", "steps", "parameters"})
"""Keys of a manifest below which values may reach records."""

_SETTINGS = frozenset({"seconds", "megabytes"})
_ASKED = frozenset({"expect", "where", "when", "components", "matching", "table"})
"""Keys below which null means that nothing is there."""


def read_otherwise(text: str, value: Any, path: Sequence[Any]) -> str:
    """Return how an unquoted word is read, where it would not be written as it stands; else nothing.

    Args:
        text: as it stands in the manifest.
        value: what it was read as.
        path: where it stands.
    """
    if not path or path[0] not in _CONTENT or path[-1] in _SETTINGS:
        return ""
    if value is None and text == "~":
        absent = not isinstance(path[-1], int) and not _ASKED.isdisjoint(path)
        return "" if absent else "is null, which is no value; what goes away is named by remove"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        written = json.dumps(value)
        return "" if written == text else f"is a number, and would be written {written}"
    return ""


def number(text: str) -> int | float:
    """Return a JSON number.

    Raises:
        BadNumber: beyond 64 bits.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise BadNumber(f"`{text[:30]}` is no number")
    if found["real"] is None and found["power"] is None:
        whole = int(text) if len(text) <= 20 else _LARGEST + 1
        if not -_LARGEST - 1 <= whole <= _LARGEST:
            raise BadNumber(
                f"the number {text[:30]}… is too large"
                if len(text) > 30
                else f"the number {text} is too large"
            )
        return whole
    real = float(text)
    if real in (float("inf"), float("-inf")):
        raise BadNumber(f"the number {text[:30]} is too large")
    return real
