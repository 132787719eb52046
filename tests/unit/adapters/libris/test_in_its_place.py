"""Answers of whatever stands between: none of them is the catalogue's, or the login's."""

import gzip

import httpx
import pytest

from bulkrunner.adapters.libris.http import TRIES
from bulkrunner.adapters.libris.login import TRIES as LOGIN_TRIES
from bulkrunner.domain.catalogue import AnswerKind, Found, Gone, Missing, Moved, NotModified
from bulkrunner.errors import CatalogueUnreachable, LoginDown
from tests.support.client import (
    BASE,
    SHORT,
    api_error,
    bench,
    container_error,
    good_login,
    holding,
    record_answer,
)

OTHER = "h1bcdfghjkmnpqr2"
LEGACY = "http://libris.kb.se/hold/1"
PAGE = "<html><body><h1>Not here</h1></body></html>"

QUESTIONS = {
    "read": lambda catalogue: catalogue.read(SHORT),
    "has it changed": lambda catalogue: catalogue.read(SHORT, if_none_match="1"),
    "version": lambda catalogue: catalogue.read_version(SHORT, -2),
    "legacy id": lambda catalogue: catalogue.read(LEGACY),
    "holdings of a library": lambda catalogue: catalogue.holdings_of(f"{BASE}/b1#it", "Ylm"),
    "holdings": lambda catalogue: catalogue.holdings_on(f"{BASE}/b1#it"),
    "links": lambda catalogue: catalogue.links_to(f"{BASE}/b1#it"),
    "names": lambda catalogue: catalogue.bibs_named((LEGACY,), ()),
    "identifiers": lambda catalogue: catalogue.bibs_named((), ("9789100000000",)),
    "library": lambda catalogue: catalogue.library_name("Ylm"),
    "search": lambda catalogue: catalogue.find([("q", "x")], limit=10),
    "dump": lambda catalogue: catalogue.dump_page("Ylm", offset=0),
    "feed": lambda catalogue: catalogue.feed_page(until=1),
}

STRANGERS = {
    "404 page": httpx.Response(404, html=PAGE),
    "404 text": httpx.Response(404, text="default backend - 404"),
    "404 empty": httpx.Response(404),
    "404 of another service": httpx.Response(404, json={"status": 404, "error": "Not Found"}),
    "404 code as text": httpx.Response(404, json={"status_code": "404", "message": "no"}),
    "404 code as fraction": httpx.Response(404, json={"status_code": 404.0, "message": "no"}),
    "404 with another code": httpx.Response(404, json={"status_code": 410, "message": "no"}),
    "404 of the container": container_error(404, "Not Found"),
    "404 in a list": httpx.Response(404, json=[{"status_code": 404}]),
    "404 cut short": httpx.Response(
        404, headers={"content-type": "application/json"}, content=b'{"status_code": 404'
    ),
    "404 not called JSON": httpx.Response(404, text='{"status_code": 404}'),
    "410 page": httpx.Response(410, html=PAGE),
    "410 with another code": httpx.Response(410, json={"status_code": 404, "message": "no"}),
    "302 to a page": httpx.Response(302, headers={"location": "https://example.org/maintenance"}),
    "302 to a page of the host": httpx.Response(302, headers={"location": "/maintenance.html"}),
    "302 to another environment": httpx.Response(
        302, headers={"location": f"https://libris-qa.kb.se/{OTHER}"}
    ),
    "302 to no address": httpx.Response(302, headers={"location": "http://["}),
    "301 to itself, over TLS": httpx.Response(301, headers={"location": f"{BASE}/{SHORT}"}),
    "307 nowhere": httpx.Response(307),
    "200 page": httpx.Response(200, html=PAGE, headers={"etag": '"1"'}),
    "200 JSON of another service": httpx.Response(200, json={"status": "UP"}),
    "200 JSON that is no object": httpx.Response(200, json="ok"),
    "200 empty": httpx.Response(200, headers={"content-type": "application/ld+json"}),
    "200 gzip'd": httpx.Response(
        200,
        headers={"content-type": "text/html", "content-encoding": "gzip"},
        stream=httpx.ByteStream(gzip.compress(PAGE.encode())),
    ),
    "400 page": httpx.Response(400, html=PAGE),
    "401 page": httpx.Response(401, html=PAGE),
    "403 page": httpx.Response(403, html=PAGE),
    "429 page": httpx.Response(429, html=PAGE),
    "502 page": httpx.Response(502, html=PAGE),
}
LEADS_TO_A_RECORD = {"legacy id", "names", "library"}
"""Questions that the catalogue answers by a redirect to a record."""


