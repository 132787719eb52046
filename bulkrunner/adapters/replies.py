"""Headers and error bodies of the catalogue, and the typed result of a write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from bulkrunner.adapters.bodies import JSON_TYPES
from bulkrunner.adapters.http import Header, Reply
from bulkrunner.adapters.words import plain, words_of
from bulkrunner.domain.answers import AnswerKind, WriteAnswer
from bulkrunner.domain.iris import IriMap

MOST_ERRORS = 20
"""Entries kept of a failed validation."""

SHOWN_ERRORS = 3
"""Those of them that stand in the message."""

_KINDS = {
    201: AnswerKind.DONE,
    204: AnswerKind.DONE,
    400: AnswerKind.INVALID,
    401: AnswerKind.UNAUTHORIZED,
    403: AnswerKind.FORBIDDEN,
    404: AnswerKind.NOT_FOUND,
    409: AnswerKind.CONFLICT,
    410: AnswerKind.GONE,
    412: AnswerKind.STALE,
    429: AnswerKind.BUSY,
    503: AnswerKind.BUSY,
}


def normal_etag(value: str) -> str:
    """Return the plain ETag: without ``W/``, quotes, ``-gzip`` and the embellished part."""
    plain_part = value.strip().removeprefix("W/").strip('"').partition(":")[0]
    return plain_part.removesuffix("-gzip").strip('"')


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Return the seconds of ``Retry-After``, written as seconds or as a date."""
    value = reply.header("retry-after").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    moment = _http_date(value)
    if moment is None:
        return None
    return max(0.0, (moment - (_http_date(reply.header("date")) or now)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def sigel_header(sigel: str) -> Header:
    """Return the header that says as whom a write is made.

    Raises:
        ValueError: the sigel is empty, or holds what no header may hold.
    """
    if not sigel or not sigel.isprintable() or sigel != sigel.strip():
        raise ValueError(f"{plain(sigel)!r} cannot be an active sigel")
    return (b"XL-Active-Sigel", sigel.encode("utf-8"))


def write_answer(
    reply: Reply,
    *,
    environment: str,
    record: str,
    iris: IriMap,
    now: datetime,
) -> WriteAnswer:
    """Return the typed result of a write, by status and Content-Type."""
    kind = _kind(reply)
    said = _error_object(reply) if kind is not AnswerKind.DONE else {}
    error_id = said.get("error_id")
    errors = _errors(said)
    return WriteAnswer(
        kind=kind,
        environment=environment,
        record=record,
        status=reply.status,
        words=plain(words_of(reply) + _summary(errors)),
        etag=normal_etag(reply.header("etag")) or None,
        location=iris.short_id(reply.header("location").partition("?")[0] or None),
        error_id=plain(error_id)[:100] if isinstance(error_id, str) else "",
        retry_after=retry_after(reply, now),
        server_date=_http_date(reply.header("date")) if reply.header("date") else None,
        errors=errors,
    )


def _kind(reply: Reply) -> AnswerKind:
    kind = _KINDS.get(reply.status)
    if kind is not None:
        return kind
    if reply.status == 200:
        # A page in place of an answer comes from something that stands in between.
        readable = not reply.body or (reply.media_type in JSON_TYPES and _is_json(reply.body))
        return AnswerKind.DONE if readable else AnswerKind.UNREADABLE
    if 300 <= reply.status < 400:
        return AnswerKind.REDIRECT
    if reply.status >= 500:
        return AnswerKind.SERVER_ERROR
    return AnswerKind.UNREADABLE


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _error_object(reply: Reply) -> dict[str, Any]:
    if reply.media_type not in JSON_TYPES:
        return {}
    try:
        data = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _errors(said: dict[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the entries of a failed validation, each value as bounded text."""
    entries = said.get("errors")
    if not isinstance(entries, list):
        return ()
    return tuple(
        {plain(str(key)): _bounded(value) for key, value in list(entry.items())[:10]}
        for entry in entries[:MOST_ERRORS]
        if isinstance(entry, dict)
    )


def _summary(errors: tuple[Mapping[str, Any], ...]) -> str:
    """Say what a validation found, the first few faults with their places."""
    if not errors:
        return ""
    shown = [f"{error.get('type', 'fault')} at {_place(error)}" for error in errors[:SHOWN_ERRORS]]
    more = f" and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
    return f": {', '.join(shown)}{more}"


def _place(error: Mapping[str, Any]) -> str:
    path = error.get("path")
    steps = [str(step) for step in path] if isinstance(path, list) else []
    key = error.get("key")
    if isinstance(key, str) and steps[-1:] != [key]:
        steps.append(key)
    return ".".join(steps) or "an unknown place"


def _bounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_bounded(item) for item in value[:20]]
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
