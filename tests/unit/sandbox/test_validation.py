"""JSON-LD validation: each kind of error, and what is not checked."""

from typing import Any

import pytest

from bulkrunner.sandbox.writing import validate
from tests.support.lab import new_bib, new_holding, record


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, []),
        ({"hasNote": [{"@graph": []}]}, ["NESTED_GRAPH"]),
        ({"hasNote": [{"@id": "https://example.org/a b"}]}, ["INVALID_IRI"]),
        ({"hasNote": [{"@id": "https://example.org/100%"}]}, ["INVALID_IRI"]),
        ({"hasNote": [{"@id": 7}]}, ["UNEXPECTED"]),
        ({"hasNote": [{"@type": ["Note"]}]}, ["UNEXPECTED"]),
        ({"hasNote": "plain"}, ["OBJECT_TYPE_EXPECTED"]),
        ({"hasNote": [{"@type": "Note"}, "plain"]}, []),
        ({"labelByLang": "x"}, ["OBJECT_TYPE_EXPECTED"]),
        ({"labelByLang": {"sv": {"a": 1}}}, ["UNEXPECTED"]),
        ({"labelByLang": {"sv": ["x", "y"]}}, []),
        ({"noSuchProperty": 1}, ["MISSING_DEFINITION"]),
        ({"hasNote": [{"@type": "NoSuchClass"}]}, ["UNKNOWN_VOCAB_VALUE"]),
        ({"_marcUncompleted": [{"noSuch": 1, "@type": [1]}]}, []),
        ({"inventoryLevel": "1"}, []),
        ({"inventoryLevel": [1, 2]}, []),
        ({"physicalLocation": "MAG"}, []),
        ({"shelfMark": {"@id": "https://example.org/unknown"}}, []),
        ({"hasNote": [{"@id": "https://example.org/å"}]}, []),
    ],
)
def test_holdings(values: dict[str, Any], kinds: list[str]) -> None:
    errors = validate(new_holding("Ylm", "b1", **values))
    assert [error["type"] for error in errors] == kinds


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"marc:holdingType": "marc:SinglePartItemHolding"}, []),
        ({"marc:holdingType": "marc:NoSuch"}, ["UNKNOWN_VOCAB_VALUE"]),
        (
            {"marc:holdingType": {"@id": "https://id.kb.se/marc/x"}},
            ["VOCAB_STRING_EXPECTED", "UNKNOWN_VOCAB_VALUE"],
        ),
    ],
)
def test_vocabulary_values_on_the_record(values: dict[str, Any], kinds: list[str]) -> None:
    document = new_holding("Ylm", "b1")
    document["@graph"][0] |= values
    assert [error["type"] for error in validate(document)] == kinds


def test_bibs_may_have_unknown_classes_and_values() -> None:
    document = new_bib(hasNote=[{"@type": "NoSuchClass"}], issuanceType="NoSuch")
    assert validate(document) == []
    assert validate(new_bib(noSuchProperty=1)) != []


def test_other_collections_check_only_the_frame() -> None:
    document = record("x", {"@type": "NoSuchClass", "noSuchProperty": "x", "hasNote": "plain"})
    assert validate(document) == []
    document["@graph"][1]["@id"] = "a b"
    assert [error["type"] for error in validate(document)] == ["INVALID_IRI"]


def test_an_error_says_where() -> None:
    error = validate(new_holding("Ylm", "b1", hasNote=[{"@type": "Note", "noSuch": 1}]))[0]
    assert error["path"] == ["@graph", 1, "hasNote", 0, "noSuch"]
    assert (error["key"], error["value"]) == ("noSuch", "")
    assert error["description"]
