"""What the index can be asked, and whether a record fits the query that found it."""

from __future__ import annotations

from typing import Any

import pytest

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.queries import (
    INDEXED,
    in_moments,
    libraries_named,
    localised,
    parse_name,
    unindexed,
    unmet_part,
)

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
        {"or-shelfMark.label": "Hd", "or-exists-inventoryLevel": "true"},
        {
            "min-meta.modified": "2026-03-01T08:00:00Z",
            "max-meta.modified": "2026-03-01T10:00+01:00",
        },
        {"itemOf.hasTitle.mainTitle": "in another record"},
        {"not-itemOf.hasTitle.mainTitle": "in another record"},
        {"@reverse.itemOf.heldBy.@id": LIBRARY},
        {"q": "whatever", "matches-shelfMark.label": "x"},
    ],
)
def test_what_fits(query: dict[str, Any]) -> None:
    assert unmet_part(DOCUMENT, query) is None


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
        ({"or-shelfMark.label": "Hd", "or-exists-shelfLabel": "true"}, "or-shelfMark.label"),
        ({"min-meta.modified": "2026-03-01T09:30:00Z"}, "min-meta.modified"),
        ({"absent": "x"}, "absent"),
    ],
)
def test_what_does_not(query: dict[str, Any], name: str) -> None:
    assert unmet_part(DOCUMENT, query) == name


@pytest.mark.parametrize(
    ("name", "given", "asked"),
    [
        ("min-meta.created", "2026-11-01", "2026-10-31T23:00:00.000Z"),
        ("maxEx-meta.modified", "2026-07", "2026-06-30T22:00:00.000Z"),
        ("max-meta.created", "2026-07-01", "2026-07-01T21:59:59.999Z"),
        ("or-minEx-meta.modified", 2025, "2025-12-31T22:59:59.999Z"),
        ("min-meta.created", "2026-11-01T10:00", "2026-11-01T09:00:00.000Z"),
        ("max-meta.created", "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000Z"),
        ("min-meta.created", ["2026-11-01", "new"], ["2026-10-31T23:00:00.000Z", "new"]),
        ("min-itemOf.publication.year", "2019", "2019"),
        ("meta.created", "2026-11-01", "2026-11-01"),
    ],
)
def test_a_day_is_a_day_in_sweden_to_the_index_too(name: str, given: Any, asked: Any) -> None:
    assert in_moments({name: given}) == {name: asked}


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


HOLDINGS = {"@type": "Item", "heldBy.@id": LIBRARY}


@pytest.mark.parametrize("key", sorted(INDEXED))
def test_what_the_search_card_shows_is_indexed(key: str) -> None:
    query = {**HOLDINGS, key: "x", f"exists-{key}": "true", f"or-min-hasComponent.{key}": "x"}
    assert unindexed(query, of_bibs=False) == {}


