"""A server that repeats the client's secret or token, in any form, at any place: none is shown."""

from __future__ import annotations

import base64
import html
import json
import random
import string
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.redaction import PART, Redaction
from bulkrunner.errors import BulkRunnerError
from tests.support.client import SECRET, SHORT, TOKEN, bench, good_login, holding, record_answer
from tests.support.sizes import examples

CHARACTERS = string.ascii_letters + string.digits + "-_.~+/="


def every(letter_form):
    return lambda text: "".join(letter_form(letter) for letter in text)


FORMS = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "swapped case": str.swapcase,
    "backwards": lambda text: text[::-1],
    "the halves exchanged": lambda text: text[len(text) // 2 :] + text[: len(text) // 2],
    "URL-encoded": lambda text: quote(text, safe=""),
    "form-encoded": quote_plus,
    "URL-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "URL-encoded letter by letter": every(
        lambda letter: "".join(f"%{byte:02X}" for byte in letter.encode())
    ),
    "HTML": html.escape,
    "HTML by numbers": every(lambda letter: f"&#{ord(letter)};"),
    "HTML by hexadecimal numbers": every(lambda letter: f"&#x{ord(letter):x};"),
    "JSON": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON letter by letter": every(lambda letter: f"\\u{ord(letter):04x}"),
    "Python": every(lambda letter: f"\\x{ord(letter):02x}"),
    "octal": every(lambda letter: f"\\{ord(letter):03o}"),
    "hexadecimal with 0x": lambda text: ", ".join(f"0x{ord(letter):02x}" for letter in text),
    "code points": lambda text: " ".join(f"U+{ord(letter):04X}" for letter in text),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal with colons": lambda text: text.encode().hex(":").upper(),
    "byte by byte": lambda text: " ".join(str(byte) for byte in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 with something before": lambda text: base64.b64encode(b"id:" + text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode() * 3).decode(),
    "base64 of base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base64 of upper case": lambda text: base64.b64encode(text.upper().encode()).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "quoted-printable": every(lambda letter: "".join(f"={byte:02X}" for byte in letter.encode())),
    "with blanks": " ".join,
    "with hyphens": "-".join,
    "with zeros": "\0".join,
    "with tags": "<b></b>".join,
    "with soft hyphens": "\u00ad".join,
    "in wide letters": every(
        lambda letter: chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter
    ),
}

SAID = {
    "message": lambda text: {"message": f"Bearer {text} is bad"},
    "error": lambda text: {"error": text, "error_description": f"was {text}."},
    "status": lambda text: {"status": text},
    "error_id": lambda text: {"message": "x", "error_id": text},
    "an entry": lambda text: {"message": "x", "errors": [{"type": "E", "value": text}]},
    "a key of an entry": lambda text: {"message": "x", "errors": [{text: "E"}]},
    "a path": lambda text: {"message": "x", "errors": [{"type": "E", "path": ["a", text]}]},
    "a path in pieces": lambda text: {
        "message": "x",
        "errors": [{"type": "E", "path": [text[at : at + 4] for at in range(0, len(text), 4)]}],
    },
    "deep in an entry": lambda text: {"message": "x", "errors": [{"a": {"b": [{"c": text}]}}]},
    "a list": lambda text: [text],
}


def as_json(said):
    return {"content-type": "application/json"}, json.dumps(said).encode()


PLACES = {
    **{name: lambda text, make=make: as_json(make(text)) for name, make in SAID.items()},
    "plain text": lambda text: ({"content-type": "text/plain"}, f"no: {text}".encode()),
    "a page": lambda text: (
        {"content-type": "text/html"},
        f"<html><head><title>502</title></head><body><p>{text}</p></body></html>".encode(),
    ),
    "an attribute": lambda text: (
        {"content-type": "text/html"},
        f'<html><body><a href="/?t={text}">x</a></body></html>'.encode(),
    ),
    "JSON that is cut": lambda text: (
        {"content-type": "application/json"},
        json.dumps({"message": text})[:-2].encode(),
    ),
    "no type": lambda text: ({}, text.encode()),
}
"""Header and body that hold a text."""

HEADERS = ("location", "etag", "retry-after", "date", "content-type", "www-authenticate", "x-debug")


def header_value(text):
    return text.encode("utf-8").replace(b"\n", b" ").replace(b"\0", b" ")


class Server:
    """A catalogue and a login that answer what a test says; connected once, as TLS takes time."""

    def __init__(self):
        self.answer = self.login = None
        self.made = bench(lambda request: self.answer(request), lambda request: self.login(request))

    def says(self, status, headers=None, content=b"", login=None):
        """Answer every request to the catalogue so."""
        self.answer = lambda _: httpx.Response(status, headers=headers, content=content)
        self.login = login or good_login
        self.made.told.clear()
        self.made.login.token()
        return self.made


