"""Every class name is made of words of the glossary and of plain English or Python."""

import ast
import re

import pytest

from tests.support.docs import page, table_rows, trees

PLAIN = set(
    re.findall(
        r"\w+",
        """
    absent access add again against all another api array as backend bad bar bounded broken
    build built bulk by cache call cannot case channel chart choose chosen clock close collect
    command compare comparison compile config connection console control core cut damage data
    database demo demonstration diagnose diff down elsewhere end endpoint engine enter examine
    file fill folder forbidden found gap general generator gone grant handle happening hear heard held here hit http
    ignore illegal import in incomplete inline instant invocation itself json keep key kind
    language later lazy left line link list listen live load log long loopback lost malformed
    manual map memory misshapen missing modify name network new no not nothing now null
    object of once only open option out outside page pair parse pause piece point preference
    prefix print process program progress protocol ran range re read reason redirect ref refer reject reply
    request response rewrite same save search section seen serve service session several shared shift
    shown skip slow some source span speed sqlite ssh stand start stood state status storage strange
    stream string system take tell test text time to told too track transition unavailable undone
    unfit unreachable unreadable unsteady unstorable usage use validate violation visible walk
    want watch weight what within word written
    """,
    )
)
"""Words of class names that need no explanation to a Python engineer who knows libraries."""

ENDINGS = ("ment", "ing", "ion", "ed", "er", "or", "al", "e")


def stem(word):
    """Return what the inflections of a word have in common."""
    word = word.lower()
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2:
        word = word[:-1]
    while ending := next((e for e in ENDINGS if word.endswith(e) and len(word) > len(e) + 2), ""):
        word = word.removesuffix(ending)
        if re.search(r"([bdgmnprt])\1$", word):
            word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word


def words_of(name):
    """Return the words that a class name is made of."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def terms():
    """Return the words that the glossary explains: those of its first columns."""
    rows = [row for row in table_rows(page("reference/glossary.md")) if row[0] != "word"]
    return {word for row in rows for word in re.findall(r"[A-Za-z]+", row[0])}


def unexplained(names):
    """Return the words of class names that are neither in the glossary nor plain."""
    known = {stem(word) for word in terms() | PLAIN}
    return {word: name for name in names for word in words_of(name) if stem(word) not in known}


def class_names():
    """Return the name of every class of the package, private and nested ones too."""
    return sorted(
        {
            node.name
            for _, tree in trees("")
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        }
    )


def test_every_word_of_a_class_name_is_explained_or_plain():
    names = class_names()
    assert len(names) > 400
    assert unexplained(names) == {}, "put the word into docs/reference/glossary.md, or take another"


def test_a_new_word_is_noticed():
    assert unexplained(["PlanFrobnicator"]) == {"frobnicator": "PlanFrobnicator"}
    assert unexplained(["_Gribble", "IriWombat"]) == {"gribble": "_Gribble", "wombat": "IriWombat"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("plan", "Planner"),
        ("settle", "Settlement"),
        ("refusal", "Refused"),
        ("library", "Libraries"),
        ("verify", "Verified"),
        ("selection", "Selecting"),
        ("search", "Searches"),
        ("order", "Ordering"),
        ("id", "Ids"),
    ],
)
def test_inflections_are_one_word(one, other):
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"), [("plan", "planet"), ("form", "format"), ("run", "rung")]
)
def test_other_words_stay_apart(one, other):
    assert stem(one) != stem(other)


def test_a_plain_word_is_not_explained_too():
    assert {word for word in PLAIN if word in {term.lower() for term in terms()}} == set()


def test_rows_are_whole_and_no_section_says_a_word_twice():
    for section in page("reference/glossary.md").split("\n## ")[1:]:
        rows = [row for row in table_rows(section) if row[0] != "word"]
        assert rows
        assert all(len(row) == 3 and all(row) for row in rows), section
        said = [word.strip() for row in rows for word in row[0].split(",")]
        assert sorted(set(said)) == sorted(said), section
