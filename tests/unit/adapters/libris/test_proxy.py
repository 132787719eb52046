"""Requests by a proxy: a real one that connects, to a real server with TLS."""

import base64
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from bulkrunner.adapters.libris.http import Http, NoAnswer, RequestCount
from bulkrunner.config.network import Network, read_proxy
from bulkrunner.errors import ConfigError
from tests.support.raw_server import raw_server

PASSWORD = "pröxy-pass word"
LOGIN = "someone:pr%C3%B6xy-pass%20word@"


def keep(connection, request):
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    command += " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with raw_server(keep, tls=context) as running:
        yield running


class ConnectProxy:
    def __init__(self, listener):
        self.port = listener.getsockname()[1]
        self.heads = []
        self.answer = b""

    def network(self, login="", **more):
        return Network(proxy=read_proxy(f"http://{login}127.0.0.1:{self.port}"), **more)


def pump(source, target):
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def connect_proxy():
    """A proxy that answers CONNECT as it was told to, else by connecting."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = ConnectProxy(listener)

    def serve(client):
        with closing(client):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            proxy.heads.append(head)
            if proxy.answer:
                client.sendall(proxy.answer)
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join()

    def accept():
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()


@pytest.fixture
def proxy():
    with connect_proxy() as running:
        yield running


def http(url, network):
    methods = ("GET", "PUT")
    return Http(url, connections=2, methods=methods, count=RequestCount(), network=network)


def https(server):
    return server.url.replace("http:", "https:")


def test_requests_go_by_the_proxy_and_its_password_no_further(server, proxy, certificate):
    looks = []
    network = proxy.network(LOGIN, ca_file=certificate / "cert.pem")
    with http(https(server), network) as client:
        for _ in range(2):
            done = client.send("PUT", "/x", (), b"{}", last_look=lambda: looks.append(1))
            assert done.status == 204
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    login = base64.b64encode(f"someone:{PASSWORD}".encode())
    assert b"Proxy-Authorization: Basic " + login in head
    assert len(server.requests) == len(looks) == 2
    assert not any(b"roxy" in request for request in server.requests)


def test_what_raises_before_the_first_byte_keeps_it_from_the_server(server, proxy, certificate):
    def look():
        raise LookupError

    with (
        http(https(server), proxy.network(ca_file=certificate / "cert.pem")) as client,
        pytest.raises(LookupError),
    ):
        client.send("PUT", "/x", (), b"{}", last_look=look)
    assert not server.requests


def test_without_its_certificate_the_server_is_not_believed_behind_a_proxy_either(server, proxy):
    with http(https(server), proxy.network()) as client, pytest.raises(NoAnswer) as caught:
        client.send("GET", "/x", ())
    assert caught.value.advice.key == "certificate_unknown"
    assert f"127.0.0.1:{server.port}" in str(caught.value.advice)


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (f"407 who is {PASSWORD}", "proxy_login"),
        ("403 Forbidden", "proxy_forbids"),
        ("400 Bad Request", "proxy_forbids"),
        ("502 Bad Gateway", None),
        ("503 Busy", None),
        ("", None),
    ],
)
def test_a_proxy_that_does_not_connect_has_passed_nothing_on(server, proxy, answer, key):
    proxy.answer = f"HTTP/1.1 {answer}\r\n\r\n".encode("latin-1") if answer else b"\r\n"
    with http(https(server), proxy.network(LOGIN)) as client, pytest.raises(NoAnswer) as caught:
        client.send("PUT", "/x", (), b"{}")
    assert not caught.value.sent
    assert (caught.value.advice and caught.value.advice.key) == key
    said = f"{caught.value.reason} {caught.value.advice}"
    assert answer[:3] in said
    assert "pass word" not in said
    assert not server.requests


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1:1", "Nobody listens"), ("no-such-host.invalid:3128", "cannot be found")],
)
def test_a_proxy_that_is_not_there_is_named(address, words):
    network = Network(proxy=read_proxy(f"http://{address}"))
    with http("https://127.0.0.1:9", network) as client, pytest.raises(NoAnswer) as caught:
        client.send("PUT", "/x", (), b"{}")
    assert words in str(caught.value.advice)
    assert f"{address} is the proxy of [network] proxy." in str(caught.value.advice)
    assert not caught.value.sent


def test_plain_http_and_exceptions_go_by_no_proxy(server, proxy, certificate):
    with raw_server(keep) as plain, http(plain.url, proxy.network()) as client:
        assert client.send("GET", "/x", ()).status == 204
    network = proxy.network(ca_file=certificate / "cert.pem", exceptions="example.org, 127.0.0.1")
    with http(https(server), network) as client:
        assert client.send("GET", "/x", ()).status == 204
    assert not proxy.heads


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_authorities_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"\[network\] ca_file names .*ca\.pem") as caught:
        http("https://127.0.0.1:9", Network(ca_file=path))
    assert "[network] ca_file" in caught.value.hint
