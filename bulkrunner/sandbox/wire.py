"""Requests, answers in the server's own forms, and time as the server writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from html import escape
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl
from uuid import uuid4
from zoneinfo import ZoneInfo

Document = dict[str, Any]


class Cut(Enum):
    """What happens to the connection instead of a whole answer."""

    NOTHING_SENT = "nothing_sent"
    HALF_SENT = "half_sent"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request. ``path`` is decoded; header names are lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(
        cls,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Request:
        """Build a request from a path with an optional query."""
        path, _, query_string = url.partition("?")
        return cls(
            method=method,
            path=path,
            query=tuple(parse_qsl(query_string, keep_blank_values=True)),
            query_string=query_string,
            headers={name.lower(): value for name, value in (headers or {}).items()},
            body=body,
        )

    def param(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    def header(self, name: str) -> str | None:
        """Return a header's value; the name is given in lower case."""
        return self.headers.get(name)


@dataclass(frozen=True, kw_only=True)
class Response:
    """One answer. ``cut`` tells the HTTP layer to break the connection instead of finishing it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: Cut | None = None

    def header(self, name: str) -> str | None:
        """Return a header's value; case does not matter."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def with_headers(self, *extra: tuple[str, str]) -> Response:
        """Return the answer with more headers."""
        return replace(self, headers=self.headers + extra)


JSON = "application/json;charset=utf-8"

NO_CACHE = ("Cache-Control", "no-cache")

_PAGE_METHODS = frozenset({"GET", "POST", "HEAD"})

# Phrases of the server's container that differ from the standard's.
_REASONS = {500: "Server Error"}

_BAD_QUALITY = "Invalid q value in Accept header:"

_SERVLETS = {"/_findhold": "HoldAPI", "/_dependencies": "RecordRelationAPI"}


class MalformedAcceptError(ValueError):
    """The Accept header cannot be read."""


