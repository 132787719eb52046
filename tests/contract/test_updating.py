"""PUT, check by check (libris-api §6)."""

import copy
from datetime import datetime

import pytest

from tests.contract.target import minimal_bib

STALE = "The resource has been updated by someone else. Please refetch."


def message(answer):
    return answer.status_code, answer.json()["message"]


def changed(graph, label="Hce"):
    record, thing = copy.deepcopy(graph)
    thing["shelfMark"] = {"@type": "ShelfMark", "label": label}
    return {"@graph": [record, thing]}


def modified(graph):
    return datetime.fromisoformat(graph[0]["modified"])


def test_an_update(api, holding):
    """§6.15: 204, Location, plain ETag of what was stored; modified moves."""
    before = api.graph(holding)
    answer = api.put(holding, changed(before))
    assert answer.status_code == 204
    assert answer.content == b""
    assert answer.headers["Location"] == api.target.record(holding)
    after = api.read(holding)
    assert answer.headers["ETag"] == after.headers["ETag"]
    record, thing = after.json()["@graph"]
    assert thing["shelfMark"]["label"] == "Hce"
    assert modified([record]) > modified(before)
    assert record["created"] == before[0]["created"]
    assert record["recordStatus"] == "marc:CorrectedOrRevised"


def test_what_is_left_out_is_gone(api, holding):
    """§6: full replacement (trap 8)."""
    record, thing = api.graph(holding)
    del thing["physicalLocation"]
    api.put(holding, {"@graph": [record, thing]})
    assert "physicalLocation" not in api.graph(holding)[1]


def test_the_root_cannot_be_put(api, holding):
    """§6.0: 405."""
    assert api.send("PUT", "", changed(api.graph(holding))).status_code == 405


