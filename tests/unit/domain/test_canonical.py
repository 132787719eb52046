"""Canonical JSON and digests."""

import json

import pytest
from hypothesis import given

from bulkrunner.domain.canonical import canonical_bytes, digest, digest_of_bytes
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
