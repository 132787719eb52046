"""What the server will store: each clean-up, and agreement with the embedded Libris."""

import copy

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.prediction import MAX_CLEANUPS, before_fingerprint, predict_stored
from bulkrunner.sandbox.load import read_records
from bulkrunner.sandbox.normalise import normalise
from tests.support.documents import BIB, KEYS, TEST_BASE, holding
from tests.support.paths import RECORDS

LIBRARY = "https://libris.kb.se/library/Ylm"
DIRTY = st.text(
    st.sampled_from("aé\u0301e\ufb01\ufb05\ufeff\u2060\u00a0\u200b \t\n\rÅA\u030a"), max_size=6
)
NODES = st.recursive(
    st.one_of(DIRTY, st.none(), st.integers(0, 3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(KEYS, st.sampled_from(["computedLabel", "@reverse", "sameAs"])),
            inner,
            max_size=3,
        ),
        st.builds(
            lambda iri, body: {"@id": iri, **body},
            st.sampled_from([LIBRARY, f"{TEST_BASE}{BIB}#it", "https://example.org/x"]),
            st.dictionaries(KEYS, inner, max_size=2),
        ),
    ),
    max_leaves=10,
)
COMBINING = {"\u0301", "\u030a"}
BODIES = st.dictionaries(KEYS.filter(lambda key: key != "@type"), NODES, max_size=4)


def stored(**item):
    prediction = predict_stored(holding(**item))
    thing = prediction.document["@graph"][1]
    return {key: thing.get(key) for key in item if key in thing}, prediction.cleanups


@pytest.mark.parametrize(
    ("sent", "kept", "what"),
    [
        (" Hc ", "Hc", "trimmed"),
        ("Hc\r\n", "Hc", "trimmed"),
        ("\u00a0Hc\u2060", "Hc", "trimmed"),
        ("\nHc", "\nHc", None),
        (" ", " ", None),
        ("  ", "", "trimmed"),
        ("", "", None),
        ("Hc\u200b", "Hc\u200b", None),
        ("A\u030angstro\u0308m", "\u00c5ngstr\u00f6m", "composed (Unicode NFC)"),
        ("\ufb01n e\ufb03cient", "fin efficient", "ligatures spelled out"),
        ("\ufb06art", "start", "ligatures spelled out"),
        ("a\ufeffb", "ab", "invisible U+FEFF removed"),
        ("NO", "NO", None),
        ("0123", "0123", None),
    ],
)
def test_texts(sent, kept, what):
    found, cleanups = stored(shelfControlNumber=sent)
    assert found == {"shelfControlNumber": kept}
    assert cleanups == ((f"shelfControlNumber: {what}",) if what else ())


def test_a_text_may_be_cleaned_in_several_ways():
    found, cleanups = stored(hasNote=[{"label": "\ufb01sk \ufeff "}])
    assert found == {"hasNote": [{"label": "fisk"}]}
    assert cleanups == (
        "hasNote.0.label: ligatures spelled out",
        "hasNote.0.label: invisible U+FEFF removed",
        "hasNote.0.label: trimmed",
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, {}),
        ({"label": None}, {}),
        ([{"label": None}], {}),
        ([None, "x"], {"hasNote": ["x"]}),
        ({"label": None, "@type": "Note"}, {"hasNote": {"@type": "Note"}}),
        ([], {"hasNote": []}),
        ({}, {"hasNote": {}}),
        ([{"label": [None]}, {}], {"hasNote": [{}]}),
    ],
)
def test_nulls_go_with_the_parents_that_they_empty(sent, kept):
    assert stored(hasNote=sent)[0] == kept


def test_what_is_never_stored_goes_at_every_depth():
    found, cleanups = stored(hasNote=[{"label": "x", "@reverse": {"a": 1}}], computedLabel="y")
    assert found == {"hasNote": [{"label": "x"}]}
    assert cleanups == (
        "hasNote.0.@reverse: removed, the server never stores it",
        "computedLabel: removed, the server never stores it",
    )


def test_an_embedded_library_becomes_a_link():
    document = holding()
    document["@graph"][1]["heldBy"] = {"@type": "Library", "sigel": "Ylm", "@id": LIBRARY}
    prediction = predict_stored(document)
    assert prediction.document["@graph"][1]["heldBy"] == {"@id": LIBRARY}
    assert prediction.cleanups == ("heldBy: reduced to a link",)


@pytest.mark.parametrize(
    ("iri", "kept"),
    [
        (f"{TEST_BASE}{BIB}#it", {"@id": f"{TEST_BASE}{BIB}#it"}),
        ("https://id.kb.se/term/sao/Fiske", {"@id": "https://id.kb.se/term/sao/Fiske"}),
        (
            "https://example.org/x",
            {"@type": "Topic", "label": "y", "sameAs": [{"@id": "https://example.org/x"}]},
        ),
    ],
)
def test_embedded_nodes_with_an_id(iri, kept):
    assert stored(subject=[{"@id": iri, "@type": "Topic", "label": " y"}])[0] == {"subject": [kept]}


