"""Canonical JSON and digests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.canonical import (
    canonical_bytes,
    digest,
    digest_of_bytes,
    is_deeper,
    listed,
    same,
)
from tests.support.documents import VALUES


def test_keys_are_sorted_and_blanks_left_out():
    assert canonical_bytes({"b": [1, 2.0, True, None], "a": "å"}) == (
        '{"a":"å","b":[1,2.0,true,null]}'.encode()
    )


@given(VALUES)
def test_the_bytes_mean_the_value(value):
    assert json.loads(canonical_bytes(value)) == value


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0, False), ("1", 1), (None, "null"), ([], {})]
)
def test_kinds_of_values_differ(one, other):
    assert digest(one) != digest(other)


def test_half_a_surrogate_pair_is_no_obstacle():
    assert digest("\ud800") != digest("\ud801")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_bytes(value)


def test_a_digest_names_its_kind():
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_of_bytes(b"") == empty
    assert digest({}) == digest_of_bytes(b"{}")


@given(VALUES, VALUES)
def test_the_same_is_what_has_the_same_bytes(one, other):
    assert same(one, one)
    assert same(one, other) is (canonical_bytes(one) == canonical_bytes(other))


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, (dict, list)) else 0


@given(VALUES, st.integers(1, 6))
def test_how_deep_a_value_is_nested(value, most):
    assert is_deeper(value, most) is (depth(value) > most)


def test_a_value_nested_too_deeply_for_recursion_is_only_deep():
    value = []
    for _ in range(100_000):
        value = [value]
    assert is_deeper(value, 100)
    while value:  # taken apart level by level: the interpreter's own way has no such depth
        value = value.pop()


@pytest.mark.parametrize(
    ("value", "listed_as"), [([], []), ([1], [1]), (1, [1]), (None, [None]), ({}, [{}])]
)
def test_a_single_value_is_a_list_of_one(value, listed_as):
    assert listed(value) == listed_as