def again(response):
    """The same answer each time it is asked for."""
    return lambda request: httpx.Response(
        response.status_code, headers=response.headers, stream=response.stream
    )


def cases():
    for question in QUESTIONS:
        for stranger in STRANGERS:
            if question in LEADS_TO_A_RECORD and stranger == "301 to itself, over TLS":
                continue
            if question == "holdings of a library" and stranger == "502 page":
                continue  # it asks another question then
            yield question, stranger


@pytest.mark.parametrize(("question", "stranger"), list(cases()))
def test_it_is_asked_again_and_never_believed(question, stranger):
    made = bench(again(STRANGERS[stranger]))
    with pytest.raises(CatalogueUnreachable) as caught:
        QUESTIONS[question](made.catalogue)
    assert (caught.value.exit_code, caught.value.code) == (6, "catalogue_unreachable")
    assert not caught.value.by_server
    assert len(made.requests) == TRIES
    assert f"{STRANGERS[stranger].status_code}" in caught.value.message or "200" in stranger


@pytest.mark.parametrize("stranger", STRANGERS)
def test_one_that_passes_is_overcome(stranger):
    def answer(request):
        if len(made.requests) > 2:
            return record_answer(holding())
        return again(STRANGERS[stranger])(request)

    made = bench(answer)
    assert isinstance(made.catalogue.read(SHORT), Found)


def test_what_answers_instead_is_told_with_its_words():
    made = bench(again(STRANGERS["404 text"]))
    with pytest.raises(CatalogueUnreachable) as caught:
        made.catalogue.read(SHORT)
    told = "something else answered in the catalogue's place: 404 default backend - 404"
    assert caught.value.message == f"staging: no usable answer about {SHORT}: {told}"
    assert {reason for reason, _ in made.told} == {f"staging: {told}"}


@pytest.mark.parametrize("stranger", ["302 to a page", "307 nowhere"])
def test_where_a_redirect_leads_is_told(stranger):
    made = bench(again(STRANGERS[stranger]))
    where = STRANGERS[stranger].headers.get("location", "nowhere")
    with pytest.raises(CatalogueUnreachable, match=f"30[27] to {where}"):
        made.catalogue.read(SHORT)


def test_another_record_is_no_answer_about_this_one():
    made = bench(lambda request: record_answer(holding(OTHER)))
    with pytest.raises(CatalogueUnreachable, match=f"asked for {SHORT}, got {BASE}/{OTHER}"):
        made.catalogue.read(SHORT)
    assert len(made.requests) == TRIES


def test_a_record_with_its_etag_taken_off_is_no_answer():
    made = bench(lambda request: record_answer(holding(), etag=None))
    with pytest.raises(CatalogueUnreachable, match="a record without an ETag"):
        made.catalogue.read(SHORT)
    assert isinstance(made.catalogue.read_version(SHORT, 0), Found)


# 304


def test_a_304_has_the_etag_that_was_asked_about():
    made = bench(lambda request: httpx.Response(304, headers={"etag": 'W/"1-gzip"'}))
    assert made.catalogue.read(SHORT, if_none_match="1") == NotModified(
        environment="staging", record=SHORT, etag="1"
    )


@pytest.mark.parametrize("etag", [None, '"2"'])
def test_any_other_304_is_no_answer(etag):
    headers = {"etag": etag} if etag else {}
    made = bench(lambda request: httpx.Response(304, headers=headers))
    for asked in ("1", None):
        with pytest.raises(CatalogueUnreachable, match="304"):
            made.catalogue.read(SHORT, if_none_match=asked)


# Redirects to records


