"""The catalogue of one environment over HTTP: every answer becomes one of a few typed results.

Reads are asked again where no usable answer came; a write is one request, whatever happens to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeVar
from urllib.parse import quote, urlencode

from bulkrunner.adapters.libris.bodies import Misshapen, Unreadable, plain, write_document
from bulkrunner.adapters.libris.credentials import Credentials
from bulkrunner.adapters.libris.http import (
    Header,
    Http,
    NoAnswer,
    Patience,
    Reply,
    RequestCount,
    TryAgain,
    origin,
)
from bulkrunner.adapters.libris.login import Login, Token
from bulkrunner.adapters.libris.responses import (
    ReadAnswers,
    no_answer,
    retry_after,
    sigel_header,
    write_answer,
)
from bulkrunner.adapters.libris.searches import Searches
from bulkrunner.adapters.machine import is_alive, this_process
from bulkrunner.adapters.pacing.pace import Note, Pace, Tell, note_nothing, tell_nobody
from bulkrunner.adapters.pacing.shared import Book, SharedSlots, SharedSpacing, SlotBook
from bulkrunner.domain.catalogue import AnswerKind, ReadAnswer, WriteAnswer
from bulkrunner.domain.environment import Environment
from bulkrunner.domain.iris import SHORT_ID, IriMap, iter_ids
from bulkrunner.domain.ports import Clock
from bulkrunner.domain.records import Document, library_iri
from bulkrunner.domain.rights import Rights
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.config import Network

T = TypeVar("T")


class SharedBook(Book, SlotBook, Protocol):
    """Where a pace is shared: the ledger."""


# Records looked for by their identifiers at most.
MAX_NAMED = 50

_RECORD_HEADERS: tuple[Header, ...] = ((b"Accept", b"application/ld+json"),)
_LIST_HEADERS: tuple[Header, ...] = ((b"Accept", b"application/json"),)
_WRITE_HEADERS: tuple[Header, ...] = (
    (b"Content-Type", b"application/ld+json"),
    # Errors of the container are empty for application/ld+json alone, and HTML for */*.
    (b"Accept", b"application/json"),
)
# Code of the error where an answer came, but holds no record as the catalogue writes them.
UNREADABLE_RECORD = "unreadable_record"


class ReadOnlyCatalogue(Searches):
    """Reads of one environment; has no way to write, not even by mistake. Thread safe."""

    _methods: ClassVar[frozenset[str]] = frozenset({"GET"})

    def __init__(
        self,
        environment: Environment,
        *,
        login: Login,
        http: Http,
        pace: Pace,
        clock: Clock,
        count: RequestCount,
    ) -> None:
        """Take parts that are connected to the environment and its login; see ``open``."""
        self._environment = environment
        self._login = login
        self._http = http
        self._pace = pace
        self._count = count
        self._clock = clock
        self._patience = Patience(pace.rest, tell=self._say_why)
        self._iris = IriMap(bases=(environment.base_uri,), target=environment.base_uri)
        self._answers = ReadAnswers(environment, self._iris)
        self._libraries: dict[str, str | None] = {}
        self._date = ""
        http.redaction = login.redaction

    @classmethod
    def open(
        cls,
        environment: Environment,
        credentials: Credentials,
        *,
        clock: Clock,
        tell: Tell = tell_nobody,
        note: Note = note_nothing,
        book: SharedBook | None = None,
        network: Network | None = None,
    ) -> Self:
        """Return a catalogue with connections of its own; nothing is sent before the first call.

        Args:
            environment: which one, with no more speed than is allowed.
            credentials: of a client of its login.
            clock: for pauses and for the ends of tokens.
            tell: told why nothing happens, and for how long.
            note: told when the pace changes.
            book: where the pace is shared with other processes; None: with nobody.
            network: how servers are reached; None: without a proxy.

        Raises:
            ConfigError: certificates that are to be believed cannot be read.
        """
        count = RequestCount()
        connections = environment.concurrency + 1
        http = Http(
            environment.base_url,
            connections=connections,
            methods=cls._methods,
            count=count,
            network=network,
        )
        login_http = Http(
            origin(environment.token_url),
            connections=2,
            methods=("GET", "POST"),
            count=count,
            network=network,
        )
        return cls(
            environment,
            login=Login(environment, credentials, http=login_http, clock=clock),
            http=http,
            pace=_pace(environment, clock, tell, note, book),
            clock=clock,
            count=count,
        )

    @property
    def requests(self) -> int:
        """HTTP requests sent so far through this object, login included."""
        return self._count.value

    def read(self, record: str, *, if_none_match: str | None = None) -> ReadAnswer:
        """Read the newest version; see ``CatalogueReader``."""
        headers = _RECORD_HEADERS
        if if_none_match is not None:
            headers = (*headers, (b"If-None-Match", f'"{if_none_match}"'.encode()))
        path = f"{_path(record)}?embellished=false"
        return self._ask(
            path,
            headers,
            lambda reply: self._answers.record(record, reply, etag=if_none_match),
            what=record,
        )

    def read_version(self, record: str, version: int) -> ReadAnswer:
        """Read an older version; see ``CatalogueReader``."""
        path = f"{_path(record)}?embellished=false&version={version}"
        return self._ask(
            path,
            _RECORD_HEADERS,
            lambda reply: self._answers.record(record, reply, old=True),
            what=record,
        )

    def holdings_of(self, bib_iri: str, sigel: str) -> tuple[str, ...]:
        """Return short ids of the library's live holdings on the bib."""
        query = urlencode({"id": bib_iri, "library": library_iri(sigel)})
        found = self._ask(f"/_findhold?{query}", _LIST_HEADERS, self._answers.held, what=bib_iri)
        if found is not None:
            return found
        # One holding without heldBy makes the server's own look-up fail for the whole bib.
        return tuple(held.record for held in self.holdings_on(bib_iri) if held.sigel == sigel)

    def links_to(self, iri: str) -> tuple[str, ...]:
        """Return short ids of records that link directly to the record's thing."""
        query = urlencode({"id": iri, "reverse": "true", "return": "bare_record"})
        documents = self._ask(
            f"/_dependencies?{query}", _LIST_HEADERS, self._answers.documents, what=iri
        )
        names = {iri, iri.removesuffix("#it")}
        return tuple(
            self._answers.own_id(doc) for doc in documents if not names.isdisjoint(iter_ids(doc))
        )

    def bibs_named(self, names: Sequence[str], identifiers: Sequence[str]) -> tuple[str, ...]:
        """Return short ids of records that have one of these names or identifiers."""
        found: dict[str, None] = {}
        for name in names:
            path = f"{_path(name)}?embellished=false"
            short_id = self._ask(
                path, _RECORD_HEADERS, partial(self._answers.named, name), what=name
            )
            found.update({short_id: None} if short_id else {})
        for value in identifiers:
            phrase = '"' + value.replace("\\", " ").replace('"', " ") + '"'
            query = urlencode(
                {"identifiedBy.value": phrase, "_limit": str(MAX_NAMED), "_sort": "@id"}
            )
            hits = self._ask(f"/find?{query}", _LIST_HEADERS, self._answers.hits, what=value)
            found.update(dict.fromkeys(hits))
        return tuple(found)[:MAX_NAMED]

    def library_exists(self, sigel: str) -> bool:
        """Return True if the library's record resolves in this environment."""
        return self.library_name(sigel) is not None

    def library_name(self, sigel: str) -> str | None:
        """Return the name in the library's record, None without a record; asked once a sigel."""
        if sigel not in self._libraries:
            iri = library_iri(sigel)
            path = f"{_path(iri)}?embellished=false"
            self._libraries[sigel] = self._ask(
                path, _RECORD_HEADERS, partial(self._answers.library, iri), what=iri
            )
        return self._libraries[sigel]

    def rights(self) -> Rights:
        """Ask the login what the client may do, now."""
        return self._login.rights()

    def rights_are_due(self) -> bool:
        """Return True if the token is another one than when rights were asked for last."""
        return self._login.rights_are_due()

    def ensure_token(self) -> None:
        """Get a token now unless there is one, so that a write need not ask for it first.

        Raises:
            LoginRefused, LoginDown: exit code 7.
        """
        self._login.token()

    def hurry(self) -> None:
        """Interrupt whoever waits long; short waits, and what is in flight, go on."""
        self._pace.hurry()

    def close(self) -> None:
        """Close the connections, forget the token and leave the slots to others."""
        self._pace.close()
        self._http.close()
        self._login.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # One question

    def _ask(
        self, path: str, headers: tuple[Header, ...], understand: Callable[[Reply], T], *, what: str
    ) -> T:
        """Ask until an answer can be understood."""

        def once() -> T:
            try:
                with self._pace.read():
                    reply = self._http.send("GET", path, headers)
            except NoAnswer as error:
                raise TryAgain(error.reason, advice=error.advice) from None
            self._mind(reply)
            try:
                return understand(reply)
            except Unreadable as error:
                raise TryAgain(self._hide(error.said)) from None

        try:
            return self._patience(once)
        except TryAgain as last:
            raise CatalogueUnreachable(
                self._without_answer(what, last.problem),
                hint=last.advice or Sentence("no_usable_answer_hint"),
                by_server=last.by_server,
            ) from None
        except Misshapen as error:
            raise CatalogueUnreachable(
                self._without_answer(what, self._hide(error.said)),
                hint=Sentence("unreadable_record_hint"),
                code=UNREADABLE_RECORD,
                by_server=True,
            ) from None

    def _without_answer(self, what: str, why: str) -> Sentence:
        asked = what if isinstance(what, Sentence) else plain(what)
        name = self._environment.name
        return Sentence("no_usable_answer", environment=name, what=asked, why=why)

    def _hide(self, said: str) -> str:
        return self._login.redaction.hidden(said)

    def server_time(self) -> datetime | None:
        """Return the time that the catalogue's last answer bore, None where it bore none."""
        try:
            return parsedate_to_datetime(self._date) if self._date else None
        except ValueError:
            return None

    def _mind(self, reply: Reply) -> None:
        """Obey a request to wait, for the whole environment."""
        self._date = reply.header("date")
        if reply.status in (429, 503):
            seconds = retry_after(reply, self._clock.now())
            if seconds:
                self._pace.pause(seconds, self._rest(seconds))
            raise no_answer(reply)

    def _say_why(self, problem: str, seconds: float | None) -> None:
        name = self._environment.name
        said = Sentence("of_environment", environment=name, said=problem) if problem else ""
        self._pace.tell(said, seconds)

    def _rest(self, seconds: float) -> Sentence:
        name = self._environment.name
        return Sentence("asked_for_rest", environment=name, seconds=f"{seconds:g}")


