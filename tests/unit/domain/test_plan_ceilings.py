"""Ceilings and accepted refusals."""

import pytest

from bulkrunner.domain.manifest import Accept
from bulkrunner.domain.policy import accepts_of, exceeded_ceilings, unaccepted

COUNTS = {"create": 2, "update": 5, "delete": 3, "unchanged": 100, "refused": 7, "not_found": 1}


@pytest.mark.parametrize(
    ("ceilings", "names"),
    [
        (({},), []),
        (({"records": 10, "create": 2, "update": 5, "delete": 3},), []),
        (({"records": 9},), ["records"]),
        (({"delete": 2}, {"delete": 50}), ["delete"]),
        (({"delete": 50}, {"delete": 2}), ["delete"]),
        (({"create": 0, "update": 0},), ["create", "update"]),
    ],
)
def test_the_lower_of_manifest_and_policy_counts(ceilings, names):
    sentences = exceeded_ceilings(COUNTS, *ceilings)
    assert [sentence.split("ceiling ")[1].split(" is")[0] for sentence in sentences] == names


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ({}, []),
        ({"duplicate": 3}, []),
        ({"duplicate": 4}, ["4 × duplicate"]),
        ({"duplicate": 1, "foreign_sigel": 1}, ["1 × foreign_sigel"]),
    ],
)
def test_refusals_are_accepted_by_code_up_to_a_number(refused, left):
    assert unaccepted(refused, (Accept(code="duplicate", at_most=3, reason="x"),)) == left


def test_accepts_are_read_back_from_a_stored_manifest():
    stored = {"accept": [{"code": "duplicate", "at_most": 3, "reason": "x"}]}
    assert accepts_of(stored) == (Accept(code="duplicate", at_most=3, reason="x"),)
    assert accepts_of({}) == ()
