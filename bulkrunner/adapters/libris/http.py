"""HTTP to one origin: deadlines, tries, and faults of the way there; the only user of the HTTP library.

One call sends one request: nothing is retried, no redirect is followed, no cookie kept, and
proxy settings, ``.netrc`` and other surprises of the surroundings are not looked at. TLS is always
verified, against the system's certificates (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` count, as they
do for every program that uses OpenSSL); see ``route``.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import httpcore
import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from bulkrunner import __version__
from bulkrunner.adapters.redaction import Redaction
from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.config import Network, Proxy


class Deadline(threading.local):
    """When the request of this thread must be over, on the monotonic clock."""

    def __init__(self) -> None:
        self.at = float("inf")

    def start(self, seconds: float) -> None:
        """Give this thread's next request so many seconds."""
        self.at = time.monotonic() + seconds

    def within(self, timeout: float | None) -> float | None:
        """Return the time-out of one step, cut to what is left in all."""
        left = max(0.0, self.at - time.monotonic())
        if left == float("inf"):
            return timeout
        return left if timeout is None else min(timeout, left)


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every step ends with the deadline of the thread that uses it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        within = self._deadline.within(timeout)
        if within == 0.0:
            raise httpcore.ReadTimeout("the request took too long in all")
        return self._stream.read(max_bytes, within)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        within = self._deadline.within(timeout)
        if within == 0.0:
            raise httpcore.WriteTimeout("the request took too long in all")
        self._stream.write(buffer, within)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on under TLS."""
        stream = self._stream.start_tls(
            ssl_context, server_hostname, self._deadline.within(timeout)
        )
        return DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Tell of the connection."""
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections that know the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._backend = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        stream = self._backend.connect_tcp(
            host, port, self._deadline.within(timeout), local_address, socket_options
        )
        return DeadlineStream(stream, self._deadline)


KEEP_ALIVE = 5.0

"""Seconds that an idle connection is kept; servers close theirs later."""

_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

"""Faults of TLS that a server has while it starts or ends."""


def connection(tls: ssl.SSLContext, deadline: Deadline, proxy: Proxy | None) -> httpx.HTTPTransport:
    """Return one connection, made when it is first used."""
    made = httpx.HTTPTransport(verify=tls, trust_env=False)
    # The pool that httpx would make, but for the deadline.
    how: dict[str, Any] = {
        "ssl_context": tls,
        "max_connections": 1,
        "max_keepalive_connections": 1,
        "keepalive_expiry": KEEP_ALIVE,
        "retries": 0,
        "http2": False,
        "network_backend": DeadlineBackend(deadline),
    }
    if proxy is None:
        made._pool = httpcore.ConnectionPool(**how)
        return made
    login = [word.encode() for word in proxy.login] if proxy.login else None
    made._pool = httpcore.HTTPProxy(
        proxy.address,
        proxy_auth=(login[0], login[1]) if login else None,
        proxy_ssl_context=tls if proxy.address.startswith("https:") else None,
        **how,
    )
    return made


def is_connecting(facts: object) -> bool:
    """Return True if what is traced is a request to a proxy, not yet one to the server."""
    request = facts.get("request") if isinstance(facts, Mapping) else None
    return getattr(request, "method", b"") == b"CONNECT"


