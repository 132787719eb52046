"""The recorded cassettes: no secret in any, complete, and replayable without a network."""

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
import vcr
import yaml
from vcr.record_mode import RecordMode

from tests.contract import conversations, record
from tests.contract.filters import FILTERED, Filter, leaks, suspicions
from tests.contract.record import LARGEST, ORIGINS
from tests.contract.target import (
    FIXED_LOGIN,
    FIXED_URL,
    LD_JSON,
    Credentials,
    Target,
    target_from_file,
)

HERE = Path(__file__).parent
CASSETTES = HERE / "cassettes"
EVERY = sorted(CASSETTES.rglob("*.yaml"))
SECRET = "q7Xw-92_kLmNoPqRsTuVwXyZ01234567"


@cache
def facts():
    return json.loads((CASSETTES / "conversations" / "index.json").read_text(encoding="utf-8"))


def test_there_are_cassettes_of_every_module_and_conversation():
    names = {str(path.relative_to(CASSETTES)) for path in EVERY}
    about = {"test_cassettes", "test_traps"}
    modules = {path.stem for path in HERE.glob("test_*.py")} - about
    wanted = {f"suite/{module.removeprefix('test_')}.yaml" for module in modules}
    wanted |= {f"conversations/{name.__name__}.yaml" for name in conversations.CONVERSATIONS}
    assert names == wanted
    assert set(facts()) == {name.__name__ for name in conversations.CONVERSATIONS}


def test_the_origin_of_each_is_known():
    origins = json.loads(ORIGINS.read_text(encoding="utf-8"))
    assert set(origins) == {str(path.relative_to(CASSETTES)) for path in EVERY}
    assert set(origins.values()) <= {"server", "sandbox"}
    told = (CASSETTES / "README.md").read_text(encoding="utf-8")
    by_sandbox = sorted(name for name, origin in origins.items() if origin == "sandbox")
    assert by_sandbox == ["suite/find.yaml"]
    assert "| `suite/find` | a sandbox" in told


@pytest.mark.parametrize(
    ("origin", "kept", "count"),
    [("sandbox", {"a": "server's", "b": "new"}, 1), ("server", {"a": "new", "b": "new"}, 2)],
)
def test_a_sandbox_replaces_no_answer_of_a_server(tmp_path, monkeypatch, origin, kept, count):
    old, new = tmp_path / "cassettes", tmp_path / "new"
    for folder, texts in (
        (old, {"a": "server's", "b": "sandbox's"}),
        (new, {"a": "new", "b": "new"}),
    ):
        conversations = folder / "conversations"
        conversations.mkdir(parents=True)
        for name, text in texts.items():
            (conversations / f"{name}.yaml").write_text(text)
        (conversations / "index.json").write_text(json.dumps(texts))
    origins = {"conversations/a.yaml": "server", "conversations/b.yaml": "sandbox"}
    (old / "origins.json").write_text(json.dumps(origins))
    monkeypatch.setattr(record, "CASSETTES", old)
    monkeypatch.setattr(record, "ORIGINS", old / "origins.json")
    assert record.keep(new, origin) == count
    found = {path.stem: path.read_text() for path in (old / "conversations").glob("*.yaml")}
    assert found == kept
    assert json.loads((old / "conversations" / "index.json").read_text()) == kept
    assert json.loads((old / "origins.json").read_text())["conversations/b.yaml"] == origin


def test_they_are_small():
    assert sum(path.stat().st_size for path in EVERY) < LARGEST


