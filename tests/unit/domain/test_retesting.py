"""A query is tested again on the record that it found."""

from __future__ import annotations

from typing import Any

import pytest

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.retesting import localised, unmet

LIBRARY = "https://libris.kb.se/library/Ylm"
DOCUMENT: dict[str, Any] = {
    "@graph": [
        {
            "@id": "https://libris-stg.kb.se/h1",
            "@type": "Record",
            "modified": "2026-03-01T10:00:00",
        },
        {
            "@id": "https://libris-stg.kb.se/h1#it",
            "@type": "Item",
            "heldBy": {"@id": LIBRARY},
            "itemOf": {"@id": "https://libris-stg.kb.se/b1#it"},
            "shelfMark": {"@type": "ShelfMark", "label": ["Hc"]},
            "hasComponent": [{"@type": "Item", "copyNumber": "1"}, {"copyNumber": 2}],
            "inventoryLevel": 3,
        },
    ]
}


@pytest.mark.parametrize(
    "query",
    [
        {"@type": "Item", "heldBy.@id": LIBRARY},
        {"heldBy": LIBRARY},
        {"shelfMark.label": "Hc"},
        {"shelfMark.label": ["Hd", " Hc "]},
        {"shelfMark.label": "H*"},
        {"hasComponent.copyNumber": "2"},
        {"and-hasComponent.copyNumber": ["1", "2"]},
        {"not-shelfMark.label": "Hd"},
        {"exists-shelfMark": True, "exists-shelfLabel": False},
        {"exists-shelfMark": "true"},
        {"min-inventoryLevel": 3, "max-inventoryLevel": "3"},
        {"min-meta.modified": "2026-03-01", "max-meta.modified": "2026-03-01"},
        {"minEx-meta.modified": "2026-02", "maxEx-meta.modified": "2026-03-02"},
        {"or-shelfMark.label": "Hd", "or-inventoryLevel": 3},
        {"itemOf.hasTitle.mainTitle": "in another record"},
        {"not-itemOf.hasTitle.mainTitle": "in another record"},
        {"@reverse.itemOf.heldBy.@id": LIBRARY},
        {"q": "whatever", "matches-shelfMark.label": "x"},
    ],
)
def test_what_fits(query: dict[str, Any]) -> None:
    assert unmet(DOCUMENT, query) is None


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"@type": "Instance"}, "@type"),
        ({"@type": "Item", "heldBy.@id": LIBRARY + "x"}, "heldBy.@id"),
        ({"shelfMark.label": "H"}, "shelfMark.label"),
        ({"shelfMark.label": "hc"}, "shelfMark.label"),
        ({"and-hasComponent.copyNumber": ["1", "3"]}, "and-hasComponent.copyNumber"),
        ({"not-shelfMark.label": ["Hd", "Hc"]}, "not-shelfMark.label"),
        ({"exists-shelfMark": False}, "exists-shelfMark"),
        ({"exists-shelfLabel": True}, "exists-shelfLabel"),
        ({"minEx-inventoryLevel": 3}, "minEx-inventoryLevel"),
        ({"min-meta.modified": "2026-03-02"}, "min-meta.modified"),
        ({"minEx-meta.modified": "2026-03-01"}, "minEx-meta.modified"),
        ({"maxEx-meta.modified": "2026-03-01"}, "maxEx-meta.modified"),
        ({"or-shelfMark.label": "Hd", "or-inventoryLevel": 4}, "or-shelfMark.label"),
        ({"absent": "x"}, "absent"),
    ],
)
def test_what_does_not(query: dict[str, Any], name: str) -> None:
    assert unmet(DOCUMENT, query) == name


def test_ids_are_those_of_the_environment_planned_for() -> None:
    bases = ("https://libris.kb.se/", "https://libris-stg.kb.se/")
    iris = IriMap(bases=bases, target=bases[1])
    bib = "https://libris.kb.se/fzr8v1sn2k3m4p5#it"
    query = {"itemOf.@id": [bib], "not-itemOf.@id": bib, "heldBy.@id": LIBRARY, "label": bib}
    assert localised(query, iris) == {
        "itemOf.@id": ["https://libris-stg.kb.se/fzr8v1sn2k3m4p5#it"],
        "not-itemOf.@id": "https://libris-stg.kb.se/fzr8v1sn2k3m4p5#it",
        "heldBy.@id": LIBRARY,
        "label": bib,
    }
