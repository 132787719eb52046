"""A write is one request, and its answer one typed result."""

from datetime import UTC, datetime

import httpx
import pytest

from bulkrunner.domain.catalogue import AnswerKind
from tests.support.client import BASE, SHORT, TOKEN, api_error, bench, container_error, holding

WRITES = {
    "put": lambda catalogue: catalogue.put(SHORT, holding(), etag="1", active_sigel="Ylm"),
    "post": lambda catalogue: catalogue.post(holding(), active_sigel="Ylm"),
    "delete": lambda catalogue: catalogue.delete(SHORT, active_sigel="Ylm"),
}
OTHER = "b1bcdfghjkmnpqr1"
SUCCESS = {"put": 204, "post": 201, "delete": 204}
EXPECTED = {
    200: AnswerKind.UNREADABLE,
    201: AnswerKind.UNREADABLE,
    202: AnswerKind.UNREADABLE,
    204: AnswerKind.UNREADABLE,
    301: AnswerKind.REDIRECT,
    302: AnswerKind.REDIRECT,
    303: AnswerKind.REDIRECT,
    307: AnswerKind.REDIRECT,
    308: AnswerKind.REDIRECT,
    400: AnswerKind.INVALID,
    403: AnswerKind.FORBIDDEN,
    404: AnswerKind.NOT_FOUND,
    405: AnswerKind.UNREADABLE,
    406: AnswerKind.UNREADABLE,
    409: AnswerKind.CONFLICT,
    410: AnswerKind.GONE,
    412: AnswerKind.STALE,
    413: AnswerKind.UNREADABLE,
    429: AnswerKind.BUSY,
    500: AnswerKind.SERVER_ERROR,
    502: AnswerKind.SERVER_ERROR,
    503: AnswerKind.BUSY,
    504: AnswerKind.SERVER_ERROR,
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("status", EXPECTED)
def test_each_status_has_its_kind_and_nothing_is_sent_twice(write, status):
    """In the catalogue's own form; what it is in any other: ``test_in_its_place.py``."""

    def answer(request):
        response = api_error(status) if status >= 400 else httpx.Response(status)
        response.headers["location"] = f"{BASE}/{OTHER}"
        return response

    made = bench(answer)
    told = WRITES[write](made.catalogue)
    expected = AnswerKind.DONE if status == SUCCESS[write] else EXPECTED[status]
    assert (told.kind, told.status) == (expected, status)
    assert told.sent
    assert len(made.requests) == 1


@pytest.mark.parametrize("write", WRITES)
def test_a_token_that_the_catalogue_does_not_take(write):
    made = bench(lambda request: container_error(401, "Access token has expired"))
    answer = WRITES[write](made.catalogue)
    assert answer.kind is AnswerKind.UNAUTHORIZED
    assert answer.words == "Access token has expired"


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("trouble", "sent"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.PoolTimeout("full"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.WriteTimeout("slow"), True),
        (httpx.ReadError("reset"), True),
        (httpx.WriteError("broken pipe"), True),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), True),
    ],
)
def test_no_answer_is_lost_and_not_sent_only_where_that_is_certain(write, trouble, sent):
    def answer(request):
        raise trouble

    made = bench(answer)
    answer = WRITES[write](made.catalogue)
    assert (answer.kind, answer.status, answer.sent) == (AnswerKind.LOST, None, sent)
    assert answer.words
    assert len(made.requests) == 1


def test_a_page_in_place_of_an_answer_is_not_taken_for_success():
    made = bench(lambda request: httpx.Response(200, html="<h1>Welcome to the hotel</h1>"))
    answer = made.catalogue.delete(SHORT, active_sigel="Ylm")
    assert (answer.kind, answer.words) == (AnswerKind.UNREADABLE, "Welcome to the hotel")


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    "body",
    [b'{"@gra', b"", b"{}", b'{"status": "ok"}'],
)
def test_200_is_no_answer_to_a_write(write, body):
    """The catalogue says 201 or 204."""
    headers = {"content-type": "application/json"}
    made = bench(lambda request: httpx.Response(200, headers=headers, content=body))
    assert WRITES[write](made.catalogue).kind is AnswerKind.UNREADABLE


