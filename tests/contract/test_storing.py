"""What the server makes of a document before it stores it (libris-api §8, §13)."""

import re
from datetime import datetime

import pytest

from tests.contract.target import minimal_bib


def stored(api, bib, **item):
    return api.graph(api.new_holding(bib, **item))[1]


def note(text):
    return [{"@type": "Note", "label": text}]


TEXTS = {
    "to NFC": ("A\u030angstro\u0308m", "Ångström"),
    "ligatures": (
        "e\ufb00ekt \ufb03 \ufb04 \ufb01n \ufb02ykt \ufb06",
        "effekt ffi ffl fin flykt st",
    ),
    "byte order mark": ("a\ufeffb", "ab"),
    "blanks around": ("  Hc  ", "Hc"),
    "word joiner and line break at the end": ("Hc\u2060\n", "Hc"),
    "one blank alone": (" ", " "),
    "blanks inside": ("a  b", "a  b"),
    "nothing": ("", ""),
    "upper case ISBN-like text": ("91-0-056322-x", "91-0-056322-x"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(api, bib, case):
    """§8.1, §8.2: NFC, ligatures spelled out, trimmed; a single blank is left alone."""
    sent, kept = TEXTS[case]
    assert stored(api, bib, hasNote=note(sent))["hasNote"] == note(kept)


def test_nulls_vanish_with_what_they_empty(api, bib):
    """§8.4."""
    thing = stored(api, bib, shelfLabel=None, hasNote=[{"label": None}], copyNumber="1")
    assert "shelfLabel" not in thing
    assert "hasNote" not in thing
    assert thing["copyNumber"] == "1"


def test_empty_lists_and_order_stay(api, bib):
    """§8: not changed: order, multiplicity, empty texts and lists, single value or list."""
    item = {
        "cataloguersNote": [],
        "physicalLocation": ["REF", "MAG", "MAG"],
        "availability": {"@type": "ItemAvailability", "label": "Ej fjärrlån"},
        "copyNumber": ["1"],
        "inventoryLevel": "2",
    }
    thing = stored(api, bib, **item)
    assert {key: thing[key] for key in item} == item


@pytest.mark.parametrize("key", ["@reverse", "_categoryByCollection"])
def test_some_keys_are_removed_anywhere(api, bib, key):
    """§8.5."""
    component = {"@type": "Item", "copyNumber": "1", key: {}}
    thing = stored(api, bib, hasComponent=[component])
    assert thing["hasComponent"] == [{"@type": "Item", "copyNumber": "1"}]


def test_a_context_is_stored_and_switches_the_clean_up_off(api, bib):
    """§8.3 [inferred]: with a top-level @context nulls stay: strip it (trap 6)."""
    plain = api.holding_on(bib, shelfLabel=None)
    short_id = api.short_id(api.post({"@context": "/context.jsonld", **plain}))
    with_context = api.read(short_id)
    assert "shelfLabel" in with_context.json()["@graph"][1]
    graph = with_context.json()["@graph"]
    del graph[1]["shelfLabel"]
    api.put(short_id, {"@context": "/context.jsonld", "@graph": graph})
    counted = api.read(short_id).headers["ETag"]
    api.put(short_id, {"@graph": graph})
    assert api.read(short_id).headers["ETag"] != counted, "@context counts in the checksum"


def test_an_embedded_library_becomes_a_link(api, bib):
    """§8.7: {@type, sigel, @id} of a known record: only the @id stays."""
    library = {"@id": api.target.library(), "@type": "Library", "sigel": api.target.sigel}
    assert stored(api, bib, heldBy=library)["heldBy"] == {"@id": api.target.library()}


def test_an_embedded_unknown_address_moves_into_same_as(api, bib):
    """§8.7."""
    unknown = {"@id": "https://example.org/topic/1", "@type": "Topic", "prefLabel": "Visor"}
    thing = stored(api, bib, subject=[unknown])
    assert thing["subject"] == [
        {
            "@type": "Topic",
            "prefLabel": "Visor",
            "sameAs": [{"@id": "https://example.org/topic/1"}],
        }
    ]


def test_a_plain_unknown_link_stays(api, bib):
    """§10: that a linked IRI exists is not checked."""
    link = {"@id": "https://id.kb.se/term/sao/Stadsliv%20i%20litteraturen"}
    assert stored(api, bib, subject=[link])["subject"] == [link]


def test_links_to_aliases_become_main_addresses(api, bib):
    """§8.8: every link to a sameAs of some record."""
    alias = api.graph(api.target.legacy_bib)[1]["sameAs"][0]
    component = {"@type": "Item", "itemOf": alias}
    thing = stored(api, bib, hasComponent=[component])
    main = {"@id": api.target.thing(api.target.legacy_bib)}
    assert thing["hasComponent"][0]["itemOf"] == main


def test_what_a_comparison_must_ignore(api, holding):
    """§8: what is read back differs from what was sent in the server's own fields (trap 16)."""
    record, thing = api.graph(holding)
    api.put(holding, {"@graph": [record, thing]}, sigel=api.target.other_own_sigel)
    stored_record, stored_thing = api.graph(holding)
    assert stored_thing == thing
    differing = {key for key in record if record[key] != stored_record.get(key)}
    assert differing == {"modified", "recordStatus", "descriptionLastModifier"}
    assert set(stored_record) == set(record)


def test_times_and_status(api, holding):
    """§8: ISO with an offset; marc:New while created = modified."""
    record, _ = api.graph(holding)
    assert record["created"] == record["modified"]
    assert datetime.fromisoformat(record["created"]).tzinfo is not None
    assert re.search(r"[+-]\d\d:\d\d$|Z$", record["created"])
    assert record["recordStatus"] == "marc:New"


def test_the_process_fields_are_the_clients(api, bib):
    """§8: generationDate and generationProcess are not set by REST: send back what was read."""
    short_id = api.new_holding(bib)
    record, thing = api.graph(short_id)
    assert "generationDate" not in record
    record["generationDate"] = "2024-05-01T12:00:00+02:00"
    record["generationProcess"] = {"@id": "https://libris.kb.se/sys/globalchanges/example"}
    api.put(short_id, {"@graph": [record, thing]})
    kept, _ = api.graph(short_id)
    assert kept["generationDate"] == record["generationDate"]
    assert kept["generationProcess"] == record["generationProcess"]


def test_identifiers_of_a_bib(api, cataloguer):
    """§8.6: ISBN without hyphens and in upper case, ISSN in upper case."""
    document = minimal_bib()
    document["@graph"][1]["identifiedBy"] = [
        {"@type": "ISBN", "value": "91-0-056322-x"},
        {"@type": "ISSN", "value": "0375-250x"},
    ]
    short_id = api.short_id(api.post(document, role=cataloguer))
    values = [entry["value"] for entry in api.graph(short_id)[1]["identifiedBy"]]
    assert values == ["910056322X", "0375-250X"]


def test_a_work_beside_the_thing_goes_inside(api, cataloguer):
    """§8.4: a Work at graph[2] is moved into instanceOf."""
    document = minimal_bib()
    work = document["@graph"][1].pop("instanceOf")
    document["@graph"][1]["instanceOf"] = {"@id": "https://id.kb.se/TEMPID#work"}
    document["@graph"].append({"@id": "https://id.kb.se/TEMPID#work", **work})
    short_id = api.short_id(api.post(document, role=cataloguer))
    graph = api.graph(short_id)
    assert len(graph) == 2
    assert graph[1]["instanceOf"]["@type"] == "Monograph"


def test_old_types_of_a_bib_are_converted(api, cataloguer):
    """§8.9: bib only: Print and the like become PhysicalResource, issuanceType is dropped."""
    document = minimal_bib()
    document["@graph"][1] |= {"@type": "Print", "issuanceType": "Monograph"}
    short_id = api.short_id(api.post(document, role=cataloguer))
    thing = api.graph(short_id)[1]
    assert thing["@type"] == "PhysicalResource"
    assert "issuanceType" not in thing


def test_a_shelf_mark_is_found_in_either_place(api, bib):
    """§13: on the thing itself or in a component: both are stored as sent."""
    mark = {"@type": "ShelfMark", "label": "Hc"}
    component = {"@type": "Item", "heldBy": {"@id": api.target.library()}, "shelfMark": mark}
    thing = stored(api, bib, hasComponent=[component])
    assert "shelfMark" not in thing
    assert thing["hasComponent"][0]["shelfMark"] == mark
