"""PUT: the checks in their order, the quirks, and what is stored."""

import copy
from typing import Any

import pytest

from tests.support.lab import BASE, LIBRARY, Document, Lab, body_of, message


def edited(lab: Lab, short_id: str, place: int = 1, **values: Any) -> Document:
    """The stored document with other values; None takes a key away."""
    document = copy.deepcopy(lab.stored(short_id))
    for key, value in values.items():
        key = {"id_": "@id", "type_": "@type"}.get(key, key)
        if value is None:
            document["@graph"][place].pop(key, None)
        else:
            document["@graph"][place][key] = value
    return document


def link(iri: str) -> dict[str, str]:
    return {"@id": iri}


def test_a_stored_update(lab: Lab) -> None:
    document = edited(lab, "h1", shelfLabel="new")
    before = lab.etag("h1")
    answer = lab.put("h1", document)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("location") == BASE + "h1"
    assert answer.header("etag") == lab.etag("h1") != before
    record, thing = lab.stored("h1")["@graph"]
    assert thing["shelfLabel"] == "new"
    assert record["created"] == "2019-05-04T12:00:00.25+02:00"
    assert record["modified"] == "2026-03-02T10:00:00+01:00"
    assert record["descriptionLastModifier"] == link(LIBRARY + "Ylm")
    assert "descriptionCreator" not in record
    assert lab.versions("h1") == 2


@pytest.mark.parametrize(
    ("change", "headers", "status", "text"),
    [
        ({}, {"Authorization": None}, 401, ""),
        ({}, {"Content_Type": "text/plain"}, 400, "Content-Type"),
        ({"place": 0, "id_": None}, {}, 400, "Missing @id in request."),
        ({"place": 0, "id_": BASE + "h2"}, {}, 400, "Record ID was modified"),
        ({"noSuch": 1}, {}, 400, "Invalid JSON-LD"),
        ({"heldBy": None}, {}, 400, "Missing sigel in document."),
        ({"heldBy": link(BASE + "library/Ylm")}, {}, 400, "Missing sigel in document."),
        ({"heldBy": link(LIBRARY + "S")}, {}, 403, "You are not authorized"),
        ({"type_": "PhysicalResource"}, {}, 403, "You are not authorized"),
        ({}, {"sigel": "S"}, 403, "You are not authorized"),
        ({}, {"client": "other", "sigel": "S"}, 403, "You are not authorized"),
        ({}, {"If_Match": None}, 400, "Missing If-Match header in update"),
        ({}, {"If_Match": '"1"'}, 412, "The resource has been updated by someone else"),
        ({}, {"If_Match": "*"}, 412, ""),
        ({}, {"If_Match": ""}, 412, ""),
        ({}, {"If_Match": '"{bare}", "1"'}, 412, ""),
        ({}, {"If_Match": "{bare}"}, 204, ""),
        ({}, {"If_Match": 'W/"{bare}"'}, 204, ""),
        ({}, {"If_Match": '"{bare}-gzip"'}, 204, ""),
        ({}, {"If_Match": '"{bare}:embellished"'}, 204, ""),
        ({"place": 0, "controlNumber": "other"}, {}, 500, "Internal"),
        ({"place": 0, "controlNumber": None}, {}, 500, "Internal"),
        ({"sameAs": [link("http://libris.kb.se/resource/bib/222")]}, {}, 500, "Internal"),
        ({"id_": BASE + "h1#other"}, {}, 500, "Internal"),
        ({"shelfLabel": "a\x00"}, {}, 500, "Internal"),
    ],
)
def test_the_table(
    lab: Lab, change: dict[str, Any], headers: dict[str, Any], status: int, text: str
) -> None:
    bare = lab.etag("h1").strip('"')
    named = {k: v.replace("{bare}", bare) if v else v for k, v in headers.items()}
    answer = lab.put("h1", edited(lab, "h1", **change), **named)
    assert answer.status == status
    assert text in message(answer)
    assert lab.versions("h1") == 1 + (status == 204)
    if status == 500:
        assert body_of(answer)["error_id"]


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/", 405, None),
        ("/unknown", 404, None),
        ("/http://libris.kb.se/bib/222", 302, BASE + "aliased"),
        ("/http://libris.kb.se/resource/bib/222", 302, BASE + "aliased#it"),
    ],
)
def test_other_paths(lab: Lab, path: str, status: int, location: str | None) -> None:
    answer = lab.write(
        "PUT", path, lab.stored("aliased"), client="level2", If_Match=lab.etag("aliased")
    )
    assert (answer.status, answer.header("location")) == (status, location)
    assert lab.versions("aliased") == 1