@pytest.fixture(scope="module")
def server():
    return Server()


def letters(text):
    return "".join(letter for letter in text.lower() if letter.isalnum())


def assert_hidden(secret, shown):
    """No piece of the secret can be read in what is shown, nor in what base64 in it says."""
    said = [shown, *decoded(shown)]
    for text in said:
        for form in (secret.lower(), secret.lower()[::-1]):
            for at in range(len(form) - PART + 1):
                assert form[at : at + PART] not in text.lower(), shown
        squeezed, plain = letters(secret), letters(text)
        for at in range(len(squeezed) - 7):
            assert squeezed[at : at + 8] not in plain, shown


def decoded(text):
    for word in text.replace(",", " ").replace("'", " ").split():
        for skipped in range(4):
            piece = word[skipped:].rstrip("=.")
            if len(piece) % 4 != 1:
                try:
                    yield base64.urlsafe_b64decode(
                        (piece + "=" * (-len(piece) % 4)).replace("+", "-").replace("/", "_")
                    ).decode("utf-8", "replace")
                except ValueError:
                    continue


def written(made):
    """Return what the program keeps or shows of the answers to writes."""
    said = []
    for write in (
        lambda: made.catalogue.put(SHORT, holding(), etag="1", active_sigel="Ylm"),
        lambda: made.catalogue.post(holding(), active_sigel="Ylm"),
        lambda: made.catalogue.delete(SHORT, active_sigel="Ylm"),
    ):
        answer = write()
        said.append(repr(answer))
    return " ".join(said)


def read(made):
    """Return what the program keeps or shows of the answers to reads."""
    said = []
    for question in (
        lambda: made.catalogue.read(SHORT),
        lambda: made.catalogue.library_name("Ylm"),
        lambda: made.catalogue.find([("q", "x")], limit=1),
        lambda: made.catalogue.dump_page("Ylm", offset=0),
        lambda: made.catalogue.feed_page(until=1),
    ):
        try:
            said.append(repr(question()))
        except BulkRunnerError as error:
            said.append(f"{error.message} {error.hint}")
    return " ".join([*said, *(why for why, _ in made.told)])


@pytest.mark.parametrize("form", FORMS)
def test_any_form_at_every_place(form):
    redaction = Redaction(SECRET, TOKEN)
    for place in PLACES.values():
        for secret in (SECRET, TOKEN):
            headers, body = place(FORMS[form](secret))
            is_json = "json" in headers.get("content-type", "")
            assert_hidden(secret, redaction.body(body, is_json=is_json).decode())


FEW = ("as it is", "upper case", "URL-encoded", "base64", "JSON letter by letter", "with blanks")


@pytest.mark.parametrize("form", FEW)
@pytest.mark.parametrize("place", PLACES)
def test_a_refused_write(server, form, place):
    for secret, status in ((SECRET, 400), (TOKEN, 400), (TOKEN, 401), (TOKEN, 500)):
        headers, body = PLACES[place](FORMS[form](secret))
        assert_hidden(secret, written(server.says(status, headers, body)))


USUAL = {
    *("as it is", "upper case", "lower case", "swapped case", "backwards", "URL-encoded"),
    *("the halves exchanged", "URL-encoded letter by letter", "HTML by numbers", "JSON"),
    *("HTML by hexadecimal numbers", "JSON letter by letter", "hexadecimal", "base64"),
    *("base64 for URLs", "base64 with something before", "HTML"),
}
"""The forms that data, too, is searched for."""


@pytest.mark.parametrize(
    ("form", "name"),
    [(form, name) for form in FORMS for name in HEADERS if form in USUAL or name == "location"],
)
def test_a_header(server, form, name):
    value = header_value(FORMS[form](TOKEN))
    for status in (201, 302, 400):
        made = server.says(status, [(name.encode(), value)])
        assert_hidden(TOKEN, written(made) + (read(made) if status != 201 else ""))


@pytest.mark.parametrize("form", ["as it is", "base64"])
@pytest.mark.parametrize("place", PLACES)
def test_a_read_without_a_usable_answer(server, form, place):
    headers, body = PLACES[place](FORMS[form](TOKEN))
    for status in (500, 403):
        assert_hidden(TOKEN, read(server.says(status, headers, body)))


@pytest.mark.parametrize("form", sorted(USUAL))
@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["secret", "token"])
@pytest.mark.parametrize("part", [slice(None), slice(0, 14), slice(-14, None)])
def test_a_record_that_repeats_it_is_no_answer(server, form, secret, part):
    """It would stand in ledger and report; changed it cannot be, since it is written back."""
    text = FORMS[form](secret if form == "the halves exchanged" else secret[part])
    made = server.says(200)
    server.answer = lambda _: record_answer(holding(label=f"note: {text}."))
    with pytest.raises(BulkRunnerError) as caught:
        made.catalogue.read(SHORT)
    assert "repeats the client's secret or token" in caught.value.message
    assert_hidden(secret, read(made))


