"""The sandbox answers as a real server did: its recordings, played against a sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest
import yaml

from bulkrunner.sandbox import documents, seed
from bulkrunner.sandbox.documents import IdGenerator
from bulkrunner.sandbox.engine import CLIENT_IDS, Environment, make_clients
from bulkrunner.sandbox.wire import Request, Response, Settings
from tests.contract.record import from_a_server
from tests.contract.target import FIXED_URL
from tests.support.paths import CASSETTES

SUITE = [name for name in from_a_server() if name.startswith("suite/")]
"""What they change is in them, but for one holding; conversations are parts cut out of that."""


BASE = "http://127.0.0.1:18180/"
"""Where the server was: cassettes show another address, but ETags were counted with this one."""

FILTERED = "FILTERED"
ID = re.compile(re.escape(BASE) + "([0-9b-z]{15,16})")
VOLATILE = {
    *("created", "modified", "date", "startTime", "expires_at", "access_token", "error_id"),
    *("email", "full_name", "friendly_name", "servlet"),
}
OTHER_HOLDINGS = "/api/emm/full?selection=itemAndInstance%3AYlm&"
LENS = "?lens="
"""What a lens shows is simplified."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A recorded request with its answer, at the address where it was made."""

    cassette: str
    method: str
    address: str
    sent: dict[str, str]
    body: bytes
    status: int
    headers: dict[str, list[str]]
    answer: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.address).path)

    @property
    def query(self) -> str:
        return urlsplit(self.address).query

    def ids(self) -> list[str]:
        """Every record that the request names."""
        return ID.findall(unquote(self.address) + self.body.decode("utf-8", "replace"))


def at_base(value: str | bytes | None) -> bytes:
    """Put the true address in the place of the cassettes' one."""
    content = (value or "").encode() if not isinstance(value, bytes) else value
    for form in (str, lambda text: quote(text, safe="")):
        content = content.replace(form(FIXED_URL + "/").encode(), form(BASE).encode())
    return content


@cache
def exchanges() -> tuple[Exchange, ...]:
    found = []
    for name in SUITE:
        text = (CASSETTES / name).read_text(encoding="utf-8")
        for one in yaml.load(text, yaml.CSafeLoader)["interactions"]:
            request, response = one["request"], one["response"]
            headers = {
                k.lower(): [at_base(v).decode() for v in vs]
                for k, vs in response["headers"].items()
            }
            found.append(
                Exchange(
                    cassette=name,
                    method=request["method"],
                    address=at_base(request["uri"]).decode(),
                    sent={k.lower(): v[0] for k, v in request["headers"].items()},
                    body=at_base(request["body"]),
                    status=response["status"]["code"],
                    headers=headers,
                    answer=at_base(response["body"]["string"]),
                )
            )
    return tuple(found)


class GivenIds(IdGenerator):
    """Gives the ids that the server gave."""

    given = ""

    def next(self, now: datetime) -> str:
        return self.given or super().next(now)


class Player:
    """Asks a sandbox what the server was asked, in the same order."""

    def __init__(self) -> None:
        self._unmade = self._not_made()
        self._embellished: dict[str, str] = {}
        """ETags of embellished records, as recorded and as here."""
        self.environment = Environment(
            Settings(kind="test", base_uri=BASE, time_zone="UTC"),
            make_clients(dict.fromkeys(CLIENT_IDS, "secret")),
        )
        self._ids = GivenIds(1)
        object.__setattr__(self.environment._writing, "ids", self._ids)
        self.environment.load(self._records())
        self._tokens = {client: self._token(client) for client in ("supplier", "cataloguer")}

    def _not_made(self) -> dict[str, dict[str, Any]]:
        """Records that were there before anything was recorded, as they were first read."""
        made = {e.headers["location"][0] for e in exchanges() if e.status == 201}
        found: dict[str, dict[str, Any]] = {}
        for one in exchanges():
            record = ID.fullmatch(one.address.partition("?")[0])
            if one.method == "GET" and record and one.status == 200 and record[0] not in made:
                content = json.loads(one.answer)
                if len(content.get("@graph", ())) == 2:
                    found.setdefault(record[1], {"@graph": content["@graph"]})
        return found

    def _records(self) -> Iterator[tuple[dict[str, Any], datetime, datetime]]:
        size = {"bibs": 400, "holdings": 1200}
        for record in seed.seed_records(base_uri=BASE, kind="test", seed=1, **size):
            short_id = record.document["@graph"][0]["@id"].removeprefix(BASE)
            recorded = self._unmade.pop(short_id, None)
            if recorded is None:
                yield record.document, record.created, record.modified
            else:
                yield loaded(recorded)

    def _token(self, client: str) -> str:
        form = {"client_id": client, "client_secret": "secret", "grant_type": "client_credentials"}
        request = Request.of("POST", "/oauth/token", body=urlencode(form).encode())
        return str(json.loads(self.environment.handle(request).body)["access_token"])

    def play(self, one: Exchange) -> Response:
        for short_id in one.ids():
            if (document := self._unmade.pop(short_id, None)) is not None:
                self._make(document)
        given = re.search(rb"INSERT of document with id (\w+) failed", one.answer)
        self._ids.given = given[1].decode() if given else ""
        if one.status == 201:
            self._ids.given = one.headers["location"][0].removeprefix(BASE)
        played = self.environment.handle(
            Request(
                method=one.method,
                path=one.path,
                query=tuple(parse_qsl(one.query, keep_blank_values=True)),
                query_string=one.query,
                headers=self._headers(one),
                body=self._body(one),
            )
        )
        theirs, ours = one.headers.get("etag", [""])[0], played.header("etag") or ""
        self._embellished |= {theirs: ours} if ":" in theirs else {}
        return played

    def _make(self, document: dict[str, Any]) -> None:
        """Make what was made unrecorded; what was there before it had gone, unrecorded too."""
        catalogue = self.environment.catalogue
        pair = documents.holding_pair(document)
        for other in catalogue.holdings_with(pair) if pair else ():
            entry = catalogue.entry(other)
            assert entry is not None
            now = entry.newest.modified
            catalogue.put(other, entry.document(), now=now, deleted=True)
        self.environment.load([loaded(document)])

    def _headers(self, one: Exchange) -> dict[str, str]:
        sent = {name: self._embellished.get(value, value) for name, value in one.sent.items()}
        if "authorization" not in sent:
            return sent
        if one.path == "/oauth/token":
            return {**sent, "authorization": "Basic c3VwcGxpZXI6c2VjcmV0"}  # supplier:secret
        may_do_it = one.status != 403 or b"is referenced by" in one.answer
        client = "cataloguer" if may_do_it and one.path != "/oauth/verify" else "supplier"
        token = "nonsense" if one.status == 401 else self._tokens[client]
        return {**sent, "authorization": f"Bearer {token}"}

    def _body(self, one: Exchange) -> bytes:
        if one.path != "/oauth/token":
            return one.body
        form = dict(parse_qsl(one.body.decode(), keep_blank_values=True))
        true = {"client_id": "supplier", "client_secret": "secret"}
        if b"invalid_client" in one.answer:
            true["client_secret"] = "wrong"
        filled = {k: true[k] if v == FILTERED else v for k, v in form.items()}
        return urlencode(filled).encode()


