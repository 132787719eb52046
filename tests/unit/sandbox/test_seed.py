"""The seeded catalogue: repeatable, large enough, in all shapes, different by environment."""

import json
import re
from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import Shape
from tests.support.sizes import examples

BASES = {"test": "https://libris-stg.kb.se/", "production": "https://libris.kb.se/"}
SHORT = re.compile("[0-9bcdfghjklmnpqrstvwxz]{15,16}")


@cache
def catalogue(kind, bibs=2000, holdings=6000, number=1):
    """Short id -> document."""
    base = BASES[kind]
    records = seed.seed_records(base_uri=base, kind=kind, seed=number, bibs=bibs, holdings=holdings)
    documents = [record.document for record in records]
    found = {d["@graph"][0]["@id"].removeprefix(base): d for d in documents}
    assert len(found) == len(documents), "an id is there twice"
    return found


def holdings_of(kind, **size):
    return {
        short: document["@graph"][1]
        for short, document in catalogue(kind, **size).items()
        if document["@graph"][1]["@type"] == "Item"
    }


def without_base(document, kind):
    return re.sub(re.escape(BASES[kind]) + f"({SHORT.pattern})", r"\1", json.dumps(document))


def test_the_same_arguments_give_the_same_bytes():
    first, second = (
        [
            json.dumps(record.document)
            for record in seed.seed_records(
                base_uri="http://127.0.0.1:1/", kind="test", seed=7, bibs=40, holdings=90
            )
        ]
        for _ in range(2)
    )
    assert first == second


def test_another_seed_gives_another_catalogue():
    assert catalogue("test", 40, 90, 1) != catalogue("test", 40, 90, 2)


@pytest.mark.parametrize("kind", ["test", "production"])
def test_default_size(kind):
    types = Counter(d["@graph"][1]["@type"] for d in catalogue(kind).values())
    assert types["PhysicalResource"] == 2000
    assert types["Item"] == 6000
    sigels = {thing["heldBy"]["@id"] for thing in holdings_of(kind).values() if "heldBy" in thing}
    assert len(sigels) >= 12


@settings(max_examples=examples(25), deadline=None)
@given(bibs=st.integers(20, 90), share=st.integers(0, 400), number=st.integers(0, 5))
def test_any_size_is_exact_and_no_library_holds_a_bib_twice(bibs, share, number):
    wanted = bibs * share // 100
    records = seed.seed_records(
        base_uri="http://127.0.0.1:1/", kind="test", seed=number, bibs=bibs, holdings=wanted
    )
    things = [record.document["@graph"][1] for record in records]
    items = [thing for thing in things if thing["@type"] == "Item"]
    assert sum(thing["@type"] == "PhysicalResource" for thing in things) == bibs
    assert len(items) == wanted
    held = [(t["heldBy"]["@id"], t["itemOf"]["@id"]) for t in items if "heldBy" in t]
    assert len(held) == len(set(held))
    ids = {thing["@id"] for thing in things}
    assert {iri for pair in held for iri in pair} <= ids


def test_too_many_holdings_for_so_few_bibs_is_said():
    with pytest.raises(ValueError, match="room for at most"):
        list(
            seed.seed_records(
                base_uri="http://127.0.0.1:1/", kind="test", seed=1, bibs=10, holdings=500
            )
        )


def test_ids_have_the_server_form():
    for short in catalogue("production"):
        assert SHORT.fullmatch(short), short


def test_libraries_keep_their_address_and_records_take_the_base():
    for record, thing in (document["@graph"] for document in catalogue("test").values()):
        assert record["@id"].startswith(BASES["test"])
        assert record["mainEntity"] == {"@id": thing["@id"]}
        if thing["@type"] == "Item":
            assert thing["itemOf"]["@id"].startswith(BASES["test"])
            assert thing["@id"] == record["@id"] + "#it"
        if "heldBy" in thing:
            assert thing["heldBy"]["@id"].startswith("https://libris.kb.se/library/")


def test_a_sigel_that_needs_encoding_is_written_as_java_does():
    addresses = {d["@graph"][1]["@id"] for d in catalogue("test").values()}
    assert "https://libris.kb.se/library/S+62" in addresses
    assert "S 62" in seed.SUPPLIER_SIGELS


def test_the_environments_differ_as_said():
    test, production = catalogue("test"), catalogue("production")
    only_test, only_production = set(test) - set(production), set(production) - set(test)
    assert only_test == set(seed.ids_only_in("test"))
    assert only_production == set(seed.ids_only_in("production"))
    differing = {
        short
        for short in set(test) & set(production)
        if without_base(test[short], "test") != without_base(production[short], "production")
    }
    assert differing == set(seed.differing_ids())
    total = len(production)
    assert 0.01 < len(only_test) / total < 0.04
    assert 0.01 < len(differing) / total < 0.05


def test_a_record_that_differs_differs_in_content_not_only_in_time():
    for short in seed.differing_ids():
        one, other = (without_base(catalogue(kind)[short]["@graph"][1], kind) for kind in BASES)
        assert one != other, short


