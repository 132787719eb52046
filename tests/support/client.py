"""Parts for tests of the client: a clock that never waits, stand-ins for the network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from bulkrunner.adapters.libris.client import Catalogue
from bulkrunner.adapters.libris.credentials import Credentials
from bulkrunner.adapters.libris.http import Http, Limits, RequestCount
from bulkrunner.adapters.libris.login import Login
from bulkrunner.adapters.pacing.pace import Pace
from bulkrunner.domain.environment import Environment, Kind

SECRET = "s3cret/with+odd&signs=åäö"
TOKEN = "tok-0123456789abcdef"
BASE = "https://catalogue.example.org"
SHORT = "h1bcdfghjkmnpqr1"
Handler = Callable[[httpx.Request], httpx.Response]


class StillClock:
    """Time moves only where somebody sleeps or a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


def environment(**changes: Any) -> Environment:
    values: dict[str, Any] = {
        "name": "staging",
        "kind": Kind.TEST,
        "base_url": BASE,
        "token_url": "https://login.example.org/oauth/token",
        "base_uri": BASE + "/",
        "rate": 1e6,
        "read_rate": 1e6,
        "concurrency": 8,
    }
    return Environment(**{**values, **changes})


def good_login(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/oauth/token":
        return httpx.Response(
            200, json={"access_token": TOKEN, "expires_in": 36000, "token_type": "Bearer"}
        )
    return httpx.Response(200, json={"user": {"permissions": [permission("Ylm")]}})


def permission(sigel: str, **flags: bool) -> dict[str, Any]:
    row = {"registrant": True, "cataloger": False, "global_registrant": False}
    return {"code": sigel, "friendly_name": sigel, **row, **flags}


@dataclass
class Bench:
    """A client on stand-ins, and every request that it sent."""

    catalogue: Catalogue
    login: Login
    clock: StillClock
    requests: list[httpx.Request] = field(default_factory=list)
    logins: list[httpx.Request] = field(default_factory=list)
    told: list[tuple[str, float | None]] = field(default_factory=list)


def bench(answer: Handler, login: Handler = good_login, **changes: Any) -> Bench:
    """Return a client whose catalogue and login are functions."""
    env = environment(**changes)
    clock = StillClock()
    made: list[httpx.Request] = []
    asked: list[httpx.Request] = []
    told: list[tuple[str, float | None]] = []
    count = RequestCount()

    def http(url: str, note: list[httpx.Request], handler: Handler) -> Http:
        def handle(request: httpx.Request) -> httpx.Response:
            note.append(request)
            return handler(request)

        return Http(
            url,
            connections=8,
            methods=("GET", "PUT", "POST", "DELETE"),
            count=count,
            limits=Limits(body=100_000),
            transport=httpx.MockTransport(handle),
        )

    credentials = Credentials(client_id="supplier", client_secret=SECRET)
    the_login = Login(
        env, credentials, http=http("https://login.example.org", asked, login), clock=clock
    )
    catalogue = Catalogue(
        env,
        login=the_login,
        http=http(env.base_url, made, answer),
        pace=Pace(env, clock=clock, tell=lambda why, left: told.append((why, left))),
        clock=clock,
        count=count,
    )
    return Bench(catalogue, the_login, clock, made, asked, told)


def holding(short_id: str = SHORT, **thing: Any) -> dict[str, Any]:
    """A small holding as the catalogue stores it."""
    iri = f"{BASE}/{short_id}"
    return {
        "@graph": [
            {"@id": iri, "@type": "Record", "mainEntity": {"@id": iri + "#it"}},
            {
                "@id": iri + "#it",
                "@type": "Item",
                "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
                "itemOf": {"@id": f"{BASE}/b1bcdfghjkmnpqr1#it"},
                **thing,
            },
        ]
    }


def api_error(status: int, message: str = "", **more: Any) -> httpx.Response:
    """A refusal in the form of the catalogue's API."""
    body = {"status_code": status, "status": "Error", "message": message, **more}
    return httpx.Response(status, json=body)


def container_error(status: int, message: str = "", *, form: str = "json") -> httpx.Response:
    """A refusal of the catalogue's servlet container: as JSON, as a page, or bare."""
    headers = {"cache-control": "must-revalidate,no-cache,no-store"}
    match form:
        case "json":
            facts = {"url": "/data", "status": f"{status}", "message": message, "servlet": "Crud"}
            return httpx.Response(status, headers=headers, json=facts)
        case "html":
            page = f"<html><body><h2>HTTP ERROR {status} {message}</h2></body></html>"
            return httpx.Response(status, headers=headers, html=page)
    return httpx.Response(status, headers=headers)


def record_answer(
    document: Any, *, etag: str | None = '"123"', status: int = 200, **headers: str
) -> httpx.Response:
    """An answer with a record, @context included as the server adds it."""
    if isinstance(document, dict):
        document = {"@context": "/context.jsonld", **document}
    sent = {"content-type": "application/ld+json", **headers}
    if etag is not None:
        sent["etag"] = etag
    return httpx.Response(status, headers=sent, content=json.dumps(document).encode())
