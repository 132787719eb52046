"""Values fit to be shown, and whole documents as lists of places."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.reports.language import as_text, one_line, shorten, visible
from bulkrunner.domain.diff import MAX_LEAVES, contents, left_out
from bulkrunner.domain.report import record_link
from tests.support import reports

anything = st.text(st.characters(exclude_categories=()), max_size=300)


@given(anything)
def test_nothing_shown_is_hidden_reorders_or_fails_to_encode(text: str) -> None:
    shown = visible(text)
    shown.encode()
    for char in shown:
        assert char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text("abcåäö ÅÄÖ0123.,:;éü–’”", max_size=100))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_direction_marks_are_written_out() -> None:
    assert visible("a\u202eb\x00") == "a⟨U+202E⟩b⟨U+0000⟩"
    assert visible("\u3164") == "⟨U+3164⟩"


@given(anything, st.integers(1, 50))
def test_nothing_is_lost_without_being_counted(text: str, limit: int) -> None:
    kept, cut = shorten(text, limit)
    assert len(kept) + cut == len(text)
    assert text.startswith(kept)
    assert len(kept) <= limit


@given(anything)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


def test_other_values_are_shown_as_json() -> None:
    assert as_text({"label": "Å"}) == '{"label": "Å"}'
    assert as_text(None) == "null"
    assert as_text("null") == "null"


def test_contents_name_places_as_a_manifest_does() -> None:
    document = reports.holding("x", hasNote=[{"@type": "Note", "label": ["a", "b"]}, {"x": 1}])
    assert contents(document) == [
        ("physicalLocation", "Öppen samling"),
        ("shelfMark.label", "Hc"),
        ("availability.label", "Hemlån"),
        ("hasNote.0.label.0", "a"),
        ("hasNote.0.label.1", "b"),
        ("hasNote.1.x", 1),
        ("@record.encodingLevel", "marc:FullLevel"),
    ]


def test_contents_are_bounded() -> None:
    deep: object = "x"
    for _ in range(500):
        deep = {"k": deep}
    wide = reports.holding("x", deep=deep, many=[str(n) for n in range(1000)])
    assert len(contents(wide)) == MAX_LEAVES
    assert contents({}) == []


def test_many_components_hide_nothing_of_the_item() -> None:
    components = [{"@type": "Item", "shelfLabel": str(n)} for n in range(400)]
    found = contents(
        {"@graph": [{"encodingLevel": "x"}, {"hasComponent": components, "z": "sist"}]}
    )
    assert len(found) == MAX_LEAVES
    assert found[:2] == [("z", "sist"), ("hasComponent.0.shelfLabel", "0")]
    assert found[-1] == ("@record.encodingLevel", "x")


def test_how_many_places_are_left_out_is_known() -> None:
    components = [{"@type": "Item", "shelfLabel": str(n)} for n in range(400)]
    document = {"@graph": [{"encodingLevel": "x"}, {"hasComponent": components, "z": "sist"}]}
    assert left_out(document) == 402 - MAX_LEAVES
    assert left_out(reports.holding("x")) == 0


def test_only_short_ids_are_linked() -> None:
    base = "https://libris.kb.se"
    assert record_link(base, "fzr8v1sn2k3m4p5") == "https://libris.kb.se/fzr8v1sn2k3m4p5"
    assert record_link(base + "/", "fzr8v1sn2k3m4p5") == "https://libris.kb.se/fzr8v1sn2k3m4p5"
    for bad in (None, "", "../x", "fzr8v1sn2k3m4p5?x", "fzr8v1sn2k3m4p5\n", "javascript:alert"):
        assert record_link(base, bad) is None
