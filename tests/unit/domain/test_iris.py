"""Record ids in their dialects, and their way between environments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.iris import IriMap, RefKind, iter_ids, map_ids, without_own_iri
from tests.support.documents import (
    IRIS,
    KEYS,
    PRODUCTION_BASE,
    RECORD,
    SHORT_IDS,
    TEST_BASE,
    VALUES,
)

PRODUCTION = IriMap(bases=IRIS.bases, target=PRODUCTION_BASE)
FOREIGN = st.sampled_from(
    [
        "https://libris.kb.se/library/Ylm",
        "https://id.kb.se/term/sao/Fiske",
        f"http://libris.kb.se/{RECORD}",
        "http://libris.kb.se/resource/bib/1234",
        "https://example.org/bcdfghjklmnpqr0",
    ]
)
LINKS = st.builds(
    lambda base, short, suffix: {"@id": base + short + suffix},
    st.sampled_from([TEST_BASE, PRODUCTION_BASE]),
    SHORT_IDS,
    st.sampled_from(["", "#it"]),
)
LINKED = st.recursive(
    st.one_of(VALUES, LINKS, FOREIGN.map(lambda iri: {"@id": iri})),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "text",
    [RECORD, TEST_BASE + RECORD, f"{TEST_BASE}{RECORD}#it", f"{PRODUCTION_BASE}{RECORD}#it"],
)
def test_the_short_id_is_found_in_every_dialect(text):
    ref = IRIS.parse(text)
    assert (ref.kind, ref.value) == (RefKind.SHORT_ID, RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "http://libris.kb.se/bib/1234567",
        "http://libris.kb.se/resource/hold/1",
        "https://libris.kb.se/bib/1234567",
    ],
)
def test_legacy_iris_are_left_to_the_server(text):
    ref = IRIS.parse(text)
    assert ref.kind is RefKind.LEGACY_IRI
    assert ref.value == text.replace("https:", "http:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234567",
        "fzr8v1sn2k3m4",
        "fzr8v1sn2k3m4p5qq",
        "azr8v1sn2k3m4p5",
        f"{RECORD}#it",
        f"{RECORD}\n",
        f"http://libris.kb.se/{RECORD}",
        f"{TEST_BASE}{RECORD}#work",
        f"{TEST_BASE}{RECORD}/x",
        "https://libris.kb.se/library/S",
        "http://libris.kb.se/bib/",
        "(LIBRIS)1234567",
    ],
)
def test_what_is_no_id(text):
    assert IRIS.parse(text) is None


@given(LINKED)
def test_localising_the_neutral_form_is_localising(value):
    assert IRIS.localise(IRIS.neutral(value)) == IRIS.localise(value)
    assert PRODUCTION.localise(IRIS.localise(value)) == PRODUCTION.localise(value)
    assert IRIS.neutral(value) == PRODUCTION.neutral(value)
    assert IRIS.neutral(IRIS.localise(value)) == IRIS.neutral(value)


@given(LINKED)
def test_what_is_localised_holds_nothing_of_another_environment(value):
    assert list(IRIS.foreign(IRIS.localise(value))) == []


@given(st.one_of(VALUES, FOREIGN.map(lambda iri: {"@id": iri})))
def test_literals_and_iris_of_others_are_never_mapped(value):
    assert IRIS.localise(value) == value
    assert IRIS.neutral(value) == value


def test_only_values_of_id_keys_are_mapped():
    text = PRODUCTION_BASE + RECORD
    value = {"@id": text, "uri": text, "sameAs": [text, {"@id": f"{text}#it"}]}
    assert IRIS.localise(value) == {
        "@id": TEST_BASE + RECORD,
        "uri": text,
        "sameAs": [text, {"@id": f"{TEST_BASE}{RECORD}#it"}],
    }
    assert sorted(IRIS.foreign(value)) == [text, f"{text}#it"]


def test_iris_of_a_short_id():
    assert IRIS.record_iri(RECORD) == f"{TEST_BASE}{RECORD}"
    assert IRIS.thing_iri(RECORD) == f"{TEST_BASE}{RECORD}#it"
    assert PRODUCTION.short_id(f"{TEST_BASE}{RECORD}#it") == RECORD
    assert PRODUCTION.short_id(None) is None


def test_ids_are_found_at_every_depth():
    value = {"@id": "a", "x": [{"@id": "b", "y": {"@id": "c"}}, "d"], "@type": {"@id": 4}}
    assert sorted(iter_ids(value)) == ["a", "b", "c"]


@given(LINKED)
def test_what_is_mapped_are_the_ids_that_are_found_and_nothing_else(value):
    assert map_ids(value, lambda iri: iri) == value
    found = sorted(iter_ids(value))
    assert sorted(iter_ids(map_ids(value, lambda iri: f"{iri}!"))) == [f"{iri}!" for iri in found]
    assert map_ids(map_ids(value, lambda iri: f"{iri}!"), lambda iri: iri[:-1]) == value


@pytest.mark.parametrize(
    ("iri", "made"),
    [
        ("https://a/x", "self:"),
        ("https://a/x#it", "self:#it"),
        ("https://a/x#a#b", "self:#a#b"),
        ("https://a/xy", "https://a/xy"),
        ("https://a/x/y", "https://a/x/y"),
        ("https://a/", "https://a/"),
    ],
)
def test_a_records_own_iri_is_told_from_its_neighbours(iri, made):
    value = {"@id": iri, "n": [{"@id": iri, "label": iri}]}
    instead = {"@id": made, "n": [{"@id": made, "label": iri}]}
    assert without_own_iri(value, "https://a/x", "self:") == instead


def test_without_an_iri_of_its_own_nothing_is_its_own():
    value = {"@id": "#it", "n": {"@id": ""}}
    assert without_own_iri(value, "", "self:") == value
