"""The sandbox over real HTTP: connections that break, two environments, restarts."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.sandbox.server import bind
from tests.support.sandbox import (
    EnvironmentControl,
    SandboxControl,
    control_from_announcement,
    running_sandbox,
)
from tests.support.sandbox import (
    http as ask,
)

SMALL = ("--bibs", "20", "--holdings", "40")


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxControl]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxControl) -> SandboxControl:
    for environment in shared.environments:
        environment.clear_faults()
        environment.clear_log()
    return shared


def own(environment: EnvironmentControl, place: int = 0) -> str:
    return environment.records(sigel="Ylm")[place]


def put(environment: EnvironmentControl, short_id: str, label: str) -> Any:
    document = environment.document(short_id)
    document["@graph"][1]["shelfLabel"] = label
    etag = environment.get(short_id).headers["etag"]
    return environment.send("PUT", "/" + short_id, document, headers={"If-Match": etag})


def test_a_write_arrives_in_its_environment_only(sandbox: SandboxControl) -> None:
    short_id = own(sandbox.production)
    assert put(sandbox.production, short_id, "x").status == 204
    assert sandbox.production.document(short_id)["@graph"][1]["shelfLabel"] == "x"
    assert [entry["status"] for entry in sandbox.production.writes()] == [204]
    assert sandbox.staging.writes() == []


def test_environments_share_ids_and_libraries_but_neither_base_nor_tokens(
    sandbox: SandboxControl,
) -> None:
    staging, production = sandbox.environments
    short_id = next(i for i in staging.records(sigel="Ylm") if i in production.records())
    records = [environment.document(short_id)["@graph"] for environment in (staging, production)]
    assert records[0][0]["@id"] == f"{staging.base_url}/{short_id}"
    assert records[1][0]["@id"] == f"{production.base_url}/{short_id}"
    assert records[0][1]["heldBy"] == records[1][1]["heldBy"]
    foreign = {"Authorization": f"Bearer {staging.token()}"}
    assert production.send("DELETE", "/" + short_id, headers=foreign).status == 401
    assert ask("GET", production.verify_url, headers=foreign).status == 401


@pytest.mark.parametrize(("kind", "versions"), [("close_before", 1), ("close_after", 2)])
def test_a_closed_connection_gives_no_answer(
    sandbox: SandboxControl, kind: str, versions: int
) -> None:
    environment = sandbox.staging
    short_id = own(environment, 1 if kind == "close_before" else 2)
    environment.fault(kind, method="PUT")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        put(environment, short_id, "lost")
    assert len(environment.history(short_id)) == versions
    assert environment.faults()[0]["fired"] == 1
    assert environment.get(short_id).status == 200


def test_a_cut_answer_is_shorter_than_it_says(sandbox: SandboxControl) -> None:
    environment = sandbox.staging
    environment.fault("truncate", method="GET", path="^/[^_]")
    with pytest.raises(http.client.IncompleteRead) as caught:
        environment.get(own(environment))
    assert caught.value.expected
    assert caught.value.partial.startswith(b'{"@context"')


def test_latency_answers_all_the_same(sandbox: SandboxControl) -> None:
    sandbox.staging.fault("latency", ms=1)
    assert sandbox.staging.get(own(sandbox.staging)).status == 200


def test_an_error_page_and_an_empty_one(sandbox: SandboxControl) -> None:
    url = sandbox.staging.base_url
    page = ask("POST", url + "/data", headers={"Accept": "*/*"}, body=b"{}")
    assert (page.status, page.body[:6]) == (401, b"<html>")
    empty = ask("PUT", url + "/x", headers={"Accept": "*/*"}, body=b"{}")
    assert (empty.status, empty.body) == (401, b"")


@pytest.mark.parametrize("host", ["example.org", "libris.kb.se:80", "10.0.0.1"])
def test_other_host_names_are_refused(sandbox: SandboxControl, host: str) -> None:
    url = sandbox.staging.base_url + "/_sandbox/info"
    assert ask("GET", url, headers={"Host": host}).status == 421


def test_only_loopback_is_served() -> None:
    with bind(0) as bound:
        assert bound.getsockname()[0] == "127.0.0.1"


def test_parallel_writes_are_all_kept(sandbox: SandboxControl) -> None:
    environment = sandbox.staging
    short_ids = environment.records(sigel="Ylm")[3:11]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda short_id: put(environment, short_id, "p"), short_ids))
    assert [answer.status for answer in answers] == [204] * len(short_ids)
    assert len({entry["path"] for entry in environment.writes()}) == len(short_ids)


def test_a_connection_serves_many_requests(sandbox: SandboxControl) -> None:
    connection = http.client.HTTPConnection(sandbox.staging.base_url.removeprefix("http://"))
    for _ in range(3):
        connection.request("HEAD", f"/{own(sandbox.staging)}?embellished=false")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    connection.close()


def test_fixed_base_uris() -> None:
    bases = {"test": "https://libris-stg.kb.se/", "production": "https://libris.kb.se/"}
    with running_sandbox(base_uris=bases, bibs=20, holdings=40) as sandbox:
        short_id = own(sandbox.staging)
        document = sandbox.staging.document(short_id)
        assert document["@graph"][0]["@id"] == f"https://libris-stg.kb.se/{short_id}"


def test_the_configuration(tmp_path: Path, sandbox: SandboxControl) -> None:
    path = tmp_path / "bulkrunner.toml"
    credentials = sandbox.write_config(path)
    written = tomllib.loads(path.read_text())
    assert written["environments"]["staging"] == {
        "kind": "test",
        "base_url": sandbox.staging.base_url,
        "token_url": sandbox.staging.token_url,
        "rate": 500,
        "read_rate": 2000,
        "concurrency": 8,
    }
    assert written["environments"]["production"]["kind"] == "production"
    assert credentials.stat().st_mode & 0o777 == 0o600
    for environment in sandbox.environments:
        for secret in environment.secrets.values():
            assert secret not in path.read_text()
            assert secret in credentials.read_text()


@contextmanager
def process(tmp_path: Path, *arguments: str) -> Iterator[tuple[Any, SandboxControl]]:
    """A sandbox in a process of its own; killed at the end if it still runs."""
    config = tmp_path / "bulkrunner.toml"
    command = [sys.executable, "-m", "bulkrunner.sandbox", "--write-config", str(config)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield running, control_from_announcement(running.stdout.readline())
        finally:
            running.kill()


def test_records_survive_kill_9_and_secrets_stay_the_same(tmp_path: Path) -> None:
    arguments = ("--data", str(tmp_path / "data"), *SMALL)
    with process(tmp_path, *arguments) as (running, sandbox):
        secrets = sandbox.production.secrets
        short_id = own(sandbox.production)
        assert put(sandbox.production, short_id, "kept").status == 204
        before = sandbox.production.history(short_id)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    with process(tmp_path, *arguments) as (_, sandbox):
        assert sandbox.production.secrets == secrets
        assert sandbox.production.history(short_id) == before
        assert put(sandbox.production, short_id, "again").status == 204


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path, *SMALL) as (running, sandbox):
        secrets = sandbox.staging.secrets.values()
        arguments = Path(f"/proc/{running.pid}/cmdline")
        if arguments.exists():
            assert not any(secret in arguments.read_text() for secret in secrets)
        running.send_signal(number)
        assert running.wait(timeout=20) == 0


def test_a_file_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"@graph": [')
    command = [sys.executable, "-m", "bulkrunner.sandbox", "--load", str(bad)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "bad.jsonl" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_loaded_records_are_served_and_writable(tmp_path: Path) -> None:
    base = "https://libris.kb.se/"
    documents = [
        {
            "@graph": [
                {"@id": base + i, "@type": "Record", "mainEntity": {"@id": f"{base}{i}#it"}},
                t,
            ]
        }
        for i, t in (
            ("bcdfghjk0123456", {"@id": base + "bcdfghjk0123456#it", "@type": "Instance"}),
            (
                "hcdfghjk0123456",
                {
                    "@id": base + "hcdfghjk0123456#it",
                    "@type": "Item",
                    "heldBy": {"@id": base + "library/Xyz"},
                    "itemOf": {"@id": base + "bcdfghjk0123456#it"},
                },
            ),
        )
    ]
    file = tmp_path / "records.jsonl"
    file.write_text("\n".join(map(json.dumps, documents)))
    with running_sandbox(load=file) as sandbox:
        environment = sandbox.staging
        assert environment.records("hold", "Xyz") == ["hcdfghjk0123456"]
        answer = environment.send("DELETE", "/hcdfghjk0123456", sigel="Xyz")
        assert answer.status == 204