@pytest.mark.parametrize("address", [BASE, "http://127.0.0.1:8080"])
def test_a_redirect_may_name_the_environment_by_base_uri_or_by_its_address(address):
    made = bench(
        lambda request: httpx.Response(302, headers={"location": f"{address}/{OTHER}#it?x=1"}),
        base_url="http://127.0.0.1:8080",
    )
    assert made.catalogue.read(LEGACY) == Moved(
        environment="staging", record=LEGACY, target=f"{BASE}/{OTHER}#it"
    )


def test_an_old_version_that_leads_to_the_record_itself_is_its_deletion():
    """So the server answers for a version in which a record was deleted that lives again."""
    location = f"{BASE}/{SHORT}#it?embellished=false&version=-2"
    made = bench(lambda request: httpx.Response(302, headers={"location": location}))
    assert made.catalogue.read_version(SHORT, -2) == Gone(environment="staging", record=SHORT)
    with pytest.raises(CatalogueUnreachable, match="302 to the very record"):
        made.catalogue.read(SHORT)


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (301, f"{BASE}/{SHORT}#it"),
        (302, f"{BASE}/{SHORT}?embellished=false&version=-2"),
        (302, f"/{SHORT}?embellished=false&version=-2"),
    ],
)
def test_a_loop_is_no_deletion(status, location):
    made = bench(lambda request: httpx.Response(status, headers={"location": location}))
    with pytest.raises(CatalogueUnreachable, match="to the very record"):
        made.catalogue.read_version(SHORT, -2)


@pytest.mark.parametrize(
    ("location", "known"),
    [
        ("https://libris.kb.se/library/New", True),
        (f"{BASE}/{OTHER}", True),
        ("https://libris.kb.se/library/Ylm", False),
        ("https://libris.kb.se/maintenance", False),
        (f"{BASE}/https://libris.kb.se/library/Ylm", False),
    ],
)
def test_a_library_may_be_another_name_of_a_library(location, known):
    made = bench(lambda request: httpx.Response(302, headers={"location": location}))
    if known:
        assert made.catalogue.library_name("Ylm") == ""
    else:
        with pytest.raises(CatalogueUnreachable):
            made.catalogue.library_name("Ylm")


# The catalogue's own no


@pytest.mark.parametrize("form", ["json", "html", "empty"])
@pytest.mark.parametrize("question", ["holdings of a library", "holdings", "links"])
def test_the_containers_400_to_a_look_up_means_none(question, form):
    made = bench(lambda request: container_error(400, "Unknown", form=form))
    assert QUESTIONS[question](made.catalogue) == ()
    assert len(made.requests) == 1


def test_the_catalogues_own_no():
    for status, kind in ((404, Missing), (410, Gone)):
        made = bench(lambda request, status=status: api_error(status))
        assert isinstance(made.catalogue.read(LEGACY), kind)
        assert made.catalogue.library_name("Ylm") is None
        assert made.catalogue.bibs_named((LEGACY,), ()) == ()


def test_a_failure_that_the_catalogue_admits_is_told_apart():
    for response, by_server in (
        (api_error(500, error_id="u"), True),
        (httpx.Response(500, html=PAGE), False),
        (httpx.Response(500), False),
    ):
        with pytest.raises(CatalogueUnreachable) as caught:
            bench(again(response)).catalogue.read(SHORT)
        assert caught.value.by_server is by_server


# Writes

WRITES = {
    "PUT": lambda catalogue: catalogue.put(SHORT, holding(), etag="1", active_sigel="Ylm"),
    "POST": lambda catalogue: catalogue.post(holding(), active_sigel="Ylm"),
    "DELETE": lambda catalogue: catalogue.delete(SHORT, active_sigel="Ylm"),
}
SAID_OF_WRITES = {
    **dict.fromkeys(STRANGERS, AnswerKind.UNREADABLE),
    "429 page": AnswerKind.BUSY,
    "200 gzip'd": AnswerKind.LOST,
    "301 to itself, over TLS": AnswerKind.REDIRECT,
}


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_write_is_told_done_or_refused_by_a_stranger(method, stranger):
    made = bench(again(STRANGERS[stranger]))
    answer = WRITES[method](made.catalogue)
    assert answer.kind is SAID_OF_WRITES[stranger]
    assert len(made.requests) == 1


