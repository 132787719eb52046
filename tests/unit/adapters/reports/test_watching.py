"""What a reviewer is warned of, and what is said of test runs."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report import Noted
from bulkrunner.domain.report_groups import ReportedChange, Tried
from bulkrunner.domain.rules import Counterpart
from bulkrunner.services.report.risks import MANY_DELETIONS, Watch
from tests.support import reports
from tests.support.ledgers import START, a_plan

STAGING = "https://libris-stg.kb.se"


def watch(**head: Any) -> Watch:
    manifest = {**reports.HEAD, **head}
    return Watch(a_plan("p1", manifest=manifest, addresses=reports.ADDRESSES))


def watched(*items: ReportedChange, **head: Any) -> Watch:
    found = watch(**head)
    assert list(found.watched(iter(items))) == list(items)
    return found


def item(change: PlannedChange, tried: Tried | None = None) -> ReportedChange:
    return ReportedChange(change=change, tried=tried)


def with_record(number: int, **record: Any) -> PlannedChange:
    document = reports.holding(reports.record_id(number))
    document["@graph"][0].update(record)
    return reports.a_reported(number, before=document)


def codes(found: tuple[Noted, ...]) -> list[str]:
    return [one.code for one in found]


def by(sigel: str, days: float) -> dict[str, Any]:
    when = (START - timedelta(days=days)).isoformat()
    modifier = {"@id": f"https://libris.kb.se/library/{sigel}"}
    return {"modified": when, "descriptionLastModifier": modifier}


def test_an_ordinary_plan_has_no_risks() -> None:
    assert watched(item(reports.a_reported(1))).risks() == ()


@pytest.mark.parametrize(
    ("record", "risky"),
    [
        (by("S", 3), True),
        (by("S", 31), False),
        (by("Ylm", 3), False),
        (by("NO", 3), False),
        ({"modified": "yesterday", "descriptionLastModifier": by("S", 1)}, False),
        ({"modified": "2026-03-01T10:00:00", "x": 1}, False),
    ],
)
def test_a_record_that_others_changed_recently(record: dict[str, Any], *, risky: bool) -> None:
    found = watched(item(with_record(7, **record))).risks()
    assert codes(found) == (["changed_recently"] if risky else [])
    assert all(one.numbers == (7,) and one.count == 1 for one in found)


def test_a_holding_with_components_of_another_library() -> None:
    change = reports.a_reported(3)
    mixed = deepcopy(change.before or {})
    mixed["@graph"][1]["hasComponent"] = [
        {"@type": "Item", "heldBy": {"@id": "https://libris.kb.se/library/NO"}}
    ]
    assert codes(watched(item(replace(change, before=mixed))).risks()) == ["several_libraries"]


def test_content_that_does_not_go_along() -> None:
    note = ("not_taken_along", "goes away with the merged holding: shelfMark")
    change = reports.a_reported(1, notes=(note,))
    (risk,) = watched(item(change), item(reports.a_reported(2))).risks()
    assert (risk.code, risk.count, risk.numbers) == ("left_behind", 1, (1,))


def test_bibs_are_shared() -> None:
    assert codes(watched(item(reports.a_reported(1, kind="bib"))).risks()) == ["shared_bib"]


@pytest.mark.parametrize(
    ("deletes", "others", "many"), [(1, 3, True), (1, 4, False), (0, 4, False)]
)
def test_many_deletions(deletes: int, others: int, *, many: bool) -> None:
    items = [item(reports.a_reported(n, Action.DELETE)) for n in range(1, deletes + 1)]
    items += [item(reports.a_reported(n)) for n in range(10, 10 + others)]
    assert ("many_deletions" in codes(watched(*items).risks())) is many


def test_a_thousand_deletions_are_many_whatever_else_is_done() -> None:
    gone, kept = item(reports.a_reported(1, Action.DELETE)), item(reports.a_reported(2))
    found = watched(*[gone] * MANY_DELETIONS, *[kept] * 9 * MANY_DELETIONS).risks()
    assert found == (Noted(code="many_deletions", count=MANY_DELETIONS),)


def test_a_manifest_without_ceilings_or_agreement() -> None:
    found = watched(item(reports.a_reported(1)), ceilings={}, agreement={})
    assert codes(found.risks()) == ["no_ceilings", "no_agreement"]


def test_what_is_not_carried_out_is_not_warned_of() -> None:
    change = with_record(1, **by("S", 1))
    refused = replace(change, action=Action.REFUSED)
    assert watched(item(refused)).risks() == ()


def test_what_an_undo_could_not_bring_back() -> None:
    single = reports.holding("h1")
    single["@graph"][0]["sameAs"] = [{"@id": "http://libris.kb.se/hold/1"}]
    single["@graph"][1]["@type"] = "SingleItem"
    found = watched(
        item(reports.a_reported(1, Action.DELETE)),
        item(reports.a_reported(2, Action.DELETE, before=single)),
        item(reports.a_reported(3, cleanups=("x: trimmed",))),
        item(reports.a_reported(4)),
    )
    assert {one.code: (one.count, one.numbers) for one in found.not_restored()} == {
        "new_id": (2, (1, 2)),
        "other_ids": (1, (2,)),
        "single_item": (1, (2,)),
        "cleanups_stay": (1, (3,)),
    }


# --- test runs -----------------------------------------------------------------------------------


def tried(change: PlannedChange, **values: Any) -> Tried:
    before = deepcopy(change.before)
    fields: dict[str, Any] = {
        "change": change.number,
        "run": "r0",
        "environment": "staging",
        "base_url": STAGING,
        "base_uri": f"{STAGING}/",
        "record": change.record,
        "outcome": "applied",
        "before": before,
        **values,
    }
    return Tried(counterpart=Counterpart(**fields))


def moved(change: PlannedChange, **record: Any) -> dict[str, Any]:
    """The record as it would stand in the test environment."""
    text = json.dumps(change.before).replace("https://libris.kb.se/", f"{STAGING}/")
    text = text.replace(f"{STAGING}/library/", "https://libris.kb.se/library/")
    document: dict[str, Any] = json.loads(text)
    document["@graph"][0].update(record)
    return document


def test_the_same_record_in_the_test_environment_is_no_remark() -> None:
    change = reports.a_reported(1)
    for before in (moved(change), moved(change, modified="2020-01-01T00:00:00Z")):
        found = watched(item(change, tried(change, before=before))).staging()
        assert (found.outcomes, found.remarks) == ({"applied": 1}, ())


def test_other_content_in_the_test_environment_is_told() -> None:
    change = reports.a_reported(1)
    other = moved(change)
    other["@graph"][1]["shelfMark"]["label"] = "X"
    found = watched(item(change, tried(change, before=other))).staging()
    assert found.remarks == (Noted(code="staged_other_content", count=1, numbers=(1,)),)


@pytest.mark.parametrize("code", ["cleanups", "not_as_predicted"])
def test_what_the_server_did_otherwise_is_told(code: str) -> None:
    change = reports.a_reported(1)
    found = watched(item(change, tried(change, before=moved(change), detail={code: ["x"]})))
    assert codes(found.staging().remarks) == [f"staged_{code}"]


def test_outcomes_of_test_runs_are_counted(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, tried=12)
    assert data.staging.outcomes == {"applied": 12}
    rows = {row.change.number: row.tried for row in data.changes()}
    assert rows[3] is not None
    assert rows[3].link == f"{STAGING}/{reports.record_id(3)}"
    assert rows[16] is None
