"""Fingerprints ignore exactly what they say, and the last look before sending."""

import copy

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkrunner.domain.prediction import (
    after_fingerprint,
    before_fingerprint,
    create_fingerprint,
)
from bulkrunner.domain.records import WRITTEN_AT_CREATION, WRITTEN_AT_SAVE
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.rights import check_sendable
from bulkrunner.vocabulary import is_set
from tests.support.documents import (
    BIB,
    BODIES,
    HOLDINGS,
    IRIS,
    KEYS,
    PRODUCTION_BASE,
    SHORT_IDS,
    TEST_BASE,
    VALUES,
    holding,
)

SERVERS = ["created", "modified", "recordStatus", "descriptionLastModifier"]
SERVERS_IN_NEW = [*SERVERS, "controlNumber", "descriptionCreator"]
LIBRARY = "https://libris.kb.se/library/"


def test_the_fields_left_out_are_the_servers():
    assert sorted(SERVERS) == sorted(WRITTEN_AT_SAVE)
    assert sorted(SERVERS_IN_NEW) == sorted(WRITTEN_AT_CREATION)


@given(HOLDINGS, st.sampled_from(SERVERS), VALUES)
def test_what_the_server_writes_itself_is_ignored(document, field, value):
    other = copy.deepcopy(document)
    other["@graph"][0][field] = value
    assert before_fingerprint(other) == before_fingerprint(document)
    assert before_fingerprint(other) == before_fingerprint(document)


@given(HOLDINGS, st.sampled_from(SERVERS), VALUES)
def test_the_same_names_on_the_item_count(document, field, value):
    other = copy.deepcopy(document)
    other["@graph"][1][field] = value
    assert before_fingerprint(other) != before_fingerprint(document)


@given(
    HOLDINGS,
    st.sampled_from(["controlNumber", "descriptionCreator", "cataloguersNote", "generationDate"]),
)
def test_other_fields_of_the_record_count(document, field):
    other = copy.deepcopy(document)
    other["@graph"][0][field] = "something else"
    assert before_fingerprint(other) != before_fingerprint(document)


@given(HOLDINGS, KEYS, VALUES)
def test_every_change_of_the_item_counts(document, key, value):
    assume(not is_set(key) and document["@graph"][1].get(key, "absent") != value)
    other = copy.deepcopy(document)
    other["@graph"][1][key] = value
    assert before_fingerprint(other) != before_fingerprint(document)


def test_the_context_is_ignored():
    assert before_fingerprint({**holding(), "@context": "/x"}) == before_fingerprint(holding())


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"physicalLocation": ["MAG", "REF"]}, {"physicalLocation": ["REF", "MAG"]}, True),
        ({"physicalLocation": ["MAG", "MAG"]}, {"physicalLocation": ["MAG"]}, False),
        ({"physicalLocation": ["MAG"]}, {"physicalLocation": "MAG"}, False),
        ({"shelfMark": [{"label": "a"}, {}]}, {"shelfMark": [{}, {"label": "a"}]}, False),
        ({"copyNumber": ["1", "2"]}, {"copyNumber": ["2", "1"]}, False),
        ({"inventoryLevel": 1}, {"inventoryLevel": "1"}, False),
        ({"inventoryLevel": 1}, {"inventoryLevel": True}, False),
        (
            {"hasComponent": {"hasNote": [{"label": "a"}, {"label": "b"}]}},
            {"hasComponent": {"hasNote": [{"label": "b"}, {"label": "a"}]}},
            True,
        ),
    ],
)
def test_lists_that_are_sets_compare_without_order(one, other, equal):
    assert (before_fingerprint(holding(**one)) == before_fingerprint(holding(**other))) is equal


@given(BODIES)
def test_the_order_of_keys_does_not_matter(body):
    turned = holding(**dict(reversed(body.items())))
    assert before_fingerprint(turned) == before_fingerprint(holding(**body))


def test_the_fingerprint_after_is_that_of_the_stored_form():
    sent = holding(copyNumber=" 1", hasNote=[None, "x\ufeff"])
    assert after_fingerprint(sent) == before_fingerprint(holding(copyNumber="1", hasNote=["x"]))
    assert after_fingerprint(sent) != before_fingerprint(sent)


@given(BODIES, SHORT_IDS)
def test_a_new_record_keeps_its_fingerprint_when_it_gets_its_ids(body, short):
    sent = holding(base="https://id.kb.se/", record="TEMPID", **body)
    sent["@graph"][1]["itemOf"] = {"@id": f"{TEST_BASE}{BIB}#it"}
    del sent["@graph"][0]["controlNumber"]
    servers = {
        "created": "2026-11-23T20:00:00.1+01:00",
        "modified": "2026-11-23T20:00:00.1+01:00",
        "recordStatus": "marc:New",
        "descriptionCreator": {"@id": LIBRARY + "Ylm"},
        "descriptionLastModifier": {"@id": LIBRARY + "Ylm"},
    }
    found = holding(record=short, head=servers, **body)
    assert create_fingerprint(sent) == create_fingerprint(found)


@pytest.mark.parametrize(
    "change",
    [{"sigel": "S"}, {"of": "bcdfghjklmnpqr0"}, {"copyNumber": "2"}, {"head": {"sameAs": []}}],
)
def test_whose_and_of_what_a_new_holding_is_counts(change):
    assert create_fingerprint(holding(**change)) != create_fingerprint(holding())


def test_a_longer_id_that_begins_alike_is_another_record():
    own = "bcdfghjklmnpqr0"
    near = holding(record=own, subject={"@id": f"{TEST_BASE}{own}x"})
    self = holding(record=own, subject={"@id": f"{TEST_BASE}{own}"})
    assert create_fingerprint(near) != create_fingerprint(self)


# --- the last look ---------------------------------------------------------------------------


def test_an_own_holding_may_be_sent():
    document = holding(hasComponent=[{"heldBy": {"@id": LIBRARY + "Hbg"}}, {}])
    check_sendable(document, IRIS, ("Ylm", "Hbg"))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({**holding(), "@context": "/context.jsonld"}, "context"),
        (holding(head={"recordStatus": "marc:Deleted"}), "deleted_status"),
        (holding(head={"recordStatus": ["marc:Deleted"]}), "deleted_status"),
        (
            holding(head={"recordStatus": {"@id": "https://id.kb.se/marc/Deleted"}}),
            "deleted_status",
        ),
        (holding(base=PRODUCTION_BASE), "foreign_base"),
        (holding(subject=[{"@id": f"{PRODUCTION_BASE}{BIB}#it"}]), "foreign_base"),
        (holding(sigel="S"), "foreign_sigel"),
        (holding(heldBy={"@id": "https://libris-stg.kb.se/library/Ylm"}), "foreign_sigel"),
        (holding(heldBy=[]), "foreign_sigel"),
        (holding(hasComponent={"heldBy": {"@id": LIBRARY + "S"}}), "foreign_component"),
        (holding(hasComponent=[{"hasComponent": {"heldBy": "x"}}]), "foreign_component"),
        ({}, "not_flat"),
        ({"@graph": [{"@id": "x"}]}, "not_flat"),
    ],
)
def test_what_is_never_sent(document, code):
    with pytest.raises(Refused) as caught:
        check_sendable(document, IRIS, ("Ylm",))
    assert caught.value.refusal.code == code
    assert str(caught.value)


def test_a_bib_has_no_library_to_check():
    document = holding()
    document["@graph"][1] = {"@id": "x", "@type": "PhysicalResource"}
    check_sendable(document, IRIS, ())