@pytest.mark.parametrize(
    ("method", "status"), [("PUT", 200), ("PUT", 201), ("POST", 204), ("DELETE", 201)]
)
def test_success_in_another_form_than_the_catalogues_is_none(method, status):
    headers = {"location": f"{BASE}/{OTHER}", "etag": '"1"'}
    made = bench(lambda request: httpx.Response(status, headers=headers))
    assert WRITES[method](made.catalogue).kind is AnswerKind.UNREADABLE


@pytest.mark.parametrize(
    ("location", "record"),
    [
        (f"{BASE}/{OTHER}", OTHER),
        (f"https://inside.example/{OTHER}", OTHER),
        (f"/{OTHER}", OTHER),
        (f"{BASE}/{OTHER}#it?x=/y", OTHER),
        (f"{BASE}/data", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_a_201_names_a_record_whatever_the_host(location, record):
    made = bench(lambda request: httpx.Response(201, headers={"location": location}))
    answer = WRITES["POST"](made.catalogue)
    assert answer.location == record
    assert answer.kind is (AnswerKind.DONE if record else AnswerKind.UNREADABLE)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(511, html=PAGE), AnswerKind.UNREADABLE),
        (httpx.Response(504, json={"message": "upstream timed out"}), AnswerKind.UNREADABLE),
        (httpx.Response(502), AnswerKind.UNREADABLE),
        (httpx.Response(500, html=PAGE), AnswerKind.UNREADABLE),
        (httpx.Response(500), AnswerKind.SERVER_ERROR),
        (api_error(500), AnswerKind.SERVER_ERROR),
        (container_error(500, form="html"), AnswerKind.SERVER_ERROR),
    ],
)
@pytest.mark.parametrize("method", WRITES)
def test_whose_5xx_it_is_shows_in_its_form(method, response, kind):
    assert WRITES[method](bench(again(response)).catalogue).kind is kind


@pytest.mark.parametrize(
    ("method", "response", "kind"),
    [
        ("PUT", httpx.Response(401), AnswerKind.UNAUTHORIZED),
        ("DELETE", httpx.Response(401), AnswerKind.UNAUTHORIZED),
        ("POST", httpx.Response(401), AnswerKind.UNREADABLE),
        ("PUT", httpx.Response(401, html=PAGE), AnswerKind.UNREADABLE),
        ("POST", httpx.Response(401, json={"message": "no"}), AnswerKind.UNREADABLE),
        ("POST", api_error(401), AnswerKind.UNREADABLE),
        ("POST", container_error(401, "Bad access token."), AnswerKind.UNAUTHORIZED),
        ("POST", container_error(401, "Bad access token.", form="html"), AnswerKind.UNAUTHORIZED),
        ("POST", container_error(403), AnswerKind.UNREADABLE),
    ],
)
def test_whose_401_it_is_shows_in_its_form(method, response, kind):
    assert WRITES[method](bench(again(response)).catalogue).kind is kind


# The login

FOREIGN_LOGINS = {
    name: STRANGERS[name] for name in STRANGERS if not name.startswith(("429", "502", "200 gzip"))
}


@pytest.mark.parametrize("stranger", FOREIGN_LOGINS)
@pytest.mark.parametrize("asked", ["token", "verify"])
def test_a_login_is_down_where_something_else_answers(asked, stranger):
    def login(request):
        if request.url.path == f"/oauth/{asked}":
            return again(STRANGERS[stranger])(request)
        return good_login(request)

    made = bench(lambda request: httpx.Response(204), login)
    with pytest.raises(LoginDown, match="something else answered in its place") as caught:
        made.catalogue.rights()
    assert str(STRANGERS[stranger].status_code) in caught.value.message
    assert len([one for one in made.logins if asked in one.url.path]) == LOGIN_TRIES


def test_a_page_in_the_logins_place_that_passes_is_overcome():
    def login(request):
        if len(made.logins) in (1, 3):
            return httpx.Response(200, html=PAGE)
        return good_login(request)

    made = bench(lambda request: httpx.Response(204), login)
    assert made.catalogue.rights().permissions


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_another_services_json_is_no_refusal_of_the_login(status):
    made = bench(
        lambda request: httpx.Response(204),
        lambda request: httpx.Response(status, json={"message": "no Route matched"}),
    )
    with pytest.raises(LoginDown):
        made.catalogue.rights()
