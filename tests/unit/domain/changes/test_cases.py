"""Every file beside this one is a case: a record, an operation, and what must come of it.

A holding is built around ``item`` and ``record`` of the case; ``then`` tells what the two hold
afterwards (left out: the same), ``unchanged`` that nothing changes, ``refused`` the code.
``context`` gives a row, a bib, its other holdings and parameters, ``files`` the content of input files; ``example``
stands for an update by example.
"""

import copy
import json
from pathlib import Path

import pytest

from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.verbs import parse_change
from bulkrunner.domain.expressions.expectations import parse_expected
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Create, Creates, Update
from bulkrunner.domain.operations import Applied, apply_update, build_create
from bulkrunner.domain.refusals import Refusal
from bulkrunner.errors import Fault, Source
from tests.support.changes import outside

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.json"))
BASE = "https://libris-stg.kb.se/"
RECORD = "fzr8v1sn2k3m4p5"
BIB_THING = f"{BASE}vwxz0123456789b#it"
IRIS = IriMap(bases=(BASE, "https://libris.kb.se/"), target=BASE)
SOURCE = Source(file="job.yaml")
PARTS = {"about", "item", "record", "update", "create", "example", "context", "files"}
PARTS |= {"then", "unchanged", "refused", "says"}


def holding(item, record):
    return {
        "@graph": [
            {
                "@id": f"{BASE}{RECORD}",
                "@type": "Record",
                "mainEntity": {"@id": f"{BASE}{RECORD}#it"},
                "controlNumber": "12345678",
                "sameAs": [{"@id": "http://libris.kb.se/hold/12345678"}],
                "created": "2009-02-03T00:00:00.0+01:00",
                "modified": "2017-10-27T08:59:14.651+02:00",
                "recordStatus": "marc:CorrectedOrRevised",
                "descriptionCreator": {"@id": "https://libris.kb.se/library/S"},
                "descriptionLastModifier": {"@id": "https://libris.kb.se/library/Ylm"},
                **record,
            },
            {
                "@id": f"{BASE}{RECORD}#it",
                "@type": "Item",
                "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
                "itemOf": {"@id": BIB_THING},
                "sameAs": [{"@id": "http://libris.kb.se/resource/hold/12345678"}],
                **item,
            },
        ]
    }


def bib(thing):
    return {
        "@graph": [
            {"@id": BIB_THING.removesuffix("#it"), "@type": "Record"},
            {"@id": BIB_THING, **thing},
        ]
    }


def update(case):
    if "example" in case:
        return Update(source=SOURCE, target=RECORD, changes=(ExampleChange.parse(case["example"]),))
    data = case["update"]
    known = outside(case.get("files", {}))
    changes = tuple(parse_change(change, known) for change in data.get("changes", ()))
    expect = {at: parse_expected(value, known) for at, value in data.get("expect", {}).items()}
    return Update(source=SOURCE, target=RECORD, **{**data, "changes": changes, "expect": expect})


def context(case, document):
    given = case.get("context", {})
    thing = given.get("bib")
    return Context(
        document=document,
        iris=IRIS,
        bib=lambda: None if thing is None else bib(thing),
        holdings=lambda sigel: [
            holding(one.get("item", {}), one.get("record", {}))
            for one in given.get("holdings", ())
            if sigel in ("", one["sigel"])
        ],
        row=given.get("row"),
        parameters=given.get("parameters", {}),
    )


def as_text(value):
    """Compare values and kinds of values: 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def named(path):
    return f"{path.parent.name}/{path.stem}"


def read(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["about"]
    assert not case.keys() - PARTS
    return case


def test_the_cases_are_found():
    assert len(CASES) >= 320


@pytest.mark.parametrize("path", [p for p in CASES if p.parent.name != "create"], ids=named)
def test_update(path):
    case = read(path)
    item, record = case.get("item", {}), case.get("record", {})
    before = holding(item, record)
    given = copy.deepcopy(before)
    try:
        result = apply_update(before, update(case), IRIS, context(case, before))
    except Fault as error:
        # A constant is refused when it is read.
        result = Refusal(code=error.code, message=error.message)
    assert as_text(before) == as_text(given)
    if "refused" in case:
        assert isinstance(result, Refusal), result
        assert result.code == case["refused"]
        for text in case.get("says", ()):
            assert text in result.message
        return
    assert isinstance(result, Applied), result
    then = case.get("then", {})
    assert ("then" in case) != ("unchanged" in case)
    wanted = holding(then.get("item", item), then.get("record", record))
    assert as_text(result.document) == as_text(wanted)
    if "unchanged" in case:
        assert result.document is before


@pytest.mark.parametrize("path", [p for p in CASES if p.parent.name == "create"], ids=named)
def test_create(path):
    case = read(path)
    declared = case["create"]
    bib = BIB_THING if declared["creates"] == "holding" else None
    op = Create(
        source=SOURCE,
        **{"of": None, **declared, "creates": Creates(declared["creates"])},
    )
    assert as_text(build_create(op, iris=IRIS, bib_thing_iri=bib)) == as_text(case["then"])
