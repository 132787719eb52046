"""All holdings of a library: dump, changes since, and index together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bulkrunner.adapters.libris.dump_storage import SqliteDumpStorage
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.refusals import Refused
from bulkrunner.sentences import text_of
from bulkrunner.services.planning import listings
from bulkrunner.services.planning import selections as libraries
from bulkrunner.services.planning.selections import Libraries, LibraryHoldings
from tests.flows.selecting.conftest import Place
from tests.support.progress import NullProgress
from tests.support.sandbox import http

Make = Callable[..., Place]


class Told(NullProgress):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def waiting(self, reason: str, seconds: float | None) -> None:
        self.reasons.append(reason)


class Waiting(SystemClock):
    """Moves the server's clock where somebody waits."""

    def __init__(self, at: Place) -> None:
        super().__init__()
        self._at = at

    def sleep(self, seconds: float) -> None:
        self._at.here.move_clock(seconds=seconds)


def libraries_of(at: Place, catalogue: Any = None, told: Told | None = None) -> Libraries:
    return Libraries(
        catalogue or at.catalogue,
        at.iris,
        Waiting(at),
        told or Told(),
        lambda: None,
        SqliteDumpStorage(),
    )


def select(at: Place, sigel: str = "Ylm", catalogue: Any = None) -> LibraryHoldings:
    chosen = libraries_of(at, catalogue).holdings(sigel)
    return replace(chosen, records=tuple(chosen.records))


def new_holding(at: Place) -> str:
    bibs = at.here.records("bib")
    held = {
        at.here.document(record)["@graph"][1]["itemOf"]["@id"]
        for record in at.here.records("hold", "Ylm")
    }
    free = next(bib for bib in bibs if at.here.thing_iri(bib) not in held)
    temp = "https://id.kb.se/TEMPID"
    document = {
        "@graph": [
            {"@id": temp, "@type": "Record", "mainEntity": {"@id": temp + "#it"}},
            {
                "@id": temp + "#it",
                "@type": "Item",
                "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
                "itemOf": {"@id": at.here.thing_iri(free)},
            },
        ]
    }
    answer = at.here.send("POST", "/data", document)
    assert answer.status == 201, answer
    return answer.headers["location"].rpartition("/")[2]


def read_dump(at: Place) -> None:
    """Have the server make its list now."""
    url = f"{at.here.base_url}/api/emm/full?selection=itemAndInstance:Ylm&offset=0"
    assert http("GET", url).status == 200


def test_all_holdings_of_a_library(place: Make) -> None:
    at = place(holdings=800, bibs=260)
    chosen = select(at)
    own = at.here.records("hold", "Ylm")
    assert list(chosen.records) == own
    assert len(own) > listings.DUMP_PAGE
    facts = chosen.facts
    assert facts["dump_listed"] == facts["index_total"] == len(own)
    assert (facts["index_only"], facts["dump_only"]) == (0, 0)


def test_a_list_of_days_ago_is_brought_up_to_date(place: Make) -> None:
    at = place()
    read_dump(at)
    at.here.move_clock(days=2)
    deleted = at.here.records("hold", "Ylm")[0]
    at.here.edit(deleted, delete=True)
    for record in at.here.records("hold", "S")[:20]:
        for _ in range(12):
            at.here.edit(record)
    created = new_holding(at)
    at.here.move_clock(days=1)
    chosen = select(at)
    assert list(chosen.records) == at.here.records("hold", "Ylm")
    assert created in chosen.records
    assert deleted not in chosen.records
    assert (chosen.facts["since_created"], chosen.facts["since_deleted"]) == (1, 1)
    assert chosen.facts["dump_only"] == 1  # the new one: the index has not seen it


def test_what_only_the_index_knows_is_selected_too(place: Make) -> None:
    at = place()
    read_dump(at)
    created = new_holding(at)
    at.here.refresh()

    class Silent:
        """The feed has nothing to say."""

        def __getattr__(self, name: str) -> Any:
            return getattr(at.catalogue, name)

        def feed_page(self, *, until: int) -> tuple[()]:
            return ()

    chosen = select(at, catalogue=Silent())
    assert created in chosen.records
    assert chosen.facts["index_only"] == 1


def test_a_list_in_the_making_is_waited_for(place: Make) -> None:
    at = place(emm_generating_ms=12_000)
    told = Told()
    chosen = libraries_of(at, told=told).holdings("Ylm")
    assert list(chosen.records) == at.here.records("hold", "Ylm")
    assert any("being made" in reason for reason in told.reasons)


