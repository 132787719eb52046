"""The plan digest covers all that a run does, and under which rules: a yes to it is a yes to that."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bulkrunner.domain.plan import Action, Origin, PlannedChange, plan_digest
from tests.support.ledgers import PRODUCTION_ADDRESSES, START, a_change, a_document, a_plan

PLAN = a_plan()
CHANGES = (a_change(1), a_change(2))


def digest(plan=PLAN, changes=CHANGES):
    return plan_digest(plan.digest_head(), (change.digest() for change in changes))


OF_A_CHANGE = {
    "number": 7,
    "action": Action.DELETE,
    "record": "another",
    "operation": {"update": "rec000001", "changes": []},
    "etag": "124",
    "before": a_document("rec000001", "Hd"),
    "after": a_document("rec000001", "Hcf"),
    "before_fingerprint": "f3",
    "after_fingerprint": "f4",
    "kind": "bib",
    "sigel": "S",
    "code": "no_change",
    "prerequisites": (1,),
    "origins": (Origin(record="another", fingerprints=("f5",)),),
}

TOLD_ONLY = {
    *("given", "source", "declared", "bib", "library", "predicted", "target_key", "pattern"),
    *("cleanups", "message", "notes", "links", "step", "parts", "made", "place", "wish", "read_by"),
}
"""What a change says to people, or to the planner."""


@pytest.mark.parametrize("name", OF_A_CHANGE)
def test_what_a_run_does_with_a_change_counts(name):
    one = replace(CHANGES[0], **{name: OF_A_CHANGE[name]})
    assert digest(changes=(one, CHANGES[1])) != digest()


def test_every_part_of_a_change_is_thought_of():
    assert set(PlannedChange.__dataclass_fields__) == TOLD_ONLY | OF_A_CHANGE.keys()


def test_which_changes_and_their_order_count():
    found = {digest(changes=changes) for changes in (CHANGES, CHANGES[::-1], CHANGES[:1], ())}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "p2"),
        ("job", "another"),
        ("environment", "production"),
        ("addresses", PRODUCTION_ADDRESSES),
        ("manifest_digest", "sha256:3"),
        ("effect_digest", "sha256:3"),
        ("policy", {"min_staging_coverage": 0.5}),
        ("program_version", "0.1.1"),
        ("created_at", START + timedelta(seconds=1)),
    ],
)
def test_what_it_is_a_plan_of_counts(name, value):
    assert digest(replace(PLAN, **{name: value})) != digest()