def test_identical_data_is_a_new_version_with_the_same_etag(lab: Lab) -> None:
    lab.put("h1", lab.stored("h1"))
    etag, modified = lab.etag("h1"), lab.stored("h1")["@graph"][0]["modified"]
    answer = lab.put("h1", lab.stored("h1"))
    assert answer.status == 204
    assert answer.header("etag") == etag
    assert lab.versions("h1") == 3
    assert lab.stored("h1")["@graph"][0]["modified"] > modified


def test_modified_moves_though_the_clock_stands(lab: Lab) -> None:
    moments = []
    for _ in "123":
        lab.put("h1", lab.stored("h1"))
        moments.append(lab.stored("h1")["@graph"][0]["modified"])
    assert len(set(moments)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"itemOf": link("https://libris.kb.se/b1#it")},
        {"itemOf": link(BASE + "mistyped#it")},
        {"itemOf": None},
    ],
)
def test_204_that_wrote_nothing(lab: Lab, change: dict[str, Any]) -> None:
    before = lab.etag("h1")
    answer = lab.put("h1", edited(lab, "h1", **change))
    assert answer.status == 204
    assert answer.header("etag") not in (None, before)
    assert lab.versions("h1") == 1
    assert lab.etag("h1") == before


def test_204_that_wrote_nothing_where_the_library_is_gone(lab: Lab) -> None:
    lab.environment.editor.edit("libYlm", delete=True)
    assert lab.put("h1", edited(lab, "h1", shelfLabel="x")).status == 204
    assert lab.versions("h1") == 1


def test_a_moved_holding_may_not_take_a_taken_pair(lab: Lab) -> None:
    taken = lab.put("h1", edited(lab, "h1", itemOf=link(BASE + "b2#it")))
    assert taken.status == 409
    free = lab.put("h1", edited(lab, "h1", itemOf=link(BASE + "lonely#it")))
    assert free.status == 204


def test_a_holding_may_not_become_a_single_item(lab: Lab) -> None:
    assert lab.put("h1", edited(lab, "h1", type_="SingleItem")).status == 400


def test_the_collection_may_not_change(lab: Lab) -> None:
    answer = lab.put(
        "b1", edited(lab, "b1", type_="Person", instanceOf=None, hasTitle=None), client="level2"
    )
    assert answer.status == 400


def test_dropping_a_same_as_is_an_opaque_500(lab: Lab) -> None:
    answer = lab.put("aliased", edited(lab, "aliased", sameAs=None), client="level2")
    assert answer.status == 500
    assert "sameAs" not in message(answer)


def test_the_things_id_may_change_if_the_old_one_is_kept(lab: Lab) -> None:
    document = edited(lab, "h1", id_=BASE + "h1#new", sameAs=[link(BASE + "h1#it")])
    assert lab.put("h1", document).status == 204
    assert lab.get(f"/{BASE}h1#it").status == 302


def test_context_in_the_body_is_stored(lab: Lab) -> None:
    document = {"@context": "/context.jsonld", **edited(lab, "h1", shelfLabel=None)}
    document["@graph"][1]["hasNote"] = [None]
    lab.put("h1", document)
    assert lab.stored("h1")["@context"] == "/context.jsonld"
    assert lab.stored("h1")["@graph"][1]["hasNote"] == [None]
    assert lab.get("/h1?embellished=false").body.count(b"@context") == 1


@pytest.mark.parametrize(("short_id", "status"), [("h1", 403), ("b1", 500)])
def test_a_framed_body(lab: Lab, short_id: str, status: int) -> None:
    framed = body_of(lab.get(f"/{short_id}", Accept="application/json"))
    assert lab.put(short_id, framed, client="level2").status == status


def test_an_embellished_body(lab: Lab) -> None:
    answer = lab.put("h1", body_of(lab.get("/h1")))
    assert answer.status == 400
    assert body_of(answer)["errors"][0]["type"] == "NESTED_GRAPH"


def test_deleted_in_the_body_deletes_without_the_link_check(lab: Lab) -> None:
    document = edited(lab, "b1", 0, recordStatus="marc:Deleted")
    assert lab.put("b1", document, client="level2").status == 204
    assert lab.get("/b1").status == 410
    assert lab.get("/h1").status == 200