@pytest.mark.parametrize("body", [b"{", b"", b"[]"])
def test_an_unreadable_body(api, holding, body):
    """§6.1: as POST."""
    answer = api.send("PUT", holding, content=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Failed to read request body: ")


def test_an_empty_object(api, holding):
    """§6.1."""
    assert message(api.send("PUT", holding, {})) == (400, "No data received.")


def test_another_content_type(api, holding):
    """§6.1."""
    answer = api.put(holding, changed(api.graph(holding)), content_type="application/json")
    assert answer.status_code == 400


def test_no_record_id(api, holding):
    """§6.2."""
    document = changed(api.graph(holding))
    del document["@graph"][0]["@id"]
    assert message(api.put(holding, document)) == (400, "Missing @id in request.")


def test_an_unknown_address(api, holding):
    """§6.3: 404."""
    document = changed(api.graph(holding))
    assert api.put("0000000000000000", document, etag='"1"').status_code == 404


def test_an_alias_is_not_written_to(api):
    """§6.4: 302 with Location, nothing written: do not follow it (trap 5)."""
    bib = api.target.legacy_bib
    graph = api.graph(bib)
    alias = graph[0]["sameAs"][0]["@id"]
    answer = api.put(alias, {"@graph": graph}, etag='"1"')
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(api.target.record(bib))
    assert api.graph(bib) == graph


def test_another_record_id(api, holding):
    """§6.5."""
    document = changed(api.graph(holding))
    document["@graph"][0]["@id"] = api.target.record("0000000000000000")
    assert message(api.put(holding, document)) == (400, "Record ID was modified")


def test_validation_comes_before_permission(api):
    """§6.6 before §6.7."""
    record, thing = api.graph(api.target.foreign_holding)
    document = {"@graph": [record, {**thing, "noSuchTerm": 1}]}
    assert message(api.put(api.target.foreign_holding, document)) == (400, "Invalid JSON-LD")


def test_the_collection_may_not_change(api, cataloguer):
    """§6.8: from bib to a class of another collection: 400."""
    short_id = api.short_id(api.post(minimal_bib(), role=cataloguer))
    record, thing = api.graph(short_id)
    document = {"@graph": [record, {"@id": thing["@id"], "@type": "Person", "familyName": "Berg"}]}
    assert api.put(short_id, document, role=cataloguer).status_code == 400


def test_no_if_match(api, holding):
    """§6.9."""
    answer = api.send("PUT", holding, changed(api.graph(holding)))
    assert message(answer) == (400, "Missing If-Match header in update")


@pytest.mark.parametrize("etag", ['"1"', "*", '""', '"1", "2"'])
def test_a_stale_etag(api, holding, etag):
    """§6.10: 412, not 409; also for *, an empty one or a list (trap 3)."""
    before = api.graph(holding)
    assert message(api.put(holding, changed(before), etag=etag)) == (412, STALE)
    assert api.graph(holding) == before


@pytest.mark.parametrize("form", ["W/{}", "{gzip}", "{bare}", "{embellished}"])
def test_etags_are_read_leniently(api, holding, form):
    """§4, §6.10: quotes, W/, -gzip and the embellished half do not matter."""
    etag = api.read(holding).headers["ETag"]
    embellished = api.get(holding).headers["ETag"]
    sent = form.format(
        etag, gzip=etag[:-1] + '-gzip"', bare=etag.strip('"'), embellished=embellished
    )
    assert api.put(holding, changed(api.graph(holding)), etag=sent).status_code == 204


def test_the_etag_of_somebodys_earlier_version(api, holding):
    """§6.10: the second writer with the same ETag is refused."""
    etag = api.read(holding).headers["ETag"]
    graph = api.graph(holding)
    assert api.put(holding, changed(graph, "Hce"), etag=etag).status_code == 204
    assert api.put(holding, changed(graph, "Hcf"), etag=etag).status_code == 412
    assert api.graph(holding)[1]["shelfMark"]["label"] == "Hce"


UNRESOLVED = {
    "another environment": "https://libris-qa.kb.se/{bib}#it",
    "unknown": "{base}0000000000000000#it",
    "mistyped": "{base}{bib}#itt",
}


@pytest.mark.parametrize("case", UNRESOLVED)
def test_204_that_wrote_nothing(api, bib, holding, case):
    """§6.11 [inferred]: itemOf does not resolve: 204 with an ETag, nothing saved (trap 1)."""
    before = api.read(holding)
    document = changed(before.json()["@graph"])
    address = UNRESOLVED[case].format(bib=bib, base=api.target.base_uri)
    document["@graph"][1]["itemOf"] = {"@id": address}
    answer = api.put(holding, document)
    assert answer.status_code == 204
    assert answer.headers["ETag"] != before.headers["ETag"], "the ETag of the unsaved document"
    after = api.read(holding)
    assert after.headers["ETag"] == before.headers["ETag"]
    assert after.json() == before.json()


def test_moving_to_another_bib(api, holding):
    """§6.13: allowed where the library has none yet."""
    record, thing = api.graph(holding)
    thing["itemOf"] = {"@id": api.target.thing(api.target.bibs[1])}
    assert api.put(holding, {"@graph": [record, thing]}).status_code == 204
    assert api.find_holdings(api.target.bibs[1]) == [api.target.record(holding)]


def test_moving_to_a_bib_that_has_one(api, holding):
    """§6.13: 409 means that the pair is taken (trap 3)."""
    other = api.new_holding(api.target.bibs[1])
    before = api.graph(holding)
    document = changed(before)
    document["@graph"][1]["itemOf"] = {"@id": api.target.thing(api.target.bibs[1])}
    assert api.put(holding, document).status_code == 409
    assert api.graph(holding) == before
    assert api.find_holdings(api.target.bibs[1]) == [api.target.record(other)]


@pytest.mark.parametrize("case", ["other number", "no number"])
def test_the_control_number_is_not_to_be_touched(api, holding, case):
    """§6.14 [inferred]: 500 whose reason is hidden (trap 8)."""
    before = api.graph(holding)
    document = changed(before)
    del document["@graph"][0]["controlNumber"]
    if case == "other number":
        document["@graph"][0]["controlNumber"] = "1"
    answer = api.put(holding, document)
    assert answer.status_code == 500
    assert answer.json()["error_id"]
    assert api.graph(holding) == before


def test_same_as_may_not_be_dropped(api, bib):
    """§6.14 [inferred]: 500 (trap 8)."""
    document = api.holding_on(bib)
    document["@graph"][0]["sameAs"] = [{"@id": "http://libris.kb.se/hold/999999902"}]
    short_id = api.short_id(api.post(document))
    record, thing = api.graph(short_id)
    del record["sameAs"]
    assert api.put(short_id, {"@graph": [record, thing]}).status_code == 500
    assert "sameAs" in api.graph(short_id)[0]


def test_same_as_of_another_record_may_not_be_added(api, holding):
    """§6.14 [inferred]: one that is in use: 500."""
    record, thing = api.graph(holding)
    record["sameAs"] = [api.graph(api.target.legacy_bib)[0]["sameAs"][0]]
    assert api.put(holding, {"@graph": [record, thing]}).status_code == 500


def test_identical_data_is_written(api, holding):
    """§6: a new version, modified moves, the ETag stays (trap 9)."""
    before = api.read(holding)
    document = {"@graph": before.json()["@graph"]}
    assert api.put(holding, document).status_code == 204
    after = api.read(holding)
    assert after.headers["ETag"] == before.headers["ETag"]
    assert modified(after.json()["@graph"]) > modified(before.json()["@graph"])
    assert api.read(holding, version=1).status_code == 200


def test_the_modifier_is_the_active_sigel_and_moves_the_etag(api, holding):
    """§6, §8: identical data under another active sigel gives another ETag."""
    before = api.read(holding)
    document = {"@graph": before.json()["@graph"]}
    api.put(holding, document, sigel=api.target.other_own_sigel)
    after = api.read(holding)
    modifier = after.json()["@graph"][0]["descriptionLastModifier"]
    assert modifier == {"@id": api.target.library(api.target.other_own_sigel)}
    assert after.headers["ETag"] != before.headers["ETag"]


def test_the_creator_is_stored_as_sent(api, holding):
    """§8: descriptionCreator is set by POST only."""
    document = changed(api.graph(holding))
    other = {"@id": api.target.library(api.target.other_own_sigel)}
    document["@graph"][0]["descriptionCreator"] = other
    api.put(holding, document)
    assert api.graph(holding)[0]["descriptionCreator"] == other


def test_an_embellished_body_is_refused(api, holding):
    """§6: the nested graph of an embellished answer: 400 (trap 7)."""
    document = api.get(holding).json()
    del document["@context"]
    answer = api.put(holding, document)
    assert message(answer) == (400, "Invalid JSON-LD")
    assert {error["type"] for error in answer.json()["errors"]} >= {"NESTED_GRAPH"}


def test_a_deleted_record_is_never_410_for_put(api, holding):
    """§6: with the wrong ETag it is stale; with the tombstone's it comes alive (trap 12)."""
    etag = api.read(holding).headers["ETag"]
    document = changed(api.graph(holding))
    api.delete(holding)
    assert api.put(holding, document, etag='"1"').status_code == 412
    assert api.put(holding, document, etag=etag).status_code == 204
    assert api.graph(holding)[1]["shelfMark"]["label"] == "Hce"


def test_a_deleted_record_stays_so_when_the_body_says_deleted(api, holding):
    """§6 [inferred]: recordStatus marc:Deleted does not revive."""
    etag = api.read(holding).headers["ETag"]
    document = changed(api.graph(holding))
    api.delete(holding)
    document["@graph"][0]["recordStatus"] = "marc:Deleted"
    api.put(holding, document, etag=etag)
    assert api.read(holding).status_code == 410


def test_a_body_that_says_deleted_deletes(api, holding):
    """§6 [inferred]: recordStatus marc:Deleted in a PUT (trap 12)."""
    record, thing = api.graph(holding)
    record["recordStatus"] = "marc:Deleted"
    assert api.put(holding, {"@graph": [record, thing]}).status_code == 204
    assert api.read(holding).status_code == 410


def test_it_deletes_even_a_bib_with_holdings(api, cataloguer):
    """§6 [inferred]: without the test for links (trap 12)."""
    short_id = api.short_id(api.post(minimal_bib(), role=cataloguer))
    api.new_holding(short_id)
    assert api.delete(short_id, role=cataloguer).status_code == 403
    record, thing = api.graph(short_id)
    record["recordStatus"] = "marc:Deleted"
    answer = api.put(short_id, {"@graph": [record, thing]}, role=cataloguer)
    assert answer.status_code == 204
    assert api.read(short_id).status_code == 410


def test_the_things_id_may_change_if_the_old_one_is_kept(api, holding):
    """§6: kept in sameAs."""
    record, thing = api.graph(holding)
    old, new = thing["@id"], api.target.record(holding) + "#item"
    thing |= {"@id": new, "sameAs": [{"@id": old}]}
    record["mainEntity"] = {"@id": new}
    assert api.put(holding, {"@graph": [record, thing]}).status_code == 204
    assert api.graph(holding)[1]["@id"] == new
