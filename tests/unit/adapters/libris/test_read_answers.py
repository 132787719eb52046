"""Every answer to a read becomes a typed result, or an error that says what came instead."""

import json

import httpx
import pytest

from bulkrunner.adapters.libris.http import TRIES
from bulkrunner.domain.catalogue import Found, Gone, Missing, Moved
from bulkrunner.errors import CatalogueUnreachable, Interrupted
from tests.support.client import (
    BASE,
    SHORT,
    api_error,
    bench,
    holding,
    record_answer,
)


def always(response):
    return lambda request: response


def test_a_record_comes_without_context_and_with_a_plain_etag():
    made = bench(always(record_answer(holding(), etag='W/"-5:77-gzip"')))
    answer = made.catalogue.read(SHORT)
    assert answer == Found(
        environment="staging",
        record=SHORT,
        iri=f"{BASE}/{SHORT}",
        document=holding(),
        etag="-5",
    )


@pytest.mark.parametrize(
    ("etag", "plain"),
    [
        ('"1"', "1"),
        ('W/"1"', "1"),
        ('"1-gzip"', "1"),
        ('"-1:2"', "-1"),
        ('"-1:2-gzip"', "-1"),
        ("1", "1"),
    ],
)
def test_etags_are_compared_in_their_plain_form(etag, plain):
    assert bench(always(record_answer(holding(), etag=etag))).catalogue.read(SHORT).etag == plain


@pytest.mark.parametrize(("status", "kind"), [(404, Missing), (410, Gone)])
def test_missing_and_gone(status, kind):
    made = bench(always(api_error(status)))
    for answer in (made.catalogue.read(SHORT), made.catalogue.read_version(SHORT, -2)):
        assert answer == kind(environment="staging", record=SHORT)
    assert len(made.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        (f"{BASE}/b1bcdfghjkmnpqr1?embellished=false", f"{BASE}/b1bcdfghjkmnpqr1"),
        (f"{BASE}/b1bcdfghjkmnpqr1#it?embellished=false", f"{BASE}/b1bcdfghjkmnpqr1#it"),
        ("/b1bcdfghjkmnpqr1", f"{BASE}/b1bcdfghjkmnpqr1"),
    ],
)
def test_a_redirect_is_told_and_never_followed(status, location, target):
    made = bench(always(httpx.Response(status, headers={"location": location})))
    answer = made.catalogue.read("http://libris.kb.se/bib/1")
    assert answer == Moved(environment="staging", record="http://libris.kb.se/bib/1", target=target)
    assert len(made.requests) == 1


NESTED = {"@graph": [*holding()["@graph"], {"@graph": [{"@id": "https://x"}]}]}
ODD = {
    "html": httpx.Response(200, html="<html>Log in</html>", headers={"etag": '"1"'}),
    "no type": httpx.Response(200, content=b"{}", headers={"etag": '"1"'}),
    "cut json": record_answer(holding()).content[:-5],
    "nan": b'{"@graph": [NaN, 1]}',
    "not utf-8": b'{"@graph": ["\xff"]}',
    "lone surrogate": json.dumps(holding(note="\ud800")).encode(),
    "too deep": b"[" * 100_000,
    "a list": b"[]",
    "no graph": b"{}",
    "framed": json.dumps({"@id": f"{BASE}/{SHORT}", "@type": "Record"}).encode(),
    "graph of one": json.dumps({"@graph": holding()["@graph"][:1]}).encode(),
    "graph of texts": b'{"@graph": ["a", "b"]}',
    "graph of nothing": b'{"@graph": []}',
    "graph without ids": b'{"@graph": [{"@type": "Record"}, {"@type": "Item"}]}',
    "embellished": json.dumps(NESTED).encode(),
    "another record": json.dumps(holding("h1bcdfghjkmnpqr2")).encode(),
    "no entity": json.dumps(
        {"@graph": [{"@id": f"{BASE}/{SHORT}"}, {"@id": f"{BASE}/{SHORT}#it"}]}
    ).encode(),
    "no etag": record_answer(holding(), etag=None),
    "compressed": record_answer(holding(), **{"content-encoding": "br"}),
    "too long": record_answer(holding(note="x" * 200_000)),
    "400": httpx.Response(400, json={"message": "Bad"}),
    "no location": httpx.Response(302),
    "a number without end": record_answer(holding()).content.replace(
        b'"@type"', b'"n": 1e999, "@type"'
    ),
    "a number of many digits": record_answer(holding()).content.replace(
        b'"@type"', b'"n": 0.12345678901234567890123, "@type"'
    ),
    "500": httpx.Response(500, json={"message": "Internal"}),
}


SHAPES = {
    "graph of one",
    "embellished",
    "no entity",
    "a number without end",
    "a number of many digits",
}
"""The record that was asked for, but not as records are: another try would not mend it."""


