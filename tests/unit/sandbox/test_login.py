"""Libris Login: tokens, verify, errors."""

import base64
import json

import pytest

from tests.support.lab import Lab, body_of

GRANT = "grant_type=client_credentials"
LEVEL1 = f"client_id=level1&client_secret=s1&{GRANT}"


def test_a_token_and_what_verify_says_of_it(lab: Lab) -> None:
    answer = lab.ask("POST", "/oauth/token", LEVEL1.encode())
    assert answer.status == 200
    given = body_of(answer)
    assert given["expires_in"] == 36000
    assert given["token_type"] == "Bearer"
    assert given["scope"] == "read write"
    verified = lab.get("/oauth/verify", Authorization=f"Bearer {given['access_token']}")
    assert verified.status == 200
    assert verified.header("X-Username") == "level1@example.org"
    told = body_of(verified)
    assert told["expires_at"] == "2026-03-02T19:00:00Z"
    assert told["user"]["permissions"] == [
        {
            "code": "Ylm",
            "friendly_name": "",
            "cataloger": False,
            "registrant": True,
            "global_registrant": False,
        }
    ]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ("client_id=level1&client_secret=wrong&" + GRANT, 401, "invalid_client"),
        ("client_id=unknown&client_secret=s1&" + GRANT, 401, "invalid_client"),
        ("client_id=level1&client_secret=s1", 400, "unsupported_grant_type"),
        ("client_id=level1&client_secret=s1&grant_type=password", 400, "invalid_request"),
        ("client_id=level1&client_secret=s1&grant_type=x", 400, "unsupported_grant_type"),
        (LEVEL1 + "&scope=admin", 401, "invalid_scope"),
    ],
)
def test_token_errors(lab: Lab, form: str, status: int, error: str) -> None:
    answer = lab.ask("POST", "/oauth/token", form.encode())
    assert (answer.status, body_of(answer)["error"]) == (status, error)


def test_a_client_without_a_user_gets_an_html_page(lab: Lab) -> None:
    form = f"client_id=nobody&client_secret=s5&{GRANT}"
    answer = lab.ask("POST", "/oauth/token", form.encode())
    assert answer.status == 500
    assert b"<title>" in answer.body


def test_basic_authentication_of_the_client(lab: Lab) -> None:
    basic = base64.b64encode(b"level1:s1").decode()
    answer = lab.ask("POST", "/oauth/token", GRANT.encode(), {"Authorization": f"Basic {basic}"})
    assert answer.status == 200


def test_every_call_makes_another_token_and_old_ones_stay(lab: Lab) -> None:
    tokens = [
        body_of(lab.ask("POST", "/oauth/token", LEVEL1.encode()))["access_token"] for _ in "12"
    ]
    assert tokens[0] != tokens[1]
    for token in tokens:
        assert lab.get("/oauth/verify", Authorization=f"Bearer {token}").status == 200


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer: x", "Basic x", ""])
def test_verify_of_no_token(lab: Lab, header: str) -> None:
    answer = lab.get("/oauth/verify", Authorization=header)
    assert (answer.status, body_of(answer)["message"]) == (401, "Bearer token not found.")


def test_verify_of_an_ended_token(lab: Lab) -> None:
    token = lab.token("level1")
    lab.clock.advance(seconds=36001)
    answer = lab.get("/oauth/verify", Authorization=f"Bearer {token}")
    assert (answer.status, body_of(answer)["message"]) == (401, "Bearer token is expired.")


def test_a_revoked_client(lab: Lab) -> None:
    token = lab.token("level1")
    lab.ask("POST", "/_sandbox/clients/level1/revoke")
    answer = lab.get("/oauth/verify", Authorization=f"Bearer {token}")
    assert body_of(answer)["message"] == "Bearer token not found."
    again = lab.ask("POST", "/oauth/token", LEVEL1.encode())
    assert body_of(again)["error"] == "invalid_client"


def test_tokens_of_one_environment_are_unknown_in_another(lab: Lab) -> None:
    answer = Lab().get("/oauth/verify", Authorization=f"Bearer {lab.token('level1')}")
    assert answer.status == 401


def test_no_secret_in_what_can_be_printed(lab: Lab) -> None:
    assert "s1" not in repr(lab.environment.login.clients()[0])
    info = lab.ask("GET", "/_sandbox/info").body
    assert b"s1" not in info.replace(b"_sandbox", b"")
    assert "permissions" not in json.loads(info)