@pytest.mark.parametrize(
    "query",
    [
        {**HOLDINGS, "availability.label": "x", "not-cataloguersNote": "x"},
        {**HOLDINGS, "shelfMark.@id": "x", "exists-shelfMark.@id": "true"},
        {**HOLDINGS, "itemOf.hasNote.label": "x", "itemOf.instanceOf.hasTitle.mainTitle": "x"},
        {"@type": "Instance", "hasNote.label": "x", "associatedMedia.uri": "x"},
        {"@type": "Instance", "@reverse.itemOf.heldBy.@id": LIBRARY},
        {"@type": "Instance", "hasComponent.hasNote.label": "x"},
        {"hasTitle.mainTitle": "x", "identifiedBy.value": "x", "a": "b", "q": "x"},
        {"@type": "Person", "hasNote.label": "x"},
    ],
)
def test_what_the_index_can_be_asked(query: dict[str, Any]) -> None:
    assert unindexed(query, of_bibs=False) == {}


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("shelfMark.label", "shelfMark"),
        ("shelfMark", "shelfMark"),
        ("shelfMark.@type", "shelfMark"),
        ("exists-shelfMark", "shelfMark"),
        ("hasNote.label", "hasNote"),
        ("not-hasNote.label", "hasNote"),
        ("min-inventoryLevel", "inventoryLevel"),
        ("maxEx-inventoryLevel", "inventoryLevel"),
        ("matches-itemCondition", "itemCondition"),
        ("and-copyNumber", "copyNumber"),
        ("or-shelfLabel", "shelfLabel"),
        ("or-exists-shelfLabel", "shelfLabel"),
        ("usageAndAccessPolicy.label", "usageAndAccessPolicy"),
        ("exists-associatedMedia", "associatedMedia"),
        ("marc:hasTextualHoldingsBasicBibliographicUnit.marc:textualString", None),
        ("callNumberPrefix", "callNumberPrefix"),
        ("hasComponent.shelfMark.label", "shelfMark"),
        ("exists-hasComponent.hasComponent.inventoryLevel", "inventoryLevel"),
        ("itemOf.@reverse.itemOf.copyNumber", "copyNumber"),
        ("hasTitle.mainTitle", "hasTitle"),
        ("identifiedBy.value", "identifiedBy"),
        ("q", "q"),
    ],
)
def test_what_it_cannot_be_asked_of_holdings(name: str, lacking: str | None) -> None:
    told = lacking or "marc:hasTextualHoldingsBasicBibliographicUnit"
    assert unindexed({**HOLDINGS, name: "x"}, of_bibs=False) == {name: told}
    assert unindexed({"itemOf.@id": "x", name: "x"}, of_bibs=False) == {name: told}
    assert unindexed({"@type": "SingleItem", name: "x"}, of_bibs=False) == {name: told}


@pytest.mark.parametrize(
    "name",
    [
        "@reverse.itemOf.shelfMark.label",
        "exists-@reverse.itemOf.hasNote",
        "@reverse.itemOf.hasComponent.itemCondition",
        "or-@reverse.instanceOf.@reverse.itemOf.shelfLabel",
    ],
)
@pytest.mark.parametrize("start", [{"@type": "Instance"}, {"hasTitle.mainTitle": "x"}])
@pytest.mark.parametrize("of_bibs", [True, False])
def test_what_it_cannot_be_asked_through_a_bib(
    name: str, start: dict[str, Any], of_bibs: bool
) -> None:
    assert list(unindexed({**start, name: "x"}, of_bibs=of_bibs)) == [name]


@pytest.mark.parametrize("name", ["shelfMark.label", "hasNote.label", "exists-inventoryLevel"])
def test_a_query_that_does_not_say_what_it_is_for_may_be_for_holdings(name: str) -> None:
    assert list(unindexed({name: "x"}, of_bibs=False)) == [name]
    assert unindexed({name: "x"}, of_bibs=True) == {}
    both = {"@type": ["Instance", "Item"], name: "x", "hasTitle.mainTitle": "y"}
    assert list(unindexed(both, of_bibs=True)) == [name]
    assert unindexed({"@type": "Instance", name: "x"}, of_bibs=False) == {}


@pytest.mark.parametrize(
    ("query", "sigels"),
    [
        (HOLDINGS, ("Ylm",)),
        ({"heldBy.@id": LIBRARY}, ("Ylm",)),
        ({"heldBy.@id": [LIBRARY, "https://libris.kb.se/library/S+62", LIBRARY]}, ("Ylm", "S 62")),
        ({"@type": "Item"}, ()),
        ({"@type": "Item", "not-heldBy.@id": LIBRARY}, ()),
        ({"@type": "Instance", "@reverse.itemOf.heldBy.@id": LIBRARY}, ()),
        ({"heldBy.@id": [LIBRARY, "https://libris.kb.se/x"]}, ()),
    ],
)
def test_the_libraries_that_a_query_names(query: dict[str, Any], sigels: tuple[str, ...]) -> None:
    assert libraries_named(query) == sigels


def test_a_name_is_taken_apart() -> None:
    name = parse_name("or-minEx-meta.created")
    assert (name.either, name.relation, name.field, name.last) == (
        True,
        "minEx",
        "meta.created",
        "created",
    )
    assert parse_name("notation").relation == ""
