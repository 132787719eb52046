"""HTTP to one origin: deadlines, tries, and faults of the way there; the only user of the HTTP library.

One call sends one request: nothing is retried, no redirect is followed, no cookie kept, and
proxy settings, ``.netrc`` and other surprises of the surroundings are not looked at. TLS is always
verified, against the system's certificates (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` count, as they
do for every program that uses OpenSSL); see ``route``.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from bulkrunner import __version__
from bulkrunner.adapters.libris.connection import (
    Deadline,
    connection,
    describe,
    is_connecting,
    tls_context,
    what_to_do,
)
from bulkrunner.adapters.redaction import Redaction
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.config import Network

# Headers of an answer that mean something here; what stands in others is not looked at.
USED_HEADERS = ("etag", "location", "content-type", "retry-after", "date")

USER_AGENT = f"bulkrunner/{__version__}"


# Its log repeats every header of an answer, and with it whatever the server repeats.
logging.getLogger("httpcore").setLevel(logging.WARNING)

# What the HTTP library calls the moment before it writes.
FIRST_BYTE = "http11.send_request_headers.started"

Header = tuple[bytes, bytes]

_OWN_HEADERS: tuple[Header, ...] = (
    (b"User-Agent", USER_AGENT.encode()),
    (b"Accept-Encoding", b"identity"),
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long to wait and how much to read.

    Attributes:
        connect: seconds to connect. silence: seconds without a byte. total: seconds for everything.
        body: most bytes of an answer's body.
    """

    connect: float = 10.0
    silence: float = 60.0
    total: float = 180.0
    body: int = 20 * 1024 * 1024

    def as_timeouts(self) -> dict[str, float]:
        """Return the limits as the HTTP library takes them."""
        return {
            "connect": self.connect,
            "read": self.silence,
            "write": self.silence,
            "pool": self.silence,
        }


