"""The environment that the contract suite speaks to, and the raw requests that it sends.

Without configuration the suite starts a sandbox. ``BULKRUNNER_CONTRACT`` names a TOML file that
describes another *test* environment (see the README beside this file); the credentials come from
``BULKRUNNER_CONTRACT_CLIENT_ID`` and ``…_CLIENT_SECRET``, and for a client that may also write
bibs from ``BULKRUNNER_CONTRACT_CATALOGUER_ID`` and ``…_CATALOGUER_SECRET``.
"""

from __future__ import annotations

import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import Shape
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox

LD_JSON = "application/ld+json"
JSON = "application/json"
LIBRARY = "https://libris.kb.se/library/"
TEMPID = "https://id.kb.se/TEMPID"
# Where cassettes say that the environment is: names that no network resolves.
FIXED_URL = "https://libris.sandbox.test"
FIXED_LOGIN = "https://login.sandbox.test"

_PRODUCTION_HOSTS = frozenset({"libris.kb.se", "login.libris.kb.se"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A client of the login."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the suite must know about an environment."""

    base_url: str
    base_uri: str
    token_url: str
    verify_url: str
    sigel: str
    other_own_sigel: str
    foreign_sigel: str
    bibs: tuple[str, ...]
    legacy_bib: str
    foreign_holding: str
    client: Credentials
    cataloguer: Credentials | None
    duplicate_status: int = 404
    emm_url: str = ""
    pause: float = 0.0
    patience: float = 10.0

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine that answers."""
        return urlsplit(self.base_url).hostname in _LOOPBACK

    def library(self, sigel: str | None = None) -> str:
        """IRI of a library: on the production host in every environment."""
        return LIBRARY + quote_plus(sigel or self.sigel)

    def record(self, short_id: str) -> str:
        return self.base_uri + short_id

    def thing(self, short_id: str) -> str:
        return self.base_uri + short_id + "#it"


def target_from_file(path: Path) -> Target:
    """Read the description of a test environment."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    base_url = raw["base_url"].rstrip("/")
    for url in (base_url, raw["token_url"]):
        if urlsplit(url).hostname in _PRODUCTION_HOSTS:
            raise ValueError(f"{url} is production: the contract suite writes and deletes records")
    client = _credentials("CLIENT")
    if client is None:
        raise ValueError("BULKRUNNER_CONTRACT_CLIENT_ID and …_CLIENT_SECRET are not set")
    loopback = urlsplit(base_url).hostname in _LOOPBACK
    return Target(
        base_url=base_url,
        base_uri=raw.get("base_uri", base_url + "/"),
        token_url=raw["token_url"],
        verify_url=raw.get("verify_url", raw["token_url"].replace("/token", "/verify")),
        sigel=raw["sigel"],
        other_own_sigel=raw["other_own_sigel"],
        foreign_sigel=raw["foreign_sigel"],
        bibs=tuple(raw["bibs"]),
        legacy_bib=raw["legacy_bib"],
        foreign_holding=raw["foreign_holding"],
        client=client,
        cataloguer=_credentials("CATALOGUER"),
        duplicate_status=raw.get("duplicate_status", 404),
        emm_url=raw.get("emm_url", base_url + "/api/emm/"),
        pause=raw.get("pause", 0.0 if loopback else 1.0),
        patience=raw.get("patience", 10.0 if loopback else 120.0),
    )


def _credentials(role: str) -> Credentials | None:
    name = f"BULKRUNNER_CONTRACT_{role}"
    client_id, secret = os.environ.get(f"{name}_ID"), os.environ.get(f"{name}_SECRET")
    return Credentials(client_id=client_id, secret=secret) if client_id and secret else None


@contextmanager
def open_target(**options: Any) -> Iterator[Target]:
    """The configured environment, or a sandbox started for it."""
    configured = os.environ.get("BULKRUNNER_CONTRACT")
    if configured:
        yield target_from_file(Path(configured))
        return
    with running_sandbox(**options) as sandbox:
        staging = sandbox.staging
        size = {"bibs": BIBS, "holdings": HOLDINGS}
        bibs = seed.example_ids(kind="bib", without="Ylm", **size)
        legacy = [b for b in bibs if "sameAs" in staging.document(b)["@graph"][0]]
        yield Target(
            base_url=staging.base_url,
            base_uri=staging.base_uri,
            token_url=staging.token_url,
            verify_url=staging.verify_url,
            sigel="Ylm",
            other_own_sigel="NO",
            foreign_sigel="S",
            bibs=tuple(bibs[:3]),
            legacy_bib=legacy[0],
            foreign_holding=seed.example_ids(
                kind="holding", sigel="S", shape=Shape.ITEM_LABEL, n=1, **size
            )[0],
            client=Credentials(client_id="supplier", secret=staging.secrets["supplier"]),
            cataloguer=Credentials(client_id="cataloguer", secret=staging.secrets["cataloguer"]),
            emm_url=staging.base_url + "/api/emm/",
        )


def minimal_bib() -> dict[str, Any]:
    """A bib as it is POSTed, with no more than it needs."""
    return {
        "@graph": [
            {"@id": TEMPID, "@type": "Record", "mainEntity": {"@id": TEMPID + "#it"}},
            {
                "@id": TEMPID + "#it",
                "@type": "PhysicalResource",
                "hasTitle": [{"@type": "Title", "mainTitle": "Contract suite, may be deleted"}],
                "instanceOf": {
                    "@type": "Monograph",
                    "language": [{"@id": "https://id.kb.se/language/swe"}],
                },
            },
        ]
    }


class Api:
    """Raw requests to a target; remembers what it created, to take it away again."""

    def __init__(self, target: Target, http: httpx.Client) -> None:
        self.target = target
        self.http = http
        self._tokens: dict[str, str] = {}
        self._created: list[tuple[str, str]] = []

    # Login

    def ask_token(self, **form: str) -> httpx.Response:
        """POST the form to the login."""
        return self.http.post(self.target.token_url, data=form)

    def token(self, role: str = "client") -> str:
        """A token of the client or the cataloguer, fetched once."""
        if role not in self._tokens:
            who = self.credentials(role)
            answer = self.ask_token(
                client_id=who.client_id,
                client_secret=who.secret,
                grant_type="client_credentials",
            )
            assert answer.status_code == 200, answer
            self._tokens[role] = answer.json()["access_token"]
        return self._tokens[role]

    def forget_tokens(self) -> None:
        """Let the next write ask for a new token."""
        self._tokens.clear()

    def credentials(self, role: str) -> Credentials:
        found = self.target.client if role == "client" else self.target.cataloguer
        assert found is not None
        return found

    # Catalogue

    def get(
        self, path: str, *, accept: str | None = LD_JSON, etag: str = "", **query: Any
    ) -> httpx.Response:
        """GET a path of the catalogue, as it is; ``accept=None`` sends no Accept header."""
        headers = {"Accept": accept or ""} | ({"If-None-Match": etag} if etag else {})
        request = self.http.build_request(
            "GET", self.url(path), params=query or None, headers=headers
        )
        if accept is None:
            del request.headers["Accept"]
        return self.http.send(request)

    def read(self, short_id: str, **query: Any) -> httpx.Response:
        """GET a record as it has to be read before changing it."""
        return self.get(short_id, embellished="false", **query)

    def graph(self, short_id: str, **query: Any) -> list[dict[str, Any]]:
        """Record and thing as stored."""
        answer = self.read(short_id, **query)
        assert answer.status_code == 200, answer
        graph: list[dict[str, Any]] = answer.json()["@graph"]
        return graph

    def post(self, document: Any, *, path: str = "data", **how: Any) -> httpx.Response:
        """POST a document; what is created is taken away after the test."""
        answer = self.send("POST", path, document, **how)
        if answer.status_code == 201:
            self._created.append((self.short_id(answer), how.get("role", "client")))
        return answer

    def put(
        self, short_id: str, document: Any, *, etag: str | None = None, **how: Any
    ) -> httpx.Response:
        """PUT a document, by default with the ETag that the record has now."""
        if etag is None:
            etag = self.read(short_id).headers["ETag"]
        return self.send("PUT", short_id, document, headers={"If-Match": etag}, **how)

    def delete(self, short_id: str, **how: Any) -> httpx.Response:
        return self.send("DELETE", short_id, None, **how)

    def send(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        role: str = "client",
        sigel: str | None = "",
        authorization: str | None = "",
        content_type: str | None = LD_JSON,
        accept: str | None = JSON,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a write; "" stands for the usual value of a header, None for leaving it out."""
        if document is not None:
            content = json.dumps(document).encode()
        if authorization == "":
            authorization = f"Bearer {self.token(role)}"
        wanted = {
            "Authorization": authorization,
            "XL-Active-Sigel": self.target.sigel if sigel == "" else sigel,
            "Content-Type": content_type if content is not None else None,
            "Accept": accept,
            **(headers or {}),
        }
        time.sleep(self.target.pause)
        request = self.http.build_request(method, self.url(path), content=content)
        for name, value in wanted.items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value
        return self.http.send(request)

    def url(self, path: str) -> str:
        return f"{self.target.base_url}/{path.lstrip('/')}"

    def short_id(self, answer: httpx.Response) -> str:
        """Short id of the record that an answer's Location names."""
        return answer.headers["Location"].removeprefix(self.target.base_uri)

    def holding_on(self, bib: str, **item: Any) -> dict[str, Any]:
        """A new holding of the suite's library, as it is POSTed."""
        return {
            "@graph": [
                {"@id": TEMPID, "@type": "Record", "mainEntity": {"@id": TEMPID + "#it"}},
                {
                    "@id": TEMPID + "#it",
                    "@type": "Item",
                    "heldBy": {"@id": self.target.library()},
                    "itemOf": {"@id": self.target.thing(bib)},
                    **item,
                },
            ]
        }

    def new_holding(self, bib: str | None = None, **item: Any) -> str:
        """Create a holding and return its short id."""
        answer = self.post(self.holding_on(bib or self.target.bibs[0], **item))
        assert answer.status_code == 201, (answer, answer.text)
        return self.short_id(answer)

    def find_holdings(self, bib: str, sigel: str | None = None) -> list[str]:
        answer = self.get(
            "_findhold", id=self.target.thing(bib), library=self.target.library(sigel)
        )
        assert answer.status_code == 200, answer
        found: list[str] = answer.json()
        return found

    def wait_for(self, ready: Callable[[], Any]) -> Any:
        """Ask until something true comes back: searches lag behind writes."""
        end = time.monotonic() + self.target.patience
        while not (found := ready()):
            assert time.monotonic() < end, "waited too long"
            time.sleep(max(self.target.pause, 0.02))
        return found

    def clean(self) -> None:
        """Take away what was created, the newest first."""
        while self._created:
            short_id, role = self._created.pop()
            answer = self.delete(short_id, role=role)
            assert answer.status_code in {204, 404, 410}, (answer, answer.text)
