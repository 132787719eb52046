"""Identifiers are looked up in the environment planned for, and proved on the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulkrunner.domain.refusals import Refused
from bulkrunner.services.planning.bibs import Naming
from bulkrunner.services.planning.draft import NotFound
from tests.flows.selecting.conftest import Place

Make = Callable[..., Place]


def bib_with_isbn(at: Place) -> tuple[str, str]:
    record = at.here.records("bib")[0]
    thing = at.here.document(record)["@graph"][1]
    isbn = next(one["value"] for one in thing["identifiedBy"] if one["@type"] == "ISBN")
    return record, isbn


def give(at: Place, record: str, *, thing: Any = None, head: Any = None) -> None:
    document = at.here.document(record)
    if thing is not None:
        document["@graph"][1]["identifiedBy"] = thing
    if head is not None:
        document["@graph"][0]["identifiedBy"] = head
    at.here.edit(record, doc=document)
    at.here.refresh()


def code_of(naming: Naming, ref: str, **policy: str) -> str:
    try:
        naming.records(ref, **policy)
    except (NotFound, Refused) as error:
        return error.code if isinstance(error, NotFound) else error.refusal.code
    return ""


def test_each_scheme_finds_its_bib(place: Make) -> None:
    at = place()
    first, second, third = at.here.records("bib")[:3]
    give(
        at,
        first,
        thing=[{"@type": "ISBN", "value": "917000059X"}, {"@type": "ISSN", "value": "0347-0547"}],
        head=[
            {"@type": "LibrisIIINumber", "value": "917000059x"},
            {"@type": "LibrisIIINumber", "value": "Y111302721"},
            {"@type": "SystemNumber", "value": "(OCoLC)4711"},
        ],
    )
    give(at, second, thing=[{"@type": "Identifier", "typeNote": "BTJ", "value": "12345"}])
    give(at, third, thing=[{"@type": "ISBN", "value": "9789170000584"}])
    naming = Naming(at.catalogue, at.iris)
    numbers = ("libris3:917000059X", "libris3:Y111302721", "system:(OCoLC)4711")
    for ref in ("isbn:9789170000591", "issn:0347-0547", *numbers):
        assert naming.records(ref) == (first,), ref
    assert naming.records("system:BTJ12345") == (second,)
    assert code_of(naming, "isbn:9789170000607") == "not_found"


def test_what_the_index_still_finds_is_read_again(place: Make) -> None:
    at = place()
    record, isbn = bib_with_isbn(at)
    ref = f"isbn:{isbn}"
    assert Naming(at.catalogue, at.iris).records(ref) == (record,)
    document = at.here.document(record)
    document["@graph"][1]["identifiedBy"] = []
    at.here.edit(record, doc=document)  # and the index is not refreshed
    assert code_of(Naming(at.catalogue, at.iris), ref) == "not_found"


def test_several_hits_are_refused_with_the_candidates_or_all_taken(place: Make) -> None:
    at = place()
    first, second = at.here.records("bib")[:2]
    for record in (first, second):
        give(at, record, thing=[{"@type": "ISBN", "value": "9789170000591"}])
    naming = Naming(at.catalogue, at.iris)
    with pytest.raises(Refused) as refused:
        naming.records("isbn:9789170000591")
    assert refused.value.refusal.code == "several_hits"
    assert first in refused.value.refusal.message
    assert second in refused.value.refusal.message
    assert sorted(naming.records("isbn:9789170000591", on_several="all")) == [first, second]


def test_a_number_of_very_many_bibs_names_none(place: Make) -> None:
    at = place()
    for record in at.here.records("bib")[:51]:
        document = at.here.document(record)
        document["@graph"][0]["identifiedBy"] = [{"@type": "SystemNumber", "value": "(X)0"}]
        at.here.edit(record, doc=document)
    at.here.refresh()
    assert code_of(Naming(at.catalogue, at.iris), "system:(X)0", on_several="all") == "several_hits"


def test_each_identifier_is_looked_up_once(place: Make) -> None:
    at = place()
    record, isbn = bib_with_isbn(at)
    naming = Naming(at.catalogue, at.iris)
    naming.records(f"isbn:{isbn}")
    sent = at.catalogue.requests
    assert naming.records(f"isbn:{isbn}") == (record,)
    assert at.catalogue.requests == sent


def test_a_number_of_libris_iii_is_a_bibs_or_a_holdings(place: Make) -> None:
    at = place()
    bib, holding = at.here.records("bib")[0], at.here.records("hold")[0]
    number = [{"@type": "LibrisIIINumber", "value": "9127015831"}]
    give(at, holding, head=number)
    naming = Naming(at.catalogue, at.iris)
    assert naming.records("libris3:9127015831") == (holding,)
    assert naming.records("libris3:9127015831", kind="holding") == (holding,)
    with pytest.raises(NotFound, match=f"is a holding: {holding} \\(holding of "):
        naming.records("libris3:9127015831", kind="bib")
    give(at, bib, head=number)
    naming = Naming(at.catalogue, at.iris)
    assert code_of(naming, "libris3:9127015831") == "several_hits"
    assert naming.records("libris3:9127015831", kind="bib") == (bib,)
    assert set(naming.records("libris3:9127015831", on_several="all")) == {bib, holding}


def test_other_numbers_are_never_a_holdings(place: Make) -> None:
    at = place()
    holding = at.here.records("hold")[0]
    give(
        at,
        holding,
        thing=[{"@type": "ISBN", "value": "9789170000591"}],
        head=[{"@type": "SystemNumber", "value": "(OCoLC)4711"}],
    )
    naming = Naming(at.catalogue, at.iris)
    for ref in ("isbn:9789170000591", "system:(OCoLC)4711"):
        assert code_of(naming, ref) == "not_found"