def test_ylm_has_enough_of_everything_in_both_environments():
    labels = Counter()
    bare = 0
    test, production = holdings_of("test"), holdings_of("production")
    for short in set(test) & set(production):
        thing = production[short]
        if thing.get("heldBy", {}).get("@id") != "https://libris.kb.se/library/Ylm":
            continue
        mark = thing.get("shelfMark")
        if isinstance(mark, dict) and isinstance(mark.get("label"), str):
            labels[mark["label"]] += mark == test[short].get("shelfMark")
        bare += set(thing) - {"sameAs"} == {"@id", "@type", "heldBy", "itemOf"}
    assert sum(labels.values()) >= 600
    assert set(labels) == {"Hc", "Hce", "Hcf", "Hcg", "uHc"}
    assert bare >= 200


def test_bibs_without_ylm():
    free = seed.example_ids(kind="bib", without="Ylm", n=100)
    for kind, base in BASES.items():
        held = {
            thing["itemOf"]["@id"]
            for thing in holdings_of(kind).values()
            if thing.get("heldBy", {}).get("@id", "").endswith("/Ylm")
        }
        for short in free:
            assert catalogue(kind)[short]["@graph"][1]["@type"] == "PhysicalResource"
            assert f"{base}{short}#it" not in held


@pytest.mark.parametrize("size", [(2000, 6000), (60, 200)])
def test_examples_by_shelf_mark_are_what_they_say(size):
    bibs, holdings = size
    found = seed.example_ids(
        kind="holding", sigel="Ylm", shelf_mark="Hc", n=5, bibs=bibs, holdings=holdings
    )
    for kind in BASES:
        for short in found:
            thing = catalogue(kind, bibs, holdings)[short]["@graph"][1]
            assert thing["heldBy"]["@id"].endswith("/Ylm")
            assert thing["shelfMark"]["label"] == "Hc"


def test_asking_for_more_examples_than_there_are():
    with pytest.raises(LookupError, match="not 100000"):
        seed.example_ids(kind="holding", n=100_000)


@pytest.mark.parametrize("size", [(2000, 6000), (60, 200)])
@pytest.mark.parametrize("shape", list(Shape))
def test_every_shape_is_there(shape, size):
    bibs, holdings = size
    found = seed.example_ids(kind="holding", shape=shape, n=1, bibs=bibs, holdings=holdings)
    thing = catalogue("production", bibs, holdings)[found[0]]["@graph"][1]
    assert SIGNS[shape](thing), thing


def own(thing):
    return thing["heldBy"]["@id"]


SIGNS = {
    Shape.ITEM_LABEL: lambda t: isinstance(t["shelfMark"]["label"], str),
    Shape.BARE: lambda t: set(t) - {"sameAs"} == {"@id", "@type", "heldBy", "itemOf"},
    Shape.ONE_COMPONENT: lambda t: len(t["hasComponent"]) == 1 and "shelfMark" not in t,
    Shape.SEVERAL_COMPONENTS: lambda t: len(t["hasComponent"]) > 1,
    Shape.ITEM_AND_COMPONENTS: lambda t: "shelfMark" in t and "hasComponent" in t,
    Shape.FOREIGN_COMPONENT: lambda t: {own(c) for c in t["hasComponent"]} - {own(t)},
    Shape.SCALAR_FOR_LIST: lambda t: isinstance(t["physicalLocation"], str),
    Shape.LIST_FOR_SCALAR: lambda t: isinstance(t["shelfMark"], list),
    Shape.SEQUENCE_LINK: lambda t: set(t["shelfMark"]) == {"@id"},
    Shape.LABEL_LIST: lambda t: isinstance(t["shelfMark"]["label"], list),
    Shape.INVENTORY_NUMBER: lambda t: isinstance(t["inventoryLevel"], int),
    Shape.INVENTORY_TEXT: lambda t: isinstance(t["inventoryLevel"], str),
    Shape.TEXTUAL: lambda t: t["marc:hasTextualHoldingsBasicBibliographicUnit"],
    Shape.NOTES: lambda t: t["hasNote"] and t["cataloguersNote"],
    Shape.MEDIA: lambda t: t["associatedMedia"][0]["uri"],
    Shape.MARC_LINKS: lambda t: t["marc:acquisitionStatus"]["@id"],
    Shape.FULL: lambda t: t["availability"] and t["hasComponent"],
    Shape.UNTIDY: lambda t: t["hasNote"][0]["label"].endswith(" "),
    Shape.NO_HELD_BY: lambda t: "heldBy" not in t and "hasComponent" not in t,
    Shape.HELD_BY_IN_COMPONENT: lambda t: "heldBy" not in t and own(t["hasComponent"][0]),
    Shape.UNKNOWN_TERM: lambda t: "utgallradTerm" in t,
    Shape.BAD_IRI: lambda t: " " in t["subject"][0]["@id"],
    Shape.PLAIN_FOR_OBJECT: lambda t: t["availability"] == ["Ej fjärrlån"],
}


def test_other_ids_are_never_shared():
    addresses = Counter(
        link["@id"]
        for document in catalogue("production").values()
        for node in document["@graph"]
        for link in node.get("sameAs", [])
    )
    assert max(addresses.values()) == 1
    assert sum("/bib/" in iri for iri in addresses) > 1000
