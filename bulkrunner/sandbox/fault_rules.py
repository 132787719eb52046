"""Faults on request, and answers of what may stand between client and catalogue.

A rule is a JSON object with a ``kind`` and, to choose the requests it strikes: ``method``; ``path``
(a regular expression searched in path and query; without it every request but logins);
``nth`` (a number or a list, counted among the matching requests, from 1); ``every``;
``probability`` with ``seed``; ``times`` (at most). Without a choice it strikes every one.

=================  ==========================================  =====================================
kind               own keys                                    what happens
=================  ==========================================  =====================================
latency            ms                                          waits before the work
status             status, body, content_type, retry_after,    that answer instead of the work, or
                   location, after                             (``after: true``) once it is done
proxy              page, after                                 an answer of something in between
                                                               (``proxy.PAGES``) instead of the
                                                               work, or once it is done
close_before       –                                           connection cut, nothing written
close_after        –                                           work done, connection cut
truncate           –                                           work done, half the body sent
expire_token       –                                           the request's token has ended
revoke_client      client (default: the token's)               client and tokens gone
drop_permission    client, sigel (default: all)                rights gone, token stays
login_down         status (default 503)                        login fails; writes are answered 401,
                                                               with status 500 the container's 500
foreign_edit       sigel, set, doc, delete                     somebody else gets in first; before a
                                                               POST: creates the same record
=================  ==========================================  =====================================
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bulkrunner.sandbox.wire import Request, Response

_HTML = "text/html"

_TEXT = "text/plain; charset=utf-8"

_JSON = "application/json"

# Makes an answer, for a request and the IRI of some record that it is not about.
Page = Callable[[Request, str], Response]


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


# Every answer by its name.
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


_SELECTORS = frozenset({"kind", "method", "path", "nth", "every", "probability", "seed", "times"})


class FaultKind(Enum):
    """What a fault does."""

    LATENCY = "latency"
    STATUS = "status"
    PROXY = "proxy"
    CLOSE_BEFORE = "close_before"
    CLOSE_AFTER = "close_after"
    TRUNCATE = "truncate"
    EXPIRE_TOKEN = "expire_token"  # noqa: S105 (no secret)
    REVOKE_CLIENT = "revoke_client"
    DROP_PERMISSION = "drop_permission"
    LOGIN_DOWN = "login_down"
    FOREIGN_EDIT = "foreign_edit"


_KNOWN: dict[FaultKind, frozenset[str]] = {
    FaultKind.LATENCY: frozenset({"ms"}),
    FaultKind.STATUS: frozenset(
        {"status", "body", "content_type", "retry_after", "location", "after"}
    ),
    FaultKind.PROXY: frozenset({"page", "after"}),
    FaultKind.CLOSE_BEFORE: frozenset(),
    FaultKind.CLOSE_AFTER: frozenset(),
    FaultKind.TRUNCATE: frozenset(),
    FaultKind.EXPIRE_TOKEN: frozenset(),
    FaultKind.REVOKE_CLIENT: frozenset({"client"}),
    FaultKind.DROP_PERMISSION: frozenset({"client", "sigel"}),
    FaultKind.LOGIN_DOWN: frozenset({"status"}),
    FaultKind.FOREIGN_EDIT: frozenset({"sigel", "set", "doc", "delete"}),
}

_REQUIRED: dict[FaultKind, frozenset[str]] = {
    FaultKind.LATENCY: frozenset({"ms"}),
    FaultKind.STATUS: frozenset({"status"}),
    FaultKind.PROXY: frozenset({"page"}),
}


class FaultRuleError(ValueError):
    """A rule that cannot be understood."""


@dataclass
class FaultRule:
    """One rule: which requests it strikes, how often, and what it does to them."""

    kind: FaultKind
    method: str | None = None
    path: re.Pattern[str] | None = None
    nth: frozenset[int] = frozenset()
    every: int | None = None
    probability: float | None = None
    times: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    chance: random.Random = field(default_factory=random.Random)
    seen: int = 0
    fired: int = 0

    @classmethod
    def parse(cls, rule: dict[str, Any]) -> FaultRule:
        """Read a rule as it comes in JSON."""
        try:
            kind = FaultKind(rule.get("kind"))
        except ValueError as error:
            known = ", ".join(item.value for item in FaultKind)
            raise FaultRuleError(f"Unknown kind {rule.get('kind')!r}; known: {known}") from error
        params = {key: value for key, value in rule.items() if key not in _SELECTORS}
        unknown = params.keys() - _KNOWN[kind]
        missing = _REQUIRED.get(kind, frozenset()) - params.keys()
        if unknown or missing:
            wrong = ", ".join(sorted(unknown | missing))
            raise FaultRuleError(f"A {kind.value} rule has unknown or missing keys: {wrong}")
        if kind is FaultKind.PROXY and params["page"] not in PAGES:
            raise FaultRuleError(f"Unknown page {params['page']!r}; known: {', '.join(PAGES)}")
        nth = rule.get("nth", [])
        return cls(
            kind=kind,
            method=rule.get("method"),
            path=re.compile(rule["path"]) if "path" in rule else None,
            nth=frozenset(nth if isinstance(nth, list) else [nth]),
            every=rule.get("every"),
            probability=rule.get("probability"),
            times=rule.get("times"),
            params=params,
            chance=random.Random(rule.get("seed", 0)),  # noqa: S311 (repeatable on purpose)
        )

    def strikes(self, request: Request) -> bool:
        """Whether the rule strikes this request; counts it."""
        if not self._concerns(request):
            return False
        self.seen += 1
        if self.times is not None and self.fired >= self.times:
            return False
        if not self._chosen():
            return False
        self.fired += 1
        return True

    def _concerns(self, request: Request) -> bool:
        if self.method is not None and request.method != self.method:
            return False
        at_login = request.path.startswith("/oauth/")
        if self.path is None:
            return not at_login or self.kind is FaultKind.LOGIN_DOWN
        where = f"{request.path}?{request.query_string}" if request.query_string else request.path
        return self.path.search(where) is not None

    def _chosen(self) -> bool:
        if self.nth and self.seen not in self.nth:
            return False
        if self.every is not None and self.seen % self.every:
            return False
        return self.probability is None or self.chance.random() < self.probability

    def as_json(self) -> dict[str, Any]:
        """Return the rule with its counts."""
        selectors = {
            "method": self.method,
            "path": self.path.pattern if self.path else None,
            "nth": sorted(self.nth) or None,
            "every": self.every,
            "probability": self.probability,
            "times": self.times,
        }
        chosen = {name: value for name, value in selectors.items() if value is not None}
        counts = {"seen": self.seen, "fired": self.fired}
        return {"kind": self.kind.value, **self.params, **chosen, **counts}


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []

    def add(self, *rules: dict[str, Any]) -> None:
        """Put rules in force, all or none."""
        try:
            parsed = [FaultRule.parse(rule) for rule in rules]
        except (re.error, TypeError, AttributeError) as error:
            raise FaultRuleError(str(error)) from error
        self._rules.extend(parsed)

    def clear(self, kind: str | None = None) -> None:
        """Take every rule away, or those of one kind."""
        self._rules = [rule for rule in self._rules if kind not in (None, rule.kind.value)]

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules with how often each struck."""
        return [rule.as_json() for rule in self._rules]

    def take(self, request: Request) -> tuple[FaultRule, ...]:
        """Return the rules that strike this request."""
        if not self._rules:
            return ()
        return tuple(rule for rule in self._rules if rule.strikes(request))