def test_deleted_in_the_body_needs_no_library_but_the_bib(lab: Lab) -> None:
    lab.environment.editor.edit("libYlm", delete=True)
    document = edited(lab, "h1", 0, recordStatus="marc:Deleted")
    document["@graph"][1]["itemOf"] = link(BASE + "unknown#it")
    assert lab.put("h1", document).status == 204
    assert lab.get("/h1").status == 200
    assert lab.put("h1", edited(lab, "h1", 0, recordStatus="marc:Deleted")).status == 204
    assert lab.get("/h1").status == 410


def test_a_deleted_record_is_revived(lab: Lab) -> None:
    etag, document = lab.etag("h1"), lab.stored("h1")
    lab.put("h1", document)
    etag = lab.etag("h1")
    lab.delete("h1")
    # The tombstone has the last version's checksum: the same library deleted it.
    assert lab.etag("h1") == etag
    answer = lab.put("h1", document, If_Match=etag)
    assert answer.status == 204
    assert lab.get("/h1").status == 200
    assert lab.get(f"/{BASE}h1#it").status == 200


def test_the_deletion_below_a_revived_record(lab: Lab) -> None:
    """The short id then counts as another name of the record; by its whole IRI it is gone."""
    document = lab.stored("h1")
    lab.put("h1", document)
    etag = lab.etag("h1")
    lab.delete("h1")
    assert lab.get("/h1?embellished=false&version=-1").status == 410
    assert lab.put("h1", document, If_Match=etag).status == 204
    query = "?embellished=false&version=-2"
    answer = lab.get(f"/h1{query}")
    assert (answer.status, answer.header("location")) == (302, f"{BASE}h1#it{query}")
    assert lab.get("/h1?version=2").header("location") == f"{BASE}h1#it?version=2"
    assert lab.get(f"/{BASE}h1{query}").status == 410
    assert lab.get("/h1?version=-3").status == 200
    lab.delete("h1")
    assert lab.get("/h1?version=-3").status == 410


def test_reviving_beside_a_new_holding_passes_the_duplicate_test(lab: Lab) -> None:
    document = lab.stored("h1")
    lab.delete("h1")
    again = copy.deepcopy(document)
    again["@graph"][0] |= {"@id": "_:T", "mainEntity": link("_:T#it")}
    again["@graph"][1]["@id"] = "_:T#it"
    assert lab.post(again).status == 201
    assert lab.put("h1", document).status == 204
    pair = (LIBRARY + "Ylm", BASE + "b1#it")
    assert len(lab.environment.catalogue.holdings_with(pair)) == 2


def test_a_delete_by_another_sigel_changes_the_tombstones_checksum(lab: Lab) -> None:
    lab.put("h1", lab.stored("h1"))
    etag = lab.etag("h1")
    lab.delete("h1", client="global", sigel="SEK")
    assert lab.etag("h1") != etag


def test_a_holding_without_library_can_be_claimed(lab: Lab) -> None:
    lab.load(
        {
            "@graph": [
                {
                    "@id": BASE + "old",
                    "@type": "Record",
                    "controlNumber": "old",
                    "mainEntity": link(BASE + "old#it"),
                },
                {
                    "@id": BASE + "old#it",
                    "@type": "Item",
                    "itemOf": link(BASE + "lonely#it"),
                    "hasComponent": [{"@type": "Item", "heldBy": link(LIBRARY + "Ylm")}],
                },
            ]
        }
    )
    assert lab.put("old", edited(lab, "old", shelfLabel="x")).status == 400
    foreign = edited(lab, "old", heldBy=link(LIBRARY + "S"))
    assert lab.put("old", foreign).status == 403
    claimed = edited(lab, "old", heldBy=link(LIBRARY + "Ylm"))
    assert lab.put("old", claimed, sigel=None).status == 204


@pytest.mark.parametrize(
    ("client", "sigel", "short_id", "status"),
    [
        ("level1", "Ylm", "h1", 204),
        ("level2", "Ylm", "h1", 204),
        ("global", "SEK", "h1", 204),
        ("level1", "Ylm", "hS", 403),
        ("level2", "Ylm", "hS", 403),
        ("level1", "Ylm", "b1", 403),
        ("level2", "Ylm", "b1", 204),
        ("global", "SEK", "b1", 403),
        ("level2", "Ylm", "readonly", 403),
    ],
)
def test_who_may_change_what(lab: Lab, client: str, sigel: str, short_id: str, status: int) -> None:
    assert lab.put(short_id, lab.stored(short_id), client=client, sigel=sigel).status == status


def test_a_component_of_another_library_is_not_looked_at(lab: Lab) -> None:
    parts = [{"@type": "Item", "heldBy": link(LIBRARY + "S")}]
    assert lab.put("h1", edited(lab, "h1", hasComponent=parts)).status == 204