def test_everything_a_good_answer_says():
    made = bench(
        lambda request: httpx.Response(
            201,
            headers={
                "location": f"{BASE}/n1bcdfghjkmnpqr1",
                "etag": '"-8:3"',
                "date": "Sun, 01 Mar 2026 12:00:00 GMT",
            },
        )
    )
    answer = made.catalogue.post(holding(), active_sigel="Ylm")
    assert (answer.location, answer.etag) == ("n1bcdfghjkmnpqr1", "-8")
    assert answer.server_date == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_everything_a_failed_validation_says():
    entry = {"type": "INVALID_IRI", "path": ["@graph", 1, "uri"], "value": "x" * 1_000, "key": 1}
    made = bench(
        lambda request: httpx.Response(
            400, json={"status_code": 400, "message": "Invalid JSON-LD", "errors": [entry] * 50}
        )
    )
    answer = made.catalogue.post(holding(), active_sigel="Ylm")
    place = "INVALID_IRI at @graph.1.uri"
    assert answer.words == f"Invalid JSON-LD: {place}, {place}, {place} and 17 more"
    assert len(answer.errors) == 20
    assert answer.errors[0]["type"] == "INVALID_IRI"
    assert answer.errors[0]["path"] == ["@graph", 1, "uri"]
    assert len(answer.errors[0]["value"]) == 500


def test_the_error_id_is_kept():
    made = bench(
        lambda request: httpx.Response(500, json={"message": "Internal", "error_id": "u-u-i-d"})
    )
    answer = made.catalogue.delete(SHORT, active_sigel="Ylm")
    assert (answer.error_id, answer.words) == ("u-u-i-d", "Internal")


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(403, json={"message": "You may\nnot\x1b[31m"}), "You may not [31m"),
        (
            httpx.Response(
                500, html="<head><title>t</title></head><body><h1>A &amp; B</h1><script>x</script>"
            ),
            "A & B",
        ),
        (httpx.Response(401), ""),
        (httpx.Response(400, text="right\u202eleft"), "right left"),
        (httpx.Response(400, json=["no", "object"]), '["no","object"]'),
        (
            httpx.Response(400, headers={"content-type": "application/json"}, content=b"{cut"),
            "{cut",
        ),
        (httpx.Response(400, text="x" * 2000), "x" * 499 + "…"),
    ],
)
def test_the_servers_words_are_plain_and_bounded(response, words):
    assert (
        bench(lambda request: response).catalogue.delete(SHORT, active_sigel="Ylm").words == words
    )


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_answer_says_how_long_and_lets_the_next_write_wait(status):
    made = bench(lambda request: httpx.Response(status, headers={"retry-after": "7"}))
    answer = made.catalogue.delete(SHORT, active_sigel="Ylm")
    assert (answer.kind, answer.retry_after) == (AnswerKind.BUSY, 7.0)
    before = made.clock.seconds
    with made.catalogue.write_gate():
        pass
    assert made.clock.seconds - before == pytest.approx(7.0)


@pytest.mark.parametrize("value", ["soon", "-5", "1e99", "99999999999999999999", ""])
def test_an_odd_retry_after_does_no_harm(value):
    made = bench(lambda request: httpx.Response(429, headers={"retry-after": value}))
    made.catalogue.delete(SHORT, active_sigel="Ylm")
    with made.catalogue.write_gate():
        pass
    assert made.clock.seconds - 1000 <= 3600


def test_the_token_is_hidden_where_the_server_repeats_it():
    made = bench(lambda request: httpx.Response(401, json={"message": f"Bearer {TOKEN} is bad"}))
    answer = made.catalogue.delete(SHORT, active_sigel="Ylm")
    assert TOKEN not in repr(answer)
    assert answer.words == "Bearer ••• is bad"
