"""Makes values from records fit to be shown: bounded, and nothing in them invisible."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

MAX_SHOWN = 300
"""Characters of a value that are shown; the rest is counted."""

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories that reorder, hide or break the text around them."""

_FILLERS = re.compile("[\u115f\u1160\u3164\uffa0\u2800]")
"""Letters and signs that look like nothing at all."""


def visible(text: str) -> str:
    """Return the text with every control and direction character written out, as ``⟨U+202E⟩``."""
    if text.isprintable() and not _FILLERS.search(text):
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _KEPT:
        return char
    category = unicodedata.category(char)
    if category == "Cc" or category in _HIDDEN or _FILLERS.match(char):
        return f"⟨U+{ord(char):04X}⟩"
    return char


def as_text(value: Any) -> str:
    """Return a value of a record as text: strings as they are, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def shorten(text: str, limit: int = MAX_SHOWN) -> tuple[str, int]:
    """Return at most ``limit`` characters, and how many were cut."""
    if len(text) <= limit:
        return text, 0
    return text[:limit], len(text) - limit


def one_line(text: str, limit: int = MAX_SHOWN) -> str:
    """Return the text as one bounded, visible line, for a text that people copy."""
    kept, cut = shorten(" ".join(text.split()), limit)
    return visible(kept) + ("…" if cut else "")
