"""The vocabulary table."""

import pytest

from bulkrunner import vocabulary


@pytest.mark.parametrize(
    ("name", "collection"),
    [
        ("Item", "hold"),
        ("SingleItem", "none"),
        ("Instance", "bib"),
        ("PhysicalResource", "bib"),
        ("Person", "auth"),
        ("Library", "auth"),
        ("Record", None),
        ("NoSuchClass", None),
    ],
)
def test_collections(name: str, collection: str | None) -> None:
    assert vocabulary.collection(name) == collection


def test_terms_and_their_kinds() -> None:
    assert vocabulary.is_term("shelfMark")
    assert not vocabulary.is_term("shelfmark")
    assert vocabulary.is_object_property("hasNote")
    assert not vocabulary.is_object_property("physicalLocation")
    assert vocabulary.is_set("physicalLocation")
    assert not vocabulary.is_set("shelfMark")
    assert vocabulary.is_vocab_typed("marc:holdingType")
    assert vocabulary.is_skipped("_marcUncompleted")
    assert "marc:hold" in vocabulary.category("Item")


def test_classes() -> None:
    assert vocabulary.is_subclass_of("SingleItem", "Item")
    assert vocabulary.is_subclass_of("Item", "Item")
    assert not vocabulary.is_subclass_of("Item", "SingleItem")
    assert vocabulary.classes_under("Item") == {"Item", "SingleItem"}
