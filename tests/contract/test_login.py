"""Login: tokens, verify, and the filter in front of every write (libris-api §2)."""

from datetime import UTC, datetime

import pytest

GRANT = "client_credentials"


def credentials(api):
    return {
        "client_id": api.target.client.client_id,
        "client_secret": api.target.client.secret,
    }


def error_of(answer):
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.status_code, answer.json()["error"]


def test_a_token_for_client_credentials(api):
    """§2: a form POST gives an opaque bearer token for ten hours."""
    answer = api.ask_token(grant_type=GRANT, **credentials(api))
    assert answer.status_code == 200
    content = answer.json()
    assert content["token_type"] == "Bearer"
    assert content["expires_in"] == 36000
    assert set(content["scope"].split()) <= {"read", "write"}
    assert {"access_token", "app_version"} <= set(content)
    assert "refresh_token" not in content


def test_http_basic_names_the_client_too(api):
    """§2: HTTP Basic for the client also works."""
    who = api.target.client
    answer = api.http.post(
        api.target.token_url, data={"grant_type": GRANT}, auth=(who.client_id, who.secret)
    )
    assert answer.status_code == 200


def test_every_call_makes_a_new_token_and_the_old_one_stays_valid(api):
    """§2: older tokens stay valid until they expire."""
    first, second = (
        api.ask_token(grant_type=GRANT, **credentials(api)).json()["access_token"] for _ in range(2)
    )
    assert first != second
    assert verify(api, f"Bearer {first}").status_code == 200


@pytest.mark.parametrize("field", ["client_id", "client_secret"])
def test_a_wrong_client_is_refused(api, field):
    """§2: wrong or unknown client: 401 invalid_client."""
    answer = api.ask_token(grant_type=GRANT, **{**credentials(api), field: "wrong"})
    assert error_of(answer) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [({}, "unsupported_grant_type"), ({"grant_type": "password"}, "invalid_request")],
)
def test_another_grant_type_or_none(api, form, error):
    """§2: no grant_type: 400 unsupported_grant_type; one for which something lacks: 400 too."""
    answer = api.ask_token(**form, **credentials(api))
    assert error_of(answer) == (400, error)


def test_a_refused_grant_says_what_lacks(api):
    """§2: error_description where there is more to say."""
    answer = api.ask_token(grant_type="password", **credentials(api))
    assert answer.json()["error_description"] == "Request is missing username parameter."


def test_an_unknown_scope(api):
    """§2: bad scope: 401 invalid_scope."""
    answer = api.ask_token(grant_type=GRANT, scope="everything", **credentials(api))
    assert error_of(answer) == (401, "invalid_scope")


def verify(api, authorization):
    headers = {"Authorization": authorization} if authorization else {}
    return api.http.get(api.target.verify_url, headers=headers)


def test_verify_shows_the_rights(api):
    """§2: verify lists the sigels with their flags, and when the token ends."""
    answer = verify(api, f"Bearer {api.token()}")
    assert answer.status_code == 200
    assert answer.headers["X-Username"]
    content = answer.json()
    ends = datetime.fromisoformat(content["expires_at"])
    assert content["expires_at"].endswith("Z")
    assert ends > datetime.now(UTC)
    permissions = {entry["code"]: entry for entry in content["user"]["permissions"]}
    assert permissions[api.target.sigel]["registrant"] is True
    assert api.target.foreign_sigel not in permissions
    flags = {"cataloger", "registrant", "global_registrant"}
    assert flags <= set(permissions[api.target.sigel])


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense"])
def test_verify_knows_no_such_token(api, authorization):
    """§2: 401 JSON with a message, also without a token."""
    answer = verify(api, authorization)
    assert answer.status_code == 401
    assert answer.json()["message"] == "Bearer token not found."


FILTERED = {
    "no header": (None, "No access token (Authorization header) in request"),
    "unknown token": ("Bearer nonsense", "Bad access token."),
}


@pytest.mark.parametrize("case", FILTERED)
def test_a_write_without_a_good_token(api, case):
    """§2, the filter's table: 401 with its message, before anything else is looked at."""
    authorization, message = FILTERED[case]
    answer = api.send("POST", "data", authorization=authorization, content=b"not even JSON")
    assert answer.status_code == 401
    content = answer.json()
    assert content["message"] == message
    assert set(content) >= {"url", "status", "message", "servlet"}, "the container's own JSON"


def test_the_header_is_exactly_bearer_blank_token(api):
    """§2: only ``Bearer `` is removed; the documentation's ``Bearer: <token>`` fails."""
    answer = api.send("POST", "data", {}, authorization=f"Bearer: {api.token()}")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("text/html", "text/html"),
        ("*/*", "text/html"),
        (None, "text/html"),
        ("application/ld+json", None),
    ],
)
def test_the_401_page_follows_accept(api, accept, kind):
    """§2: a page of the container: HTML, JSON, or no body for JSON-LD alone (trap 14)."""
    answer = api.send("POST", "data", {}, authorization=None, accept=accept)
    assert answer.status_code == 401
    if kind is None:
        assert answer.content == b""
    else:
        assert answer.headers["Content-Type"].startswith(kind)
        assert answer.content


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_the_401_of_put_and_delete_has_no_body(api, bib, method):
    """§2: error bodies only for GET, POST, HEAD (trap 14)."""
    answer = api.send(method, bib, {} if method == "PUT" else None, authorization=None)
    assert answer.status_code == 401
    assert answer.content == b""


def test_reading_needs_no_login(api, bib):
    """§4: no login is needed to read."""
    assert api.read(bib).status_code == 200


@pytest.mark.parametrize("path", ["_userdata/somebody", "_remotesearch"])
def test_a_few_paths_are_read_with_a_token_only(api, path):
    """§2: the filter also stands before these: 401 without a token."""
    assert api.get(path, accept="application/json").status_code == 401
