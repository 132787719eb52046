"""Every sentence is worded in both languages, with the same values, and is said somewhere."""

import ast
import pickle
import re
import string
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bulkrunner
from bulkrunner.adapters.redaction import Redaction
from bulkrunner.sentences import (
    LANGUAGES,
    VERBATIM,
    Sentence,
    catalogue,
    joined,
    says,
    stored_text,
    text_of,
    verbatim,
)

PACKAGE = Path(bulkrunner.__file__).parent


def made() -> Iterator[tuple[str, ast.Call, str]]:
    """Yield place, call and key of every sentence that the program makes."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Sentence":
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                for key in keys(node.args[0] if node.args else None, place):
                    yield place, node, key


def keys(node: ast.expr | None, place: str) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(key)):
            yield key
        case ast.IfExp():
            yield from keys(node.body, place)
            yield from keys(node.orelse, place)
        case _ if place.startswith("sentences/"):
            return
        case _:
            raise AssertionError(f"{place}: the key of a sentence is written out")


def names(template: str) -> dict[str, str]:
    """Return the names in a template and how each is written."""
    fields = string.Formatter().parse(template)
    return {name: spec or "" for _text, name, spec, _conversion in fields if name is not None}


FILLED = {
    "": "VALUE",
    "n": 1234,
    "list": ("ONE", "TWO", "THREE"),
    "or": ("ONE", "TWO", "THREE"),
    ",": ("ONE", "TWO"),
    ";": ("ONE", "TWO"),
    "lines": ("ONE", "TWO"),
    "time": "2026-11-30T12:00:00+00:00",
    "day": "2026-11-30",
    "hours": "20:00-06:00",
    "place": "VALUE",
    "places": ("ONE", "TWO"),
    ".300": "VALUE",
}
FILLED |= dict.fromkeys(("<6", "<10", "<12", "<28"), "VALUE")


def filled(key: str) -> Sentence:
    english, swedish = (names(catalogue(language)[key]) for language in LANGUAGES)
    specs = {name: spec or swedish[name] for name, spec in english.items()}
    values = {name: 5 if "|" in spec else FILLED[spec] for name, spec in specs.items()}
    return Sentence(key, **values)


def test_what_is_made_stands_in_the_catalogues_with_its_values():
    said = defaultdict(set)
    for place, call, key in made():
        for language in LANGUAGES:
            assert key in catalogue(language), f"{place}: no {key} in {language}"
        given = {keyword.arg for keyword in call.keywords}
        if None not in given:
            assert given >= set(names(catalogue("en")[key])), place
            said[key] |= given
    unused = set(catalogue("en")) - {key for _place, _call, key in made()}
    assert not unused, "sentences that nobody says"
    for key, given in said.items():
        assert given == set(names(catalogue("en")[key])), f"{key}: values that are not told"


def test_the_catalogues_have_the_same_keys_and_values():
    english, swedish = (catalogue(language) for language in LANGUAGES)
    assert list(english) == sorted(english)
    assert list(swedish) == list(english)
    for key in english:
        assert set(names(swedish[key])) == set(names(english[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_worded(language):
    for key in catalogue(language):
        text = filled(key).worded(language)
        assert text.strip() == text, key
        assert "TODO" not in text, key
        assert language == "en" or "1234" not in text, (
            f"{key}: a number without its thousands apart"
        )
        assert not re.search(r"[{}]|\bNone\b", text), key


ENGLISH = re.compile(
    r"\b(the|is|are|was|were|not|and|of|from|with|which|cannot|no|has|have|by|to|an|it|this|that|there|be)\b"
)
SWEDISH = re.compile(
    r"\b(och|är|inte|att|en|ett|som|av|till|från|med|har|kan|den|det|på|eller|ingen|inget)\b|[åäö]"
)
CODE = re.compile(
    r"`[^`]*`|bulkrunner [a-z ]+|--[a-z-]+( [A-Z]+)?|»[^«]*«|https?://\S+|\b[a-z_]+: ?\S+"
)


def test_no_english_in_swedish_and_no_swedish_in_english():
    for key in catalogue("en"):
        english, swedish = (CODE.sub("", filled(key).worded(language)) for language in LANGUAGES)
        assert not ENGLISH.search(swedish.lower()), f"{key}: {swedish}"
        assert not SWEDISH.search(english.lower()), f"{key}: {english}"


def test_a_sentence_goes_through_data_and_back():
    inner = Sentence("joined", parts=(verbatim("x"), verbatim("é")))
    outer = Sentence("joined", parts=(inner, verbatim("{y}")))
    again = Sentence.from_data(outer.as_data())
    assert again == outer
    assert str(again) == "x; é; {y}"
    assert joined([inner]) is inner
    assert verbatim("a").key == VERBATIM


@given(st.text() | st.text().map('{"say":'.__add__))
def test_a_text_is_read_as_it_was_stored(text):
    again = text_of(stored_text(text))
    assert again == text
    assert not isinstance(again, Sentence) or again.key == VERBATIM


def test_a_sentence_is_read_as_it_was_stored():
    said = Sentence("joined", parts=(verbatim('{"say": "x"}'), verbatim("é\0\ud800")))
    again = text_of(stored_text(said))
    assert isinstance(again, Sentence)
    assert again.as_data() == said.as_data()
    assert pickle.loads(pickle.dumps(said)).as_data() == said.as_data()


@pytest.mark.parametrize(
    "stored",
    [
        '{"say":' * 10_000,
        '{"say":"joined","parts":' + "[" * 100_000,
        '{"say":"no such sentence"}',
        '{"say":1}',
        '{"say":',
        '{"say":"joined"}',
        '{"say":["joined"]}',
    ],
)
def test_a_stored_sentence_that_nobody_made_is_told(stored):
    with pytest.raises((ValueError, KeyError), match=r"."):
        text_of(stored)


def test_texts_are_joined():
    assert joined(("a", "")) == "a"
    assert joined(("a", "b")).as_data() == {"say": VERBATIM, "text": "a; b"}
    assert joined((joined((verbatim("a"),)), "")).key == VERBATIM


@pytest.mark.parametrize(
    ("template", "values", "english", "swedish"),
    [
        ("{n:n}", {"n": 1264}, "1,264", "1\u00a0264"),
        ("{h:hours}", {"h": "20:00-06:00"}, "20:00-06:00", "20.00–06.00"),
        ("{n:# one|# many}", {"n": 1}, "1 one", "1 one"),
        ("{n:# one|# many}", {"n": 1264}, "1,264 many", "1\u00a0264 many"),
        ("{x:list}", {"x": ["a", "b", "c"]}, "a, b and c", "a, b och c"),
        ("{x:or}", {"x": ["a", "b"]}, "a or b", "a eller b"),
        ("{x:list}", {"x": []}, "", ""),
        ("{x:;}", {"x": ["a", "b"]}, "a; b", "a; b"),
        ("{x:;}", {"x": ["a.", "b"]}, "a.; b", "a.; b"),
        ("{x:;}", {"x": [verbatim("A."), verbatim("b")]}, "A.; b", "A. b"),
        ("{x:,}", {"x": ["a", "b"]}, "a, b", "a, b"),
        ("{x:place}", {"x": "a.b"}, "a.b", "a.b"),
        ("{x:places}", {"x": ["a.b", "c"]}, "a.b, c", "a.b, c"),
        ("{x:.2}", {"x": verbatim("abc")}, "ab", "ab"),
        (
            "{t:time}",
            {"t": "2026-11-30T12:00:00+01:00"},
            "2026-11-30 11:00 UTC",
            "2026-11-30 kl. 11.00 UTC",
        ),
        ("{t:day}", {"t": "2026-11-30T12:00:00+01:00"}, "2026-11-30", "2026-11-30"),
    ],
)
def test_the_forms_of_values(monkeypatch, template, values, english, swedish):
    monkeypatch.setattr("bulkrunner.sentences.catalogue", lambda language: {"t": template})
    said = Sentence("t", **values)
    assert (said.worded("en"), said.worded("sv")) == (english, swedish)


def test_places_are_told_in_the_words_of_the_reader():
    inner = Sentence("part_within", part=Sentence("part_set", at="a.b"), within=verbatim("c"))
    said = Sentence("part_in_each", part=inner, each="d")
    assert said == "set a.b c in each d"
    assert said.worded("en", place=str.upper) == "set A.B C in each D"
    assert said.worded("sv", place=str.upper) == "nytt värde i A.B C i varje D"


def test_what_a_text_says_is_asked_by_its_key():
    said = Sentence("put_away_by", by="me@desk")
    assert says(text_of(stored_text(said)), "put_away_by")
    assert not says(said, "rejected_by")
    assert not says(str(said), "put_away_by"), "its English text alone is no sentence"


@pytest.mark.parametrize("words", ["504 s3cret", "504 Gateway Timeout"])
def test_a_sentence_that_holds_a_secret_is_told_without_it(words):
    redaction = Redaction()
    redaction.add("s3cret")
    shown = redaction.hidden(Sentence("answered_by_other", answer=words))
    assert "s3cret" not in shown
    assert isinstance(shown, Sentence) is ("s3cret" not in words)