def tls_context(url: str, ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that verifies; without any certificates where none are needed.

    Raises:
        ConfigError: what the configuration or the environment variables of OpenSSL name holds no
            certificates.
    """
    if urlsplit(url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    named = (os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))
    return _believing(ca_file, *named)


@cache
def _believing(ca_file: Path | None, cert_file: str, cert_dir: str) -> ssl.SSLContext:
    # Reading a system's certificates takes longer than many a command; all clients share one context.
    context = ssl.create_default_context()
    if cert_file:
        _believe(context, Path(cert_file), "SSL_CERT_FILE")
    if cert_dir:
        _require_folder(cert_dir)
    if not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
        context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        _believe(context, ca_file, "[network] ca_file")
    return context


def _believe(context: ssl.SSLContext, path: Path, named_by: str) -> None:
    """Believe the certificates of a file, which OpenSSL by itself passes over where it is none."""
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        why = Sentence("certificates_none")
    except OSError as error:
        why = Sentence("certificates_unread", why=error.strerror or str(error))
    else:
        return
    raise ConfigError(
        Sentence("certificates_unusable", named_by=named_by, path=str(path), why=why),
        hint=Sentence("certificates_unusable_hint", named_by=named_by),
        code="certificates",
    )


def _require_folder(named: str) -> None:
    if not any(Path(folder).is_dir() for folder in named.split(os.pathsep)):
        raise ConfigError(
            Sentence(
                "certificates_unusable",
                named_by="SSL_CERT_DIR",
                path=named,
                why=Sentence("certificates_no_folder"),
            ),
            hint=Sentence("certificates_unusable_hint", named_by="SSL_CERT_DIR"),
            code="certificates",
        )


def what_to_do(
    error: httpx.HTTPError, *, host: str, answered: bool, proxy: Proxy | None = None
) -> Sentence | None:
    """Return what to do about a connection that failed, None where waiting may be enough.

    Args:
        error: how it failed.
        host: that was asked, with its port.
        answered: it has answered before; it may then be starting anew.
        proxy: by which it is reached.
    """
    if proxy is not None and isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(str(error), proxy, host)
    seen = proxy.host if proxy else host
    tls_of = host if proxy is None or proxy.address.startswith("http:") else f"{host}, {seen}"
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Sentence("certificate_unknown", host=tls_of)
            case ssl.SSLError() if not isinstance(cause, _BROKEN_OFF):
                return Sentence("tls_not_spoken", host=tls_of)
            case socket.gaierror() if not answered:
                return _with_proxy(Sentence("name_unknown", host=seen), proxy)
            case ConnectionRefusedError() if not answered:
                return _with_proxy(Sentence("connection_refused", host=seen), proxy)
    return None


def _with_proxy(said: Sentence, proxy: Proxy | None) -> Sentence:
    if proxy is None:
        return said
    return Sentence("of_proxy", said=said, proxy=proxy.host, named_by=proxy.named_by)


def _refused_by_proxy(status: str, proxy: Proxy, host: str) -> Sentence | None:
    """Return what to do about a proxy's answer to CONNECT, None where it may go by."""
    if status.startswith("407"):
        return Sentence("proxy_login", proxy=proxy.host, named_by=proxy.named_by)
    if status.startswith("4"):
        return Sentence("proxy_forbids", proxy=proxy.host, named_by=proxy.named_by, host=host)
    return None


def describe(error: httpx.HTTPError) -> Sentence:
    """Return how a request failed."""
    match error:
        case httpx.ProxyError():
            # More of it may repeat the password.
            return Sentence("proxy_answered", status=str(error)[:3])
        case httpx.ConnectTimeout() | httpx.ConnectError():
            if not str(error):
                return Sentence("no_connection_in_time")
            return Sentence("no_connection", why=str(error))
        case httpx.TimeoutException():
            return Sentence("no_answer_in_time")
        case httpx.RemoteProtocolError():
            return Sentence("answer_broke_off", why=str(error))
        case _:
            if not str(error):
                return Sentence("connection_broke")
            return Sentence("connection_broke_because", why=str(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


USED_HEADERS = ("etag", "location", "content-type", "retry-after", "date")

"""Headers of an answer that mean something here; what stands in others is not looked at."""

USER_AGENT = f"bulkrunner/{__version__}"

# Its log repeats every header of an answer, and with it whatever the server repeats.
logging.getLogger("httpcore").setLevel(logging.WARNING)

FIRST_BYTE = "http11.send_request_headers.started"

"""What the HTTP library calls the moment before it writes."""

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
        """Count one."""
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

TRIES = 6

"""Requests for one question, before whoever should answer counts as unreachable."""

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
