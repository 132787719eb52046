"""POST, check by check (libris-api §5)."""

import json
from uuid import uuid4

import pytest

from tests.contract.target import TEMPID, minimal_bib

NOT_FOUND = "Document not found."


def message(answer):
    return answer.status_code, answer.json()["message"]


def test_a_holding_is_created(api, bib):
    """§5.12: 201, empty body, Location, plain ETag, Cache-Control."""
    answer = api.post(api.holding_on(bib))
    assert answer.status_code == 201
    assert answer.content == b""
    short_id = api.short_id(answer)
    assert answer.headers["Location"] == api.target.record(short_id)
    assert 15 <= len(short_id) <= 16
    assert not set(short_id) - set("0123456789bcdfghjklmnpqrstvwxz")
    assert answer.headers["ETag"] == api.read(short_id).headers["ETag"]
    assert answer.headers["Cache-Control"] == "no-cache"


def test_the_root_path_creates_too(api, bib):
    """§5: POST / as POST /data."""
    assert api.post(api.holding_on(bib), path="").status_code == 201


@pytest.mark.parametrize("path", ["find", "data/more", "0h9wvg5b0ggmf2b"])
def test_other_paths_create_nothing(api, bib, path):
    """§5.1: 405."""
    assert api.send("POST", path, api.holding_on(bib)).status_code == 405


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_another_content_type(api, bib, kind):
    """§5.2: anything but application/ld+json: 400."""
    assert api.post(api.holding_on(bib), content_type=kind).status_code == 400


def test_content_type_parameters_are_allowed(api, bib):
    """§5.2."""
    answer = api.post(api.holding_on(bib), content_type="application/ld+json; charset=utf-8")
    assert answer.status_code == 201


