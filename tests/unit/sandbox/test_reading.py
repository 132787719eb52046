"""GET of a record in all its forms."""

import pytest

from tests.support.lab import BASE, Lab, body_of, message

PLAIN = "?embellished=false"


def test_the_plain_form_is_what_a_client_edits(lab: Lab) -> None:
    answer = lab.get("/h1" + PLAIN)
    document = body_of(answer)
    assert answer.status == 200
    assert document["@context"] == "/context.jsonld"
    assert len(document["@graph"]) == 2
    assert document["@graph"][0]["created"] == "2019-05-04T12:00:00.25+02:00"
    assert document["@graph"][0]["modified"] == "2020-01-01T01:00:00+01:00"
    assert document["@graph"][0]["recordStatus"] == "marc:CorrectedOrRevised"
    assert answer.header("etag") == lab.etag("h1")
    assert answer.header("content-type") == "application/ld+json;charset=utf-8"
    assert answer.header("server-start-time") is None
    assert [value for name, value in answer.headers if name == "Link"] == [
        '<https://id.kb.se/sys/context/kbv>; rel="profile"',
        f"<{BASE}h1>; rel=describedby",
    ]
    assert answer.header("content-location") == BASE + "h1/data.jsonld"
    assert answer.header("document") == BASE + "h1"
    assert answer.header("vary") == "Accept, Accept-Profile"


def test_the_embellished_form_has_more_and_a_longer_etag(lab: Lab) -> None:
    answer = lab.get("/h1")
    graph = body_of(answer)["@graph"]
    assert all("@graph" in entry for entry in graph[2:])
    shown = {entry["@graph"][1]["@id"] for entry in graph[2:]}
    assert {BASE + "b1#it", "https://libris.kb.se/library/Ylm"} <= shown
    plain, _, rest = (answer.header("etag") or "").strip('"').partition(":")
    assert f'"{plain}"' == lab.etag("h1")
    assert rest


def test_an_embellished_bib_shows_its_holdings_backwards(lab: Lab) -> None:
    thing = body_of(lab.get("/b1"))["@graph"][1]
    assert {"@id": BASE + "h1#it"} in thing["@reverse"]["itemOf"]
    assert "@reverse" not in body_of(lab.get("/b1" + PLAIN))["@graph"][1]


def test_embellished_etag_follows_linked_records(lab: Lab) -> None:
    before = lab.get("/h1").header("etag")
    title = [{"@type": "Title", "mainTitle": "Another"}]
    lab.environment.editor.edit("b1", changes={"hasTitle": title})
    after = lab.get("/h1").header("etag")
    assert before != after
    assert (before or "").partition(":")[0] == (after or "").partition(":")[0]


@pytest.mark.parametrize(
    "path",
    ["/h1", f"/{BASE}h1", f"/{BASE}h1#it", "/h1/data", "/h1/data.jsonld", "/h1/data-view"],
)
def test_ways_to_name_a_record(lab: Lab, path: str) -> None:
    answer = lab.get(path + PLAIN)
    assert answer.status == 200
    assert body_of(answer)["@graph"][0]["@id"] == BASE + "h1"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{plain}", 304),
        ("W/{plain}", 304),
        ('"{bare}-gzip"', 304),
        ('"{bare}:123"', 304),
        ('"1"', 200),
    ],
)
def test_if_none_match(lab: Lab, header: str, status: int) -> None:
    etag = lab.etag("h1")
    sent = header.format(plain=etag, bare=etag.strip('"'))
    answer = lab.get("/h1" + PLAIN, If_None_Match=sent)
    assert answer.status == status
    assert answer.header("etag") == etag
    assert bool(answer.header("server-start-time")) == (status == 304)
    if status == 304:
        assert answer.body == b""
        assert answer.header("content-type") == "application/json;charset=utf-8"


def test_if_none_match_of_the_embellished_form_asks_for_both_halves(lab: Lab) -> None:
    etag = lab.get("/h1").header("etag") or ""
    assert lab.get("/h1", If_None_Match=etag).status == 304
    assert lab.get("/h1", If_None_Match=lab.etag("h1")).status == 200


def test_versions_count_from_both_ends(lab: Lab) -> None:
    lab.environment.editor.edit("h1", changes={"shelfLabel": "second"})
    lab.environment.editor.edit("h1", changes={"shelfLabel": "third"})

    def label(version: int) -> object:
        answer = lab.get(f"/h1?version={version}")
        assert len(body_of(answer)["@graph"]) == 2
        return body_of(answer)["@graph"][1].get("shelfLabel")

    assert [label(v) for v in (0, 1, 2)] == [None, "second", "third"]
    assert [label(v) for v in (-1, -2, -3)] == ["third", "second", None]
    assert lab.get("/h1?version=3").status == 404
    assert lab.get("/h1?version=-4").status == 404
    assert lab.get("/h1?version=123456789012").status == 500


