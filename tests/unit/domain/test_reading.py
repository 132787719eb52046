"""Differences as cataloguers read them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.diff import read_differences
from tests.support.documents import HOLDINGS, holding


def note(label: str) -> dict[str, Any]:
    return {"@type": "Note", "label": label}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, Any, Any]]:
    found = read_differences(holding(**before), holding(**after))
    return [(item.kind, item.place, item.before, item.after) for item in found]


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        (
            {"hasNote": [note("a"), note("b"), note("c")]},
            {"hasNote": [note("c"), note("a")]},
            [("removed", "hasNote.1", note("b"), None)],
        ),
        (
            {"hasNote": [note("a"), note("b")]},
            {"hasNote": [note("x"), note("a")]},
            [("changed", "hasNote.1.label", "b", "x")],
        ),
        (
            {"hasNote": note("a")},
            {"hasNote": [note("a"), note("b")]},
            [("added", "hasNote.1", None, note("b"))],
        ),
        (
            {"physicalLocation": ["MAG", "REF"]},
            {"physicalLocation": ["REF", "KAPSEL"]},
            [("changed", "physicalLocation.0", "MAG", "KAPSEL")],
        ),
        (
            {"subject": [{"@id": "https://id.kb.se/a"}, {"@type": "Topic", "label": "x"}]},
            {"subject": [{"@type": "Topic", "label": "x"}, {"@id": "https://id.kb.se/b"}]},
            [("changed", "subject.0.@id", "https://id.kb.se/a", "https://id.kb.se/b")],
        ),
        (
            {"subject": [{"@id": "https://id.kb.se/a"}]},
            {"subject": []},
            [("removed", "subject.0", {"@id": "https://id.kb.se/a"}, None)],
        ),
        (
            {"hasComponent": [{"@type": "Item", "copyNumber": "1"}, {"@type": "Item", "x": "2"}]},
            {"hasComponent": [{"@type": "Item", "x": "2"}, {"@type": "Item", "copyNumber": "9"}]},
            [("changed", "hasComponent.0.copyNumber", "1", "9")],
        ),
        ({"a": ["x", "y"]}, {"a": ["x", "z", "y"]}, [("added", "a.1", None, "z")]),
    ],
)
def test_what_differs_is_told_where_it_stands(
    before: dict[str, Any], after: dict[str, Any], differences: list[Any]
) -> None:
    assert told(before, after) == differences


def test_equal_elements_count_as_often_as_they_stand() -> None:
    assert told({"hasNote": [note("a"), note("a")]}, {"hasNote": [note("a")]}) == [
        ("removed", "hasNote.1", note("a"), None)
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"hasNote": [note("a"), note("b")]}, {"hasNote": [note("b"), note("a")]}),
        ({"hasNote": note("a")}, {"hasNote": [note("a")]}),
    ],
)
def test_a_change_of_order_or_form_alone_is_never_hidden(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert told(before, after) != []


@given(HOLDINGS, HOLDINGS)
def test_equal_documents_and_only_they_have_no_difference(one: Any, other: Any) -> None:
    equal = canonical_bytes(one) == canonical_bytes(other)
    assert (read_differences(one, other) == []) is equal
