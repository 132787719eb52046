"""Serving a sandbox over HTTP, on this machine only, and the configuration for its users."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response as WebResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bulkrunner.sandbox.engine import (
    CLIENT_IDS,
    KINDS,
    Environment,
    SandboxOptions,
    build_environment,
    client_secret,
    open_store,
)
from bulkrunner.sandbox.wire import Cut, Request, Response

LOOPBACK = "127.0.0.1"

_MOST_BODY = 64 * 1024 * 1024

_STOP_PATIENCE = 2

_START_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """One environment and where it is served."""

    kind: str
    environment: Environment
    socket: socket.socket

    @property
    def base_url(self) -> str:
        """Address of the catalogue, without a slash at its end."""
        return address(self.socket)

    @property
    def token_url(self) -> str:
        """Address that gives out tokens."""
        return self.base_url + "/oauth/token"


def address(bound: socket.socket) -> str:
    """Return the base address of a bound socket."""
    host, port = bound.getsockname()
    return f"http://{host}:{port}"


def bind(port: int) -> socket.socket:
    """Take a port of this machine's own address; 0 takes any free one."""
    # Named as TCP, so that asyncio turns Nagle's algorithm off for its connections.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Connections:
    """The open connections of a port: a fault cuts one, a server that stops waits for all."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}
        self._all_gone = asyncio.Event()
        self._all_gone.set()

    def opened(self, client: tuple[str, int], transport: asyncio.Transport) -> None:
        self._open[client] = transport
        self._all_gone.clear()

    def closed(self, client: tuple[str, int]) -> None:
        self._open.pop(client, None)
        if not self._open:
            self._all_gone.set()

    def of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        return self._open.get(client)

    async def end(self, patience: float) -> None:
        """Wait until all are closed; cut those that are not after so many seconds."""
        try:
            await asyncio.wait_for(self._all_gone.wait(), patience)
        except TimeoutError:
            for transport in list(self._open.values()):
                transport.abort()
            await self._all_gone.wait()


class _Endpoint:
    """Hands each request of a port to its environment."""

    def __init__(self, environment: Environment, connections: _Connections) -> None:
        self._environment = environment
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        web = WebRequest(scope, receive)
        if not _is_loopback(_host_of(web.headers.get("host", ""))):
            await WebResponse(b"Only this machine.", status_code=421)(scope, receive, send)
            return
        try:
            body = await _read(web)
        except ClientDisconnect:
            return
        if body is None:
            await WebResponse(b"Too large.", status_code=413)(scope, receive, send)
            return
        request = _request(scope, web, body)
        ticket = self._environment.admit(request)
        if ticket.delay_ms:
            await asyncio.sleep(ticket.delay_ms / 1000)
        response = self._environment.answer(ticket)
        await self._send(response, request.method, scope, receive, send)

    async def _send(
        self, response: Response, method: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        transport = self._connections.of(tuple(scope["client"]))
        if response.cut is Cut.NOTHING_SENT:
            if transport is not None:
                transport.abort()
            await _gone(receive)
            return
        if response.cut is Cut.HALF_SENT and transport is not None and response.body:
            await _send_half(response, send)
            transport.close()
            await _gone(receive)
            return
        body = b"" if method == "HEAD" else response.body
        answer = WebResponse(body, status_code=response.status)
        for name, value in response.headers:
            answer.headers.append(name, value)
        await answer(scope, receive, send)


async def _gone(receive: Receive) -> None:
    """Wait until the connection has ended, so that the server does not miss an answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_half(response: Response, send: Send) -> None:
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    half = response.body[: len(response.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})


async def _read(web: WebRequest) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async for chunk in web.stream():
        size += len(chunk)
        if size > _MOST_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _host_of(header: str) -> str:
    host, _, port = header.rpartition(":")
    return (host if port.isdigit() and host else header).strip("[]")


def _request(scope: Scope, web: WebRequest, body: bytes) -> Request:
    query_string = scope["query_string"].decode("latin-1")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=tuple(parse_qsl(query_string, keep_blank_values=True)),
        query_string=query_string,
        headers=dict(web.headers),
        body=body,
    )


def make_app(environment: Environment, connections: _Connections) -> Starlette:
    """Return the web application of one environment."""
    return Starlette(routes=[Route("/{path:path}", _Endpoint(environment, connections))])


def _protocol(connections: _Connections) -> type[H11Protocol]:
    class TrackedProtocol(H11Protocol):
        """Remembers each connection's transport, so that a fault can cut it."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                connections.opened(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self.client is not None:
                connections.closed(self.client)

    return TrackedProtocol


class _Server(uvicorn.Server):
    """Serves one environment from a loop that runs already, and stops without polling."""

    def __init__(self, served: Served) -> None:
        self._socket = served.socket
        self._connections = _Connections()
        super().__init__(
            uvicorn.Config(
                make_app(served.environment, self._connections),
                http=_protocol(self._connections),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=120,
            )
        )

    async def begin(self) -> None:
        """Take connections from now on."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[self._socket])

    async def end(self) -> None:
        """Take no more, let requests under way be answered, and close."""
        for listening in self.servers:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._connections.end(_STOP_PATIENCE)
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


