"""A connection to a server or a proxy: deadlines, certificates, and what to do where it fails."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpcore
import httpx

from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.config import Proxy


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
        stream = self._backend.connect_tcp(
            host, port, self._deadline.within(timeout), local_address, socket_options
        )
        return DeadlineStream(stream, self._deadline)


# Seconds that an idle connection is kept; servers close theirs later.
KEEP_ALIVE = 5.0

# Faults of TLS that a server has while it starts or ends.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


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
