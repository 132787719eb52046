"""The checksum against the known values, and what it does and does not see."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.sandbox.documents import checksum, string_hash

ITEM = {
    "@graph": [
        {"@id": "https://libris.kb.se/x1", "@type": "Record"},
        {
            "@id": "https://libris.kb.se/x1#it",
            "@type": "Item",
            "inventoryLevel": 1,
            "physicalLocation": ["MAG", "REF"],
        },
    ]
}


@pytest.mark.parametrize(
    ("document", "expected"), [({"@graph": [{"a": "b"}]}, "1930919609"), (ITEM, "3367202410")]
)
def test_known_values(document: Any, expected: str) -> None:
    assert checksum(document) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a", 97), ("hello", 99162322), ("polygenelubricants", -(2**31)), ("å", 229)],
)
def test_string_hash_is_javas(text: str, expected: int) -> None:
    assert string_hash(text) == expected


def test_string_hash_counts_utf16_units() -> None:
    assert string_hash("😀") == 0xD83D * 31 + 0xDE00


@given(st.permutations(["MAG", "REF", "KUR", "Öppen hylla"]))
def test_order_in_a_set_does_not_count(values: list[str]) -> None:
    assert checksum({"physicalLocation": values}) == checksum({"physicalLocation": sorted(values)})


@given(st.permutations(["MAG", "REF", "KUR"]))
def test_order_elsewhere_counts(values: list[str]) -> None:
    same = checksum({"shelfLabel": values}) == checksum({"shelfLabel": sorted(values)})
    assert same == (values == sorted(values))


@pytest.mark.parametrize("key", ["created", "modified", "recordStatus"])
def test_three_keys_do_not_count(key: str) -> None:
    assert checksum({"@graph": [{"a": "b", key: "anything"}]}) == "1930919609"


@pytest.mark.parametrize("key", ["descriptionLastModifier", "generationDate", "@context"])
def test_other_keys_count(key: str) -> None:
    assert checksum({"@graph": [{"a": "b", key: "anything"}]}) != "1930919609"
