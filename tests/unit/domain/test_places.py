"""Places: reading them, and following them into a document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.places import (
    ABSENT,
    MAX_STEPS,
    locate,
    parse_place,
    path_text,
    writable_place,
)
from bulkrunner.domain.refusals import Refused
from bulkrunner.errors import Fault
from tests.support.documents import holding


@pytest.mark.parametrize(
    ("text", "in_record", "steps"),
    [
        ("shelfMark.label", False, ("shelfMark", "label")),
        ("hasComponent.0.shelfMark", False, ("hasComponent", 0, "shelfMark")),
        ("@record.cataloguersNote", True, ("cataloguersNote",)),
        ("marc:acquisitionStatus", False, ("marc:acquisitionStatus",)),
        ("marc:acquisitionStatus.@id", False, ("marc:acquisitionStatus", "@id")),
        ("åäö", False, ("åäö",)),
        ("hasNote.12", False, ("hasNote", 12)),
    ],
)
def test_reads(text, in_record, steps):
    place = parse_place(text)
    assert (place.text, place.in_record, place.steps) == (text, in_record, steps)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (".", "empty"),
        ("a..b", "empty"),
        ("a.", "empty"),
        (".a", "empty"),
        ("@record", "followed by a key"),
        ("@record.", "empty"),
        ("@record.0", "begins with a list index"),
        ("@record.@record.a", "@record stands first"),
        ("0", "begins with a list index"),
        ("0.a", "begins with a list index"),
        ("a.01", "without leading zeros"),
        ("a.-1", "count from 0"),
        ("a.1234567", "no list index"),
        ("a.٣", "no list index"),
        ("a b", "no key"),
        ("a\nb", "no key"),
        ("a[0]", "no key"),
        ("@graph.1.heldBy", "no key of a record"),
        ("@context", "no key of a record"),
        ("a.@reverse", "no key of a record"),
        ("x" * 501, "longer than 500"),
        (".".join("a" * (MAX_STEPS + 1)), f"more than {MAX_STEPS} steps"),
    ],
)
def test_says_what_is_wrong_with_it(text, says):
    with pytest.raises(Fault) as caught:
        parse_place(text)
    assert isinstance(caught.value, ValueError)
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_a_place_error(text):
    try:
        steps = parse_place(text).steps
    except Fault:
        return
    assert ".".join(map(str, steps)) == text.removeprefix("@record.")


@pytest.mark.parametrize("text", ["heldBy", "itemOf.@id", "@id", "created", "@record.created"])
def test_what_is_kept_is_not_writable(text):
    parse_place(text)
    with pytest.raises(Refused) as caught:
        writable_place(text)
    assert caught.value.refusal.code == "forbidden_place"


@pytest.mark.parametrize("text", ["shelfMark.@id", "hasComponent.0.heldBy", "@record.heldBy"])
def test_the_same_keys_elsewhere_are_writable(text):
    assert writable_place(text).text == text


def test_the_path_names_every_list_it_went_through():
    document = holding(hasComponent=[{"shelfMark": [{"label": ["Hc"]}]}])
    spot = locate(document, parse_place("hasComponent.shelfMark.label"))
    assert spot.path == ("@graph", 1, "hasComponent", 0, "shelfMark", 0, "label")
    assert spot.value == ["Hc"]


@pytest.mark.parametrize(
    ("text", "creatable"),
    [("x", True), ("shelfMark.x", True), ("shelfMark.x.y", False), ("shelfMark.0", False)],
)
def test_only_a_last_key_can_be_created(text, creatable):
    spot = locate(holding(shelfMark={"label": "Hc"}), parse_place(text))
    assert spot.value is ABSENT
    assert spot.creatable is creatable


def test_deep_lists_of_one_do_not_exhaust_anything():
    node = "end"
    for _ in range(200):
        node = [node]
    document = holding(hasNote=node)
    assert locate(document, parse_place("hasNote.label")).value is ABSENT


@pytest.mark.parametrize("graph", [[], [{}], [{}, "text"], "text", None, [None, None]])
def test_documents_of_another_shape_have_nothing_at_any_place(graph):
    assert locate({"@graph": graph}, parse_place("shelfMark.label")).value is ABSENT


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("@graph", 1, "hasNote", 0, "label"), "hasNote.0.label"),
        (("@graph", 0, "mainEntity"), "@record.mainEntity"),
        (("@graph", 2, "x"), "@graph.2.x"),
        (("@graph", 1), "@item"),
        (("@graph", 0), "@record"),
    ],
)
def test_paths_are_written_as_places(path, text):
    assert path_text(path) == text