class Catalogue(ReadOnlyCatalogue):
    """Reads and writes of one environment. One call sends one write, never more.

    A write does not wait for its turn: whoever calls has waited at ``write_gate``, so that the
    last look before sending (is the run still ours?) comes after the wait and not before it.
    """

    _methods = frozenset({"GET", "PUT", "POST", "DELETE"})

    def __init__(
        self,
        environment: Environment,
        *,
        login: Login,
        http: Http,
        pace: Pace,
        clock: Clock,
        count: RequestCount,
    ) -> None:
        """Take parts that are connected to the environment and its login; see ``open``."""
        super().__init__(environment, login=login, http=http, pace=pace, clock=clock, count=count)
        self._used = threading.local()
        self._last_look: Callable[[], None] | None = None

    def before_each_write(self, look: Callable[[], None]) -> None:
        """Call this just before the first byte of each write; it may raise, and nothing is sent."""
        self._last_look = look

    def write_gate(self) -> AbstractContextManager[None]:
        """Wait until a write may be sent; hold a place among the concurrent requests."""
        return self._pace.write()

    def set_rate(self, rate: float) -> None:
        """Send so many writes per second from now on."""
        self._pace.set_rate(rate)

    def put(self, record: str, document: Document, *, etag: str, active_sigel: str) -> WriteAnswer:
        """Replace a record."""
        match_header: Header = (b"If-Match", f'"{etag}"'.encode())
        return self._write("PUT", f"/{record}", record, active_sigel, document, match_header)

    def post(self, document: Document, *, active_sigel: str) -> WriteAnswer:
        """Create a record; ``document`` carries the TEMPID."""
        return self._write("POST", "/data", "", active_sigel, document)

    def delete(self, record: str, *, active_sigel: str) -> WriteAnswer:
        return self._write("DELETE", f"/{record}", record, active_sigel)

    def renew_token(self) -> None:
        """Get a new token instead of the one that this thread's last write carried."""
        used: Token | None = getattr(self._used, "token", None)
        self._login.renew(used or self._login.newest)

    def _write(
        self,
        method: str,
        path: str,
        record: str,
        active_sigel: str,
        document: Document | None = None,
        *more: Header,
    ) -> WriteAnswer:
        if record and not SHORT_ID.fullmatch(record):
            raise ValueError(f"{plain(record)} is no short id")
        content = None if document is None else write_document(document)
        token = self._login.token()
        self._used.token = token
        headers = (*_WRITE_HEADERS, token.header, sigel_header(active_sigel), *more)
        began = self._clock.monotonic()
        try:
            reply = self._http.send(method, path, headers, content, last_look=self._last_look)
        except NoAnswer as error:
            if error.sent:
                self._pace.took(self._clock.monotonic() - began)
            return WriteAnswer(
                kind=AnswerKind.LOST,
                environment=self._environment.name,
                record=record,
                words=error.reason,
                sent=error.sent,
            )
        self._pace.took(self._clock.monotonic() - began)
        answer = write_answer(
            method,
            reply,
            environment=self._environment.name,
            record=record,
            iris=self._iris,
            now=self._clock.now(),
        )
        if answer.kind is AnswerKind.BUSY and answer.retry_after:
            self._pace.pause(
                answer.retry_after,
                self._rest(answer.retry_after),
            )
        return answer


def _pace(
    environment: Environment, clock: Clock, tell: Tell, note: Note, book: SharedBook | None
) -> Pace:
    if book is None:
        return Pace(environment, clock=clock, tell=tell, note=note)
    place = environment.base_url
    return Pace(
        environment,
        clock=clock,
        tell=tell,
        note=note,
        writes=SharedSpacing(book, place, "write", environment.rate, clock=clock),
        reads=SharedSpacing(book, place, "read", environment.read_rate, clock=clock),
        slots=SharedSlots(
            book,
            place,
            environment.concurrency,
            owner=this_process(),
            alive=is_alive,
            clock=clock,
            tell=tell,
        ),
    )


def _path(record: str) -> str:
    """Return the path of a short id, or of an IRI written as the server expects it."""
    return "/" + (record if SHORT_ID.fullmatch(record) else quote(record, safe=":/"))
