"""A running sandbox for tests: addresses, credentials, faults, log and history in one object.

    with running_sandbox() as sandbox:
        sandbox.production.base_url, sandbox.production.token_url
        sandbox.staging.credentials("supplier")
        sandbox.production.fault("close_after", method="PUT", nth=3)
        sandbox.production.writes()

It speaks to the environments over HTTP only, so it can stand beside any process.
"""

from __future__ import annotations

import json
import shlex
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bulkrunner.sandbox.engine import (
    CLIENT_IDS,
    KINDS,
    Environment,
    SandboxOptions,
    build_environment,
    client_secret,
)
from bulkrunner.sandbox.server import RunningSandbox, write_configuration

BIBS, HOLDINGS = 60, 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer; errors are answers too and redirects are not followed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def http(
    method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Send one request with the standard library."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with _OPENER.open(request, timeout=30) as found:
            return Answer(status=found.status, headers=_lower(found.headers), body=found.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(status=error.code, headers=_lower(error.headers), body=error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@dataclass(kw_only=True)
class EnvironmentControl:
    """One environment, seen and steered from outside."""

    name: str
    kind: str
    base_url: str
    base_uri: str
    secrets: dict[str, str] = field(repr=False)
    environment: Environment | None = field(default=None, repr=False)
    """Where it is served from this process."""

    def __getstate__(self) -> dict[str, Any]:
        """Another process asks over HTTP alone."""
        return {**self.__dict__, "environment": None}

    @property
    def token_url(self) -> str:
        return self.base_url + "/oauth/token"

    @property
    def verify_url(self) -> str:
        return self.base_url + "/oauth/verify"

    def credentials(self, client: str = "supplier") -> tuple[str, str]:
        """Client id and secret."""
        return client, self.secrets[client]

    def token(self, client: str = "supplier") -> str:
        """A fresh token of a client."""
        client_id, secret = self.credentials(client)
        form = {
            "client_id": client_id,
            "client_secret": secret,
            "grant_type": "client_credentials",
        }
        answer = http("POST", self.token_url, body=urllib.parse.urlencode(form).encode())
        assert answer.status == 200, answer
        return str(answer.json["access_token"])

    # The catalogue, as a careful client uses it

    def record_iri(self, short_id: str) -> str:
        return self.base_uri + short_id

    def thing_iri(self, short_id: str) -> str:
        return self.base_uri + short_id + "#it"

    def get(self, short_id: str, query: str = "embellished=false") -> Answer:
        return http(
            "GET", f"{self.base_url}/{short_id}?{query}", headers={"Accept": "application/ld+json"}
        )

    def document(self, short_id: str) -> dict[str, Any]:
        """A record as stored now, without @context."""
        answer = self.get(short_id)
        assert answer.status == 200, answer
        document: dict[str, Any] = answer.json
        del document["@context"]
        return document

    def send(
        self,
        method: str,
        path: str,
        document: dict[str, Any] | None = None,
        *,
        client: str = "supplier",
        sigel: str = "Ylm",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A write with a fresh token."""
        sent = {
            "Authorization": f"Bearer {self.token(client)}",
            "XL-Active-Sigel": sigel,
            "Content-Type": "application/ld+json",
            "Accept": "application/json",
            **(headers or {}),
        }
        body = None if document is None else json.dumps(document).encode()
        return http(method, self.base_url + path, headers=sent, body=body)

    # The sandbox's own controls

    def control(self, method: str, path: str, content: Any = None) -> Any:
        """Call a control path and return its JSON."""
        body = None if content is None else json.dumps(content).encode()
        answer = http(method, f"{self.base_url}/_sandbox/{path}", body=body)
        assert answer.status == 200, answer
        return answer.json

    def fault(self, kind: str, **rule: Any) -> None:
        """Put a fault rule in force."""
        self.control("POST", "faults", [{"kind": kind, **rule}])

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each struck."""
        return list(self.control("GET", "faults"))

    def clear_faults(self, kind: str = "") -> None:
        self.control("DELETE", f"faults?kind={kind}" if kind else "faults")

    def log(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Every request handled, logins included."""
        return list(self.control("GET", f"log?since={since}"))

    def writes(self) -> list[dict[str, Any]]:
        """Write requests to the catalogue, done or refused."""
        return list(self.control("GET", "log?writes=1"))

    def came(self, *, writes: bool = False) -> int:
        """Count the requests, or the writes, in the log; quick where it is served from this process."""
        if self.environment is None:
            return len(self.writes() if writes else self.log())
        return len(self.environment.journal.entries(writes=writes))

    def clear_log(self) -> None:
        self.control("DELETE", "log")

    def history(self, short_id: str) -> list[dict[str, Any]]:
        """Every stored version of a record, oldest first."""
        return list(self.control("GET", f"history/{short_id}"))

    def records(self, collection: str = "hold", sigel: str | None = None) -> list[str]:
        """Short ids of live records."""
        query = {"collection": collection} | ({"sigel": sigel} if sigel else {})
        return list(self.control("GET", "records?" + urllib.parse.urlencode(query)))

    def edit(self, short_id: str, **wish: Any) -> dict[str, Any]:
        """Somebody else's edit (``set``, ``doc``) or deletion (``delete=True``), made now."""
        return dict(self.control("POST", "edit", {"id": short_id, **wish}))

    def expire_tokens(self) -> None:
        self.control("POST", "tokens/expire")

    def revoke(self, client: str = "supplier") -> None:
        self.control("POST", f"clients/{client}/revoke")

    def set_permissions(self, client: str, *permissions: dict[str, Any]) -> None:
        """Give a client other rights: ``{"code": "Ylm", "registrant": True}``."""
        self.control("POST", f"clients/{client}/permissions", list(permissions))

    def revive(self, short_id: str, document: dict[str, Any]) -> None:
        """Let a deleted record live again, as a PUT to it does."""
        document["@graph"][0]["recordStatus"] = "marc:CorrectedOrRevised"
        etag = self.history(short_id)[-1]["etag"]
        answer = self.send("PUT", f"/{short_id}", document, headers={"If-Match": f'"{etag}"'})
        assert answer.status == 204, answer

    def refresh(self) -> None:
        """Let every write show in searches."""
        self.control("POST", "refresh")

    def move_clock(self, **delta: float) -> None:
        """Move the environment's clock, with the keywords of ``timedelta``."""
        self.control("POST", "clock", delta)


@dataclass(kw_only=True)
class SandboxControl:
    """Both environments, and the object that serves them where it runs in this process."""

    staging: EnvironmentControl
    production: EnvironmentControl
    running: RunningSandbox | None = None

    @property
    def environments(self) -> tuple[EnvironmentControl, EnvironmentControl]:
        return self.staging, self.production

    def write_config(self, path: Path) -> Path:
        """Write a bulkrunner.toml; returns the file with the secrets beside it."""
        assert self.running is not None
        return write_configuration(path, (self.running.test, self.running.production))

    def variables(self, client: str = "supplier") -> dict[str, str]:
        """Environment variables that carry the credentials."""
        found: dict[str, str] = {}
        for environment in self.environments:
            prefix = f"BULKRUNNER_{environment.name.upper()}"
            client_id, secret = environment.credentials(client)
            found |= {f"{prefix}_CLIENT_ID": client_id, f"{prefix}_CLIENT_SECRET": secret}
        return found


@cache
def _patterns(bibs: int, holdings: int) -> dict[str, Environment]:
    """Seed a catalogue of each size once a process; sandboxes copy it."""
    options = SandboxOptions(bibs=bibs, holdings=holdings)
    return {
        kind: build_environment(options, kind, served_at="http://seed.invalid/") for kind in KINDS
    }


@contextmanager
def running_sandbox(
    *, ports: dict[str, int] | None = None, **options: Any
) -> Iterator[SandboxControl]:
    """Serve a small sandbox from a thread; options are those of ``SandboxOptions``.

    Args:
        ports: by kind, where it is to be served at the addresses of an earlier one.
    """
    size = {"bibs": BIBS, "holdings": HOLDINGS, **options}
    if size.keys().isdisjoint({"load", "data", "seed", "time_zone"}):
        size["patterns"] = _patterns(size["bibs"], size["holdings"])
    chosen = SandboxOptions(**size)
    with RunningSandbox(chosen, ports=ports) as running:
        staging, production = (
            EnvironmentControl(
                name=name,
                kind=served.kind,
                base_url=served.base_url,
                base_uri=served.environment.settings.base_uri,
                secrets={c: client_secret(served.environment, c) for c in CLIENT_IDS},
                environment=served.environment,
            )
            for name, served in (("staging", running.test), ("production", running.production))
        )
        yield SandboxControl(staging=staging, production=production, running=running)


def control_from_announcement(line: str) -> SandboxControl:
    """Steer a sandbox of another process, from the line that it prints at its start.

    The sandbox must have been started with ``--write-config``.
    """
    facts = json.loads(line)
    secrets = _secrets_in(Path(facts["credentials"]))
    staging, production = (
        EnvironmentControl(
            name=name,
            kind=kind,
            base_url=facts[kind]["base_url"],
            base_uri=facts[kind]["base_uri"],
            secrets=secrets[name],
        )
        for name, kind in (("staging", "test"), ("production", "production"))
    )
    return SandboxControl(staging=staging, production=production)


def _secrets_in(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"staging": {}, "production": {}}
    clients: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.lstrip("# ").removeprefix("export ").partition("=")
        if not equals:
            continue
        environment = name.split("_")[1].lower()
        plain = shlex.split(value)[0]
        if name.endswith("_CLIENT_ID"):
            clients[environment] = plain
        else:
            found[environment][clients[environment]] = plain
    return found


def wait_until(ready: Any, *, patience: float = 20.0) -> Any:
    """Call until something true comes back; for what another process does in its own time."""
    end = time.monotonic() + patience
    while not (found := ready()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found
