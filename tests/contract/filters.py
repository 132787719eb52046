"""What a cassette may hold: no secret, no token, no person's name, no port of the moment."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlencode, urlsplit

import yaml

from tests.contract.target import FIXED_LOGIN, FIXED_URL, Target

FILTERED = "FILTERED"
_REQUEST_HEADERS = {"accept", "content-type", "if-match", "if-none-match", "xl-active-sigel"}
_RESPONSE_HEADERS = {
    *("cache-control", "content-encoding", "content-location", "content-type", "document", "etag"),
    *("link", "location", "retry-after", "server-start-time", "vary"),
}
_SECRET_FIELDS = {"client_id", "client_secret", "access_token", "refresh_token", "token"}
_PERSONAL = {"email": "client@example.org", "full_name": "Client", "id": 1}


class Filter:
    """Cleans what is recorded, and remembers what must not be found afterwards."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.secrets = {target.client.secret}
        if target.cataloguer is not None:
            self.secrets.add(target.cataloguer.secret)

    def request(self, request: Any) -> Any:
        """Clean a request; vcrpy calls it also for matching."""
        request.uri = self._uri(request.uri)
        kept = {k: v for k, v in request.headers.items() if k.lower() in _REQUEST_HEADERS}
        if any(name.lower() == "authorization" for name in request.headers):
            kept["Authorization"] = FILTERED
        request.headers = kept
        if request.body:
            request.body = self._form(request) or self._text(request.body)
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """Clean an answer."""
        headers = {k.lower(): v for k, v in response["headers"].items()}
        body = response["body"]["string"]
        if any("json" in value for value in headers.get("content-type", [])):
            body = self._token_answer(body)
        return {
            "status": response["status"],
            "headers": {
                name: [self._text(value.encode()).decode() for value in values]
                for name, values in headers.items()
                if name in _RESPONSE_HEADERS
            },
            "body": {"string": self._text(body)},
        }

    def _uri(self, uri: str) -> str:
        parts = urlsplit(uri)
        query = [(k, FILTERED if k in _SECRET_FIELDS else v) for k, v in parse_qsl(parts.query)]
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin == _origin(self._target.token_url) and "/oauth/" in parts.path:
            base = FIXED_LOGIN
        elif origin == _origin(self._target.base_url):
            base = FIXED_URL
        else:
            base = origin
        found = base + parts.path + ("?" + urlencode(query) if query else "")
        return self._text(found.encode()).decode()

    def _form(self, request: Any) -> bytes | None:
        if "form" not in str(
            request.headers.get("Content-Type") or request.headers.get("content-type")
        ):
            return None
        fields = parse_qsl(request.body.decode(), keep_blank_values=True)
        return urlencode([(k, FILTERED if k in _SECRET_FIELDS else v) for k, v in fields]).encode()

    def _token_answer(self, body: bytes) -> bytes:
        try:
            content = json.loads(body)
        except ValueError:
            return body
        if not isinstance(content, dict):
            return body
        if isinstance(content.get("access_token"), str):
            if content["access_token"] != FILTERED:
                self.secrets.add(content["access_token"])
            content["access_token"] = FILTERED
            return json.dumps(content).encode()
        if isinstance(content.get("user"), dict):
            content["user"] |= {k: v for k, v in _PERSONAL.items() if k in content["user"]}
            return json.dumps(content).encode()
        return body

    def _text(self, content: bytes) -> bytes:
        """Put the fixed address where the one of the moment stands, in every wrapping."""
        if content[:2] == b"\x1f\x8b":
            return gzip.compress(self._text(gzip.decompress(content)), mtime=0)
        for address in {self._target.base_uri, self._target.base_url + "/"}:
            for form in (str, quote_plus, lambda text: quote(text, safe="")):
                content = content.replace(form(address).encode(), form(FIXED_URL + "/").encode())
        return content


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


# Looking for what slipped through

_SUSPECT = (
    (re.compile(r"[Bb]earer:?\s+([A-Za-z0-9._~+/-]{8,})"), {"nonsense"}),
    (re.compile(r"[Bb]asic\s+([A-Za-z0-9+/=]{8,})"), set()),
    (re.compile(r"""["']?access_token["']?\s*[:=]\s*["']?([^\s"'&,}\\]+)"""), {FILTERED}),
    (re.compile(r"""["']?client_secret["']?\s*[:=]\s*["']?([^\s"'&,}\\]+)"""), {FILTERED}),
    (re.compile(r"""["']?client_id["']?\s*[:=]\s*["']?([^\s"'&,}\\]+)"""), {FILTERED}),
    (re.compile(r"""["']?refresh_token["']?\s*[:=]\s*["']?([^\s"'&,}\\]+)"""), {FILTERED}),
    (re.compile(r"(127\.0\.0\.1:\d+|localhost:\d+)"), set()),
    (re.compile(r"(?i)(set-cookie|x-username)"), set()),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def suspicions(path: Path) -> list[str]:
    """Name everything in a cassette that looks like a secret, in whatever wrapping."""
    found = []
    for text in texts(path):
        for pattern, harmless in _SUSPECT:
            found += [
                f"{path.name}: {match[0][:60]}"
                for match in pattern.finditer(text)
                if match[1] not in harmless
            ]
    return [*found, *(f"{path.name}: header {name}" for name in _odd_headers(path))]


def leaks(path: Path, secrets: set[str]) -> list[str]:
    """Return the known secrets that a cassette holds, in whatever wrapping."""
    every = list(texts(path))
    return [secret for secret in secrets if any(secret in text for text in every)]


def texts(path: Path) -> Iterator[str]:
    """Yield the cassette's text and everything that can be unwrapped from its values."""
    raw = path.read_text(encoding="utf-8")
    yield raw
    for leaf in _leaves(yaml.safe_load(raw)):
        yield from _unwrapped(leaf, 4)


def _leaves(value: Any) -> Iterator[str | bytes]:
    match value:
        case dict():
            for key, inner in value.items():
                yield str(key)
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)
        case str() | bytes():
            yield value


def _unwrapped(value: str | bytes, depth: int) -> Iterator[str]:
    """Yield the value as text, and what percent-encoding, base64 and gzip hide in it."""
    content = value.encode() if isinstance(value, str) else value
    if content[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError, zlib.error):
            yield from _unwrapped(gzip.decompress(content), depth)
    text = content.decode("utf-8", "replace")
    yield text
    if depth == 0:
        return
    if "%" in text:
        yield from _unwrapped(unquote_plus(text), depth - 1)
    for run in {*_BASE64.findall(text), *_BASE64.findall(re.sub(r"\s+", "", text))}:
        with suppress(binascii.Error):
            yield from _unwrapped(base64.b64decode(run + "=" * (-len(run) % 4), b"-_"), depth - 1)
            yield from _unwrapped(base64.b64decode(run + "=" * (-len(run) % 4)), depth - 1)


def _odd_headers(path: Path) -> Iterator[str]:
    for interaction in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        for side, allowed in (
            ("request", _REQUEST_HEADERS | {"authorization"}),
            ("response", _RESPONSE_HEADERS),
        ):
            for name, values in interaction[side]["headers"].items():
                if name.lower() not in allowed:
                    yield f"{side} {name}"
                if name.lower() == "authorization" and values != [FILTERED]:
                    yield f"{side} {name} is not filtered"
