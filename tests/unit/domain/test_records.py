"""Parts, ownership and links of documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.records import (
    KEPT,
    RECORD_KEPT,
    THING_KEPT,
    WRITTEN_AT_CREATION,
    WRITTEN_AT_SAVE,
    component_holders,
    components,
    creator,
    held_by,
    is_holding,
    item_of,
    last_modifier,
    library_iri,
    link_of,
    modified,
    record_part,
    sigel_of_iri,
    thing_part,
)
from tests.support.documents import BIB, TEST_BASE, VALUES, holding

LIBRARY = "https://libris.kb.se/library/"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10))
def test_a_sigel_comes_back_from_its_iri(sigel):
    assert sigel_of_iri(library_iri(sigel)) == sigel


@pytest.mark.parametrize(
    ("sigel", "tail"), [("Ylm", "Ylm"), ("NO", "NO"), ("A b", "A+b"), ("Å*", "%C3%85*")]
)
def test_sigels_are_encoded_as_the_server_does(sigel, tail):
    assert library_iri(sigel) == LIBRARY + tail


@pytest.mark.parametrize(
    "iri",
    [
        None,
        "",
        LIBRARY,
        "https://libris-stg.kb.se/library/S",
        "http://libris.kb.se/library/S",
        "https://libris.kb.se/libraryS",
        LIBRARY + "Y%6Cm",
        LIBRARY + "%59lm",
        LIBRARY + "A%20b",
        LIBRARY + "%c3%85*",
        LIBRARY + "Ylm#it",
        LIBRARY + "Ylm ",
        7,
    ],
)
def test_other_iris_have_no_sigel(iri):
    assert sigel_of_iri(iri) is None


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ({"@id": "x"}, "x"),
        ([{"@id": "x"}], "x"),
        ([{"@id": "x"}, {"@id": "y"}], None),
        ([], None),
        ("x", None),
        ({"@id": 1}, None),
        (None, None),
    ],
)
def test_links(value, link):
    assert link_of(value) == link


def test_a_holding_says_whose_it_is_and_of_what():
    head = {
        "modified": "2017-10-27T08:59:14.651+02:00",
        "descriptionCreator": {"@id": LIBRARY + "S"},
        "descriptionLastModifier": {"@id": LIBRARY + "Hbg"},
    }
    document = holding(head=head)
    assert is_holding(document)
    assert held_by(document) == "Ylm"
    assert item_of(document) == f"{TEST_BASE}{BIB}#it"
    assert modified(document) == "2017-10-27T08:59:14.651+02:00"
    assert creator(document) == "S"
    assert last_modifier(document) == "Hbg"


def test_components_are_found_at_every_depth():
    document = holding(
        hasComponent=[
            {"heldBy": {"@id": LIBRARY + "Ylm"}, "hasComponent": {"heldBy": [{"@id": "x"}]}},
            {"heldBy": [{"@id": LIBRARY + "S"}, {"@id": LIBRARY + "T"}]},
            {},
            "no component",
        ]
    )
    assert len(list(components(document))) == 4
    assert component_holders(document) == ["Ylm", None, "S", "T"]


THEIRS = {"@id": LIBRARY + "S"}
ODD_SHAPES = {
    "a list in a list": {"hasComponent": [[{"heldBy": THEIRS}]]},
    "a list in a list in a component": {"hasComponent": {"hasComponent": [[[{"heldBy": THEIRS}]]]}},
    "@list": {"hasComponent": {"@list": [{"heldBy": THEIRS}]}},
    "@set in @list": {"hasComponent": [{"@list": [{"@set": [{"heldBy": THEIRS}]}]}]},
    "another property": {"hasPart": [{"@type": "Item", "heldBy": THEIRS}]},
    "a component of a note": {"hasNote": {"hasComponent": [{"heldBy": THEIRS}]}},
}


@pytest.mark.parametrize("what", ODD_SHAPES)
def test_a_foreign_holder_is_seen_in_any_shape(what):
    assert component_holders(holding(**ODD_SHAPES[what])) == ["S"]


@pytest.mark.parametrize(
    "node", [{"heldBy": THEIRS}, [{"heldBy": THEIRS}], {"@graph": [{"heldBy": THEIRS}]}]
)
def test_a_foreign_holder_is_seen_in_every_part_of_the_graph(node):
    document = holding()
    document["@graph"].append(node)
    assert component_holders(document) == ["S"]
    document["@graph"] = [{**document["@graph"][0], "x": node}, document["@graph"][1]]
    assert component_holders(document) == ["S"]


@pytest.mark.parametrize(
    "value",
    [
        {"@list": [THEIRS]},
        [[{"@id": LIBRARY + "Ylm"}, THEIRS]],
        {"@id": LIBRARY + "Y%6Cm"},
        LIBRARY + "Ylm",
        None,
        {},
    ],
)
def test_a_holder_that_cannot_be_read_is_nobody(value):
    assert None in component_holders(holding(hasComponent=[{"heldBy": value}]))


@pytest.mark.parametrize(
    "key",
    ["kbv:heldBy", "https://id.kb.se/vocab/heldBy", "heldby", "HeldBy", "heldBy ", "x#heldBy"],
)
def test_a_holder_by_another_spelling_is_nobody(key):
    assert component_holders(holding(hasComponent=[{key: THEIRS}])) == [None]
    assert component_holders(holding(**{key: THEIRS})) == [None]
    assert component_holders(holding(heldByOther=THEIRS)) == []


def test_a_foreign_holder_beside_the_graph_is_seen():
    document = holding()
    document["@included"] = [{"heldBy": THEIRS}]
    assert component_holders(document) == ["S"]


@pytest.mark.parametrize("what", ["a list in a list", "@list", "@set in @list"])
def test_components_are_found_in_any_shape(what):
    assert list(components(holding(**ODD_SHAPES[what]))) == [{"heldBy": THEIRS}]


def test_a_heldby_in_a_component_is_not_the_items():
    document = holding(hasComponent=[{"heldBy": {"@id": LIBRARY + "Ylm"}}])
    del document["@graph"][1]["heldBy"]
    assert held_by(document) is None


@given(st.one_of(VALUES, st.none()))
def test_documents_of_any_shape_are_read_without_fault(graph):
    document = {"@graph": graph}
    assert isinstance(record_part(document), dict)
    assert isinstance(thing_part(document), dict)
    assert held_by(document) is None
    assert component_holders(document) == []
    assert not is_holding({"@graph": [graph]})


@pytest.mark.parametrize(
    ("name", "answer"),
    [("Item", True), ("SingleItem", True), ("Instance", False), (["Item"], False), (None, False)],
)
def test_what_counts_as_a_holding(name, answer):
    assert is_holding({"@graph": [{}, {"@type": name}]}) is answer


def test_the_keys_of_a_record_by_role():
    assert sorted(THING_KEPT) == ["@id", "@type", "heldBy", "itemOf", "sameAs"]
    saved = ["created", "descriptionLastModifier", "modified", "recordStatus"]
    assert sorted(WRITTEN_AT_SAVE) == saved
    assert sorted(WRITTEN_AT_CREATION) == sorted([*saved, "controlNumber", "descriptionCreator"])
    names = {"@id", "@type", "mainEntity", "sameAs"}
    assert names | set(WRITTEN_AT_CREATION) == RECORD_KEPT
    assert KEPT == RECORD_KEPT | THING_KEPT
