"""Clients of one environment: their login and tokens, and who may write what."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import parse_qs

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.wire import ApiError, Clock, PageError, Request, Response, json_response

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


_PREFIX = "Bearer "

_NO_TOKEN = "No access token (Authorization header) in request"  # noqa: S105 (a message)

_EXPIRED = "Access token has expired"

_BAD = "Bad access token."


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A client whose token was accepted, with the sigel it writes as."""

    client: Client
    active_sigel: str | None

    def has(self, flag: str, code: str | None = None) -> bool:
        """Whether the client has a flag, on one sigel or on any."""
        return any(
            getattr(permission, flag)
            for permission in self.client.permissions
            if code is None or permission.code == code
        )

    @property
    def knows_active_sigel(self) -> bool:
        """Whether the active sigel is one of the client's own."""
        return any(p.code == self.active_sigel for p in self.client.permissions)


def bearer(request: Request) -> str:
    """Return the token of a request; only the exact prefix is taken off."""
    header = request.header("authorization") or ""
    return header.removeprefix(_PREFIX)


def authenticate(request: Request, service: Login, *, login_down: bool) -> Writer:
    """Ask the login about the request's token, as the server does once per write."""
    if not request.header("authorization"):
        raise PageError(401, _NO_TOKEN)
    if login_down:
        raise PageError(401, _EXPIRED)
    header = request.header("authorization") or ""
    token = bearer(request)
    # Without the exact prefix the whole header is taken for the token, which login cannot know.
    found = service.verify(token if header.startswith(_PREFIX) else "")
    if isinstance(found, str):
        told = {EXPIRED: _EXPIRED, NOT_FOUND: _BAD}.get(found)
        raise PageError(500) if told is None else PageError(401, told)
    return Writer(client=found[0], active_sigel=request.header("xl-active-sigel"))


def may_create(writer: Writer, document: Document) -> None:
    """Refuse unless the client may create this record."""
    _demand(writer, document)


def may_delete(writer: Writer, document: Document) -> None:
    """Refuse unless the client may delete this record."""
    if not _may(writer, document):
        raise ApiError(403, "You do not have sufficient privileges to perform this operation.")


def may_update(writer: Writer, old: Document, new: Document) -> None:
    """Refuse unless the client may turn one document into the other."""
    if documents.is_holding(old):
        _same_holding(old, new)
        if documents.holding_sigel(old) is None:
            _may_claim(writer, new)
            return
    _demand(writer, new)
    _demand(writer, old)


def _same_holding(old: Document, new: Document) -> None:
    if not documents.is_holding(new):
        _refuse()
    sigel = documents.holding_sigel(new)
    if sigel is None:
        raise ApiError(400, "Missing sigel in document.")
    if documents.holding_sigel(old) not in (None, sigel):
        _refuse()


def _may_claim(writer: Writer, document: Document) -> None:
    """Let a registrant put a sigel on a holding that has none."""
    sigel = documents.holding_sigel(document)
    if not (_registers(writer, sigel) or _registers_globally(writer)):
        _refuse()


def _demand(writer: Writer, document: Document) -> None:
    if not _may(writer, document):
        _refuse()


def _may(writer: Writer, document: Document) -> bool:
    if not writer.knows_active_sigel:
        return False
    if documents.is_holding(document):
        sigel = documents.holding_sigel(document)
        if sigel is None:
            raise ApiError(400, "Missing sigel in document.")
        return _registers(writer, sigel) or _registers_globally(writer)
    return _may_describe(writer, document)


def _may_describe(writer: Writer, document: Document) -> bool:
    match documents.thing_type(document):
        case "ShelfMarkSequence":
            creator = documents.link(documents.node(document, 0), "descriptionCreator")
            sigel = documents.sigel_of_library(creator)
            if sigel is None:
                raise ApiError(400, "Missing sigel in document.")
            return _registers(writer, sigel) or _registers_globally(writer)
        case "bulk:Job":
            spec = documents.node(document, 1).get("bulk:changeSpec")
            if not isinstance(spec, dict):
                raise ApiError(400, "Nothing in [@graph, 1, bulk:changeSpec]")
            codes = {"S", "SEK"} if spec.get("@type") == "bulk:Merge" else {"SEK"}
            return any(permission.code in codes for permission in writer.client.permissions)
    return not documents.is_read_only(document) and writer.has("cataloger")


def _registers(writer: Writer, sigel: str | None) -> bool:
    return sigel is not None and (writer.has("registrant", sigel) or writer.has("cataloger", sigel))


def _registers_globally(writer: Writer) -> bool:
    return writer.active_sigel is not None and writer.has("global_registrant", writer.active_sigel)


def _refuse() -> NoReturn:
    raise ApiError(403, "You are not authorized to perform this operation")
