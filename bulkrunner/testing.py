"""The embedded Libris for tests of any client: a pytest plugin, and the same without pytest.

    def test_my_client(libris):
        libris.fault("close_after", method="PUT", nth=3)
        my_client.run(libris.base_url, *libris.credentials())
        assert len(libris.writes()) == 4

``libris`` is a test environment, ``libris_pair`` that and one like production, each new for every test.
``@pytest.mark.libris(bibs=10, holdings=30)`` or ``(records=[…])`` says what they hold. All is asked
over HTTP, so that a client of another process or language can be tested too.
"""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bulkrunner.sandbox.engine import Environment
    from bulkrunner.sandbox.server import RunningSandbox

# What each environment holds where a test does not say.
BIBS, HOLDINGS = 60, 200

# Seconds that an answer may take.
PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer; errors are answers too and redirects are not followed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 (none is followed)
        return None


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def http(
    method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Send one request to the embedded Libris."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})  # noqa: S310 (this machine)
    try:
        with _OPENER.open(request, timeout=PATIENCE) as found:
            return Answer(status=found.status, headers=_lower(found.headers), body=found.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(status=error.code, headers=_lower(error.headers), body=error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@dataclass(kw_only=True)
class Libris:
    """One environment, seen and steered from outside.

    Attributes:
        name: as bulkrunner's configuration calls it: ``staging`` or ``production``.
        kind: ``test`` or ``production``.
        base_url: where it is served, without a slash at the end. base_uri: what record IRIs begin with.
        secrets: by client.
    """

    name: str
    kind: str
    base_url: str
    base_uri: str
    secrets: dict[str, str] = field(repr=False)
    # Where it is served from this process.
    environment: Environment | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Another process asks over HTTP alone."""
        return {**self.__dict__, "environment": None}

    @property
    def token_url(self) -> str:
        """Address that gives out tokens."""
        return self.base_url + "/oauth/token"

    @property
    def verify_url(self) -> str:
        """Address that tells what a token may do."""
        return self.base_url + "/oauth/verify"

    def credentials(self, client: str = "supplier") -> tuple[str, str]:
        """Return id and secret of a client: ``supplier``, ``cataloguer``, ``global`` or ``other``."""
        return client, self.secrets[client]

    def token(self, client: str = "supplier") -> str:
        """Return a fresh token of a client."""
        client_id, secret = self.credentials(client)
        form = {
            "client_id": client_id,
            "client_secret": secret,
            "grant_type": "client_credentials",
        }
        answer = http("POST", self.token_url, body=urllib.parse.urlencode(form).encode())
        return str(_good(answer).json["access_token"])

    # The catalogue, as a careful client uses it

    def record_iri(self, short_id: str) -> str:
        """Return the IRI of a record."""
        return self.base_uri + short_id

    def thing_iri(self, short_id: str) -> str:
        """Return the IRI of what a record describes."""
        return self.base_uri + short_id + "#it"

    def get(self, short_id: str, query: str = "embellished=false") -> Answer:
        """Read a record."""
        return http(
            "GET", f"{self.base_url}/{short_id}?{query}", headers={"Accept": "application/ld+json"}
        )

    def document(self, short_id: str) -> dict[str, Any]:
        """Return a record as it is stored now, without ``@context``."""
        document: dict[str, Any] = _good(self.get(short_id)).json
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
        """Send a write with a fresh token."""
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
        return _good(answer).json

    def fault(self, kind: str, **rule: Any) -> None:
        """Put a fault rule in force; kinds and keys are in docs/reference/sandbox.md."""
        self.control("POST", "faults", [{"kind": kind, **rule}])

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules in force, with how often each struck."""
        return list(self.control("GET", "faults"))

    def clear_faults(self, kind: str = "") -> None:
        """Take rules away, all or those of a kind."""
        self.control("DELETE", f"faults?kind={kind}" if kind else "faults")

    def log(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Return every request that came, logins included."""
        return list(self.control("GET", f"log?since={since}"))

    def writes(self) -> list[dict[str, Any]]:
        """Return the write requests to the catalogue, done or refused."""
        return list(self.control("GET", "log?writes=1"))

    def came(self, *, writes: bool = False) -> int:
        """Count the requests, or the writes, in the log; quick where it is served from this process."""
        if self.environment is None:
            return len(self.writes() if writes else self.log())
        return len(self.environment.journal.entries(writes=writes))

    def clear_log(self) -> None:
        """Forget what came so far."""
        self.control("DELETE", "log")

    def history(self, short_id: str) -> list[dict[str, Any]]:
        """Return every stored version of a record, oldest first."""
        return list(self.control("GET", f"history/{short_id}"))

    def records(self, collection: str = "hold", sigel: str | None = None) -> list[str]:
        """Return the short ids of live records: ``bib``, ``hold`` or ``auth``."""
        query = {"collection": collection} | ({"sigel": sigel} if sigel else {})
        return list(self.control("GET", "records?" + urllib.parse.urlencode(query)))

    def edit(self, short_id: str, **wish: Any) -> dict[str, Any]:
        """Let somebody else edit a record (``set``, ``doc``) or delete it (``delete=True``) now."""
        return dict(self.control("POST", "edit", {"id": short_id, **wish}))

    def expire_tokens(self) -> None:
        """End every token."""
        self.control("POST", "tokens/expire")

    def revoke(self, client: str = "supplier") -> None:
        """Take a client away."""
        self.control("POST", f"clients/{client}/revoke")

    def set_permissions(self, client: str, *permissions: dict[str, Any]) -> None:
        """Give a client other rights: ``{"code": "Ylm", "registrant": True}``."""
        self.control("POST", f"clients/{client}/permissions", list(permissions))

    def revive(self, short_id: str, document: dict[str, Any]) -> None:
        """Let a deleted record live again, as a PUT to it does."""
        document["@graph"][0]["recordStatus"] = "marc:CorrectedOrRevised"
        etag = self.history(short_id)[-1]["etag"]
        answer = self.send("PUT", f"/{short_id}", document, headers={"If-Match": f'"{etag}"'})
        _good(answer, 204)

    def refresh(self) -> None:
        """Let every write show in searches."""
        self.control("POST", "refresh")

    def move_clock(self, **delta: float) -> None:
        """Move the environment's clock, with the keywords of ``timedelta``."""
        self.control("POST", "clock", delta)


@dataclass(kw_only=True)
class LibrisPair:
    """Both environments, and the object that serves them where it runs in this process."""

    staging: Libris
    production: Libris
    running: RunningSandbox | None = None

    @property
    def environments(self) -> tuple[Libris, Libris]:
        """Both."""
        return self.staging, self.production

    def write_config(self, path: Path) -> Path:
        """Write a ``bulkrunner.toml``; returns the file with the secrets beside it."""
        from bulkrunner.sandbox.server import write_configuration

        if self.running is None:
            raise ValueError("served by another process, which writes its configuration itself")
        return write_configuration(path, (self.running.test, self.running.production))

    def variables(self, client: str = "supplier") -> dict[str, str]:
        """Return the environment variables by which bulkrunner is given the credentials."""
        found: dict[str, str] = {}
        for environment in self.environments:
            prefix = f"BULKRUNNER_{environment.name.upper()}"
            client_id, secret = environment.credentials(client)
            found |= {f"{prefix}_CLIENT_ID": client_id, f"{prefix}_CLIENT_SECRET": secret}
        return found


def _good(answer: Answer, status: int = 200) -> Answer:
    if answer.status != status:
        raise AssertionError(f"the embedded Libris answered {answer.status}: {answer.body[:500]!r}")
    return answer


@cache
def _patterns(bibs: int, holdings: int) -> dict[str, Environment]:
    """Seed a catalogue of each size once a process; what is served copies it."""
    from bulkrunner.sandbox.engine import KINDS, SandboxOptions, build_environment

    options = SandboxOptions(bibs=bibs, holdings=holdings)
    return {
        kind: build_environment(options, kind, served_at="http://seed.invalid/") for kind in KINDS
    }


@contextmanager
def running_libris(
    *,
    records: Iterable[Mapping[str, Any]] = (),
    ports: dict[str, int] | None = None,
    **options: Any,
) -> Iterator[LibrisPair]:
    """Serve a test and a production environment from a thread, for as long as the context lasts.

    Args:
        records: documents (``{"@graph": [record, thing]}``) that both hold instead of made ones.
        ports: by kind, where they are to be served; else at free ones.
        options: those of the sandbox: ``bibs``, ``holdings``, ``seed``, ``load``, ``token_lifetime``,
            ``index_lag_ms``, ``duplicate_status``, ``time_zone`` and others.
    """
    from bulkrunner.sandbox.engine import CLIENT_IDS, SandboxOptions, client_secret
    from bulkrunner.sandbox.server import RunningSandbox

    with tempfile.TemporaryDirectory(prefix="libris-") as folder:
        if given := list(records):
            options["load"] = Path(folder, "records.jsonl")
            lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in given)
            options["load"].write_text("".join(lines), encoding="utf-8")
        size = {"bibs": BIBS, "holdings": HOLDINGS, **options}
        if size.keys().isdisjoint({"load", "data", "seed", "time_zone"}):
            size["patterns"] = _patterns(size["bibs"], size["holdings"])
        with RunningSandbox(SandboxOptions(**size), ports=ports) as running:
            staging, production = (
                Libris(
                    name=name,
                    kind=served.kind,
                    base_url=served.base_url,
                    base_uri=served.environment.settings.base_uri,
                    secrets={c: client_secret(served.environment, c) for c in CLIENT_IDS},
                    environment=served.environment,
                )
                for name, served in (("staging", running.test), ("production", running.production))
            )
            yield LibrisPair(staging=staging, production=production, running=running)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "libris(records, bibs, holdings, …): what the embedded Libris of a test holds"
    )


@pytest.fixture
def libris_pair(request: pytest.FixtureRequest) -> Iterator[LibrisPair]:
    """Serve an embedded Libris, test and production, for one test."""
    marker = request.node.get_closest_marker("libris")
    with running_libris(**(marker.kwargs if marker else {})) as pair:
        yield pair


@pytest.fixture
def libris(libris_pair: LibrisPair) -> Libris:
    """Serve an embedded Libris for one test; it is a test environment."""
    return libris_pair.staging
