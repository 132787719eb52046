"""The engine of regular expressions: linear, bounded, and strict about what it is given."""

import pytest

from bulkrunner.adapters.manifests.outside import MAX_MATCHES, MAX_TEXT, Re2Engine
from bulkrunner.errors import Fault

ENGINE = Re2Engine()
EXPLODING = ["(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){20}$", "(?:x+x+)+y"]


@pytest.mark.parametrize("pattern", EXPLODING)
def test_what_explodes_elsewhere_does_not_here(pattern):
    # A backtracking engine would be at it until the end of days.
    text = "a" * 50_000 + "x" * 50_000 + "!"
    assert ENGINE.compile(pattern).found_in(text) is False


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "*", "a{2,1}", "a{1001}", "(?=a)", "(?<!a)b", "(a)\\1", "\\Z", "(?P<a", "x" * 1001,
     "((a{999}){999}){999}", "\ud800"],
)  # fmt: skip
def test_what_is_no_expression_is_told(pattern):
    with pytest.raises(Fault) as caught:
        ENGINE.compile(pattern)
    assert len(caught.value.message) < 300


def test_replacing_is_bounded():
    pattern = ENGINE.compile("a")
    assert pattern.replaced("a" * MAX_MATCHES, ["b"]) == "b" * MAX_MATCHES
    assert pattern.replaced("a" * (MAX_MATCHES + 1), ["b"]) is None
    assert pattern.replaced("x" * (MAX_TEXT + 1), ["b"]) is None


def test_half_a_character_matches_nothing():
    pattern = ENGINE.compile(".*")
    assert not pattern.found_in("a\ud800")
    assert pattern.replaced("a\ud800", ["b"]) == "a\ud800"


def test_expressions_are_equal_by_their_text():
    assert ENGINE.compile("a+") == ENGINE.compile("a+")
    assert ENGINE.compile("a+") != ENGINE.compile("a*")
