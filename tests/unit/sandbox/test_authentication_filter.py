"""Who is let through to write, and the pages that refuse them."""

import pytest

from tests.support.lab import Lab, body_of, new_holding

NEW = new_holding("Ylm", "lonely")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "No access token (Authorization header) in request"),
        ("Bearer nonsense", "Bad access token."),
        ("Bearer: {token}", "Bad access token."),
        ("bearer {token}", "Bad access token."),
        ("{token}", "Bad access token."),
    ],
)
def test_refused_headers(lab: Lab, header: str | None, message: str) -> None:
    sent = header and header.format(token=lab.token("level1"))
    answer = lab.post(NEW, Authorization=sent)
    assert (answer.status, body_of(answer)["message"]) == (401, message)


def test_an_ended_token(lab: Lab) -> None:
    lab.token("level1")
    lab.clock.advance(hours=11)
    answer = lab.post(NEW)
    assert (answer.status, body_of(answer)["message"]) == (401, "Access token has expired")


def test_a_login_that_is_down_looks_like_an_ended_token(lab: Lab) -> None:
    lab.token("level1")
    lab.environment.faults.add({"kind": "login_down"})
    answer = lab.post(NEW)
    assert (answer.status, body_of(answer)["message"]) == (401, "Access token has expired")
    assert lab.get("/oauth/verify").status == 503
    assert lab.get("/h1").status == 200


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/html;charset=iso-8859-1"),
        ("*/*", "text/html;charset=iso-8859-1"),
        ("text/html", "text/html;charset=iso-8859-1"),
        ("application/json", "application/json"),
        ("application/ld+json, application/json;q=0.5", "application/json"),
        ("application/ld+json", None),
    ],
)
def test_the_page_follows_accept(lab: Lab, accept: str | None, content_type: str | None) -> None:
    answer = lab.post(NEW, Authorization=None, Accept=accept)
    assert answer.header("content-type") == content_type
    assert bool(answer.body) == (content_type is not None)
    if content_type == "application/json":
        assert body_of(answer).keys() == {"url", "status", "message", "servlet"}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_no_page_for_put_and_delete(lab: Lab, method: str) -> None:
    answer = lab.write(method, "/h1", NEW, Authorization=None, Accept="text/html")
    assert (answer.status, answer.body) == (401, b"")


def test_reading_needs_no_token(lab: Lab) -> None:
    assert lab.get("/h1").status == 200


def test_hostile_paths_are_escaped_in_the_page(lab: Lab) -> None:
    answer = lab.write("POST", "/<script>", NEW, Authorization=None, Accept="text/html")
    assert b"<script>" not in answer.body
