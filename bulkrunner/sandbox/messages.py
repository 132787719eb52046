"""Requests and answers as the engine sees them, free of any web framework."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

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