class ApiError(Exception):
    """A request the API refuses, answered with its JSON error body."""

    def __init__(
        self, status: int, message: str, *, errors: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    def response(self) -> Response:
        """Return the answer; the reason of a server error stays hidden."""
        body: dict[str, Any] = {
            "status_code": self.status,
            "status": reason(self.status),
            "message": self.message,
        }
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            body["message"] = (
                "Internal server error. Please report the error_id if the problem persists."
            )
            body["error_id"] = str(uuid4())
        if self.errors is not None:
            body["errors"] = self.errors
        return json_response(self.status, body, NO_CACHE, content_type=JSON)


class PageError(Exception):
    """A request refused outside the API, answered with the container's error page."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message or reason(status))
        self.status = status
        self.message = message


def reason(status: int) -> str:
    """Return the server's phrase of a status."""
    try:
        return _REASONS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def json_response(
    status: int, body: Any, *headers: tuple[str, str], content_type: str = "application/json"
) -> Response:
    """Return an answer with a JSON body."""
    return Response(
        status=status,
        headers=(("Content-Type", content_type), *headers),
        body=json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"),
    )


@dataclass(frozen=True, order=True)
class _Preference:
    rank: tuple[float, int]
    media_type: str


def media_types(accept: str | None) -> list[str]:
    """Return the media types of an Accept header, the most wanted first."""
    if not accept or not accept.strip():
        return ["*/*"]
    wanted: list[_Preference] = []
    for place, part in enumerate(accept.split(",")):
        name, _, parameters = part.strip().partition(";")
        kind, slash, sub = name.strip().partition("/")
        if not (kind and slash and sub) and name.strip() != "*":
            raise MalformedAcceptError("Invalid Accept header:" + accept)
        quality = _quality(parameters)
        if quality > 0:
            wanted.append(_Preference((-quality, place), name.strip().lower()))
    return [preference.media_type for preference in sorted(wanted)]


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError as error:
                raise MalformedAcceptError(_BAD_QUALITY + value) from error
            if not 0 <= quality <= 1:
                raise MalformedAcceptError(_BAD_QUALITY + value)
            return quality
    return 1.0


def error_page(request: Request, error: PageError) -> Response:
    """Return the container's page: HTML, JSON, text or nothing, by Accept and method."""
    headers = (("Cache-Control", "must-revalidate,no-cache,no-store"),)
    if request.method not in _PAGE_METHODS:
        return Response(status=error.status)
    try:
        wanted = media_types(request.header("accept"))
    except MalformedAcceptError:
        wanted = ["*/*"]
    message = error.message or reason(error.status)
    for media_type in wanted:
        match media_type:
            case "*/*" | "*" | "text/*" | "text/html":
                page = _html(error.status, message, request.path)
                body = page.encode("iso-8859-1", "xmlcharrefreplace")
                kind = "text/html;charset=iso-8859-1"
            case "application/json" | "text/json":
                facts = {
                    "url": request.path,
                    "status": str(error.status),
                    "message": message,
                    "servlet": _servlet(request.path),
                }
                body, kind = json.dumps(facts).encode(), "application/json"
            case "text/plain":
                body = f"HTTP ERROR {error.status} {message}\nURI: {request.path}\n".encode()
                kind = "text/plain;charset=utf-8"
            case _:
                continue
        return Response(status=error.status, headers=(("Content-Type", kind), *headers), body=body)
    return Response(status=error.status, headers=headers)


def _servlet(path: str) -> str:
    return f"whelk.rest.api.{_SERVLETS.get(path, 'Crud')}-42f8285e"


def _html(status: int, message: str, path: str) -> str:
    text, where = escape(message), escape(path)
    return (
        "<html>\n<head>\n"
        '<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
        f"<title>Error {status} {text}</title>\n</head>\n<body>"
        f"<h2>HTTP ERROR {status} {text}</h2>\n<table>\n"
        f"<tr><th>URI:</th><td>{where}</td></tr>\n"
        f"<tr><th>STATUS:</th><td>{status}</td></tr>\n"
        f"<tr><th>MESSAGE:</th><td>{text}</td></tr>\n"
        f"<tr><th>SERVLET:</th><td>{escape(_servlet(path))}</td></tr>\n"
        '</table>\n<hr/><a href="https://jetty.org/">Powered by Jetty:// 12.0.27</a><hr/>\n\n'
        "</body>\n</html>\n"
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Choices that a real environment's deployment would make."""

    kind: str
    base_uri: str
    # Answer to a POST of a holding that exists: 404 as observed today, or 409.
    duplicate_status: int = 404
    token_lifetime: int = 36000
    # Time until a write shows in ``/find``; ``-1``: only when told to refresh.
    index_lag_ms: int = 500
    # Result window of ``/find``.
    max_items: int = 100_000
    # Zone of the server's clock; in UTC its times end in ``Z``.
    time_zone: str = "Europe/Stockholm"
    # Time during which a new dump says that it is being made.
    emm_generating_ms: int = 0

    def __post_init__(self) -> None:
        if not self.base_uri.endswith("/"):
            raise ValueError("A base URI ends with a slash.")
        if self.duplicate_status not in (404, 409):
            raise ValueError("A duplicate is answered 404 or 409.")


class Clock(Protocol):
    """Tells the time, aware and in UTC."""

    def now(self) -> datetime:
        """Return the present moment."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment the clock stands at."""
        return self._now

    def advance(self, **delta: float) -> None:
        """Move the clock forward, with the keywords of ``timedelta``."""
        self._now += timedelta(**delta)


class ShiftedClock:
    """A clock that runs as another one does, some way off."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._shift = timedelta()

    def now(self) -> datetime:
        """Return the shifted moment."""
        return self._base.now() + self._shift

    def advance(self, **delta: float) -> None:
        """Move the clock, with the keywords of ``timedelta``."""
        self._shift += timedelta(**delta)


def to_millisecond(moment: datetime) -> datetime:
    """Cut a moment to the millisecond, the server's resolution."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def server_time(moment: datetime, zone: ZoneInfo) -> str:
    """Write a moment as the server does: in its own zone, of a second no more than is needed."""
    local = moment.astimezone(zone)
    text, offset = f"{local:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip("."), f"{local:%z}"
    return text + ("Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}")


def http_date(moment: datetime) -> str:
    """Write a moment as a Date header."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