def test_versions_outlive_deletion(lab: Lab) -> None:
    assert lab.delete("h1").status == 204
    gone = lab.get("/h1" + PLAIN)
    assert (gone.status, message(gone)) == (410, "Document has been deleted.")
    assert lab.get("/h1?version=-1").status == 410
    assert body_of(lab.get("/h1?version=-2"))["@graph"][1]["shelfMark"]["label"] == "Hc"
    assert lab.get(f"/{BASE}h1").status == 410
    assert lab.get(f"/{BASE}h1#it").status == 404


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/unknown", "Document not found."),
        ("/https://libris.kb.se/h1", "Document not found."),
        ("/h1/data.doc", ".doc"),
    ],
)
def test_not_found(lab: Lab, path: str, words: str) -> None:
    answer = lab.get(path)
    assert (answer.status, message(answer)) == (404, words)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/http://libris.kb.se/bib/222", BASE + "aliased"),
        ("/http://libris.kb.se/bib/222" + PLAIN, BASE + "aliased" + PLAIN),
        ("/http://libris.kb.se/resource/bib/222", BASE + "aliased#it"),
        # The query lands behind the fragment: whoever follows it asks for the embellished form.
        ("/http://libris.kb.se/resource/bib/222" + PLAIN, BASE + "aliased#it" + PLAIN),
        (
            "/http://libris.kb.se/resource/bib/222/data.jsonld" + PLAIN,
            BASE + "aliased/data.jsonld" + PLAIN,
        ),
    ],
)
def test_aliases_redirect(lab: Lab, path: str, location: str) -> None:
    answer = lab.get(path)
    assert (answer.status, answer.header("location")) == (302, location)


def test_aliases_of_a_deleted_record_are_unknown(lab: Lab) -> None:
    assert lab.delete("aliased", client="level2").status == 204
    assert lab.get("/aliased").status == 410
    assert lab.get("/http://libris.kb.se/bib/222").status == 404


@pytest.mark.parametrize(
    ("accept", "status", "content_type"),
    [
        ("*/*", 200, "application/ld+json"),
        ("text/html", 200, "application/ld+json"),
        ("image/png", 200, "application/ld+json"),
        ("", 200, "application/ld+json"),
        ("application/json", 200, "application/json"),
        ("application/json;q=0.1, application/ld+json", 200, "application/ld+json"),
        ("application/json;q=x", 400, "application/json"),
        ("nonsense", 400, "application/json"),
    ],
)
def test_accept(lab: Lab, accept: str, status: int, content_type: str) -> None:
    answer = lab.get("/h1", Accept=accept)
    wanted = f"{content_type};charset=utf-8"
    assert (answer.status, answer.header("content-type")) == (status, wanted)


def test_an_extension_beats_accept(lab: Lab) -> None:
    answer = lab.get("/h1/data.json", Accept="application/ld+json")
    assert answer.header("content-type") == "application/json;charset=utf-8"


def test_json_is_framed_from_the_record(lab: Lab) -> None:
    framed = body_of(lab.get("/h1", Accept="application/json"))
    assert not {"@graph", "@context"} & framed.keys()
    assert framed["@id"] == BASE + "h1"
    thing = framed["mainEntity"]
    assert thing["@id"] == BASE + "h1#it"
    assert thing["meta"] == {"@id": BASE + "h1"}
    assert thing["itemOf"]["hasTitle"][0]["mainTitle"] == "Title of b1"
    assert "@graph" in body_of(lab.get("/h1?framed=false", Accept="application/json"))


@pytest.mark.parametrize("lens", ["chip", "card"])
def test_a_lens_shows_a_part_framed(lab: Lab, lens: str) -> None:
    shown = body_of(lab.get(f"/b1?lens={lens}"))
    assert "@graph" not in shown
    assert shown["hasTitle"][0]["mainTitle"] == "Title of b1"


@pytest.mark.parametrize("query", ["lens=wide", "computedLabel=true"])
def test_refused_parameters(lab: Lab, query: str) -> None:
    assert lab.get("/b1?" + query).status == 400


def test_change_sets(lab: Lab) -> None:
    lab.environment.editor.edit("h1", changes={"shelfMark.label": "Hce"}, sigel="S")
    answer = lab.get("/h1/_changesets")
    assert answer.header("etag") == lab.etag("h1")
    first, second = body_of(answer)["changeSets"]
    assert first["version"] == {"@id": BASE + "h1/data?version=0"}
    assert first["addedPaths"] == first["removedPaths"] == []
    assert second["version"] == {"@id": BASE + "h1/data?version=1"}
    for path in (
        ["@graph", 1, "shelfMark", "label"],
        ["@graph", 0, "modified"],
    ):
        assert path in second["addedPaths"]
        assert path in second["removedPaths"]
    assert second["agent"] == {"@id": "https://libris.kb.se/library/S"}
    assert second["tool"] == {"@id": "https://id.kb.se/generator/crud"}
    lab.delete("h1")
    assert lab.get("/h1/_changesets").status == 410
