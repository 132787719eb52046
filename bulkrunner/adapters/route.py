"""The way to a server: which certificates are believed, and what stands in the way.

Time mends a server that is down. It does not mend a certificate that nobody vouches for, a name
that nobody knows or a port where nobody listens: those are told with what to do, and not tried again.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpcore
import httpx

from bulkrunner.adapters.deadline import Deadline, DeadlineBackend
from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

KEEP_ALIVE = 5.0
"""Seconds that an idle connection is kept; servers close theirs later."""

_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""Faults of TLS that a server has while it starts or ends."""


def connection(tls: ssl.SSLContext, deadline: Deadline) -> httpx.HTTPTransport:
    """Return one connection, made when it is first used."""
    made = httpx.HTTPTransport(verify=tls, trust_env=False)
    # The pool that httpx would make, but for the deadline.
    made._pool = httpcore.ConnectionPool(
        ssl_context=tls,
        max_connections=1,
        max_keepalive_connections=1,
        keepalive_expiry=KEEP_ALIVE,
        retries=0,
        http2=False,
        network_backend=DeadlineBackend(deadline),
    )
    return made


def tls_context(url: str) -> ssl.SSLContext:
    """Return a context that verifies; without any certificates where none are needed.

    Raises:
        ConfigError: what the environment variables of OpenSSL name holds no certificates.
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


def what_to_do(error: httpx.HTTPError, *, host: str, answered: bool) -> Sentence | None:
    """Return what to do about a connection that failed, None where waiting may be enough.

    Args:
        error: how it failed.
        host: that was asked, with its port.
        answered: it has answered before; it may then be starting anew.
    """
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Sentence("certificate_unknown", host=host)
            case ssl.SSLError() if not isinstance(cause, _BROKEN_OFF):
                return Sentence("tls_not_spoken", host=host)
            case socket.gaierror() if not answered:
                return Sentence("name_unknown", host=host)
            case ConnectionRefusedError() if not answered:
                return Sentence("connection_refused", host=host)
    return None


def describe(error: httpx.HTTPError) -> str:
    """Return how a request failed."""
    match error:
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
