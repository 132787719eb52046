"""A limit on the whole of a request: the HTTP library limits only each single silence.

A server that sends one byte a minute would else hold a thread for as long as it likes.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore


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