@pytest.mark.parametrize("path", EVERY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_secret_and_no_token(path):
    assert suspicions(path) == []


def test_no_secret_in_the_facts():
    text = json.dumps(facts())
    assert "127.0.0.1" not in text
    assert "access_token" not in text
    assert "client_secret" not in text


def cassette(tmp_path, *, body="", uri="https://a.test/x", answer="", headers=None):
    path = tmp_path / "planted.yaml"
    interaction = {
        "request": {"body": body, "headers": headers or {}, "method": "POST", "uri": uri},
        "response": {
            "body": {"string": answer},
            "headers": {"content-type": ["application/json"]},
            "status": {"code": 200, "message": "OK"},
        },
    }
    path.write_text(yaml.safe_dump({"interactions": [interaction], "version": 1}))
    return path


WRAPPINGS = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "bytes that are no text": lambda text: text.encode() + b"\xff",
    "percent-encoded": lambda text: quote(text, safe=""),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", ['{{"access_token": "{}"}}', "Bearer {}", "client_secret={}&x=1"])
def test_a_planted_secret_is_found_in_any_wrapping(tmp_path, wrapping, form):
    path = cassette(tmp_path, answer=WRAPPINGS[wrapping](form.format(SECRET)))
    assert suspicions(path), "by its look"
    assert leaks(path, {SECRET}) == [SECRET], "by its value"


@pytest.mark.parametrize(
    "planted",
    [
        {"uri": f"https://a.test/oauth/token?client_secret={SECRET}"},
        {"uri": "http://127.0.0.1:40123/x"},
        {"headers": {"Authorization": [f"Bearer {SECRET}"]}},
        {"headers": {"authorization": ["Token short"]}},
        {"headers": {"Cookie": ["session=1"]}},
    ],
)
def test_a_planted_trace_in_a_request_is_found(tmp_path, planted):
    assert suspicions(cassette(tmp_path, **planted))


def test_a_clean_cassette_is_clean(tmp_path):
    path = cassette(
        tmp_path,
        body=f"client_id={FILTERED}&client_secret={FILTERED}&grant_type=client_credentials",
        answer=json.dumps({"access_token": FILTERED}),
        headers={"Authorization": [FILTERED]},
    )
    assert suspicions(path) == []
    assert leaks(path, {SECRET}) == []


# The filter itself


@pytest.fixture
def filters():
    return Filter(
        Target(
            base_url="http://127.0.0.1:40123",
            base_uri="http://127.0.0.1:40123/",
            token_url="http://127.0.0.1:40123/oauth/token",
            verify_url="http://127.0.0.1:40123/oauth/verify",
            sigel="Ylm",
            other_own_sigel="NO",
            foreign_sigel="S",
            bibs=("a", "b"),
            legacy_bib="a",
            foreign_holding="c",
            client=Credentials(client_id="supplier", secret=SECRET),
            cataloguer=None,
        )
    )


def test_the_filter_cleans_a_request(filters):
    request = SimpleNamespace(
        uri="http://127.0.0.1:40123/_findhold?id=http%3A%2F%2F127.0.0.1%3A40123%2Fx%23it",
        headers={"Authorization": f"Bearer {SECRET}", "User-Agent": "x", "If-Match": '"1"'},
        body=b'{"@id": "http://127.0.0.1:40123/x"}',
    )
    cleaned = filters.request(request)
    assert cleaned.uri == FIXED_URL + "/_findhold?id=https%3A%2F%2Flibris.sandbox.test%2Fx%23it"
    assert cleaned.headers == {"Authorization": FILTERED, "If-Match": '"1"'}
    assert cleaned.body == b'{"@id": "https://libris.sandbox.test/x"}'


def test_the_filter_cleans_the_login(filters):
    request = SimpleNamespace(
        uri="http://127.0.0.1:40123/oauth/token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=f"client_id=supplier&client_secret={SECRET}&grant_type=x".encode(),
    )
    cleaned = filters.request(request)
    assert cleaned.uri == FIXED_LOGIN + "/oauth/token"
    assert cleaned.body == f"client_id={FILTERED}&client_secret={FILTERED}&grant_type=x".encode()
    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"], "Set-Cookie": ["session=1"]},
        "body": {"string": b'{"access_token": "tU77KXI", "expires_in": 36000}'},
    }
    cleaned_answer = filters.response(answer)
    assert json.loads(cleaned_answer["body"]["string"])["access_token"] == FILTERED
    assert set(cleaned_answer["headers"]) == {"content-type"}
    assert filters.secrets == {SECRET, "tU77KXI"}


def test_the_filter_looks_into_compressed_answers(filters):
    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/gzip"]},
        "body": {"string": gzip.compress(b'{"@id": "http://127.0.0.1:40123/x"}')},
    }
    body = gzip.decompress(filters.response(answer)["body"]["string"])
    assert body == b'{"@id": "https://libris.sandbox.test/x"}'


