"""Structural differences."""

import copy

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.diff import MAX_DIFFERENCES, diff, read_differences
from tests.support.documents import HOLDINGS, KEYS, SCALARS, holding


def told(before, after):
    found = diff(holding(**before), holding(**after))
    return [(item.kind, item.place, item.before, item.after) for item in found]


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        ({"copyNumber": "1"}, {"copyNumber": "1"}, []),
        ({"copyNumber": "1"}, {"copyNumber": "2"}, [("changed", "copyNumber", "1", "2")]),
        ({"copyNumber": "1"}, {}, [("removed", "copyNumber", "1", None)]),
        ({}, {"copyNumber": "1"}, [("added", "copyNumber", None, "1")]),
        ({"a": 1}, {"a": True}, [("changed", "a", 1, True)]),
        (
            {"shelfMark": {"label": "Hc"}},
            {"shelfMark": {"label": "Hce"}},
            [("changed", "shelfMark.label", "Hc", "Hce")],
        ),
        (
            {"shelfMark": [{"label": ["Hc"]}]},
            {"shelfMark": [{"label": ["Hce"]}]},
            [("changed", "shelfMark.label", "Hc", "Hce")],
        ),
        ({"a": ["x"]}, {"a": "x"}, [("changed", "a", ["x"], "x")]),
        ({"a": ["x", "y", "z"]}, {"a": ["y", "z"]}, [("removed", "a.0", "x", None)]),
        ({"a": ["x", "z"]}, {"a": ["x", "y", "z"]}, [("added", "a.1", None, "y")]),
        ({"a": ["x", "y"]}, {"a": ["x", "w"]}, [("changed", "a.1", "y", "w")]),
        ({"a": ["x"]}, {"a": ["x", "y"]}, [("added", "a.1", None, "y")]),
        ({"a": []}, {}, [("removed", "a", [], None)]),
        (
            {"a": [{"k": 1}, {"k": 2, "m": 0}, {"k": 3}]},
            {"a": [{"k": 1}, {"k": 9, "m": 0}, {"k": 3}]},
            [("changed", "a.1.k", 2, 9)],
        ),
    ],
)
def test_differences(before, after, differences):
    assert told(before, after) == differences


def test_the_record_part_is_told_apart():
    before, after = holding(head={"x": "1"}), holding(head={"x": "2"})
    assert [item.place for item in diff(before, after)] == ["@record.x"]


@given(HOLDINGS, HOLDINGS)
def test_equal_documents_and_only_they_have_no_difference(one, other):
    assert (diff(one, other) == []) is (canonical_bytes(one) == canonical_bytes(other))
    assert diff(one, copy.deepcopy(one)) == []


OBJECTS = st.recursive(
    SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
BODIES = st.dictionaries(KEYS.filter(lambda key: key != "@type"), OBJECTS, max_size=4)


@given(BODIES, BODIES)
def test_differences_made_to_the_one_give_the_other(one, other):
    document, wanted = holding(**copy.deepcopy(one)), holding(**other)
    for item in diff(holding(**one), wanted):
        *parents, last = item.place.split(".")
        node = document["@graph"][1]
        for key in parents:
            node = node[key]
        if item.kind == "removed":
            assert canonical_bytes(node.pop(last)) == canonical_bytes(item.before)
        else:
            assert (last in node) is (item.kind == "changed")
            node[last] = item.after
    assert canonical_bytes(document) == canonical_bytes(wanted)


@given(st.lists(SCALARS, max_size=6), st.lists(SCALARS, max_size=6))
def test_lists_lose_and_gain_what_is_told(one, other):
    lost = [canonical_bytes(item) for item in one]
    gained = [canonical_bytes(item) for item in other]
    assume(len(one) != 1 or len(other) != 1)
    for item in diff(holding(a=one), holding(a=other)):
        if item.kind != "added":
            lost.remove(canonical_bytes(item.before))
        if item.kind != "removed":
            gained.remove(canonical_bytes(item.after))
    assert sorted(lost) == sorted(gained)


def test_the_number_of_differences_is_bounded():
    before = holding(**{f"k{number}": 1 for number in range(MAX_DIFFERENCES + 10)})
    assert len(diff(before, holding())) == MAX_DIFFERENCES


def test_long_lists_are_compared_without_great_effort():
    before = holding(a=[f"x{number}" for number in range(20_000)])
    after = holding(a=[f"y{number}" for number in range(20_000)])
    assert len(diff(before, after)) == MAX_DIFFERENCES


def test_what_lies_very_deep_is_shown_as_a_whole():
    one, other = "x", "y"
    for _ in range(100):
        one, other = {"k": one}, {"k": other}
    found = diff(holding(a=one), holding(a=other))
    assert [item.kind for item in found] == ["changed"]
    assert found[0].place.startswith("a.k.k")


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.0, False), ([1], [1.0])])
def test_what_is_equal_but_written_otherwise_differs(one, other):
    before, after = holding(inner={"a": one}), holding(inner={"a": other})
    for differences in (diff(before, after), read_differences(before, after)):
        assert [item.place for item in differences] == ["inner.a"]


def test_the_order_of_keys_makes_no_difference():
    before, after = holding(inner={"a": 1, "b": [1]}), holding(inner={"b": [1], "a": 1})
    assert read_differences(before, after) == diff(before, after) == []
