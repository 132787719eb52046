"""What the server says in its answers, as plain words: bounded, without mark-up."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from bulkrunner.adapters.libris.http import Reply

MOST = 500

"""Characters kept of a server's message."""

_ENOUGH = 64 * 1024

_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)

_TAG = re.compile(r"<[^<>]*>")


def words_of(reply: Reply) -> str:
    """Return the message of an answer: of its JSON, or what its page says in plain text."""
    if reply.media_type.endswith("json") and (message := _json_message(reply.body)) is not None:
        return plain(message)
    text = reply.body[:_ENOUGH].decode("utf-8", "replace")
    if reply.media_type == "text/html" or text.lstrip()[:1] == "<":
        text = html.unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", text)))
    return plain(text)


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
