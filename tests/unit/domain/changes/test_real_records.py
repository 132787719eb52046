"""Every verb on real records, where they lie beside the checkout: made or left, never astray."""

import json

import pytest

from bulkrunner.domain.changes.by_example import ExampleChange, looks_like
from bulkrunner.domain.changes.verbs import parse_change
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Update
from bulkrunner.domain.operations import Applied, apply_update
from bulkrunner.errors import Source
from bulkrunner.sandbox.load import read_records
from tests.support.changes import outside
from tests.support.paths import RECORDS

BASE = "https://libris.kb.se/"
IRIS = IriMap(bases=(BASE,), target=BASE)

pytestmark = pytest.mark.real_records

CHANGES = [
    {"set": {"at": "shelfMark.label", "to": "X"}, "in": "each_place"},
    {"remove": {"at": "shelfMark"}, "in": "anywhere"},
    {
        "remove_items": {"at": "hasNote", "matching": {"label": {"contains": "a"}}},
        "in": "item_and_components",
    },
    {"replace_text": {"at": "label", "pattern": "([aeiou])", "with": "<\\1>"}, "in": "anywhere"},
    {"replace_value": {"at": "@type", "table": {"Note": "X"}}, "in": "anywhere"},
    {"retype": {"at": "hasTitle", "to": "T"}},
    {"move_value": {"from": "hasNote", "to": "@record.cataloguersNote"}, "in": "item"},
    {"append": {"at": "availability", "value": {"label": "e"}}, "in": "components"},
]


@pytest.fixture(scope="module")
def documents():
    found = [record.document for record in read_records(RECORDS, base_uri=BASE)]
    assert len(found) >= 70
    return found


def applied(document, change):
    before = json.dumps(document)
    op = Update(source=Source(file="job.yaml"), target="x", changes=(change,))
    result = apply_update(document, op, IRIS)
    assert json.dumps(document) == before
    return result


@pytest.mark.parametrize("data", CHANGES, ids=lambda data: next(iter(data)))
def test_a_verb_changes_some_records_and_leaves_the_others(documents, data):
    change = parse_change(data, outside())
    results = [applied(document, change) for document in documents]
    # a shelf mark that is a link to another record is not changed from here
    assert {result.code for result in results if not isinstance(result, Applied)} <= {"below_link"}
    same = [
        result.document is document
        for result, document in zip(results, documents, strict=True)
        if isinstance(result, Applied)
    ]
    assert {True, False} == set(same)


def test_every_record_looks_like_its_own_content(documents):
    for document in documents:
        body = {
            key: value
            for key, value in document["@graph"][1].items()
            if key not in ("@id", "sameAs")
        }
        assert looks_like(body, document)
        example = {"match": body, "result": {**body, "callNumberPrefix": ["x"]}}
        result = applied(document, ExampleChange.parse(example))
        assert result.document["@graph"][1] == {
            **document["@graph"][1],
            "callNumberPrefix": ["x"],
        }
        assert result.document["@graph"][0] is document["@graph"][0]
