"""What a server said, made fit to show: plain text, bounded, free of controls and of secrets."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

MOST = 500
"""Characters kept of a server's message."""

_ENOUGH = 64 * 1024
_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_HIDDEN = "•••"


def words_of(media_type: str, body: bytes, *secrets: str) -> str:
    """Return the message of an answer: of its JSON, or what its page says in plain text."""
    if media_type.endswith("json") and (message := _json_message(body)) is not None:
        return plain(scrub(message, *secrets))
    text = scrub(body[:_ENOUGH].decode("utf-8", "replace"), *secrets)
    if media_type == "text/html" or text.lstrip()[:1] == "<":
        text = html.unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", text)))
    return plain(scrub(text, *secrets))


def _json_message(body: bytes) -> str | None:
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    said = [answer.get(key) for key in ("message", "error", "error_description")]
    texts = [value for value in said if isinstance(value, str) and value]
    if not texts and isinstance(answer.get("status"), str):
        texts = [answer["status"]]
    return ": ".join(texts) if texts else None


def plain(text: str) -> str:
    """Return the text on one line, without control and direction characters, bounded."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:_ENOUGH])
    line = " ".join(shown.split())
    return line if len(line) <= MOST else line[: MOST - 1] + "…"


def scrub(text: str, *secrets: str) -> str:
    """Return the text with every secret hidden, also where it is written in an encoded form."""
    for secret in secrets:
        if not secret:
            continue
        forms = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
        forms.add(json.dumps(secret)[1:-1])
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _HIDDEN)
    return text
