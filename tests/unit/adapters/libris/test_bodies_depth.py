"""Records nested absurdly deep are refused before anything walks through them."""

import pytest

from bulkrunner.adapters.libris.bodies import MAX_DEPTH, Misshapen, read_document


def nested(levels):
    thing = {"@id": "https://x.example/a#it"}
    node = thing
    for _ in range(levels):
        node["hasComponent"] = {}
        node = node["hasComponent"]
    record = {"@id": "https://x.example/a", "mainEntity": {"@id": thing["@id"]}}
    return {"@graph": [record, thing]}


def test_a_deep_record_is_refused():
    with pytest.raises(Misshapen, match="nested"):
        read_document(nested(MAX_DEPTH + 1))


def test_a_record_of_ordinary_depth_is_read():
    document = nested(MAX_DEPTH - 10)
    assert read_document(document) is document
