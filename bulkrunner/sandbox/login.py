"""Libris Login of one environment: clients, tokens, and what the catalogue asks about them."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from bulkrunner.sandbox.answers import Request, Response, json_response
from bulkrunner.sandbox.clock import Clock

APP_VERSION = "1.11.0"
_SCOPES = frozenset({"read", "write"})
NOT_FOUND = "Bearer token not found."
EXPIRED = "Bearer token is expired."
BAD_SCOPE = "Bearer token scope not valid."
_VARY = ("Vary", "Cookie")
_UNCACHED = (("Cache-Control", "no-store"), ("Pragma", "no-cache"), _VARY)


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What a client may do for one sigel."""

    code: str
    name: str = ""
    registrant: bool = False
    cataloger: bool = False
    global_registrant: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the entry as verify writes it."""
        return {
            "code": self.code,
            "friendly_name": self.name,
            "cataloger": self.cataloger,
            "registrant": self.registrant,
            "global_registrant": self.global_registrant,
        }


@dataclass(frozen=True, kw_only=True)
class Client:
    """A registered client; its rights are those of the user it is bound to."""

    client_id: str
    secret: str = field(repr=False)
    permissions: tuple[Permission, ...] = ()
    has_user: bool = True


@dataclass(frozen=True, kw_only=True)
class _Token:
    client_id: str
    expires_at: datetime
    scopes: frozenset[str]


class Login:
    """Issues tokens and vouches for them."""

    def __init__(self, clients: Iterable[Client], *, clock: Clock, token_lifetime: int) -> None:
        self._clients = {client.client_id: client for client in clients}
        self._tokens: dict[str, _Token] = {}
        self._clock = clock
        self._lifetime = token_lifetime

    # What administrators do

    def clients(self) -> list[Client]:
        """Return the clients that are registered now."""
        return list(self._clients.values())

    def register(self, client: Client) -> None:
        """Make a client known."""
        self._clients[client.client_id] = client

    def revoke(self, client_id: str) -> bool:
        """Take a client and its tokens away at once."""
        self._tokens = {k: t for k, t in self._tokens.items() if t.client_id != client_id}
        return self._clients.pop(client_id, None) is not None

    def set_permissions(self, client_id: str, permissions: Iterable[Permission]) -> None:
        """Give a client other rights; its tokens stay valid."""
        self._clients[client_id] = replace(self._clients[client_id], permissions=tuple(permissions))

    def expire_tokens(self, token: str | None = None) -> int:
        """End one token, or all of them; returns how many ended."""
        ended = [key for key in self._tokens if token in (None, key)]
        past = self._clock.now() - timedelta(seconds=1)
        for key in ended:
            self._tokens[key] = replace(self._tokens[key], expires_at=past)
        return len(ended)

    # What is asked over HTTP

    def token_request(self, request: Request) -> Response:
        """Answer /oauth/token."""
        client_id, secret = _basic(request.header("authorization"))
        form = _form(request)
        client_id = form.get("client_id", client_id)
        secret = form.get("client_secret", secret)
        if form.get("grant_type") == "password" and "username" not in form:
            missing = "Request is missing username parameter."
            return _refused(400, "invalid_request", error_description=missing)
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type")
        client = self._clients.get(client_id or "")
        if client is None or not secrets.compare_digest(client.secret.encode(), secret.encode()):
            return _refused(401, "invalid_client")
        scopes = frozenset(form.get("scope", "read write").split())
        if not scopes <= _SCOPES:
            return _refused(401, "invalid_scope")
        if not client.has_user:
            page = b"<!doctype html>\n<title>500</title>\n<h1>Internal Server Error</h1>\n"
            return Response(
                status=500, headers=(("Content-Type", "text/html; charset=utf-8"),), body=page
            )
        token = self._issue(client.client_id, scopes)
        return json_response(
            200,
            {
                "access_token": token,
                "expires_in": self._lifetime,
                "token_type": "Bearer",
                "scope": " ".join(sorted(scopes)),
                "app_version": APP_VERSION,
            },
            *_UNCACHED,
        )

    def verify_request(self, request: Request) -> Response:
        """Answer /oauth/verify."""
        header = request.header("authorization") or ""
        kind, _, token = header.partition(" ")
        found = self.verify(token.strip() if kind == "Bearer" else "")
        if isinstance(found, str):
            return json_response(401, {"app_version": APP_VERSION, "message": found}, _VARY)
        client, expires_at = found
        return json_response(
            200, self._description(client, expires_at), ("X-Username", _email(client)), _VARY
        )

    def verify(self, token: str) -> tuple[Client, datetime] | str:
        """Return the token's client and end, or the message that refuses it."""
        known = self._tokens.get(token)
        if known is None or known.client_id not in self._clients:
            return NOT_FOUND
        if known.expires_at <= self._clock.now():
            return EXPIRED
        if not known.scopes & _SCOPES:
            return BAD_SCOPE
        return self._clients[known.client_id], known.expires_at

    def client_of(self, token: str) -> str | None:
        """Return whose token this is, ended ones too."""
        known = self._tokens.get(token)
        return known.client_id if known else None

    def _issue(self, client_id: str, scopes: frozenset[str]) -> str:
        token = secrets.token_urlsafe(30)
        self._tokens[token] = _Token(
            client_id=client_id,
            expires_at=self._clock.now() + timedelta(seconds=self._lifetime),
            scopes=scopes,
        )
        return token

    def _description(self, client: Client, expires_at: datetime) -> dict[str, Any]:
        return {
            "app_version": APP_VERSION,
            "expires_at": expires_at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z",
            "user": {
                "full_name": f"Client {client.client_id}",
                "email": _email(client),
                "id": 1000 + sorted(self._clients).index(client.client_id),
                "permissions": [permission.as_json() for permission in client.permissions],
            },
        }


def _refused(status: int, error: str, **more: str) -> Response:
    return json_response(status, {"error": error, **more}, *_UNCACHED)


def _email(client: Client) -> str:
    return f"{client.client_id}@example.org"


def _form(request: Request) -> dict[str, str]:
    if request.method == "GET":
        return dict(request.query)
    fields = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _basic(header: str | None) -> tuple[str, str]:
    kind, _, value = (header or "").partition(" ")
    if kind != "Basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret
