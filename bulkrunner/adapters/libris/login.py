"""The login of one environment: tokens, and what the client may do.

A token is kept in memory only, goes only to the environment whose login issued it, and is
renewed by one thread at a time: ahead of its end, or when the catalogue answers 401.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlencode, urlsplit

from bulkrunner.adapters.libris.bodies import words_of
from bulkrunner.adapters.libris.credentials import Credentials
from bulkrunner.adapters.libris.http import (
    Header,
    Http,
    NoAnswer,
    Patience,
    Reply,
    Strange,
    TryAgain,
)
from bulkrunner.adapters.libris.responses import leads_to
from bulkrunner.adapters.redaction import Redaction
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.rights import Permission, Rights
from bulkrunner.errors import LoginDown, LoginRefused
from bulkrunner.sentences import Sentence

# Requests to a login that does not answer, before it counts as down.
TRIES = 4

# Seconds before its end when a token is renewed, or at nine tenths of a short life.
AHEAD = 300.0

# Seconds until the next try, where renewing ahead failed and the old token still lives.
AGAIN_AFTER = 30.0

LONGEST_LIFE = 7 * 24 * 3600.0
# However short a life the login gives: a token that ended sooner is renewed when it is refused.
LEAST_LIFE = 10.0

# Seconds given to a token whose life is not told, as RFC 6749 (5.1) allows, or told as nothing.
UNTOLD_LIFE = 300.0

LATER = Sentence("login_later")
ELSEWHERE = Sentence("login_elsewhere")

# The JSON object that the login answered.
Answer: TypeAlias = dict[str, Any]

_FORM_HEADERS: tuple[Header, ...] = (
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Accept", b"application/json"),
)


@dataclass(frozen=True, kw_only=True)
class Token:
    """A bearer token. Times are of the monotonic clock; ``repr`` hides the value."""

    value: str = field(repr=False)
    renew_at: float
    ends_at: float

    @property
    def header(self) -> Header:
        """The Authorization header, exactly as the catalogue reads it."""
        return (b"Authorization", b"Bearer " + self.value.encode("ascii"))


class Login:
    """Gets, keeps and renews the token of one environment; thread safe."""

    def __init__(
        self, environment: Environment, credentials: Credentials, *, http: Http, clock: Clock
    ) -> None:
        """Ask nothing yet; ``http`` is connected to the origin of ``token_url`` and no other."""
        self._environment = environment
        self._credentials = credentials
        self._http = http
        self._clock = clock
        self._token_path = _path(environment.token_url)
        self._patience = Patience(clock.sleep, tries=TRIES)
        self._token: Token | None = None
        self.redaction = Redaction(credentials.client_secret, *http.secrets)
        http.redaction = self.redaction
        self._lock = threading.Lock()
        self._failures = 0
        self._failure: LoginDown | LoginRefused | None = None
        self._vouched = ""

    def token(self) -> Token:
        """Return a token that should be good, getting or renewing one where needed.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """
        token = self._token
        if token is None:
            return self.renew(None)
        if self._clock.monotonic() >= token.renew_at and self._lock.acquire(blocking=False):
            try:
                return self._renew_ahead(token)
            finally:
                self._lock.release()
        return token

    def renew(self, dead: Token | None) -> Token:
        """Return a new token instead of one that was refused.

        Many threads with the same dead token cause one request: the first gets the new one, the
        others are given it, or the failure that they waited for.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """
        failures = self._failures
        with self._lock:
            if self._token is not None and self._token is not dead:
                return self._token
            if self._failure is not None and self._failures != failures:
                failure = self._failure
                raise failure.again()
            self._token = None
            try:
                self._token = self._fetch()
            except (LoginDown, LoginRefused) as error:
                self._failure = error
                self._failures += 1
                raise
            return self._token

    @property
    def newest(self) -> Token | None:
        """The token that is used now; None before the first."""
        return self._token

    def rights(self) -> Rights:
        """Ask what the client may do, now; a token that ended meanwhile is renewed once.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """
        token = self.token()
        reply, answer = self._verify(token)
        if reply.status == 401:
            token = self.renew(token)
            reply, answer = self._verify(token)
        if reply.status != 200:
            raise self._refused(Sentence("login_not_vouching", **self._answered(reply)))
        rights = self._read_rights(answer)
        self._vouched = token.value
        return rights

    def rights_are_due(self) -> bool:
        """Return True if the rights of the token used now have not been asked for yet.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """
        return self.token().value != self._vouched

    def close(self) -> None:
        """Forget the token and close the connection."""
        self._token = None
        self._http.close()

    # Tokens

    def _renew_ahead(self, token: Token) -> Token:
        if self._token is not token and self._token is not None:
            return self._token
        try:
            self._token = self._fetch()
        except LoginDown:
            now = self._clock.monotonic()
            if now >= token.ends_at:
                raise
            self._token = Token(
                value=token.value, renew_at=now + AGAIN_AFTER, ends_at=token.ends_at
            )
        return self._token

    def _fetch(self) -> Token:
        asked_at = self._clock.monotonic()
        reply, answer = self._ask(
            "POST",
            self._token_path,
            _FORM_HEADERS,
            self._form(),
            own=_is_about_a_token,
            gives_token=True,
        )
        if reply.status != 200:
            raise self._refused(Sentence("login_refused", **self._answered(reply)))
        value, life = answer.get("access_token"), _life(answer.get("expires_in"))
        if not _is_token(value) or not _is_bearer(answer.get("token_type")):
            self._unreadable(Sentence("login_no_token"))
        self.redaction.add(str(value))
        return Token(
            value=str(value),
            renew_at=asked_at + max(life * 0.9, life - AHEAD),
            ends_at=asked_at + life,
        )

    def _form(self) -> bytes:
        return urlencode(
            {
                "client_id": self._credentials.client_id,
                "client_secret": self._credentials.client_secret,
                "grant_type": "client_credentials",
            }
        ).encode("ascii")

    # Rights

    def _verify(self, token: Token) -> tuple[Reply, Answer]:
        path = self._token_path.rpartition("/")[0] + "/verify"
        headers = (token.header, (b"Accept", b"application/json"))
        return self._ask("GET", path, headers, own=_is_about_rights)

    def _read_rights(self, answer: Answer) -> Rights:
        user = answer.get("user")
        rows = user.get("permissions") if isinstance(user, dict) else None
        if not isinstance(rows, list):
            self._unreadable(Sentence("login_no_permissions"))
        permissions = tuple(_permissions(rows))
        if any(self.redaction.hide(row.sigel) != row.sigel for row in permissions):
            self._unreadable(Sentence("login_repeats_secret"))
        return Rights(permissions=permissions)

    # One question to the login

    def _ask(
        self,
        method: str,
        path: str,
        headers: tuple[Header, ...],
        content: bytes | None = None,
        *,
        own: Callable[[int, Answer], bool],
        gives_token: bool = False,
    ) -> tuple[Reply, Answer]:
        """Ask until the login answers; a question to it changes nothing that could be doubled.

        ``own`` tells by status and JSON whether it is the login that answered: a page of something
        in between is neither a token nor a refusal.
        """

        def once() -> tuple[Reply, Answer]:
            try:
                reply = self._http.send(method, path, headers, content, gives_token=gives_token)
            except NoAnswer as error:
                raise TryAgain(error.reason, advice=error.advice) from None
            answer = _object(reply)
            if reply.status >= 500 or reply.status == 429:
                raise TryAgain(f"{reply.status} {words_of(reply)}".rstrip())
            if not own(reply.status, answer):
                raise Strange(Sentence("login_answered_by_other", answer=_said(reply)))
            return reply, answer

        try:
            return self._patience(once)
        except TryAgain as last:
            raise LoginDown(
                Sentence(
                    "login_unreachable",
                    environment=self._environment.name,
                    host=self._host,
                    why=last.problem,
                ),
                hint=last.advice or (ELSEWHERE if isinstance(last, Strange) else LATER),
                lasting=last.advice is not None,
            ) from None

    def _answered(self, reply: Reply) -> dict[str, str]:
        words = words_of(reply)
        answer = f"{reply.status}: {words}" if words else str(reply.status)
        return {"environment": self._environment.name, "host": self._host, "answer": answer}

    def _refused(self, said: Sentence) -> LoginRefused:
        client = self.redaction.hide(self._credentials.client_id)
        return LoginRefused(said, hint=Sentence("login_refused_hint", client=client))

    def _unreadable(self, what: Sentence) -> NoReturn:
        name, host = self._environment.name, self._host
        raise LoginDown(
            Sentence("login_unreadable", environment=name, what=what, host=host),
            hint=Sentence("login_unreadable_hint"),
        )

    @property
    def _host(self) -> str:
        return urlsplit(self._environment.token_url).netloc


def _said(reply: Reply) -> str:
    """Return an answer in one line, where a redirect leads to; nothing of a good one is shown."""
    if reply.status < 300:
        return f"{reply.status}"
    if reply.status < 400:
        return leads_to(reply)
    return f"{reply.status} {words_of(reply)}".rstrip()


def _object(reply: Reply) -> Answer:
    """Return an answer's JSON object, empty where it is none."""
    try:
        # No whole number of it is used but a life, and one of any length is a float.
        is_json = reply.media_type.endswith("json")
        answer = json.loads(reply.body, parse_int=float) if is_json else None
    except (ValueError, RecursionError):
        answer = None
    return answer if isinstance(answer, dict) else {}


