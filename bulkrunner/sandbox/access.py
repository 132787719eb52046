"""Who may write what: the authentication filter and the permission rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from bulkrunner.sandbox import documents, login
from bulkrunner.sandbox.answers import ApiError, PageError, Request
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.login import Client, Login

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
    match found:
        case login.EXPIRED:
            raise PageError(401, _EXPIRED)
        case login.NOT_FOUND:
            raise PageError(401, _BAD)
        case str():
            raise PageError(500)
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
