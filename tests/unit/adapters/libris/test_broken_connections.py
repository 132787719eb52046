"""Connections that break, over real sockets."""

import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from bulkrunner.adapters.libris.http import Http, Limits, NoAnswer, RequestCount
from bulkrunner.errors import ConfigError
from tests.support.raw_server import raw_server, reset

METHODS = ("GET", "PUT", "POST", "DELETE")


def http(url, **limits):
    chosen = Limits(**{"silence": 5.0, "connect": 5.0, "body": 10_000, **limits})
    return Http(url, connections=2, methods=METHODS, count=RequestCount(), limits=chosen)


def keep(connection, request):
    connection.sendall(b'HTTP/1.1 204 No Content\r\nETag: "1"\r\n\r\n')


def cut_head(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-")


def cut_body(connection, request):
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half')


def cut_chunk(connection, request):
    connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"half')


def close_silently(connection, request):
    pass


def reset_silently(connection, request):
    reset(connection)


def reset_in_body(connection, request):
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half')
    reset(connection)


def nonsense(connection, request):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def too_long(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n" + b"x" * 10_001)


def endless_head(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Pad: " + b"x" * 200_000)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "script",
    [
        cut_head,
        cut_body,
        cut_chunk,
        close_silently,
        reset_silently,
        reset_in_body,
        nonsense,
        too_long,
        endless_head,
    ],
)
def test_a_broken_answer_is_no_answer_and_nothing_is_sent_again(script, method):
    with raw_server(script) as server, http(server.url) as client:
        with pytest.raises(NoAnswer) as caught:
            client.send(method, "/x", (), b"{}" if method == "PUT" else None)
        assert caught.value.sent
        assert caught.value.reason
        assert len(server.requests) == 1


def test_a_server_that_says_nothing_is_given_up():
    end = threading.Event()

    def silent(connection, request):
        end.wait(30)

    with raw_server(silent) as server, http(server.url, silence=0.05) as client:
        with pytest.raises(NoAnswer, match="no answer in time") as caught:
            client.send("PUT", "/x", (), b"{}")
        end.set()
    assert caught.value.sent


def test_a_head_that_trickles_is_given_up():
    end = threading.Event()

    def trickle(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        end.wait(30)

    with raw_server(trickle) as server, http(server.url, silence=0.05) as client:
        with pytest.raises(NoAnswer, match="no answer in time"):
            client.send("GET", "/x", ())
        end.set()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "]
)
def test_an_answer_that_drips_is_given_up(head):
    end = threading.Event()

    def drip(connection, request):
        connection.sendall(head)
        while not end.wait(0.001):
            connection.sendall(b"x")

    with raw_server(drip) as server, http(server.url, total=0.02) as client:
        with pytest.raises(NoAnswer, match="no answer in time") as caught:
            client.send("PUT", "/x", (), b"{}")
        end.set()
    assert caught.value.sent


def test_a_refused_connection_has_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        http(f"http://127.0.0.1:{port}") as client,
        pytest.raises(NoAnswer, match="no connection") as caught,
    ):
        client.send("PUT", "/x", (), b"{}")
    assert not caught.value.sent


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:PORT", "connection_refused"),
        ("https://[::1]:PORT", "connection_refused"),
        ("http://no-such-host.invalid:PORT", "name_unknown"),
        ("https://no-such-host.invalid:PORT", "name_unknown"),
    ],
)
def test_what_time_does_not_mend_is_told_with_what_to_do(url, key):
    url = url.replace("PORT", str(unused_port()))
    with http(url) as client, pytest.raises(NoAnswer) as caught:
        client.send("PUT", "/x", (), b"{}")
    assert caught.value.advice.key == key
    assert url.partition("//")[2] in str(caught.value.advice)
    assert not caught.value.sent


def test_who_has_answered_before_may_be_starting_anew():
    def bye(connection, request):
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with raw_server(bye) as server:
        client = http(server.url)
        assert client.send("GET", "/x", ()).status == 204
    with client, pytest.raises(NoAnswer, match="refused") as caught:
        client.send("GET", "/x", ())
    assert caught.value.advice is None


@pytest.mark.parametrize(
    ("greeting", "key"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "tls_not_spoken"),
        (b"HTTP/1.1 400 No\r\n", "tls_not_spoken"),
        (b"", None),
    ],
)
def test_what_speaks_no_tls_is_told_and_what_hangs_up_may_be_starting(greeting, key):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(greeting)
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        with (
            http(f"https://127.0.0.1:{listener.getsockname()[1]}") as client,
            pytest.raises(NoAnswer) as caught,
        ):
            client.send("PUT", "/x", (), b"{}")
        thread.join()
    assert not caught.value.sent
    assert (caught.value.advice and caught.value.advice.key) == key


def test_a_connection_is_kept_and_used_again():
    with raw_server(keep) as server, http(server.url) as client:
        for _ in range(3):
            assert client.send("GET", "/x", ()).status == 204
        assert (len(server.requests), server.connections) == (3, 1)


def test_a_write_on_a_kept_connection_that_dies_is_lost_and_not_repeated():
    with raw_server(keep, reset_silently) as server, http(server.url) as client:
        assert client.send("GET", "/x", ()).status == 204
        with pytest.raises(NoAnswer) as caught:
            client.send("PUT", "/x", (), b"{}")
        assert caught.value.sent
        assert len(server.requests) == 2


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody vouches for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    command += " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_a_certificate_that_nobody_vouches_for_stops_the_request(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with raw_server(keep, tls=context) as server:
        url = server.url.replace("http:", "https:")
        with http(url) as client, pytest.raises(NoAnswer, match="certificate") as caught:
            client.send("PUT", "/x", (), b"{}")
        assert not server.requests
    assert not caught.value.sent
    assert caught.value.advice.key == "certificate_unknown"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("SSL_CERT_FILE", None, "No such file"),
        ("SSL_CERT_FILE", "", "no certificate"),
        ("SSL_CERT_FILE", "[ledger]\n", "no certificate"),
        ("SSL_CERT_FILE", "-----BEGIN CERTIFICATE-----\nAAAA\n", "no certificate"),
        ("SSL_CERT_DIR", None, "no folder"),
        ("SSL_CERT_DIR", "a file", "no folder"),
    ],
)
def test_certificates_of_the_surroundings_that_are_none_are_named(
    tmp_path, monkeypatch, name, content, words
):
    named = tmp_path / "named.pem"
    if content is not None:
        named.write_text(content)
    monkeypatch.setenv(name, str(named))
    with pytest.raises(ConfigError, match=words) as caught:
        http("https://127.0.0.1")
    assert name in caught.value.message
    assert str(named) in caught.value.message
    assert name in caught.value.hint
    http("http://127.0.0.1").close()


def test_a_certificate_authority_of_the_surroundings_counts(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with (
        raw_server(keep, tls=context) as server,
        http(server.url.replace("http:", "https:")) as client,
    ):
        assert client.send("GET", "/x", ()).status == 204


def test_surroundings_do_not_reroute_requests(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with raw_server(keep) as server, http(server.url) as client:
        client.send("PUT", "/x", ((b"Authorization", b"Bearer mine"),), b"{}")
        assert b"Authorization: Bearer mine" in server.requests[0]
        assert server.requests[0].startswith(b"PUT /x HTTP/1.1\r\nHost: 127.0.0.1")
