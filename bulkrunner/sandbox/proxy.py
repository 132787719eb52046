"""Answers of what may stand between a client and the catalogue: proxies, gateways, portals.

None has the catalogue's form, whatever its status; a fault of the kind ``proxy`` gives them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from bulkrunner.sandbox.answers import Request, Response

_HTML = "text/html"
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

Page = Callable[[Request, str], Response]
"""Makes an answer, for a request and the IRI of some record that it is not about."""


def _page(status: int, title: str) -> Page:
    body = (
        f"<html><head><title>{status} {title}</title></head><body>"
        f"<center><h1>{status} {title}</h1></center><hr><center>nginx</center></body></html>"
    )
    return _plain(status, _HTML, body.encode())


def _plain(status: int, kind: str, body: bytes, *headers: tuple[str, str]) -> Page:
    typed = (("Content-Type", kind),) if kind else ()
    return lambda _request, _other: Response(status=status, headers=(*typed, *headers), body=body)


def _json(status: int, said: Any) -> Page:
    return _plain(status, _JSON, json.dumps(said).encode())


def _to(status: int, location: str) -> Page:
    return _plain(status, _HTML, b"<html>Moved</html>", ("Location", location))


def _to_itself(request: Request, _other: str) -> Response:
    query = f"?{request.query_string}" if request.query_string else ""
    return Response(status=301, headers=(("Location", request.path + query),))


def _another_record(_request: Request, other: str) -> Response:
    return Response(status=201, headers=(("Location", other), ("ETag", '"1"')))


PAGES: dict[str, Page] = {
    "200-html": _plain(200, _HTML, b"<html><h1>Log in to the network</h1></html>"),
    "200-json": _json(200, {"status": "UP"}),
    "200-empty": _plain(200, "application/ld+json", b""),
    "200-gzip": _plain(
        200, _HTML, gzip.compress(b"<html>Welcome</html>"), ("Content-Encoding", "gzip")
    ),
    "201-other": _another_record,
    "301-itself": _to_itself,
    "302-maintenance": _to(302, "https://maintenance.example.org/"),
    "307-portal": _to(307, "/login.html?next=%2F"),
    "400-html": _page(400, "Bad Request"),
    "401-html": _page(401, "Authorization Required"),
    "401-json": _json(401, {"message": "Unauthorized"}),
    "401-empty": _plain(401, "", b""),
    "403-html": _page(403, "Forbidden"),
    "404-html": _page(404, "Not Found"),
    "404-text": _plain(404, _TEXT, b"default backend - 404"),
    "404-empty": _plain(404, "", b""),
    "404-json": _json(404, {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/"}),
    "404-other-code": _json(404, {"status_code": 410, "status": "Gone", "message": "Moved away"}),
    "410-html": _page(410, "Gone"),
    "410-json": _json(410, {"code": 410, "message": "Gone"}),
    "412-html": _page(412, "Precondition Failed"),
    "429-html": _page(429, "Too Many Requests"),
    "502-html": _page(502, "Bad Gateway"),
    "503-html": _page(503, "Service Temporarily Unavailable"),
    "504-html": _page(504, "Gateway Time-out"),
}
"""Every answer by its name."""