def test_a_record_with_words_that_the_secret_has_too_is_read():
    made = bench(lambda _: record_answer(holding(label=f"{SECRET[:9]} {TOKEN[4:13]}")))
    made.login.token()
    assert made.catalogue.read(SHORT).document["@graph"][1]["label"].startswith("s3cret")


@pytest.mark.parametrize("form", FEW)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_login_that_repeats_the_secret(server, form, place, status):
    headers, body = PLACES[place](FORMS[form](SECRET))
    made = server.says(204)
    server.login = lambda _: httpx.Response(status, headers=headers, content=body)
    with pytest.raises(BulkRunnerError) as caught:
        made.login.renew(made.login.newest)
    assert_hidden(SECRET, f"{caught.value.message} {caught.value.hint}")


@pytest.mark.parametrize("form", sorted(USUAL))
@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["secret", "token"])
def test_rights_that_repeat_it(server, form, secret):
    def login(request):
        if request.url.path == "/oauth/token":
            return good_login(request)
        return httpx.Response(
            200, json={"user": {"permissions": [{"code": FORMS[form](secret), "registrant": True}]}}
        )

    made = server.says(204, login=login)
    with pytest.raises(BulkRunnerError) as caught:
        made.catalogue.rights()
    assert_hidden(secret, f"{caught.value.message} {caught.value.hint}")


def test_a_part_of_it_as_a_sigel():
    def login(request):
        if request.url.path == "/oauth/token":
            return good_login(request)
        return httpx.Response(200, json={"user": {"permissions": [{"code": TOKEN[:8]}]}})

    made = bench(lambda _: httpx.Response(204), login)
    with pytest.raises(BulkRunnerError, match="repeats what is secret"):
        made.catalogue.rights()


def test_tokens_that_have_ended_stay_hidden():
    given = iter(["first-token-0123456789", "second-token-abcdefghij"])
    made = bench(
        lambda _: httpx.Response(400, json={"message": "first-token-0123456789"}),
        lambda _: httpx.Response(200, json={"access_token": next(given), "expires_in": 1000}),
    )
    made.login.renew(made.login.token())
    assert made.catalogue.delete(SHORT, active_sigel="Ylm").words == "•••"


def test_what_broke_the_connection_is_no_way_round(monkeypatch):
    def broken(_):
        raise httpx.RemoteProtocolError(f"illegal header line: bytearray(b'X: {TOKEN}')")

    made = bench(broken)
    assert_hidden(TOKEN, written(made) + read(made))


words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**9),
    first=st.sampled_from(sorted(FORMS)),
    second=st.sampled_from(["as it is", "URL-encoded", "base64", "JSON", "HTML", "hexadecimal"]),
    place=st.sampled_from(sorted(PLACES)),
    before=words,
    after=words,
    cut=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_any_form_of_any_part_at_any_place(seed, first, second, place, before, after, cut):
    drawn = random.Random(seed)
    secret = "".join(drawn.choices(CHARACTERS, k=drawn.randint(40, 64)))
    part = secret[min(cut) : max(cut)] if max(cut) - min(cut) >= PART + 6 else secret
    text = before + FORMS[second](FORMS[first](part)) + after
    headers, body = PLACES[place](text)
    redaction = Redaction(secret)
    shown = redaction.body(body, is_json="json" in headers.get("content-type", "")).decode()
    assert_hidden(secret, shown)
    assert FORMS[second](FORMS[first](part)) not in shown


@given(text=words)
@settings(max_examples=examples(200), deadline=None)
def test_what_holds_nothing_of_it_stays_as_it_is(text):
    redaction = Redaction("Zq9-Zq9xX_Zq9kQ~Zq9jJ")
    if "zq9" not in text.lower():
        assert redaction.hide(text) == text
        said = json.dumps({"message": text}).encode()
        assert redaction.body(said, is_json=True) == said


@pytest.mark.parametrize(
    "text",
    [
        "Record has been deleted.",
        "Bearer token not found.",
        '{"message":"Record has been deleted.","code":410,"status_code":410}',
        "https://libris.kb.se/fzr8v1sn2k3m4p5#it är ändrad 2026-03-01T12:00:00.000Z",
        "aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0 and 68656c6c6f20776f726c64",
        "ValidationException at @graph.1.hasComponent.0.physicalLocation: expected String",
    ],
)
def test_usual_words_are_shown(text):
    assert Redaction(SECRET, TOKEN).hide(text) == text
