"""``make bench``: 20,000 operations planned and run, beside a bare httpx loop with the same requests.

Prints seconds, peak memory and the ratio, all from one run on one sandbox. Arguments: the number of
holdings (default 20000) and of threads (default 8).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

LIBRARY = "https://libris.kb.se/library/"
SIGELS = ("Ylm", "NO", "Hbg", "S", "G", "L", "U", "Um")
ALPHABET = "0123456789bcdfghjklmnpqrstvwxz"
BASE = "https://libris.kb.se/"


def short_id(kind: str, number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 30)
        digits = ALPHABET[rest] + digits
    return kind + digits.rjust(14, "0")


def record(short: str, thing: dict[str, Any]) -> dict[str, Any]:
    head = {
        "@id": BASE + short,
        "@type": "Record",
        "controlNumber": short,
        "created": "2019-03-01T10:00:00.000+01:00",
        "modified": "2019-03-01T10:00:00.000+01:00",
        "mainEntity": {"@id": f"{BASE}{short}#it"},
        "descriptionCreator": {"@id": LIBRARY + "S"},
        "descriptionLastModifier": {"@id": LIBRARY + "S"},
    }
    return {"@graph": [head, {"@id": f"{BASE}{short}#it", **thing}]}


def write_records(path: Path, count: int) -> list[str]:
    """Write bibs with one holding of each sigel; return the holdings' ids."""
    ids = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(-(-count // len(SIGELS))):
            bib = short_id("b", number + 1)
            title = {"@type": "Title", "mainTitle": f"Bok nummer {number}"}
            file.write(json.dumps(record(bib, {"@type": "Instance", "hasTitle": [title]})) + "\n")
            for place, sigel in enumerate(SIGELS):
                if len(ids) == count:
                    break
                ids.append(short_id("h", number * len(SIGELS) + place + 1))
                item = {
                    "@type": "Item",
                    "heldBy": {"@id": LIBRARY + sigel},
                    "itemOf": {"@id": f"{BASE}{bib}#it"},
                    "shelfMark": {"@type": "ShelfMark", "label": "Hc"},
                    "physicalLocation": ["Magasin", "Öppen hylla"],
                    "hasNote": [{"@type": "Note", "label": "Gåva 1987 från stadens vänner"}],
                    "inventoryLevel": 1,
                }
                file.write(json.dumps(record(ids[-1], item)) + "\n")
    return ids


def write_job(folder: Path, ids: list[str]) -> Path:
    folder.mkdir(parents=True)
    changes = [{"set": {"at": "shelfMark.label", "to": "Hce"}}]
    with (folder / "ops.jsonl").open("w", encoding="utf-8") as file:
        for one in ids:
            file.write(json.dumps({"update": one, "changes": changes}) + "\n")
    manifest = {
        "bulkrunner": 1,
        "job": "bench",
        "title": "Bench",
        "purpose": "Time",
        "on_behalf_of": "Ylm",
        "sigels": list(SIGELS),
        "operations": {"file": "ops.jsonl"},
    }
    (folder / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def start_sandbox(folder: Path, records: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bulkrunner.sandbox",
            "--load",
            str(records),
            "--write-config",
            str(folder / "sandbox.toml"),
        ],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def configure(folder: Path, facts: dict[str, Any], threads: int) -> dict[str, str]:
    lines = []
    for name, kind in (("staging", "test"), ("production", "production")):
        lines += [
            f"[environments.{name}]",
            f'kind = "{kind}"',
            f'base_url = "{facts[kind]["base_url"]}"',
            f'token_url = "{facts[kind]["token_url"]}"',
            f'base_uri = "{facts[kind]["base_uri"]}"',
            "rate = 100000",
            "read_rate = 100000",
            f"concurrency = {threads}",
        ]
    (folder / "bulkrunner.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    environ = dict(os.environ)
    for line in (folder / "sandbox.env").read_text(encoding="utf-8").splitlines():
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            environ[name] = value.strip("'\"")
    return environ


def timed(
    folder: Path, environ: dict[str, str], *arguments: str
) -> tuple[float, int, dict[str, Any]]:
    """Run a command; return seconds, peak memory in bytes and its document."""
    began = time.perf_counter()
    with (folder / "out.json").open("wb") as out, (folder / "err.txt").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "bulkrunner", *arguments, "--json"],
            cwd=folder,
            env=environ,
            stdout=out,
            stderr=err,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, high_water(process.pid))
            time.sleep(0.02)
    spent = time.perf_counter() - began
    if process.returncode:
        sys.exit((folder / "err.txt").read_text(encoding="utf-8"))
    return spent, peak, json.loads((folder / "out.json").read_bytes())


def high_water(pid: int) -> int:
    """Return the process's peak memory so far in bytes, as the kernel counts it; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    lines = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(next(lines, "VmHWM: 0 kB").split()[1]) * 1024


class BareLoop:
    """The same requests with nothing around them."""

    def __init__(self, facts: dict[str, Any], environ: dict[str, str], threads: int) -> None:
        self._base = facts["base_url"]
        self._base_uri = facts["base_uri"]
        self._threads = threads
        limits = httpx.Limits(max_connections=threads, max_keepalive_connections=threads)
        self._http = httpx.Client(limits=limits, timeout=60, trust_env=False)
        form = {
            "client_id": environ["BULKRUNNER_PRODUCTION_CLIENT_ID"],
            "client_secret": environ["BULKRUNNER_PRODUCTION_CLIENT_SECRET"],
            "grant_type": "client_credentials",
        }
        token = self._http.post(facts["token_url"], data=form).json()["access_token"]
        self._headers = {
            "Authorization": f"Bearer {token}",
            "XL-Active-Sigel": "Ylm",
            "Content-Type": "application/ld+json",
        }
        self.requests = 1
        self._lock = threading.Lock()

    def seconds(self, ids: list[str], bibs: list[str]) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(self._read, [*ids, *bibs]):
                pass
            for _ in pool.map(self._write, ids):
                pass
        return time.perf_counter() - began

    def _read(self, one: str) -> None:
        self._get(one).json()

    def _get(self, one: str, **headers: str) -> httpx.Response:
        with self._lock:
            self.requests += 1
        accept = {"Accept": "application/ld+json", **headers}
        return self._http.get(f"{self._base}/{one}?embellished=false", headers=accept)

    def _write(self, one: str) -> None:
        found = self._get(one)
        document = found.json()
        document.pop("@context", None)
        document["@graph"][1]["shelfMark"]["label"] = "Hce"
        headers = {**self._headers, "If-Match": found.headers["ETag"]}
        with self._lock:
            self.requests += 1
        put = self._http.put(f"{self._base}/{one}", content=json.dumps(document), headers=headers)
        assert put.status_code == 204, put
        assert self._get(one, **{"If-None-Match": put.headers["ETag"]}).status_code == 304


def main(count: int, threads: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bulkrunner-bench-") as name:
        folder = Path(name)
        ids = write_records(folder / "records.jsonl", count)
        bibs = [short_id("b", number + 1) for number in range(-(-count // len(SIGELS)))]
        job = str(write_job(folder / "job", ids))
        sandbox, facts = start_sandbox(folder, folder / "records.jsonl")
        try:
            environ = configure(folder, facts, threads)
            bare = BareLoop(facts["production"], environ, threads)
            loop = bare.seconds(ids, bibs)
            plan, plan_memory, planned = timed(folder, environ, "plan", job, "--env", "staging")
            run, run_memory, ran = timed(folder, environ, "run", job, "--env", "staging")
        finally:
            sandbox.terminate()
            sandbox.wait()
    assert planned["counts"]["update"] == ran["outcomes"]["applied"] == count
    requests = planned["requests"] + ran["requests"]
    print(f"{count} operations, {threads} threads, no latency")
    print(
        f"bare httpx loop   {loop:7.1f} s  {bare.requests:7} requests  {bare.requests / loop:6.0f}/s"
    )
    print(
        f"bulkrunner        {plan + run:7.1f} s  {requests:7} requests  {requests / (plan + run):6.0f}/s"
    )
    print(f"  plan            {plan:7.1f} s  peak {plan_memory / 1e6:6.1f} MB")
    print(f"  run             {run:7.1f} s  peak {run_memory / 1e6:6.1f} MB")
    print(f"ratio             {(plan + run) / loop:7.2f}")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [20000, 8][len(given) :]))
