"""What exactly goes over the wire."""

import httpx
import pytest

from tests.support.client import SHORT, TOKEN, api_error, bench, holding, record_answer

BODY = holding(shelfMark={"@type": "ShelfMark", "label": "Hcå"})


def done(request: httpx.Request) -> httpx.Response:
    return httpx.Response(204, headers={"etag": '"9"', "location": str(request.url)})


def test_a_read_asks_for_unembellished_json_ld_without_any_token():
    made = bench(lambda request: record_answer(holding()))
    made.catalogue.read(SHORT)
    (request,) = made.requests
    assert request.method == "GET"
    assert request.url.raw_path == f"/{SHORT}?embellished=false".encode()
    assert request.headers["accept"] == "application/ld+json"
    assert "authorization" not in request.headers
    assert "if-none-match" not in request.headers
    assert not made.logins


def test_a_conditional_read_sends_the_quoted_etag():
    made = bench(lambda request: httpx.Response(304, headers={"etag": 'W/"-12-gzip"'}))
    answer = made.catalogue.read(SHORT, if_none_match="-12")
    assert made.requests[0].headers["if-none-match"] == '"-12"'
    assert answer.etag == "-12"


def test_a_version_is_asked_for_by_number_and_unembellished():
    made = bench(lambda request: record_answer(holding()))
    made.catalogue.read_version(SHORT, -2)
    assert made.requests[0].url.raw_path == f"/{SHORT}?embellished=false&version=-2".encode()


def test_a_put_carries_exactly_the_headers_it_needs():
    made = bench(done)
    made.catalogue.put(SHORT, BODY, etag="-77", active_sigel="Ylm")
    (request,) = made.requests
    assert (request.method, request.url.path) == ("PUT", f"/{SHORT}")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["xl-active-sigel"] == "Ylm"
    assert request.headers["if-match"] == '"-77"'
    assert request.headers["content-type"] == "application/ld+json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("bulkrunner/")
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


def test_post_and_delete_carry_no_if_match():
    made = bench(done)
    made.catalogue.post(BODY, active_sigel="Ylm")
    made.catalogue.delete(SHORT, active_sigel="Ylm")
    post, delete = made.requests
    assert (post.method, post.url.path) == ("POST", "/data")
    assert (delete.method, delete.url.path) == ("DELETE", f"/{SHORT}")
    assert "if-match" not in post.headers
    assert "if-match" not in delete.headers
    assert delete.content == b""
    assert delete.headers["authorization"] == f"Bearer {TOKEN}"


def test_the_body_is_compact_utf8_without_context_and_the_document_is_left_alone():
    made = bench(done)
    document = {"@context": "/context.jsonld", "@graph": [{"a": "å"}, {"b": 1.5}]}
    made.catalogue.put(SHORT, document, etag="1", active_sigel="Ylm")
    assert made.requests[0].content == '{"@graph":[{"a":"å"},{"b":1.5}]}'.encode()
    assert "@context" in document


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_hold_is_not_sent(value):
    made = bench(done)
    with pytest.raises(ValueError):  # noqa: PT011
        made.catalogue.put(SHORT, {"@graph": [{"a": value}]}, etag="1", active_sigel="Ylm")
    assert not made.requests


@pytest.mark.parametrize("sigel", ["", " Ylm", "Y\r\nX-Evil: 1", "Y\x00"])
def test_a_sigel_that_no_header_may_hold_is_not_sent(sigel):
    made = bench(done)
    with pytest.raises(ValueError, match="sigel"):
        made.catalogue.delete(SHORT, active_sigel=sigel)
    assert not made.requests


@pytest.mark.parametrize(
    "record", ["../evil", "_bulk", SHORT + "/data", "http://libris.kb.se/bib/1"]
)
def test_only_a_short_id_can_be_written_to(record):
    made = bench(done)
    with pytest.raises(ValueError, match="short id"):
        made.catalogue.delete(record, active_sigel="Ylm")
    assert not made.requests


def test_an_iri_is_asked_for_as_a_path():
    made = bench(lambda request: api_error(404))
    made.catalogue.read("http://libris.kb.se/bib/1234")
    made.catalogue.read("https://libris.kb.se/library/S%20x?y=1#z")
    assert [request.url.raw_path for request in made.requests] == [
        b"/http://libris.kb.se/bib/1234?embellished=false",
        b"/https://libris.kb.se/library/S%2520x%3Fy%3D1%23z?embellished=false",
    ]


def test_requests_are_counted_with_those_to_the_login():
    made = bench(done)
    made.catalogue.delete(SHORT, active_sigel="Ylm")
    made.catalogue.delete(SHORT, active_sigel="Ylm")
    assert made.catalogue.requests == 3


def test_the_reader_for_planning_has_no_way_to_write():
    from bulkrunner.adapters.libris.client import ReadOnlyCatalogue

    for name in ("put", "post", "delete", "renew_token", "write_gate"):
        assert not hasattr(ReadOnlyCatalogue, name)
    assert ReadOnlyCatalogue._methods == {"GET"}


def test_a_connection_sends_no_other_method_than_its_own():
    from bulkrunner.adapters.libris.http import Http, RequestCount

    sent = []
    transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))
    http = Http(
        "https://x.example",
        connections=1,
        methods=("GET",),
        count=RequestCount(),
        transport=transport,
    )
    with pytest.raises(RuntimeError, match="PUT"):
        http.send("PUT", "/x", ())
    assert not sent