def test_no_content_type(api, bib):
    """§5.2 [inferred]: a missing header is a 500."""
    assert api.post(api.holding_on(bib), content_type=None).status_code == 500


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'"text"', b"\xff"])
def test_an_unreadable_body(api, body):
    """§5.3."""
    answer = api.send("POST", "data", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Failed to read request body: ")


def test_an_empty_object(api):
    """§5.4."""
    assert message(api.post({})) == (400, "No data received.")


@pytest.mark.parametrize("document", [{"@type": "Item"}, {"@graph": {"@id": "x"}}])
def test_no_graph(api, document):
    """§5.4."""
    assert message(api.post(document)) == (400, "Body is not flat JSON-LD.")


def break_ids(graph, case):
    record, thing = graph
    match case:
        case "no record id":
            del record["@id"]
        case "no main entity":
            del record["mainEntity"]
        case "no thing id":
            del thing["@id"]
        case "they differ":
            record["mainEntity"] = {"@id": TEMPID + "#other"}
        case "thing is record":
            record["mainEntity"] = {"@id": TEMPID}
            thing["@id"] = TEMPID


@pytest.mark.parametrize(
    "case", ["no record id", "no main entity", "no thing id", "they differ", "thing is record"]
)
def test_ids_must_fit_together(api, bib, case):
    """§5.5: 400 each."""
    document = api.holding_on(bib)
    break_ids(document["@graph"], case)
    answer = api.post(document)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_validation_comes_before_permission(api, bib):
    """§5.6 before §5.7: a foreign holding with a fault is a 400."""
    document = api.holding_on(
        bib, heldBy={"@id": api.target.library(api.target.foreign_sigel)}, noSuchTerm="x"
    )
    assert message(api.post(document)) == (400, "Invalid JSON-LD")


@pytest.mark.parametrize("place", [0, 1])
def test_an_address_that_another_record_owns(api, bib, place):
    """§5.8: 409, the other record is named."""
    document = api.holding_on(bib)
    document["@graph"][place]["sameAs"] = api.graph(api.target.legacy_bib)[place]["sameAs"]
    answer = api.post(document)
    assert answer.status_code == 409
    assert "considered a duplicate of" in answer.json()["message"]
    assert api.find_holdings(bib) == []


@pytest.mark.parametrize("case", ["no itemOf", "unknown bib", "record of another environment"])
def test_a_bib_that_does_not_resolve(api, bib, case):
    """§5.9: 404 "Document not found." although the URL is right."""
    document = api.holding_on(bib)
    thing = document["@graph"][1]
    match case:
        case "no itemOf":
            del thing["itemOf"]
        case "unknown bib":
            thing["itemOf"] = {"@id": api.target.thing("0000000000000000")}
        case _:
            thing["itemOf"] = {"@id": f"https://libris-qa.kb.se/{bib}#it"}
    assert message(api.post(document)) == (404, NOT_FOUND)


def test_a_deleted_bib_does_not_resolve(api, cataloguer):
    """§5.9: unknown or deleted."""
    gone = api.short_id(api.post(minimal_bib(), role=cataloguer))
    api.delete(gone, role=cataloguer)
    assert message(api.post(api.holding_on(gone))) == (404, NOT_FOUND)


def test_a_duplicate_looks_like_a_missing_address(api, bib, holding):
    """§5.10: the second holding of a library on a bib: 404, nothing stored (trap 2)."""
    answer = api.post(api.holding_on(bib))
    assert answer.status_code == api.target.duplicate_status
    if answer.status_code == 404:
        assert answer.json()["message"] == NOT_FOUND
    assert api.find_holdings(bib) == [api.target.record(holding)]


def test_a_deleted_holding_is_no_duplicate(api, bib, holding):
    """§5.10: only live holdings count."""
    api.delete(holding)
    assert api.new_holding(bib) != holding


def test_the_duplicate_test_sees_through_aliases(api):
    """§5: links are compared after normalisation; a thing's sameAs becomes its main IRI."""
    bib = api.target.legacy_bib
    alias = api.graph(bib)[1]["sameAs"][0]
    first = api.new_holding(bib, itemOf=alias)
    assert api.graph(first)[1]["itemOf"] == {"@id": api.target.thing(bib)}
    assert api.post(api.holding_on(bib)).status_code == api.target.duplicate_status


def test_a_record_address_dodges_the_duplicate_test(api, bib, holding):
    """§5 [inferred]: itemOf without #it is accepted and stays so: send the thing's (trap 11)."""
    second = api.new_holding(bib, itemOf={"@id": api.target.record(bib)})
    assert second != holding
    assert api.graph(second)[1]["itemOf"] == {"@id": api.target.record(bib)}


def test_the_temporary_id_is_replaced_everywhere(api, bib):
    """§5: every @id that starts with it gets the new prefix; other strings stay."""
    note = {"@type": "Note", "label": TEMPID + "#it"}
    component = {"@type": "Item", "subject": [{"@id": TEMPID + "#place"}]}
    short_id = api.new_holding(bib, hasNote=[note], hasComponent=[component])
    record, thing = api.graph(short_id)
    assert record["@id"] == api.target.record(short_id)
    assert record["mainEntity"]["@id"] == thing["@id"] == api.target.thing(short_id)
    assert thing["hasComponent"][0]["subject"] == [{"@id": api.target.record(short_id) + "#place"}]
    assert thing["hasNote"] == [note]


@pytest.mark.parametrize("temporary", ["_:TMPID", "https://example.org/new"])
def test_any_string_serves_as_temporary_id(api, bib, temporary):
    """§5."""
    document = api.holding_on(bib)
    record, thing = document["@graph"]
    record["@id"], thing["@id"] = temporary, temporary + "#it"
    record["mainEntity"] = {"@id": temporary + "#it"}
    short_id = api.short_id(api.post(document))
    assert api.graph(short_id)[1]["@id"] == api.target.thing(short_id)


def test_an_inherited_same_as_on_the_base_is_taken_for_the_old_id(api, bib):
    """§5: then the TEMPID stays in the stored record (trap 15)."""
    if not api.target.is_loopback:
        pytest.skip("what it leaves behind can hardly be taken away")
    temporary = f"https://example.org/{uuid4()}"
    document = json.loads(json.dumps(api.holding_on(bib)).replace(TEMPID, temporary))
    document["@graph"][0]["sameAs"] = [{"@id": api.target.record("0123456789bcdfgh")}]
    answer = api.post(document)
    assert answer.status_code == 201
    assert temporary in api.read(api.short_id(answer)).text


def test_the_server_sets_the_records_own_fields(api, bib):
    """§5, §8: what was sent for them is lost."""
    document = api.holding_on(bib)
    document["@graph"][0] |= {
        "controlNumber": "123",
        "created": "1999-01-01T00:00:00Z",
        "modified": "1999-01-01T00:00:00Z",
        "recordStatus": "marc:CorrectedOrRevised",
        "descriptionCreator": {"@id": api.target.library(api.target.foreign_sigel)},
        "descriptionLastModifier": {"@id": api.target.library(api.target.foreign_sigel)},
    }
    short_id = api.short_id(api.post(document))
    record, _ = api.graph(short_id)
    assert record["controlNumber"] == short_id
    assert record["created"] == record["modified"]
    assert not record["created"].startswith("1999")
    assert record["recordStatus"] == "marc:New"
    own = {"@id": api.target.library()}
    assert record["descriptionCreator"] == record["descriptionLastModifier"] == own


def test_bibs_have_no_duplicate_test(api, cataloguer):
    """§5: the same POST twice makes two bibs: look before repeating (trap 15)."""
    first, second = (api.short_id(api.post(minimal_bib(), role=cataloguer)) for _ in range(2))
    assert first != second


def test_a_single_item_has_no_duplicate_test(api, bib):
    """§13: SingleItem asks for holding rights but is in no collection: use Item."""
    first, second = (api.new_holding(bib, **{"@type": "SingleItem"}) for _ in range(2))
    assert first != second
    assert api.find_holdings(bib) == []