def loaded(document: dict[str, Any]) -> tuple[dict[str, Any], datetime, datetime]:
    record = document["@graph"][0]
    created, modified = (datetime.fromisoformat(record[key]) for key in ("created", "modified"))
    return document, created, modified


# What is compared


def content_of(headers: dict[str, list[str]], body: bytes) -> Any:
    """The body without what differs from one time to the next."""
    if "json" in headers.get("content-type", [""])[0]:
        return steady(json.loads(body)) if body else None
    text = body.decode("latin-1")
    return re.sub(r"whelk\.rest\.api\.\w+-\w+", "", text) if text.startswith("<") else ""


def steady(value: Any) -> Any:
    match value:
        case {"@graph": [record, thing, *_]} if isinstance(thing, dict):
            # What an embellished record shows beside itself is simplified.
            return {"@graph": [steady(record), steady({**thing, "@reverse": 0})]}
        case {"user": {"permissions": permissions}}:
            return steady(permissions)
        case {"status_code": 400, "message": str() as message} if "read request body" in message:
            return {**value, "message": message.partition(": ")[0]}
        case dict():
            known = {k: v for k, v in value.items() if k not in VOLATILE}
            if isinstance(value.get("@context"), dict):
                known["@context"] = {}  # the vocabulary's, of which the sandbox has a part
            return {k: steady(v) for k, v in known.items()}
        case [[*_], *_]:
            return sorted(steady(one) for one in map(str, value))  # paths of a change set
        case list():
            return [steady(one) for one in value]
    return value


def shape(value: Any) -> Any:
    """The keys of an object, and those of the objects in it."""
    if not isinstance(value, dict):
        return type(value).__name__
    return {k: sorted(v) if isinstance(v, dict) else type(v).__name__ for k, v in value.items()}


def headers_of(headers: dict[str, list[str]]) -> dict[str, list[str]]:
    """The headers that cassettes keep, without what differs from one time to the next."""
    kept = {k: v for k, v in headers.items() if k not in {"pragma", "x-username", "date"}}
    kept["server-start-time"] = ["" for _ in kept.get("server-start-time", ())]
    # How the second half of an embellished record's ETag is counted is not known.
    kept["etag"] = [etag.partition(":")[0].strip('"') for etag in kept.get("etag", ())]
    return kept


def differences(player: Player, one: Exchange) -> Iterator[str]:
    played = player.play(one)
    headers: dict[str, list[str]] = {}
    for name, value in played.headers:
        headers.setdefault(name.lower(), []).append(value)
    what = f"{one.method} {one.address}"
    if played.status != one.status:
        yield f"{what}: {one.status}, here {played.status}"
        return
    theirs, ours = headers_of(one.headers), headers_of(headers)
    for name in theirs.keys() | ours.keys():
        if name == "link" and one.status >= 400:
            continue
        if theirs.get(name) != ours.get(name):
            yield f"{what}: {name}: {theirs.get(name)}, here {ours.get(name)}"
    content = [content_of(one.headers, one.answer), content_of(headers, played.body)]
    if LENS in one.address:
        return
    if OTHER_HOLDINGS in one.address:
        content = [shape(value) for value in content]
    if content[0] != content[1]:
        yield f"{what}: {str(content[0])[:2000]}, here {str(content[1])[:2000]}"


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    player = Player()
    found: dict[str, list[str]] = {}
    for one in exchanges():
        found.setdefault(one.cassette, []).extend(differences(player, one))
    return found


@pytest.mark.parametrize("cassette", SUITE)
def test_a_sandbox_answers_as_the_server_did(told: dict[str, list[str]], cassette: str) -> None:
    assert told[cassette] == []


def test_the_recordings_are_of_a_server_in_utc() -> None:
    times = [
        time for one in exchanges() for time in re.findall(rb'"created":"([^"]+)"', one.answer)
    ]
    assert times
    assert all(time.endswith(b"Z") for time in times)
