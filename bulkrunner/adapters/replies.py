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
from bulkrunner.domain.iris import SHORT_ID, IriMap

MOST_ERRORS = 20
"""Entries kept of a failed validation."""

SHOWN_ERRORS = 3
"""Those of them that stand in the message."""

_DONE = {"POST": 201, "PUT": 204, "DELETE": 204}
"""The one status by which the catalogue says that a write is stored."""

_BUSY = frozenset({429, 503})

_REFUSALS = {
    400: AnswerKind.INVALID,
    403: AnswerKind.FORBIDDEN,
    404: AnswerKind.NOT_FOUND,
    409: AnswerKind.CONFLICT,
    410: AnswerKind.GONE,
    412: AnswerKind.STALE,
}
"""Refusals of the catalogue's API; they count in its own form alone."""

_CONTAINERS_CACHING = frozenset({"must-revalidate", "no-cache", "no-store"})
_CONTAINERS_KEYS = frozenset({"url", "status", "message", "servlet"})


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


def is_api_error(reply: Reply) -> bool:
    """Return True if the catalogue's API says no: JSON with the status in ``status_code``.

    A status alone says nothing: whatever stands between may answer 404 in the catalogue's place.
    """
    code = _error_object(reply).get("status_code")
    return type(code) is int and code == reply.status


def is_container_error(reply: Reply) -> bool:
    """Return True if the catalogue's servlet container says no, as it does outside the API."""
    said = _error_object(reply)
    if said.keys() >= _CONTAINERS_KEYS:
        return bool(said["status"] == str(reply.status))
    caching = {part.strip().lower() for part in reply.header("cache-control").split(",")}
    if caching != _CONTAINERS_CACHING:
        return False
    return not reply.body or f"<h2>HTTP ERROR {reply.status} ".encode() in reply.body


def write_answer(
    method: str,
    reply: Reply,
    *,
    environment: str,
    record: str,
    iris: IriMap,
    now: datetime,
) -> WriteAnswer:
    """Return the typed result of a write, by method, status and form."""
    location = _last_step(reply.header("location"))
    kind = _kind(method, reply, location, iris)
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
        location=location,
        error_id=plain(error_id)[:100] if isinstance(error_id, str) else "",
        retry_after=retry_after(reply, now),
        server_date=_http_date(reply.header("date")) if reply.header("date") else None,
        errors=errors,
    )


def _last_step(location: str) -> str | None:
    """Return the short id in which a Location ends.

    Its host may be that of something in between; whose record it is, is told by reading it.
    """
    path = location.partition("?")[0].partition("#")[0]
    last = path.rpartition("/")[2]
    return last if SHORT_ID.fullmatch(last) else None


def _kind(method: str, reply: Reply, location: str | None, iris: IriMap) -> AnswerKind:
    status = reply.status
    if status == _DONE[method]:
        named = method != "POST" or location is not None
        return AnswerKind.DONE if named else AnswerKind.UNREADABLE
    if status in _BUSY:
        return AnswerKind.BUSY
    if status >= 500:
        own = is_api_error(reply) or is_container_error(reply) or (status == 500 and not reply.body)
        return AnswerKind.SERVER_ERROR if own else AnswerKind.UNREADABLE
    if 300 <= status < 400 and iris.short_id(reply.header("location").partition("?")[0]):
        return AnswerKind.REDIRECT
    if status == 401 and _is_of_the_filter(method, reply):
        return AnswerKind.UNAUTHORIZED
    if is_api_error(reply):
        return _REFUSALS.get(status, AnswerKind.UNREADABLE)
    return AnswerKind.UNREADABLE


def _is_of_the_filter(method: str, reply: Reply) -> bool:
    """Return True if a 401 has the form of the catalogue's own; of PUT and DELETE it is bare."""
    return is_container_error(reply) or (method != "POST" and not reply.body)


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
