"""The way to a server: by which proxy, which certificates are believed, and what stands in the way.

Time mends a server that is down. It does not mend a certificate that nobody vouches for, a name
that nobody knows or a port where nobody listens: those are told with what to do, and not tried again.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpcore
import httpx

from bulkrunner.adapters.deadline import Deadline, DeadlineBackend
from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.config import Proxy

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
    context = ssl.create_default_context()
    if named := os.environ.get("SSL_CERT_FILE"):
        _believe(context, Path(named), "SSL_CERT_FILE")
    if named := os.environ.get("SSL_CERT_DIR"):
        _require_folder(named)
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


def describe(error: httpx.HTTPError) -> str:
    """Return how a request failed."""
    match error:
        case httpx.ProxyError():
            return f"the proxy answered {str(error)[:3]}"  # more may repeat the password
        case httpx.ConnectTimeout() | httpx.ConnectError():
            return f"no connection: {error}" if str(error) else "no connection in time"
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.RemoteProtocolError():
            return f"the answer broke off: {error}"
        case _:
            return f"the connection broke: {error}" if str(error) else "the connection broke"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
