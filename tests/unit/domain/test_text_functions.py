"""Named functions on texts."""

import pytest

from bulkrunner.domain.expressions.text_functions import (
    FUNCTIONS,
    MAX_RESULT,
    TooLong,
    apply,
    parse_call,
)
from bulkrunner.errors import Fault


@pytest.mark.parametrize(
    ("call", "text", "made"),
    [
        ("trim", "\u00a0 a b\t", "a b"),
        ("collapse", " a  b\nc ", "a b c"),
        ("upper", "åäö ß", "ÅÄÖ SS"),
        ("lower", "ÅÄÖ", "åäö"),
        ("capitalize", "hcE", "HcE"),
        ("capitalize", "", ""),
        ("strip_zeros", "000123", "123"),
        ("strip_zeros", "000", "0"),
        ("strip_zeros", "", ""),
        ("strip_prefix( T. )", "T. 12", " 12"),
        ("strip_prefix('T. ')", "T. 12", "12"),
        ("strip_suffix( x)", "12x", "12"),
        ("split(' ', 1)", "a b c", "a"),
        ("split(' ', 3)", "a b c", "c"),
        ("split(' ', -1)", "a b c", "c"),
        ("split(' ', 4)", "a b c", None),
        ("split(' ', 0)", "a b c", None),
        ("split( , 2)", "a b", "b"),
        ("split(;, 2)", "a;b", "b"),
        ("split(',', 2)", "a,b", "b"),
        ("first_word", "  a b", "a"),
        ("first_word", "  ", None),
        ("after_first_word", " a  b c ", "b c "),
        ("after_first_word", "a", None),
        ("after_first_word", "", None),
        ("replace(a, b)", "aba", "bbb"),
        ("replace(a, '')", "aba", "b"),
        ("replace('\"', '')", '"a"', "a"),
        ("digits", "nr 12, 3", "123"),
        ("digits", "٣", ""),
        ("pad(6)", "123", "000123"),
        ("pad(2)", "123", "123"),
        ("default(x)", "a", "a"),
        ("default(x)", None, "x"),
        ("default(x)", "", "x"),
        ("upper", None, None),
    ],
)
def test_functions(call, text, made):
    assert apply([parse_call(call)], text) == made


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("trimm", "trimm"),
        ("", "no function"),
        ("trim(x)", "no arguments"),
        ("split( )", "2 arguments"),
        ("split(a)", "2 arguments"),
        ("split(a, b)", "whole number"),
        ("split(a, 99999)", "whole number"),
        ("strip_prefix", "1 arguments"),
        ("strip_prefix()", "first argument"),
        ("strip_prefix(a", "not closed"),
        ("replace('a, b)", "cannot be read"),
        ("pad(2000)", "whole number"),
        ("replace(a, b, c)", "2 arguments"),
        ("x" * 501, "longer"),
    ],
)
def test_malformed_calls_are_told(call, says):
    with pytest.raises(Fault) as caught:
        parse_call(call)
    assert says in caught.value.message


def test_a_misspelt_function_is_suggested():
    with pytest.raises(Fault) as caught:
        parse_call("strip_zeroes")
    assert "strip_zeros" in caught.value.hint


def test_results_are_bounded():
    with pytest.raises(TooLong):
        apply([parse_call(f"replace(a, {'b' * 400})")], "a" * (MAX_RESULT // 300))


def test_every_function_is_tried_above():
    tried = {parse_call(mark[0]).name for mark in test_functions.pytestmark[0].args[1]}
    assert tried == set(FUNCTIONS)