def open_pair(
    options: SandboxOptions, *, ports: dict[str, int] | None = None
) -> tuple[Served, Served]:
    """Take the ports and fill the test and the production environment."""
    opened: list[Served] = []
    for kind in KINDS:
        bound = bind((ports or {}).get(kind, 0))
        environment = build_environment(
            options, kind, served_at=address(bound) + "/", store=open_store(options, kind)
        )
        opened.append(Served(kind=kind, environment=environment, socket=bound))
    return opened[0], opened[1]


async def _serve_all(
    pair: tuple[Served, ...],
    *,
    ready: Callable[[], None],
    arrange_stop: Callable[[Callable[[], None]], None],
) -> None:
    stopped = asyncio.Event()
    arrange_stop(stopped.set)
    servers = [_Server(served) for served in pair]
    for server in servers:
        await server.begin()
    ready()
    await stopped.wait()
    await asyncio.gather(*(server.end() for server in servers))


def serve(pair: tuple[Served, ...], *, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called once answers are given."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def on_signals(stop: Callable[[], None]) -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop)

        await _serve_all(pair, ready=ready, arrange_stop=on_signals)

    try:
        asyncio.run(main())
    finally:
        close(pair)


def close(pair: tuple[Served, ...]) -> None:
    """Let go of ports and files."""
    for served in pair:
        served.socket.close()
        served.environment.store.close()


class RunningSandbox:
    """A sandbox served from a thread of this process, for as long as the context lasts."""

    def __init__(
        self, options: SandboxOptions | None = None, *, ports: dict[str, int] | None = None
    ) -> None:
        self._options = options or SandboxOptions()
        self._ports = ports
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._pair: tuple[Served, Served] | None = None

    @property
    def test(self) -> Served:
        """The test environment."""
        return self._served[0]

    @property
    def production(self) -> Served:
        """The production environment."""
        return self._served[1]

    @property
    def _served(self) -> tuple[Served, Served]:
        if self._pair is None:
            raise RuntimeError("The sandbox is not running.")
        return self._pair

    def __enter__(self) -> Self:
        self._pair = open_pair(self._options, ports=self._ports)
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_PATIENCE):
            raise RuntimeError("The sandbox did not start.")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join()
        close(self._served)

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await _serve_all(self._served, ready=self._ready.set, arrange_stop=self._keep_stop)

        asyncio.run(main())

    def _keep_stop(self, stop: Callable[[], None]) -> None:
        self._stop = stop


_NAMES = {"test": "staging", "production": "production"}

_FIRST_CLIENT = "supplier"


def write_configuration(path: Path, pair: tuple[Served, ...]) -> Path:
    """Write the configuration and, beside it, the clients' secrets for the shell to read.

    Returns:
        The path of the file with the secrets, readable by its owner only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(map(_environment_table, pair)), encoding="utf-8")
    secrets_path = path.with_suffix(".env")
    secrets_path.unlink(missing_ok=True)
    descriptor = os.open(secrets_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(_export_lines(pair))
    return secrets_path


def _environment_table(served: Served) -> str:
    lines = [
        f"[environments.{_NAMES[served.kind]}]",
        f"kind = {json.dumps(served.kind)}",
        f"base_url = {json.dumps(served.base_url)}",
        f"token_url = {json.dumps(served.token_url)}",
    ]
    base_uri = served.environment.settings.base_uri
    if base_uri != served.base_url + "/":
        lines.append(f"base_uri = {json.dumps(base_uri)}")
    lines += ["rate = 500", "read_rate = 2000", "concurrency = 8"]
    return "\n".join(lines) + "\n\n"


def _export_lines(pair: tuple[Served, ...]) -> list[str]:
    lines: list[str] = []
    for client_id in CLIENT_IDS:
        first = client_id == _FIRST_CLIENT
        lines.append(f"# client {client_id}{'' if first else ': take the marks off to use it'}\n")
        for served in pair:
            prefix = f"BULKRUNNER_{_NAMES[served.kind].upper()}"
            secret = client_secret(served.environment, client_id)
            for name, value in (("CLIENT_ID", client_id), ("CLIENT_SECRET", secret)):
                mark = "" if first else "# "
                lines.append(f"{mark}export {prefix}_{name}={shlex.quote(value)}\n")
    return lines


def run(
    options: SandboxOptions, *, ports: dict[str, int], write_config: Path | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; one line of JSON on stdout says where."""
    pair = open_pair(options, ports=ports)
    secrets_path = write_configuration(write_config, pair) if write_config else None

    def announce() -> None:
        facts = {served.kind: _facts(served) for served in pair}
        paths = {"config": write_config, "credentials": secrets_path}
        shown = {name: str(path.resolve()) if path else None for name, path in paths.items()}
        sys.stdout.write(json.dumps({**facts, "pid": os.getpid(), **shown}) + "\n")
        sys.stdout.flush()

    serve(pair, ready=announce)


def _facts(served: Served) -> dict[str, str]:
    return {
        "base_url": served.base_url,
        "base_uri": served.environment.settings.base_uri,
        "token_url": served.token_url,
    }
