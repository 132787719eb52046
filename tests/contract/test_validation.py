"""Validation of the whole document on every write (libris-api §10, §11)."""

import pytest

from tests.contract.target import minimal_bib

REFUSED = {
    "a second graph": ({"hasNote": [{"@graph": []}]}, "NESTED_GRAPH", "@graph"),
    "a blank in an address": ({"subject": [{"@id": "https://a.b/c d"}]}, "INVALID_IRI", "@id"),
    "a list of types": ({"hasNote": [{"@type": ["Note"]}]}, "UNEXPECTED", "@type"),
    "a text where a node belongs": (
        {"availability": ["Ej lån"]},
        "OBJECT_TYPE_EXPECTED",
        "availability",
    ),
    "a node where a term belongs": (
        {"hasNote": [{"@type": "Note", "marc:sequenceStatus": {"@id": "https://a.b/c"}}]},
        "VOCAB_STRING_EXPECTED",
        "marc:sequenceStatus",
    ),
    "an unknown property": ({"noSuchTerm": "x"}, "MISSING_DEFINITION", "noSuchTerm"),
    "an unknown class": ({"hasNote": [{"@type": "Note7"}]}, "UNKNOWN_VOCAB_VALUE", "@type"),
    "a language map that is none": (
        {"subject": [{"@type": "Topic", "prefLabelByLang": "Visor"}]},
        "OBJECT_TYPE_EXPECTED",
        "prefLabelByLang",
    ),
    "a number in a language map": (
        {"subject": [{"@type": "Topic", "prefLabelByLang": {"sv": 1}}]},
        "UNEXPECTED",
        "sv",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(api, bib, case):
    """§10, its table, on a holding; §11: 400 with errors."""
    item, kind, key = REFUSED[case]
    answer = api.post(api.holding_on(bib, **item))
    assert answer.status_code == 400
    content = answer.json()
    assert content["message"] == "Invalid JSON-LD"
    [error] = [error for error in content["errors"] if error["type"] == kind]
    assert kind != "MISSING_DEFINITION" or error["value"] == ""
    assert set(error) >= {"type", "description", "path", "key", "value"}
    assert error["key"] == key
    assert isinstance(error["path"], list)


ACCEPTED = {
    "a list where one value is usual": {"copyNumber": ["1", "2"]},
    "one value where a list is usual": {"physicalLocation": "MAG"},
    "only the first element is looked at": {
        "availability": [{"@type": "ItemAvailability", "label": "Ej lån"}, "Ej lån"]
    },
    "what the catalogue keeps of old formats": {"_marcUncompleted": [{"noSuchTerm": {"@id": 1}}]},
    "a number for a text": {"inventoryLevel": 1, "shelfLabel": 17},
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_not_checked(api, bib, case):
    """§10: repeatability, required properties, literals, what is kept of old formats."""
    assert api.new_holding(bib, **ACCEPTED[case])


def test_a_bibs_terms_are_looser(api, cataloguer):
    """§10: an unknown class is refused in holdings only, an unknown property also in bibs."""
    document = minimal_bib()
    document["@graph"][1]["hasNote"] = [{"@type": "Note7", "label": "x"}]
    assert api.post(document, role=cataloguer).status_code == 201
    document["@graph"][1]["noSuchTerm"] = "x"
    answer = api.post(document, role=cataloguer)
    assert answer.status_code == 400
    assert [error["type"] for error in answer.json()["errors"]] == ["MISSING_DEFINITION"]


def test_every_fault_is_named_at_its_place(api, holding):
    """§10: the whole document is checked on every write: old faults block too (trap 17)."""
    record, thing = api.graph(holding)
    thing["hasNote"] = [{"@type": "Note", "label": "x"}, {"@type": "Note", "oldTerm": "y"}]
    thing["otherOldTerm"] = "z"
    answer = api.put(holding, {"@graph": [record, thing]})
    assert answer.status_code == 400
    errors = {error["key"]: error for error in answer.json()["errors"]}
    assert set(errors) == {"oldTerm", "otherOldTerm"}
    assert errors["oldTerm"]["path"][:4] == ["@graph", 1, "hasNote", 1]
    assert errors["oldTerm"]["value"] == "", "the value is not repeated"


def test_a_node_where_a_term_belongs_is_two_faults(api, bib):
    """§10: no vocab string, and no term that the vocabulary knows."""
    note = {"@type": "Note", "marc:sequenceStatus": {"@id": "https://a.b/c"}}
    errors = api.post(api.holding_on(bib, hasNote=[note])).json()["errors"]
    assert [error["type"] for error in errors] == ["VOCAB_STRING_EXPECTED", "UNKNOWN_VOCAB_VALUE"]


def test_an_error_of_the_api(api, bib):
    """§11: status_code, status, message; errors only for invalid JSON-LD."""
    answer = api.send("PUT", bib, {"@graph": [{}]})
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.json() == {
        "status_code": 400,
        "status": "Bad Request",
        "message": "Missing @id in request.",
    }


def test_a_server_error_hides_its_reason(api, holding):
    """§11: a generic message and an error_id to quote."""
    record, thing = api.graph(holding)
    record["controlNumber"] = "1"
    content = api.put(holding, {"@graph": [record, thing]}).json()
    assert (content["status_code"], content["status"]) == (500, "Server Error")
    assert "controlNumber" not in content["message"]
    assert len(content["error_id"]) == 36


def test_pages_of_the_container_are_no_json(api):
    """§11, §12: errors of /_findhold: look at the type before reading JSON."""
    answer = api.get("_findhold", accept="text/html")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