class NoAnswer(Exception):
    """No complete answer came; never leaves the adapters.

    Attributes:
        sent: False where it is certain that no byte of the request left this machine.
        advice: what to do, where another try would bring the same; else None.
    """

    def __init__(self, reason: str, *, sent: bool, advice: Sentence | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.advice = advice


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A complete answer. Headers are looked up without regard to case.

    Attributes:
        redaction: hides what the server repeats of the client's secrets; None where the answer is
            data, which is taken as it is.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    redaction: Redaction | None = field(default=None, repr=False)

    def header(self, name: str) -> str:
        """Return a header's value, empty where it is absent."""
        value: str = self.headers.get(name, "")
        if self.redaction is None or not value:
            return value
        is_shown = name == "location" and self.status >= 300
        if is_shown or self.redaction.repeats(value.encode("utf-8", "replace")):
            return self.redaction.hide(value)
        return value

    @cached_property
    def body(self) -> bytes:
        """The body, without what it repeats of the client's secrets."""
        if self.redaction is None:
            return self.content
        return self.redaction.body(self.content, is_json=self.media_type.endswith("json"))

    @property
    def media_type(self) -> str:
        """The Content-Type in lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()


class RequestCount:
    """Counts requests; shared by all connections of one command."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0

    def add(self) -> None:
        with self._lock:
            self._value += 1

    @property
    def value(self) -> int:
        """How many were counted."""
        return self._value


class Http:
    """Sends requests to one origin; thread safe."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        methods: Iterable[str],
        count: RequestCount,
        limits: Limits | None = None,
        transport: httpx.BaseTransport | None = None,
        network: Network | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: scheme, host, port and perhaps a path that stands before every path asked for.
            connections: most at a time.
            methods: those that may be sent; any other is a fault of the program.
            count: counts every request.
            limits: of waiting and reading.
            transport: stands in for the network in tests.
            network: how servers are reached; None: without a proxy.

        Raises:
            ConfigError: certificates that are to be believed cannot be read.
        """
        self._proxy = network.proxy_for(url) if network else None
        ca_file = network.ca_file_for(url) if network else None
        self._base = url.rstrip("/")
        self._methods = frozenset(methods)
        self._count = count
        self._limits = limits or Limits()
        self._extensions = {"timeout": self._limits.as_timeouts()}
        self._deadline = Deadline()
        self.redaction = Redaction(*self.secrets)
        self._answered = False
        make = partial(connection, tls_context(url, ca_file), self._deadline, self._proxy)
        self._lines = _Lines(
            make if transport is None else lambda: transport,
            most=connections,
            patience=self._limits.silence,
        )

    def send(
        self,
        method: str,
        path: str,
        headers: Sequence[Header],
        content: bytes | None = None,
        *,
        last_look: Callable[[], None] | None = None,
        gives_token: bool = False,
    ) -> Reply:
        """Send one request and read the whole answer.

        ``last_look`` is called when the connection stands, just before the first byte. What it
        raises is raised, and nothing has left this machine. ``gives_token``: a good answer may
        hold a token; nothing of such an answer may be shown.

        Raises:
            NoAnswer: none came, or it broke off, or was too long or too slow, or its data repeats
                what only this client and its login may know.
        """
        if method not in self._methods:
            raise RuntimeError(f"{method} is not allowed on this connection")
        request = httpx.Request(
            method,
            self._base + path,
            headers=[*headers, *_OWN_HEADERS],
            content=content,
            extensions=dict(self._extensions),
        )
        begun = False

        def trace(event: str, facts: object) -> None:
            nonlocal begun
            if event == FIRST_BYTE and not is_connecting(facts):
                if last_look is not None:
                    last_look()
                begun = True

        if last_look is not None or self._proxy is not None:
            request.extensions["trace"] = trace
        self._count.add()
        self._deadline.start(self._limits.total)
        try:
            with self._lines.one() as line:
                response = line.handle_request(request)
                try:
                    body = self._read(response)
                finally:
                    response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._no_answer(error, sent=False) from None
        except httpx.HTTPError as error:
            sent = begun or self._proxy is None
            raise self._no_answer(error, sent=sent) from None
        self._answered = True
        return self._reply(response, body, is_data=method == "GET", gives_token=gives_token)

    def _no_answer(self, error: httpx.HTTPError, *, sent: bool) -> NoAnswer:
        host = urlsplit(self._base).netloc
        advice = what_to_do(error, host=host, answered=self._answered, proxy=self._proxy)
        return NoAnswer(self.redaction.hidden(describe(error)), sent=sent, advice=advice)

    def _reply(
        self, response: httpx.Response, body: bytes, *, is_data: bool, gives_token: bool
    ) -> Reply:
        status = response.status_code
        is_good = 200 <= status < 300
        redaction: Redaction | None = self.redaction
        if gives_token and is_good:
            redaction = None
        elif is_data and (is_good or status == httpx.codes.NOT_MODIFIED):
            used = (response.headers.get(name, "").encode() for name in USED_HEADERS)
            if self.redaction.repeats(body, *used):
                raise NoAnswer(Sentence("answer_repeats_secret"), sent=True)
            redaction = None
        return Reply(status=status, headers=response.headers, content=body, redaction=redaction)

    def _read(self, response: httpx.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("an answer that can be read is needed")
        for chunk in response.stream:
            chunks.append(chunk)
            size += len(chunk)
            if size > self._limits.body:
                raise NoAnswer(Sentence("answer_long", most=self._limits.body), sent=True)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise NoAnswer(Sentence("answer_compressed"), sent=True)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the way to the server holds that nobody else may know."""
        return self._proxy.login[1:] if self._proxy and self._proxy.login else ()

    def close(self) -> None:
        """Close every connection."""
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Lines:
    """Connections, each used by one thread at a time.

    The HTTP library's own pool asks the system about every one of its connections, under one lock,
    before each request: threads then wait for each other for most of the time.
    """

    def __init__(
        self, make: Callable[[], httpx.BaseTransport], *, most: int, patience: float
    ) -> None:
        self._make = make
        self._free: deque[httpx.BaseTransport] = deque()
        self._places = threading.BoundedSemaphore(most)
        self._patience = patience
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[httpx.BaseTransport]:
        """Lend the connection that was used last, or a new one.

        Raises:
            httpx.PoolTimeout: all stayed in use for too long.
        """
        if not self._places.acquire(timeout=self._patience):
            raise httpx.PoolTimeout("every connection is in use")
        try:
            line = self._free_or_new()
            try:
                yield line
            finally:
                self._free.append(line)
                if self._closed:
                    self.close()
        finally:
            self._places.release()

    def _free_or_new(self) -> httpx.BaseTransport:
        try:
            return self._free.pop()
        except IndexError:
            return self._make()

    def close(self) -> None:
        """Close every connection, those in use as soon as they are free."""
        self._closed = True
        with suppress(IndexError):
            while True:
                self._free.pop().close()


def origin(url: str) -> str:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


T = TypeVar("T")

# Requests for one question, before whoever should answer counts as unreachable.
TRIES = 6

FIRST_PAUSE = 0.5

LONGEST_PAUSE = 20.0


class TryAgain(Exception):
    """No usable answer this time.

    Attributes:
        problem: why, in words that may be shown.
        by_server: whoever was asked says so itself, in its own form.
        advice: what to do, where trying again would bring the same; then it is not done.
    """

    def __init__(
        self, problem: str, *, by_server: bool = False, advice: Sentence | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.by_server = by_server
        self.advice = advice


class Strange(TryAgain):
    """Something else answered than what was asked."""


def _is_for_now(error: BaseException) -> bool:
    return isinstance(error, TryAgain) and error.advice is None


class Patience:
    """Asks again with growing, scattered pauses; thread safe."""

    def __init__(
        self,
        sleep: Callable[[float], None],
        *,
        tries: int = TRIES,
        tell: Callable[[str, float | None], None] | None = None,
    ) -> None:
        self._tell = tell
        self._retrying = Retrying(
            sleep=sleep,
            stop=stop_after_attempt(tries),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
            retry=retry_if_exception(_is_for_now),
            before_sleep=self._before_sleep,
            reraise=True,
        )

    def __call__(self, question: Callable[[], T]) -> T:
        """Return the answer.

        Raises:
            TryAgain: the last problem, after as many tries as there are, or one that trying does not mend.
        """
        answer = self._retrying(question)
        if self._tell is not None and self._retrying.statistics["attempt_number"] > 1:
            self._tell("", None)
        return answer

    def _before_sleep(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if self._tell is not None and isinstance(error, TryAgain) and state.next_action:
            self._tell(error.problem, state.next_action.sleep)
