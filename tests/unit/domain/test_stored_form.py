"""One reading of what the server will store: for what is written, foretold and compared."""

import json
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulkrunner.domain.expressions import proposal
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import Storage, comparable, is_known, stored_text
from bulkrunner.domain.text import look_alike, told_apart
from bulkrunner.sandbox.normalise import clean_text
from bulkrunner.vocabulary import is_object_property, is_term, literal_kind, terms
from tests.support.documents import HOLDINGS, TEST_BASE, holding

LETTERS = st.text(
    st.one_of(
        st.sampled_from(" \t\n\r\u00a0\u2003\u2060\u200b\ufeff\ufb03\u030aaA1-\u0441"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
)
PLAIN = st.one_of(
    LETTERS, st.booleans(), st.integers(-(10**15), 10**15), st.sampled_from([0.5, -1.25])
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["label", "value", "code", "@type", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


def form(value, key="x", document=None):
    return Storage.of(document or holding()).form(value, ("@graph", 1, key))


@given(LETTERS)
@example(" ")
@example("\u2060")
@example(" \ufeff Hc\r\n")
def test_a_text_is_stored_as_the_server_does(text):
    assert stored_text(text) == clean_text(text)


@given(HOLDINGS, VALUES, st.sampled_from(["x", "shelfLabel", "hasNote", "identifiedBy"]))
def test_what_is_written_is_not_tidied_any_more(document, value, key):
    try:
        formed = form(value, key, document)
    except Refused:
        assume(condition=False)
    document["@graph"][1][key] = formed
    stored = predict_stored(document).document["@graph"][1].get(key)
    assert json.dumps(stored) == json.dumps(formed)
    assert json.dumps(form(formed, key, document)) == json.dumps(formed)


@given(VALUES, st.sampled_from(["x", "shelfLabel", "hasNote", "identifiedBy"]))
def test_what_is_written_is_equal_to_what_was_asked(value, key):
    try:
        formed = form(value, key)
    except Refused:
        assume(condition=False)
    assert comparable(formed) == comparable(value)


@given(PLAIN, PLAIN)
def test_plain_values_are_equal_where_they_are_written_alike(one, other):
    words = [stored_text(v if isinstance(v, str) else json.dumps(v)) for v in (one, other)]
    assert (comparable(one) == comparable(other)) is (words[0] == words[1])


@given(LETTERS)
def test_composition_does_not_count(text):
    assert comparable(unicodedata.normalize("NFD", text)) == comparable(
        unicodedata.normalize("NFC", text)
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("inventoryLevel", "number"),
        ("nextShelfControlNumber", "number"),
        ("bulk:shouldUpdateModifiedTimestamp", "boolean"),
        ("copyNumber", "text"),
        ("year", "text"),
        ("label", "text"),
        ("marc:publicNote", "text"),
        ("shelfMark", None),
        ("@id", None),
        ("Item", None),
        ("nobodyKnows", None),
        ("count", None),
    ],
)
def test_the_kinds_that_the_vocabulary_gives(name, kind):
    assert literal_kind(name) == kind


def test_kinds_are_those_of_properties_that_take_plain_values():
    named = [name for name in terms() if literal_kind(name)]
    assert len(named) > 500
    assert all(is_term(name) and not is_object_property(name) for name in named)


@pytest.mark.parametrize(
    ("iri", "known"),
    [
        ("https://id.kb.se/term/sao/Katter", True),
        ("https://libris.kb.se/library/Ylm", True),
        ("https://libris.kb.se/library/Y%6Cm", False),
        (TEST_BASE + "fzr8v1sn2k3m4p5", True),
        (TEST_BASE + "fzr8v1sn2k3m4p5#it", True),
        ("libris:fzr8v1sn2k3m4p5#it", True),
        (TEST_BASE + "fzr8v1sn2k3m4p5#work", False),
        ("https://example.org/x", False),
        (None, False),
        (7, False),
    ],
)
def test_what_the_server_surely_knows(iri, known):
    assert is_known(iri, (TEST_BASE,)) is known


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hc", "H\u0441"),
        ("Hc", "Hc\u200b"),
        ("H c", "H\u00a0c"),
        ("a-b", "a\u2013b"),
        ("O1", "0l"),
        ("\u00c5", "A\u030a"),
        ("Ha\ufb03", "Haffi"),
        ("AB", "\u0391\u0392"),
    ],
)
def test_texts_that_look_alike_are_told_apart(one, other):
    assert look_alike(one, other)
    assert all("U+" in said or said == "⟨nothing⟩" for said in told_apart(one, other))


@pytest.mark.parametrize(("one", "other"), [("Hc", "Hce"), ("1", "2"), ("Hc", "Hc"), ("a", "å")])
def test_others_need_no_words(one, other):
    assert told_apart(one, other) == ("", "")


@pytest.mark.parametrize(
    ("given", "near", "says"),
    [
        (
            "Signum",
            "Signum\u200b",
            "did you mean `Signum⟨U+200B⟩` ⟨U+200B ZERO WIDTH SPACE⟩, not ⟨nothing⟩?",
        ),
        (
            "Bibid",
            "Bib\u0456d",
            "`Bib\u0456d` ⟨U+0456 CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I⟩, not",
        ),
        ("Signu", "Signum", "did you mean `Signum`?"),
    ],
)
def test_a_word_that_looks_the_same_is_proposed_with_what_differs(given, near, says):
    assert says in proposal(given, near)
