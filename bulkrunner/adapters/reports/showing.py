"""Makes values from records fit to be shown: bounded, and nothing in them invisible."""

from __future__ import annotations

import json
from typing import Any

from bulkrunner.domain.visible import visible

__all__ = ["MAX_SHOWN", "as_text", "one_line", "shorten", "visible"]

MAX_SHOWN = 300
"""Characters of a value that are shown; the rest is counted."""


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