def test_a_new_list_between_two_pages_means_begin_again(place: Make) -> None:
    at = place(holdings=800, bibs=260)
    moved: list[int] = []

    class Restless:
        def __init__(self, times: int) -> None:
            self.times = times

        def __getattr__(self, name: str) -> Any:
            return getattr(at.catalogue, name)

        def dump_page(self, sigel: str, *, offset: int) -> Any:
            if offset and len(moved) < self.times:
                moved.append(offset)
                at.here.move_clock(days=6)
            return at.catalogue.dump_page(sigel, offset=offset)

    assert list(select(at, catalogue=Restless(2)).records) == at.here.records("hold", "Ylm")
    assert len(moved) == 2
    moved.clear()
    with pytest.raises(Refused) as refused:
        select(at, catalogue=Restless(99))
    assert refused.value.refusal.code == "dump_unsteady"


def test_a_feed_without_end_is_refused(place: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    at = place()
    monkeypatch.setattr(listings, "MAX_FEED", 1)
    read_dump(at)
    for record in at.here.records("hold", "S")[:10]:
        for _ in range(12):
            at.here.edit(record)
    with pytest.raises(Refused) as refused:
        select(at)
    assert refused.value.refusal.code == "dump_stale"


def counted(at: Place, catalogue: Any = None) -> Any:
    return libraries_of(at, catalogue).counted("Ylm")


def test_what_the_index_and_the_list_count(place: Make) -> None:
    at = place()
    own = at.here.records("hold", "Ylm")
    facts = counted(at)
    assert facts["index_total"] == facts["dump_listed"] == len(own)
    assert facts["dump_started"]
    assert (facts["since_created"], facts["since_deleted"]) == (0, 0)
    at.here.move_clock(seconds=1)
    at.here.edit(own[0], delete=True)
    at.here.edit(own[1])
    new_holding(at)
    new_holding(at)
    passing = new_holding(at)
    at.here.edit(passing, delete=True)
    facts = counted(at)
    assert (facts["index_total"], facts["dump_listed"]) == (len(own), len(own))
    assert (facts["since_created"], facts["since_deleted"]) == (2, 1)
    at.here.move_clock(days=6)
    facts = counted(at)
    assert (facts["index_total"], facts["dump_listed"]) == (len(own), len(own) + 1)
    assert (facts["since_created"], facts["since_deleted"]) == (0, 0)


def test_changes_that_are_too_many_are_not_counted(
    place: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = place()
    monkeypatch.setattr(libraries, "COUNTED_FEED", 1)
    read_dump(at)
    at.here.move_clock(seconds=1)
    for record in at.here.records("hold", "S")[:10]:
        for _ in range(12):
            at.here.edit(record)
    facts = counted(at)
    assert facts["dump_listed"] == len(at.here.records("hold", "Ylm"))
    assert "since_created" not in facts


def test_a_list_that_cannot_be_counted(place: Make) -> None:
    at = place(emm_generating_ms=12_000)
    assert counted(at)["dump_listed"] == len(at.here.records("hold", "Ylm"))

    class Endless:
        def __getattr__(self, name: str) -> Any:
            return getattr(at.catalogue, name)

        def dump_page(self, sigel: str, *, offset: int) -> Any:
            return replace(at.catalogue.dump_page(sigel, offset=offset), done=False)

    facts = counted(at, Endless())
    assert facts["index_total"] == len(at.here.records("hold", "Ylm"))
    assert "still making" in text_of(facts["unread"])
    assert "dump_listed" not in facts
    at.here.fault("status", path="^/api/emm/", status=404)
    assert counted(at)["unread"]


def test_an_unknown_library_has_no_holdings(place: Make) -> None:
    at = place()
    assert list(select(at, "Nowhere").records) == []


def test_the_holdings_on_a_bib(place: Make) -> None:
    at = place()
    holding = at.here.records("hold", "Ylm")[0]
    bib = at.here.document(holding)["@graph"][1]["itemOf"]["@id"]
    held = at.catalogue.holdings_on(bib)
    assert (holding, "Ylm") in [(one.record, one.sigel) for one in held]
    every = [
        record
        for record in at.here.records("hold")
        if at.here.document(record)["@graph"][1].get("itemOf", {}).get("@id") == bib
    ]
    assert sorted(one.record for one in held) == sorted(every)
