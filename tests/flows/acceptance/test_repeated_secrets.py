"""A proxy that repeats what it was sent, in everything it says: nothing of it is kept or shown."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import zipfile
from collections import deque
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
import re2

from tests.support.cli import update_label

FORMS = (
    str,
    str.upper,
    lambda text: text[::-1],
    lambda text: quote(text, safe=""),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b64encode(f"id:{text}".encode()).decode(),
    lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    lambda text: text[:10],
    lambda text: text[len(text) // 2 :] + text[: len(text) // 2],
    " ".join,
)


class Proxy(ThreadingHTTPServer):
    """Stands between program and sandbox, and learns what it must not."""

    daemon_threads = True

    def __init__(self, staging):
        super().__init__(("127.0.0.1", 0), Handler)
        self.staging = staging
        self.client = httpx.Client(trust_env=False)
        self.heard: set[str] = set()
        self.says = {}
        """Kind of request to a function that says status, headers and body instead."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def echoes(self):
        """Everything that was heard, in every form, as the entries of a failed validation."""
        return [
            {"type": "E", "path": ["@graph", form(text)], "value": form(text), form(text): 1}
            for text in sorted(self.heard)
            for form in FORMS
        ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def answer(self):
        proxy = self.server
        size = int(self.headers.get("content-length") or 0)
        content = self.rfile.read(size)
        is_login = self.path.startswith("/oauth")
        if token := self.headers.get("authorization", "").removeprefix("Bearer "):
            proxy.heard.add(token)
        if is_login:
            proxy.heard.update(parse_qs(content.decode()).get("client_secret", []))
        said = proxy.says.get("LOGIN" if is_login else self.command)
        if said is not None and (given := said(self)) is not None:
            status, headers, body = given
        else:
            login = urlsplit(proxy.staging.token_url)
            base = f"{login.scheme}://{login.netloc}" if is_login else proxy.staging.base_url
            got = proxy.client.request(
                self.command,
                base + self.path,
                headers={
                    key: value for key, value in self.headers.items() if key.lower() != "host"
                },
                content=content,
            )
            status, headers, body = got.status_code, dict(got.headers), got.content
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(key, value)
        self.send_header("X-Debug", "; ".join(sorted(proxy.heard)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (names that are looked for)


@pytest.fixture
def proxy(place):
    server = Proxy(place.sandbox.staging)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    path = urlsplit(place.sandbox.staging.token_url).path
    assert path.startswith("/oauth")
    place.configure(
        staging={"base_url": server.url, "token_url": server.url + path, "concurrency": 1}
    )
    yield server
    server.shutdown()
    server.server_close()
    server.client.close()
    thread.join()


def json_answer(status, said):
    said = {"status_code": status, **said}
    return status, {"Content-Type": "application/json"}, json.dumps(said).encode()


def everything(place, plan, run, tmp_path):
    """Return what was kept: the ledger, every report, the export."""
    kept = {}
    for name in filter(None, (plan, run)):
        for form in ("html", "json", "jsonl", "csv", "xlsx", "md", "zip"):
            path = tmp_path / f"{name}.{form}"
            place("report", name, "--format", form, "--out", path)
            kept[path.name] = path.read_bytes()
    if run:
        path = tmp_path / "export"
        place("ledger", "export", run, "--out", path)
        kept["export"] = path.read_bytes()
    for name in [name for name, data in kept.items() if data.startswith(b"PK")]:
        with zipfile.ZipFile(tmp_path / name) as archive:
            kept |= {f"{name}/{inner}": archive.read(inner) for inner in archive.namelist()}
    with closing(sqlite3.connect(place.ledger)) as database:
        kept["dump"] = "\n".join(database.iterdump()).encode()
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    assert place.ledger in files
    kept |= {str(path): path.read_bytes() for path in files}
    return kept


def assert_nowhere(heard, kept):
    """No eight characters of it in a row stand anywhere, forwards or backwards, nor its base64."""
    assert heard
    assert all(len(text) > 20 for text in heard)
    parts = {
        form[at : at + 8]
        for text in heard
        for form in (text, text[::-1])
        for at in range(len(form) - 7)
    }
    coded = {
        base64.b64encode(b"\0" * before + text.encode()).decode()[4:-4]
        for text in heard
        for before in range(3)
    }
    pattern = re2.compile("(?i)" + "|".join(map(re2.escape, sorted(parts | coded))))
    for name, data in kept.items():
        assert pattern.search(data.decode("utf-8", "replace")) is None, name


def told(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, {"stdout": out, "stderr": err}


def test_a_run_behind_a_proxy_that_repeats_everything(place, proxy, own, tmp_path):
    job = place.job("echo", operations=update_label(own[:8], to="Ht"))
    code, said = told(place.start("-vv", "plan", job, "--env", "staging"))
    assert code == 0, said
    assert_nowhere(proxy.heard, said)
    proxy.heard.clear()
    answers = deque(
        [
            lambda: json_answer(400, {"message": "no", "errors": proxy.echoes()}),
            lambda: json_answer(
                403, {"message": " ".join(form(t) for t in proxy.heard for form in FORMS)}
            ),
            lambda: json_answer(400, {"message": "no", "error_id": min(proxy.heard)}),
            lambda: (
                400,
                {"Content-Type": "text/html"},
                f"<p>{'</p><p>'.join(form(t) for t in proxy.heard for form in FORMS)}</p>".encode(),
            ),
            lambda: (302, {"Location": f"/login?token={min(proxy.heard)}"}, b""),
            lambda: (400, {"Content-Type": f"text/{min(proxy.heard)}"}, b"x"),
        ]
    )
    proxy.says["PUT"] = lambda _: answers.popleft()() if answers else None
    code, run_said = told(place.start("-vv", "run", job, "--env", "staging"))
    assert code in (5, 6), run_said
    document = json.loads(run_said["stdout"])
    assert document["outcomes"]["refused"] == 3, document
    for _ in range(4):  # what is not the catalogue's own answer interrupts the run
        if answers:
            code, more = told(place.start("-vv", "resume", document["run"]))
            assert code in (5, 6), more
            run_said = {key: value + more[key] for key, value in run_said.items()}
    assert not answers
    kept = everything(place, document["plan"], document["run"], tmp_path)
    assert "•••".encode() in kept[f"{document['run']}.json"]
    assert_nowhere(proxy.heard, {**kept, **run_said})


def test_a_plan_of_records_that_repeat_it(place, proxy, own, tmp_path):
    job = place.job("record", operations=update_label(own[:2], to="Ht"))

    def says(handler):
        if own[1] not in handler.path or not proxy.heard:
            return None
        document = place.sandbox.staging.document(own[1])
        document["@graph"][1]["shelfMark"]["label"] = " ".join(sorted(proxy.heard))
        return (
            200,
            {"Content-Type": "application/ld+json", "ETag": '"1"'},
            json.dumps(document).encode(),
        )

    proxy.says["GET"] = says
    code, said = told(place.start("-vv", "plan", job, "--env", "staging"))
    document = json.loads(said["stdout"])
    assert code == 6, document
    assert "repeats the client's secret or token" in document["error"]["message"]
    assert_nowhere(proxy.heard, {**everything(place, document["plan"], None, tmp_path), **said})


@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_login_that_repeats_the_secret(place, proxy, own, status):
    job = place.job("login", operations=update_label(own[:1], to="Ht"))
    proxy.says["LOGIN"] = lambda _: json_answer(
        status,
        {"error": "no", "error_description": " ".join(f(t) for t in proxy.heard for f in FORMS)},
    )
    code, said = told(place.start("-vv", "plan", job, "--env", "staging"))
    assert code == 7
    assert json.loads(said["stdout"])["error"]["code"] in ("login_refused", "login_down")
    assert_nowhere(proxy.heard, said)
