"""Conditions: which records they let through, and how faults in them are told."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.expressions.condition_parsing import parse_condition, parse_matching
from bulkrunner.domain.expressions.conditions import (
    KINDS,
    MAX_SHOWN,
    bind_condition,
    condition_data,
    condition_references,
    condition_text,
    holds,
)
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.refusals import Refused
from bulkrunner.errors import Fault
from tests.support.changes import outside
from tests.support.documents import BIB, HOLDINGS, IRIS, PRODUCTION_BASE, TEST_BASE, VALUES, holding

DOCUMENT = holding(
    shelfMark={"@type": "ShelfMark", "label": ["Hc Aber", "Uc"]},
    inventoryLevel=4,
    hasNote=[{"@type": "Note", "label": "Köpt 1999"}, {"@type": "Note"}],
    physicalLocation=["MAG"],
    empty=[],
    nothing=None,
    hasComponent=[{"@type": "Item", "copyNumber": "2"}, {"@type": "Item", "copyNumber": "3"}],
    head={"created": "2009-02-03T00:00:00.0+01:00", "modified": "2017-10-27T08:59:14.651+02:00"},
)
BIB_DOCUMENT = holding(record=BIB, publication=[{"year": "1999"}, {"year": "2001"}])
BIB_DOCUMENT["@graph"][1]["@type"] = "Print"


def context(document=DOCUMENT, **rest):
    return Context(document=document, iris=IRIS, bib=lambda: BIB_DOCUMENT, **rest)


def met(data, files=None, **rest):
    return holds(parse_condition(data, outside(files)), context(**rest))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"physicalLocation": "MAG"}, True),
        ({"physicalLocation": ["MAG"]}, True),
        ({"physicalLocation": "mag"}, False),
        ({"physicalLocation.0": "MAG"}, True),
        ({"inventoryLevel": 4}, True),
        ({"inventoryLevel.0": 4}, True),
        ({"inventoryLevel": "4"}, True),
        ({"inventoryLevel": "04"}, False),
        ({"inventoryLevel": 4.0}, True),
        ({"inventoryLevel": True}, False),
        ({"inventoryLevel": {"in": ["3", "4"]}}, True),
        ({"inventoryLevel": {"starts_with": "4"}}, True),
        ({"inventoryLevel": {"matches": "^[0-9]$"}}, True),
        ({"shelfMark.label": "Uc"}, True),
        ({"shelfMark.label": {"equals": ["Hc Aber", "Uc"]}}, True),
        ({"shelfMark.label": {"starts_with": "Hc"}}, True),
        ({"shelfMark.label": {"starts_with": "Aber"}}, False),
        ({"shelfMark.label": {"ends_with": "Aber"}}, True),
        ({"shelfMark.label": {"contains": "c A"}}, True),
        ({"shelfMark.label": {"matches": "^U"}}, True),
        ({"shelfMark.label": {"matches": "^ber"}}, False),
        ({"shelfMark.label": {"matches": "ber"}}, True),
        ({"shelfMark.label": {"in": ["X", "Uc"]}}, True),
        ({"shelfMark.label": {"in": ["X", "Y"]}}, False),
        ({"shelfMark.label": {"in_file": "marks.txt"}}, True),
        # Several tests of one place are of the same value.
        ({"shelfMark.label": {"starts_with": "H", "ends_with": "r"}}, True),
        ({"shelfMark.label": {"starts_with": "U", "ends_with": "r"}}, False),
        ({"hasNote.label": {"contains": "köpt"}}, False),
        ({"hasNote.label": {"contains": "Ko\u0308pt"}}, True),
        ({"hasNote.label": {"exists": True}}, True),
        ({"hasNote.x": {"exists": False}}, True),
        ({"hasNote.x": None}, True),
        ({"hasNote.label": None}, False),
        ({"empty": {"exists": False}}, True),
        ({"nothing": {"exists": False}}, True),
        ({"not": {"hasNote.label": "Köpt 1999"}}, False),
        ({"not": {"hasNote.label": "x"}}, True),
        ({"any": [{"inventoryLevel": 1}, {"inventoryLevel": 4}]}, True),
        ({"all": [{"inventoryLevel": 1}, {"inventoryLevel": 4}]}, False),
        ({"inventoryLevel": 4, "physicalLocation": "KAP"}, False),
        ({"@record.created": {"before": "2010"}}, True),
        ({"@record.created": {"before": "2009-02-03"}}, False),
        ({"@record.created": {"after": "2009-02-02"}}, True),
        ({"@record.modified": {"after": "2017-10-27"}}, False),
        ({"@record.modified": {"after": "2017-10-27T06:59:14.650Z"}}, True),
        ({"@record.modified": {"after": "2017-10-01", "before": "2017-11"}}, True),
        ({"physicalLocation": {"before": "2020"}}, False),
        ({"@component.copyNumber": "3"}, True),
        ({"@component.copyNumber": {"in": ["4"]}}, False),
        ({"copyNumber": {"exists": False}}, True),
        ({"@bib.publication.year": "2001"}, True),
        ({"@bib.@record.controlNumber": BIB}, True),
        ({"@bib.id": BIB}, True),
        ({"@self.id": "fzr8v1sn2k3m4p5"}, True),
        ({"itemOf.@id": f"{PRODUCTION_BASE}{BIB}#it"}, True),
        ({"itemOf": {"@id": f"{PRODUCTION_BASE}{BIB}#it"}}, True),
        ({"itemOf.@id": {"in": [f"{PRODUCTION_BASE}{BIB}#it"]}}, True),
        ({"itemOf.@id": {"in_file": "bibs.txt"}}, True),
        ({"heldBy.@id": "https://libris.kb.se/library/Ylm"}, True),
        ({"@row.Signum": "Hc"}, True),
        ({"@row.Tom": {"exists": False}}, True),
        ({"@row.Saknas": {"exists": False}}, True),
        ({"@param.old": 4}, True),
        ({"inventoryLevel": {"$value": "@param.old"}}, True),
        ({"inventoryLevel": {"in": [1, {"$value": "@param.old"}]}}, True),
        ({"shelfMark.label": {"contains": {"$text": "{@row.Signum} A"}}}, True),
        ({"@record.created": {"before": {"$value": "@param.day"}}}, True),
        ({"shelfMark": {"@type": "ShelfMark"}}, False),
        ({"shelfMark.@type": "ShelfMark"}, True),
    ],
)
def test_conditions(condition, expected):
    files = {"marks.txt": ["Uc", "x"], "bibs.txt": [BIB]}
    rest = {
        "row": {"Signum": "Hc", "Tom": ""},
        "parameters": {"old": 4, "day": "2010-01-01"},
    }
    assert met(condition, files, **rest) is expected
    assert met({"not": condition}, files, **rest) is not expected
    parsed = parse_condition(condition, outside(files))
    bound = bind_condition(parsed, context(**rest))
    assert holds(bound, context(**rest)) is expected


@pytest.mark.parametrize(
    ("condition", "path", "says"),
    [
        ([], (), "object"),
        ({}, (), "empty"),
        ({"": 1}, ("",), "place"),
        ({"a..b": 1}, ("a..b",), "place"),
        ({"@bibb.x": 1}, ("@bibb.x",), "place"),
        ({"@bib": 1}, ("@bib",), "@bib."),
        ({"@row.": 1}, ("@row.",), "name"),
        ({"a": {"start_with": "x"}}, ("a",), "start_with"),
        ({"a": {"contains": "x", "start_with": "y"}}, ("a",), "start_with"),
        ({"a": {"label": "x"}}, ("a",), "label"),
        ({"a": {}}, ("a",), "no test"),
        ({"a": {"exists": "yes"}}, ("a", "exists"), "true or false"),
        ({"a": {"exists": False, "contains": "x"}}, ("a",), "alone"),
        ({"a": {"in": "x"}}, ("a", "in"), "list"),
        ({"a": {"in": []}}, ("a", "in"), "list"),
        ({"a": {"in_file": "missing.txt"}}, ("a", "in_file"), "missing.txt"),
        ({"a": {"in_file": "empty.txt"}}, ("a", "in_file"), "no value"),
        ({"a": {"contains": 4}}, ("a", "contains"), "text"),
        ({"a": {"before": "i går"}}, ("a", "before"), "date"),
        ({"a": {"matches": "("}}, ("a", "matches"), "regular expression"),
        ({"a": {"matches": "(?=x)"}}, ("a", "matches"), "regular expression"),
        ({"a": {"matches": "x" * 1001}}, ("a", "matches"), "1000"),
        ({"a": {"matches": "((a{1000}){1000}){1000}"}}, ("a", "matches"), "regular expression"),
        ({"not": [{"a": 1}]}, ("not",), "object"),
        ({"all": {"a": 1}}, ("all",), "list"),
        ({"all": []}, ("all",), "list"),
        ({"any": [{"a": 1}, {"b": {"equals": {"$value": "@rwo.x"}}}]}, ("any", 1, "b"), ""),
        ({"a": {"$value": "x", "thorough": []}}, ("a",), "thorough"),
    ],
)
def test_faults_are_told_with_their_place(condition, path, says):
    with pytest.raises(Fault) as caught:
        parse_condition(condition, outside({"empty.txt": []}))
    assert caught.value.path[: len(path)] == path
    assert says in caught.value.message + caught.value.hint


def test_a_misspelt_test_is_suggested():
    with pytest.raises(Fault) as caught:
        parse_condition({"a": {"start_with": "x"}}, outside())
    assert "starts_with" in caught.value.hint


def test_nesting_and_number_are_bounded():
    deep = {"a": 1}
    for _ in range(30):
        deep = {"not": deep}
    for condition in (deep, {"all": [{"a": 1}] * 600}, {"a": {"in": ["x"] * 10_001}}):
        with pytest.raises(Fault):
            parse_condition(condition, outside())


def test_a_condition_is_written_neutrally():
    parsed = parse_condition(
        {
            "all": [{"a": {"in": ["x"]}}, {"not": {"b": None}}],
            "any": [{"itemOf.@id": f"{TEST_BASE}{BIB}#it"}, {"c": {"matches": "x+"}}],
        },
        outside(),
    )
    assert condition_data(parsed, IRIS) == {
        "all": [
            {"all": [{"a": {"in": ["x"]}}, {"not": {"b": {"exists": False}}}]},
            {"any": [{"itemOf.@id": {"equals": f"libris:{BIB}#it"}}, {"c": {"matches": "x+"}}]},
        ]
    }


def test_long_lists_are_written_as_their_digest():
    values = [str(number) for number in range(MAX_SHOWN + 1)]
    one = parse_condition({"a": {"in": values}}, outside())
    other = parse_condition({"a": {"in_file": "f"}}, outside({"f": [*values[:-1], "x"]}))
    assert condition_data(one)["a"]["in"]["digest"].startswith("sha256:")
    assert condition_data(one)["a"]["in"] != condition_data(other)["a"]["in_file"]


def test_references_are_found():
    parsed = parse_condition(
        {"@bib.x": {"in": [{"$value": "@row.A"}]}, "not": {"y": {"$text": "{@param.b}{z}"}}},
        outside(),
    )
    assert [ref.text for ref in condition_references(parsed)] == [
        "@bib.x", "@row.A", "y", "@param.b", "z",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "bears", "expected"),
    [
        ("978-91-7000-059-1", ["fzr8v1sn2k3m4p5"], False),
        ("978-91-7000-059-1", ["fzr8v1sn2k3m4p5", "b1"], True),
        ({"number": {"$value": "@row.ISBN"}, "as": "isbn"}, ["b1"], True),
        ({"$value": "@row.ISBN"}, [], False),
        ({"number": {"$value": "inventoryLevel"}, "as": ["bib", "libris3"]}, ["b1"], True),
    ],
)
def test_whether_another_record_bears_a_number(number, bears, expected):
    asked = []

    def bearing(text, meanings):
        asked.append((text, *meanings))
        return bears

    known = {"row": {"ISBN": "9789170000591"}, "bearing": bearing}
    assert met({"in_catalogue": number}, **known) is expected
    assert met({"not": {"in_catalogue": number}}, **known) is not expected
    asked_for = asked[0]
    assert asked_for[0] in ("978-91-7000-059-1", "9789170000591", "4")
    given = number.get("as", []) if isinstance(number, dict) else []
    assert list(asked_for[1:]) == ([given] if isinstance(given, str) else given)
    parsed = parse_condition({"in_catalogue": number}, outside())
    assert parse_condition(condition_data(parsed), outside()) == parsed
    assert json.loads(condition_text(parsed)) == condition_data(parsed)


def test_without_a_catalogue_nothing_is_taken_for_none():
    with pytest.raises(RuntimeError):
        met({"not": {"in_catalogue": "9789170000591"}})
    with pytest.raises(Refused) as refused:
        met({"not": {"in_catalogue": {"$value": "@row.ISBN"}}}, row={"ISBN": ""})
    assert refused.value.refusal.code == "value_missing"


def test_the_bib_is_read_only_when_something_refers_to_it():
    reads = []

    def bib():
        reads.append(1)
        return BIB_DOCUMENT

    known = Context(document=DOCUMENT, iris=IRIS, bib=bib)
    condition = {"physicalLocation": "KAP", "@bib.x": 1}
    assert not holds(parse_condition(condition, outside()), known)
    assert not reads
    condition = {"physicalLocation": "MAG", "@bib.x": 1}
    assert not holds(parse_condition(condition, outside()), known)
    assert reads


@pytest.mark.parametrize(
    ("matching", "element", "expected"),
    [
        ("a", "a", True),
        ("a", ["a"], True),
        (1, "1", True),
        (1, "01", False),
        (True, "true", True),
        (True, 1, False),
        ("a ", "a", True),
        ("\u00e5", "a\u030a", True),
        ({"@id": "x"}, {"@id": "x", "y": 1}, True),
        ({"label": {"contains": "b"}}, {"label": ["a", "bc"]}, True),
        ({"label": "b"}, "b", False),
        ({"contains": "b"}, "abc", True),
        ({"contains": "b"}, {"label": "abc"}, False),
        ({"equals": {"label": "b"}}, {"label": "b"}, True),
        ({"not": {"label": "b"}}, {"label": "c"}, True),
        ({"label": None}, {}, True),
    ],
)
def test_elements_of_lists(matching, element, expected):
    assert holds(parse_matching(matching, outside()), context().at(element)) is expected


CONDITIONS = st.recursive(
    st.dictionaries(
        st.sampled_from(["shelfMark.label", "label", "@component.x", "@bib.id", "@row.a", "x.0"]),
        st.one_of(
            VALUES.filter(lambda value: not isinstance(value, dict)),
            st.sampled_from(
                [
                    {"contains": "H"},
                    {"exists": True},
                    {"exists": False},
                    {"before": "2020"},
                    {"matches": "(H|M)+$"},
                    {"in": ["Hc", 1]},
                    {"count": 1},
                    {"starts_with": "H", "count": {"at_least": 1, "at_most": 2}},
                ]
            ),
        ),
        min_size=1,
        max_size=2,
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: {"not": one}),
        st.lists(inner, min_size=1, max_size=2).map(lambda several: {"all": several}),
        st.lists(inner, min_size=1, max_size=2).map(lambda several: {"any": several}),
    ),
    max_leaves=5,
)


@given(CONDITIONS, HOLDINGS)
def test_a_condition_or_its_opposite_holds(condition, document):
    one = met(condition, document=document)
    assert met({"not": condition}, document=document) is not one
    assert met({"all": [condition, condition]}, document=document) is one
    assert met({"any": [condition]}, document=document) is one


@given(CONDITIONS)
def test_what_is_written_reads_as_the_same_condition(condition):
    parsed = parse_condition(condition, outside())
    again = parse_condition(json.loads(json.dumps(condition_data(parsed))), outside())
    assert condition_data(again) == condition_data(parsed)


@given(
    st.recursive(
        st.one_of(VALUES, st.none()),
        lambda inner: st.dictionaries(
            st.sampled_from([*KINDS, "all", "any", "not", "a.b", "$value", "@bib.x"]),
            st.one_of(inner, st.lists(inner, max_size=2)),
            max_size=3,
        ),
        max_leaves=6,
    )
)
def test_any_data_is_read_or_refused(data):
    with suppress(Fault):
        parse_condition(data, outside())