def test_the_filter_takes_the_person_out_of_verify(filters):
    user = {"email": "eva@bibliotek.se", "full_name": "Eva Ek", "id": 7, "permissions": []}
    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Type": ["application/json"], "X-Username": ["eva@bibliotek.se"]},
        "body": {"string": json.dumps({"user": user}).encode()},
    }
    assert "eva" not in str(filters.response(answer)).lower()


# Replaying


@pytest.fixture
def replay():
    """Play a conversation's cassette; what is not in it fails instead of reaching a network."""

    def play(name):
        return vcr.use_cassette(
            str(CASSETTES / "conversations" / f"{name}.yaml"),
            record_mode=RecordMode.NONE,
            match_on=["method", "path", "query"],
        )

    return play


@pytest.mark.parametrize("name", [one.__name__ for one in conversations.CONVERSATIONS])
def test_every_conversation_can_be_replayed(replay, name):
    """Each request of the cassette, in order, gets the answer that the index names."""
    path = CASSETTES / "conversations" / f"{name}.yaml"
    recorded = yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]
    answers = []
    with replay(name), httpx.Client(follow_redirects=False) as http:
        for interaction in recorded:
            request = interaction["request"]
            answer = http.request(request["method"], request["uri"], content=request["body"])
            answers.append(f"{request['method']} {answer.status_code}")
    assert answers == facts()[name]["answers"]


def test_what_a_replayed_update_says(replay):
    """An example of what the README describes."""
    known = facts()["put_ok"]
    with replay("put_ok"), httpx.Client() as http:
        http.post(FIXED_LOGIN + "/oauth/token")
        url = f"{FIXED_URL}/{known['record']}"
        read = http.get(url, params={"embellished": "false"}, headers={"Accept": LD_JSON})
        wrote = http.put(url, json=known["document"], headers={"If-Match": read.headers["ETag"]})
    assert read.json()["@graph"][1]["shelfMark"]["label"] == "Hc"
    assert known["document"]["@graph"][1]["shelfMark"]["label"] == "Hce"
    assert wrote.status_code == 204
    assert wrote.headers["ETag"] != read.headers["ETag"]


# Configuration of another environment

CONFIGURED = """
base_url = "https://{host}"
token_url = "https://{login}/oauth/token"
sigel = "Ylm"
other_own_sigel = "NO"
foreign_sigel = "S"
bibs = ["a", "b"]
legacy_bib = "a"
foreign_holding = "c"
"""


def configured(tmp_path, host, login):
    path = tmp_path / "contract.toml"
    path.write_text(CONFIGURED.format(host=host, login=login))
    return target_from_file(path)


@pytest.mark.parametrize(
    ("host", "login"),
    [
        ("libris.kb.se", "login-stg.libris.kb.se"),
        ("LIBRIS.kb.se", "login-stg.libris.kb.se"),
        ("libris-stg.kb.se", "login.libris.kb.se"),
    ],
)
def test_the_suite_refuses_production(tmp_path, monkeypatch, host, login):
    monkeypatch.setenv("BULKRUNNER_CONTRACT_CLIENT_ID", "x")
    monkeypatch.setenv("BULKRUNNER_CONTRACT_CLIENT_SECRET", SECRET)
    with pytest.raises(ValueError, match="is production"):
        configured(tmp_path, host, login)


def test_a_configured_environment_is_treated_politely(tmp_path, monkeypatch):
    monkeypatch.setenv("BULKRUNNER_CONTRACT_CLIENT_ID", "x")
    monkeypatch.setenv("BULKRUNNER_CONTRACT_CLIENT_SECRET", SECRET)
    target = configured(tmp_path, "libris-stg.kb.se", "login-stg.libris.kb.se")
    assert target.base_uri == "https://libris-stg.kb.se/"
    assert target.verify_url == "https://login-stg.libris.kb.se/oauth/verify"
    assert target.pause >= 1
    assert SECRET not in repr(target)


def test_without_credentials_it_does_not_start(tmp_path, monkeypatch):
    monkeypatch.delenv("BULKRUNNER_CONTRACT_CLIENT_ID", raising=False)
    with pytest.raises(ValueError, match="CLIENT_SECRET are not set"):
        configured(tmp_path, "libris-stg.kb.se", "login-stg.libris.kb.se")