@pytest.mark.parametrize("name", ODD)
def test_anything_else_is_told_but_never_guessed(name):
    odd = ODD[name]
    if isinstance(odd, bytes):
        odd = httpx.Response(
            200, headers={"etag": '"1"', "content-type": "application/ld+json"}, content=odd
        )
    made = bench(
        lambda request: httpx.Response(odd.status_code, headers=odd.headers, stream=odd.stream)
    )
    with pytest.raises(CatalogueUnreachable) as caught:
        made.catalogue.read(SHORT)
    assert SHORT in caught.value.message
    assert caught.value.exit_code == 6
    assert len(made.requests) == (1 if name in SHAPES else TRIES)
    assert (caught.value.code == "unreadable_record") == (name in SHAPES)


@pytest.mark.parametrize("number", ["1.10", "1e3", "-0.5E-3", "1E+2", "0.0"])
def test_a_number_is_read_however_it_is_written(number):
    body = record_answer(holding()).content.replace(b'"@type"', f'"n": {number}, "@type"'.encode())
    headers = {"etag": '"1"', "content-type": "application/ld+json"}
    made = bench(always(httpx.Response(200, headers=headers, content=body)))
    assert made.catalogue.read(SHORT).document["@graph"][0]["n"] == float(number)


def test_old_data_with_a_third_node_is_a_record_too():
    document = {"@graph": [*holding()["@graph"], {"@id": "https://x/y#work", "@type": "Work"}]}
    assert bench(always(record_answer(document))).catalogue.read(SHORT).document == document


def test_a_wrong_base_uri_is_named_as_the_likely_cause():
    made = bench(always(record_answer(holding())), base_uri="https://other.example/")
    with pytest.raises(CatalogueUnreachable, match="is base_uri right"):
        made.catalogue.read(SHORT)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500),
        httpx.Response(502, html="<p>Bad gateway</p>"),
        httpx.Response(429),
        httpx.Response(503),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("peer closed connection"),
        httpx.Response(200, content=b"{", headers={"content-type": "application/ld+json"}),
    ],
)
def test_a_passing_trouble_is_overcome(trouble):
    def answer(request):
        if len(made.requests) > 2:
            return record_answer(holding())
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    made = bench(answer)
    assert isinstance(made.catalogue.read(SHORT), Found)
    assert len(made.requests) == 3


def test_pauses_between_tries_grow_and_are_told():
    made = bench(lambda request: httpx.Response(500))
    with pytest.raises(CatalogueUnreachable):
        made.catalogue.read(SHORT)
    reasons, pauses = zip(*made.told, strict=True)
    assert reasons == ("staging: 500",) * (TRIES - 1)
    assert all(0 <= pause <= 0.5 * 2**number for number, pause in enumerate(pauses))
    assert made.clock.seconds - 1000 == pytest.approx(sum(pauses))


def test_pauses_of_several_who_ask_are_scattered():
    """Or everybody whom a restart of the server cut off would ask again at the same moments."""
    pauses = set()
    for _ in range(5):
        made = bench(lambda request: httpx.Response(500))
        with pytest.raises(CatalogueUnreachable):
            made.catalogue.read(SHORT)
        pauses.update(pause for _, pause in made.told)
    assert len(pauses) == 5 * (TRIES - 1)


def test_after_a_passing_trouble_it_is_told_that_it_goes_on():
    made = bench(
        lambda request: record_answer(holding()) if made.requests[1:] else httpx.Response(500)
    )
    made.catalogue.read(SHORT)
    assert made.told[-1] == ("", None)
    told = len(made.told)
    made.catalogue.read(SHORT)
    assert len(made.told) == told


def test_who_is_hurried_sits_out_no_pause():
    made = bench(lambda request: httpx.Response(503, headers={"retry-after": "600"}))
    made.catalogue.hurry()
    with pytest.raises(Interrupted, match="instead of waiting") as caught:
        made.catalogue.read(SHORT)
    assert caught.value.exit_code == 6
    assert made.clock.seconds - 1000 < 20
    assert len(made.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("value", ["30", "Sun, 01 Mar 2026 12:00:30 GMT"], ids=["seconds", "date"])
def test_retry_after_lets_the_whole_environment_rest(status, value):
    headers = {"retry-after": value, "date": "Sun, 01 Mar 2026 12:00:00 GMT"}

    def answer(request):
        if len(made.requests) > 1:
            return record_answer(holding())
        return httpx.Response(status, headers=headers)

    made = bench(answer)
    made.catalogue.read(SHORT)
    assert made.clock.seconds - 1000 >= 29.9
    assert any("30 s of rest" in why for why, _ in made.told)


def test_an_iri_of_a_thing_gives_its_record():
    document = holding()
    iri = document["@graph"][1]["@id"] = "https://id.kb.se/term/x"
    document["@graph"][0]["mainEntity"]["@id"] = iri
    answer = bench(always(record_answer(document))).catalogue.read(iri)
    assert (answer.record, answer.iri) == (SHORT, f"{BASE}/{SHORT}")
