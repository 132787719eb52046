"""What rows are never met because the plan refuses it: it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bulkrunner.domain.manifest import Update
from bulkrunner.domain.plan import Action
from tests.contract.checks.never import NEVER
from tests.support.executing import Rig, deleting, setting
from tests.support.sandbox import running_sandbox


@pytest.fixture
def rig(tmp_path):
    with running_sandbox(bibs=20, holdings=40, index_lag_ms=0) as control:
        made = Rig(control.staging, tmp_path, client="cataloguer")
        yield made
        made.close()


def refusal(rig: Rig, operation: Any) -> str:
    plan = rig.planner().make(rig.request(operation), f"p-{operation.target}-{id(operation)}")
    assert plan.counts["refused"] == 1
    (found,) = rig.ledger.plans.findings(plan.id, limit=2)
    return str(found.code)


def replacing(record: str, **item: Any) -> Update:
    whole = {"record": {"@type": "Record"}, "item": item}
    return replace(setting(record, "x"), changes=(), replace=whole)


@pytest.mark.parametrize(
    "place", ["@id", "@record.@id", "heldBy", "itemOf", "@type", "@record.controlNumber"]
)
def test_places_that_stay_as_they_are(rig, place):
    holding = rig.made_holding(rig.made_bib())
    assert refusal(rig, setting(holding, "x", at=place)) == "forbidden_place"


def test_a_holding_stays_one_whatever_the_job_says(rig):
    holding = rig.made_holding(rig.made_bib())
    request = rig.request(replacing(holding, **{"@type": "Instance", "inventoryLevel": 1}))
    plan = rig.planner().make(request, "p-replaced")
    (change,) = rig.ledger.plans.changes(plan.id)
    assert change.action is Action.UPDATE
    assert change.after["@graph"][1]["@type"] == "Item"


def test_a_record_of_another_kind(rig):
    record = rig.made_bib()
    document = rig.control.document(record)
    document["@graph"][1]["@type"] = "ShelfMarkSequence"
    rig.control.edit(record, doc=document)
    assert refusal(rig, deleting(record)) == "other_kind"


def test_the_codes_named_are_these():
    named = {reason.rpartition("`")[0].rpartition("`")[2] for reason in NEVER.values()}
    assert {"forbidden_place", "other_kind", "not_flat"} <= named
