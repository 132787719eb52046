"""Characters that are not seen, or that move what is seen, written out."""

from __future__ import annotations

import json
import re
import unicodedata

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories that reorder, hide or break the text around them."""

_FILLERS = re.compile("[\u115f\u1160\u3164\uffa0\u2800]")
"""Letters and signs that look like nothing at all."""


def visible(text: str) -> str:
    """Return the text with every control and direction character written out, as ``⟨U+202E⟩``."""
    if text.isprintable() and (text.isascii() or not _FILLERS.search(text)):
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _KEPT:
        return char
    category = unicodedata.category(char)
    if category == "Cc" or category in _HIDDEN or _FILLERS.match(char):
        return f"⟨U+{ord(char):04X}⟩"
    return char


_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\uf8ff\ufeff\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def escaped(text: str) -> str:
    """Return JSON text with such characters as escapes; it says the same."""
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
