"""Searches bring everything or say why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bulkrunner.domain.records import library_iri
from bulkrunner.domain.refusals import Refused
from bulkrunner.services.planning import listings as finding
from bulkrunner.services.planning.listings import Searching, parameters
from tests.flows.selecting.conftest import Place

YLM = [("@type", "Item"), ("heldBy.@id", library_iri("Ylm"))]
ITEMS = [("@type", "Item")]

Make = Callable[..., Place]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PAGE", 7)


def test_every_hit_on_every_page(place: Make) -> None:
    at = place()
    hits = Searching(at.catalogue, at.iris).hits(YLM)
    assert sorted(hits.records) == at.here.records("hold", "Ylm")
    assert hits.total == len(hits.records) > 14
    assert Searching(at.catalogue, at.iris).count(YLM) == hits.total


def test_what_lies_beyond_the_window_is_fetched_by_id(place: Make) -> None:
    at = place(max_items=50)
    hits = Searching(at.catalogue, at.iris).hits(ITEMS)
    assert len(hits.records) == hits.total > 150
    assert set(at.here.records("hold")) <= set(hits.records)


def test_nothing_found_is_nothing(place: Make) -> None:
    at = place()
    assert Searching(at.catalogue, at.iris).hits([("@type", "Item"), ("x", "y")]).records == ()


class Between:
    """A catalogue that has something happen between two pages."""

    def __init__(self, place: Place, happening: Callable[[int], None]) -> None:
        self._place = place
        self._happening = happening
        self.pages = 0

    def find(self, query: Any, *, limit: int, offset: int = 0) -> Any:
        self.pages += 1
        self._happening(self.pages)
        return self._place.catalogue.find(query, limit=limit, offset=offset)


def test_a_hit_deleted_between_two_pages_is_no_other_hit_lost(place: Make) -> None:
    at = place()
    first = min(at.here.records("hold", "Ylm"))

    def delete(page: int) -> None:
        if page == 2:
            at.here.edit(first, delete=True)
            at.here.refresh()

    hits = Searching(Between(at, delete), at.iris).hits(YLM)  # type: ignore[arg-type]
    assert sorted(hits.records) == at.here.records("hold", "Ylm")


def test_an_index_that_never_holds_still_is_refused(place: Make) -> None:
    at = place()
    records = iter(sorted(at.here.records("hold", "Ylm")))

    def delete(page: int) -> None:
        if page > 1:
            at.here.edit(next(records), delete=True)
            at.here.refresh()

    with pytest.raises(Refused) as refused:
        Searching(Between(at, delete), at.iris).hits(YLM)  # type: ignore[arg-type]
    assert refused.value.refusal.code == "find_unsteady"


def test_a_server_that_cannot_go_on_behind_an_id_is_told_apart(place: Make) -> None:
    at = place(max_items=50)

    class Deaf:
        def find(self, query: Any, *, limit: int, offset: int = 0) -> Any:
            heard = [one for one in query if one[0] != "minEx-@id"]
            return at.catalogue.find(heard, limit=limit, offset=offset)

    with pytest.raises(Refused) as refused:
        Searching(Deaf(), at.iris).hits(ITEMS)  # type: ignore[arg-type]
    assert refused.value.refusal.code == "find_window"


def test_a_page_that_is_short_is_never_taken_for_the_end(place: Make) -> None:
    at = place()

    class Short:
        def find(self, query: Any, *, limit: int, offset: int = 0) -> Any:
            page = at.catalogue.find(query, limit=limit, offset=offset)
            return replace(page, iris=page.iris[:0]) if offset else page

    with pytest.raises(Refused) as refused:
        Searching(Short(), at.iris).hits(YLM)  # type: ignore[arg-type]
    assert refused.value.refusal.code == "find_unsteady"


def test_hits_that_are_no_records_of_the_environment_are_named(place: Make) -> None:
    at = place()
    hits = Searching(at.catalogue, at.iris).hits([("@type", "Language")])
    assert hits.total > 0
    assert hits.records == ()
    assert all(iri.startswith("https://id.kb.se/") for iri in hits.others)
    assert len(hits.others) == hits.total


def test_values_are_phrases_unless_they_end_in_a_star() -> None:
    query = [
        ("shelfMark.label", 'Hc - "x"'),
        ("physicalLocation", ["MAG", "REF*"]),
        ("heldBy.@id", "https://libris.kb.se/library/Ylm"),
        ("exists-inventoryLevel", False),
        ("min-meta.modified", "2026-01-01"),
        ("copyNumber", 3),
    ]
    assert list(parameters(query)) == [
        ("shelfMark.label", '"Hc -  x "'),
        ("physicalLocation", '"MAG"'),
        ("physicalLocation", "REF*"),
        ("heldBy.@id", "https://libris.kb.se/library/Ylm"),
        ("exists-inventoryLevel", "false"),
        ("min-meta.modified", "2026-01-01"),
        ("copyNumber", "3"),
    ]