def _is_about_a_token(status: int, answer: Answer) -> bool:
    """Return True if the login gives a token, or says in the words of OAuth why not."""
    if status == 200:
        return "access_token" in answer
    return status in (400, 401) and isinstance(answer.get("error"), str)


def _is_about_rights(status: int, answer: Answer) -> bool:
    """Return True if the login says what a token may do, or what is wrong with it."""
    if status == 200:
        return isinstance(answer.get("user"), dict)
    return status == 401 and str(answer.get("message")).startswith("Bearer token ")


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _is_token(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= 4096
        and value.isascii()
        and value.isprintable()
    ) and " " not in value


def _is_bearer(kind: Any) -> bool:
    """Return True if a token's type is the one used here, or is not told."""
    return kind is None or str(kind).strip().lower() in ("bearer", "")


def _life(told: Any) -> float:
    """Return the seconds that a token may be used, by what the login says of it."""
    try:
        life = float(told) if isinstance(told, str | float) else 0.0
    except ValueError:
        life = 0.0
    return min(max(life, LEAST_LIFE), LONGEST_LIFE) if life > 0 else UNTOLD_LIFE


def _permissions(rows: list[Any]) -> Iterator[Permission]:
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("code"), str):
            yield Permission(
                sigel=row["code"],
                registrant=row.get("registrant") is True,
                cataloger=row.get("cataloger") is True,
                global_registrant=row.get("global_registrant") is True,
            )