def test_the_new_record_knows_its_environment_by_its_bib():
    document = holding(base="https://id.kb.se/", record="TEMPID", shelfMark={})
    document["@graph"][1]["itemOf"] = {"@id": f"{TEST_BASE}{BIB}#it"}
    document["@graph"][1]["subject"] = {"@id": f"{TEST_BASE}bcdfghjklmnpqr0#it", "label": "x"}
    thing = predict_stored(document).document["@graph"][1]
    assert thing["subject"] == {"@id": f"{TEST_BASE}bcdfghjklmnpqr0#it"}


def test_links_and_aliases_stay_as_they_are():
    links = [{"@id": "https://example.org/x"}]
    assert stored(subject=links, sameAs=[{"@id": "https://example.org/y", "a": "b"}]) == (
        {"subject": links, "sameAs": [{"@id": "https://example.org/y", "a": "b"}]},
        (),
    )


def test_main_entity_is_made_to_point_to_the_thing():
    document = holding(head={"mainEntity": {"@id": "x"}})
    prediction = predict_stored(document)
    assert prediction.document["@graph"][0]["mainEntity"] == {"@id": document["@graph"][1]["@id"]}
    assert prediction.cleanups == ("@record.mainEntity: made to point to the main thing",)


@pytest.mark.parametrize("name", ["identifiedBy", "indirectlyIdentifiedBy"])
@pytest.mark.parametrize(
    ("kind", "sent", "kept"),
    [
        ("ISBN", "91-7000-150-x", "917000150X"),
        ("ISSN", "0346-721x", "0346-721X"),
        ("Identifier", "a-b", "a-b"),
    ],
)
def test_standard_numbers(name, kind, sent, kept):
    node = {"@type": kind, "value": sent}
    assert stored(**{name: node})[0] == {name: {"@type": kind, "value": kept}}
    assert stored(**{name: [node, node]})[0][name][1]["value"] == kept


def test_isni_and_orcid():
    found, _ = stored(identifiedBy=[{"typeNote": "isni", "value": "0000 0001"}])
    assert found == {"identifiedBy": [{"@type": "ISNI", "value": "00000001"}]}


def test_a_work_at_graph_2_moves_into_the_instance():
    document = holding(instanceOf={"@id": "x#work"})
    document["@graph"].append({"@id": "x#work", "@type": "Text", "language": []})
    graph = predict_stored(document).document["@graph"]
    assert len(graph) == 2
    assert graph[1]["instanceOf"] == {"@type": "Text", "language": []}


def test_an_old_bib_type_is_announced():
    document = holding()
    document["@graph"][1]["@type"] = "Print"
    assert any("@type: Print converted" in line for line in predict_stored(document).cleanups)


def test_the_context_is_dropped():
    assert "@context" not in predict_stored({**holding(), "@context": "/context.jsonld"}).document


def test_what_the_operation_names_is_no_cleanup():
    document = holding(hasNote=[{"label": " x"}], copyNumber=" 1")
    declared = [("@graph", 1, "hasNote")]
    assert predict_stored(document, declared=declared).cleanups == ("copyNumber: trimmed",)


def test_cleanups_are_bounded():
    cleanups = stored(hasNote=[" x"] * 500)[1]
    assert len(cleanups) == MAX_CLEANUPS + 1
    assert cleanups[-1] == f"and {500 - MAX_CLEANUPS} more"


@given(BODIES)
def test_what_is_stored_once_is_stored_the_same_again(body):
    # An accent behind a ligature meets its letter only at the second save: left to the test below.
    assume(not COMBINING & set(canonical_bytes(body).decode()))
    once = predict_stored(holding(**body))
    twice = predict_stored(once.document)
    assert twice.document == once.document
    assert twice.cleanups == ()


def test_the_servers_order_is_kept_composing_before_spelling_out():
    assert stored(hasNote="\ufb01\u0301")[0] == {"hasNote": "fi\u0301"}
    assert stored(hasNote="fi\u0301")[0] == {"hasNote": "f\u00ed"}


@given(BODIES)
def test_the_document_given_is_left_alone_and_every_change_is_told(body):
    document = holding(**body)
    before = copy.deepcopy(document)
    prediction = predict_stored(document)
    assert document == before
    assert bool(prediction.cleanups) == (prediction.document != document)


def known(iri):
    return iri if iri.startswith(TEST_BASE) or iri == LIBRARY else None


@given(BODIES)
@example({"shelfMark": {"label": None, "computedLabel": []}})
@example({"shelfMark": {"label": None, "computedLabel": None}})
def test_the_embedded_libris_stores_what_is_predicted(body):
    document = holding(**body)
    kept = normalise(copy.deepcopy(document), resolve=known, find_by_name=lambda kind, name: None)
    assert kept == predict_stored(document).document


@pytest.mark.real_records
def test_real_records_come_out_as_the_embedded_libris_stores_them():
    records = [entry.document for entry in read_records(RECORDS, base_uri=TEST_BASE)]
    names = {node.get("@id") for record in records for node in record["@graph"][:2]}
    for record in records:
        kept = normalise(
            copy.deepcopy(record),
            resolve=lambda iri: iri if iri in names else None,
            find_by_name=lambda kind, name: None,
        )
        predicted = predict_stored(record).document
        assert before_fingerprint(kept) == before_fingerprint(predicted)
