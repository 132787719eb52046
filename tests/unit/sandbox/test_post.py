"""POST: the checks in their order, and what is stored."""

import copy
from typing import Any

import pytest

from tests.support.lab import BASE, LIBRARY, Lab, body_of, message, new_bib, new_holding

NEW = new_holding("Ylm", "lonely", shelfMark={"@type": "ShelfMark", "label": "Hc"})


def without(place: int, key: str) -> dict[str, Any]:
    document = copy.deepcopy(NEW)
    del document["@graph"][place][key]
    return document


def with_value(place: int, key: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(NEW)
    document["@graph"][place][key] = value
    return document


def test_a_created_holding(lab: Lab) -> None:
    answer = lab.post(NEW)
    short_id = lab.created_id(answer)
    assert (answer.status, answer.body) == (201, b"")
    assert answer.header("etag") == lab.etag(short_id)
    record, thing = lab.stored(short_id)["@graph"]
    assert record == {
        "@id": BASE + short_id,
        "@type": "Record",
        "mainEntity": {"@id": BASE + short_id + "#it"},
        "controlNumber": short_id,
        "created": "2026-03-02T10:00:00+01:00",
        "modified": "2026-03-02T10:00:00+01:00",
        "recordStatus": "marc:New",
        "descriptionCreator": {"@id": LIBRARY + "Ylm"},
        "descriptionLastModifier": {"@id": LIBRARY + "Ylm"},
    }
    assert thing == {
        "@id": BASE + short_id + "#it",
        "@type": "Item",
        "heldBy": {"@id": LIBRARY + "Ylm"},
        "itemOf": {"@id": BASE + "lonely#it"},
        "shelfMark": {"@type": "ShelfMark", "label": "Hc"},
    }


@pytest.mark.parametrize(
    ("document", "headers", "status", "text"),
    [
        (NEW, {"Content_Type": "application/json"}, 400, "Content-Type"),
        (NEW, {"Content_Type": "application/ld+json; charset=utf-8"}, 201, ""),
        (NEW, {"Content_Type": None}, 500, "Internal"),
        (b"{", {}, 400, "Failed to read request body"),
        (b"", {}, 400, "Failed to read request body"),
        (b"[]", {}, 400, "Failed to read request body"),
        (b'{"a": NaN}', {}, 400, "Failed to read request body"),
        (b"[" * 100_000, {}, 400, "Failed to read request body"),
        ({}, {}, 400, "No data received."),
        ({"@id": "x"}, {}, 400, "Body is not flat JSON-LD."),
        ({"@graph": {}}, {}, 400, "Body is not flat JSON-LD."),
        (without(0, "@id"), {}, 400, "Document is missing"),
        (without(0, "mainEntity"), {}, 400, "Document is missing"),
        (without(1, "@id"), {}, 400, "Document is missing"),
        (with_value(1, "@id", "https://id.kb.se/TEMPID#other"), {}, 400, "mainEntity"),
        (with_value(1, "noSuchProperty", 1), {}, 400, "Invalid JSON-LD"),
        (without(1, "heldBy"), {}, 400, "Missing sigel in document."),
        (NEW, {"sigel": None}, 403, "You are not authorized"),
        (NEW, {"sigel": "S"}, 403, "You are not authorized"),
        (NEW, {"sigel": "ylm"}, 403, "You are not authorized"),
        (new_holding("S", "lonely"), {}, 403, "You are not authorized"),
        (without(1, "itemOf"), {}, 404, "Document not found."),
        (new_holding("Ylm", "unknown"), {}, 404, "Document not found."),
        (new_holding("Ylm", "b1"), {}, 404, "Document not found."),
    ],
)
def test_the_table(
    lab: Lab, document: Any, headers: dict[str, Any], status: int, text: str
) -> None:
    count = len(lab.environment.catalogue)
    answer = lab.post(document, **headers)
    assert answer.status == status
    assert text in message(answer)
    assert len(lab.environment.catalogue) == count + (status == 201)


def test_the_same_id_for_record_and_thing(lab: Lab) -> None:
    document = with_value(1, "@id", "https://id.kb.se/TEMPID")
    document["@graph"][0]["mainEntity"]["@id"] = "https://id.kb.se/TEMPID"
    assert lab.post(document).status == 400


def test_other_paths(lab: Lab) -> None:
    assert lab.write("POST", "/", NEW).status == 201
    assert lab.write("POST", "/h1", NEW).status == 405


def test_validation_comes_before_rights(lab: Lab) -> None:
    answer = lab.post(with_value(1, "noSuchProperty", 1), sigel="nowhere")
    assert answer.status == 400
    assert [error["type"] for error in body_of(answer)["errors"]] == ["MISSING_DEFINITION"]


def test_no_library_in_the_database(lab: Lab) -> None:
    permissions = [{"code": "Gone", "registrant": True}]
    path = "/_sandbox/clients/level1/permissions"
    lab.ask("POST", path, str(permissions).replace("'", '"').replace("True", "true").encode())
    answer = lab.post(new_holding("Gone", "lonely"), sigel="Gone")
    assert (answer.status, message(answer)) == (404, "Document not found.")


def test_a_duplicate_can_be_409_by_option() -> None:
    assert Lab(duplicate_status=409).post(new_holding("Ylm", "b1")).status == 409


def test_a_duplicate_after_link_normalisation(lab: Lab) -> None:
    document = with_value(1, "itemOf", {"@id": "http://libris.kb.se/resource/bib/111"})
    assert lab.post(document).status == 404


def test_a_record_iri_as_item_of_dodges_the_duplicate_test(lab: Lab) -> None:
    document = with_value(1, "itemOf", {"@id": BASE + "b1"})
    answer = lab.post(document)
    assert answer.status == 201
    assert lab.stored(lab.created_id(answer))["@graph"][1]["itemOf"] == {"@id": BASE + "b1"}


def test_a_deleted_holding_is_no_duplicate(lab: Lab) -> None:
    assert lab.delete("h1").status == 204
    assert lab.post(new_holding("Ylm", "b1")).status == 201


def test_a_holding_on_a_deleted_bib(lab: Lab) -> None:
    assert lab.delete("lonely", client="level2").status == 204
    assert lab.post(NEW).status == 404


def test_a_single_item_needs_the_sigel_but_has_no_duplicate_test(lab: Lab) -> None:
    document = new_holding("Ylm", "b1")
    document["@graph"][1]["@type"] = "SingleItem"
    assert lab.post(document, sigel="S", client="other").status == 403
    assert lab.post(document).status == 201


def test_a_taken_iri_is_a_conflict(lab: Lab) -> None:
    document = new_bib(sameAs=[{"@id": "http://libris.kb.se/resource/bib/222"}])
    answer = lab.post(document, client="level2")
    assert answer.status == 409
    assert "considered a duplicate of" in message(answer)


def test_bibs_have_no_duplicate_test(lab: Lab) -> None:
    answers = [lab.post(new_bib(), client="level2") for _ in "12"]
    assert [answer.status for answer in answers] == [201, 201]
    assert lab.created_id(answers[0]) != lab.created_id(answers[1])


@pytest.mark.parametrize(("client", "status"), [("level1", 403), ("level2", 201)])
def test_bibs_need_level_2(lab: Lab, client: str, status: int) -> None:
    assert lab.post(new_bib(), client=client).status == status


def test_a_global_registrant_writes_for_any_library(lab: Lab) -> None:
    answer = lab.post(new_holding("S", "lonely"), client="global", sigel="SEK")
    assert answer.status == 201
    record = lab.stored(lab.created_id(answer))["@graph"][0]
    assert record["descriptionCreator"] == {"@id": LIBRARY + "SEK"}


def test_every_id_that_starts_with_the_temporary_one_is_replaced(lab: Lab) -> None:
    document = with_value(1, "hasNote", [{"@id": "https://id.kb.se/TEMPID#note", "@type": "Note"}])
    document["@graph"][1]["shelfLabel"] = "https://id.kb.se/TEMPID"
    short_id = lab.created_id(lab.post(document))
    thing = lab.stored(short_id)["@graph"][1]
    assert thing["hasNote"][0]["sameAs"] == [{"@id": f"{BASE}{short_id}#note"}]
    assert thing["shelfLabel"] == "https://id.kb.se/TEMPID"


def test_an_inherited_same_as_is_taken_for_the_temporary_id(lab: Lab) -> None:
    document = with_value(0, "sameAs", [{"@id": BASE + "copied"}])
    answer = lab.post(document)
    stored = lab.stored(lab.created_id(answer))
    assert answer.status == 201
    assert stored["@graph"][0]["@id"] == "https://id.kb.se/TEMPID"


def test_what_the_database_cannot_keep_is_not_found(lab: Lab) -> None:
    assert lab.post(with_value(1, "shelfLabel", "a\x00b")).status == 404
    assert lab.post(with_value(1, "shelfLabel", "a\ud800b")).status == 404
    assert lab.post(with_value(1, "shelfLabel", r"a\u0000b")).status == 201
