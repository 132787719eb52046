"""What changed between two plans."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.adapters.reports.markdown import write_plan_diff
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report import PlanDiff
from bulkrunner.services.compare import PlanComparison
from tests.support import reports
from tests.support.ledgers import START, a_plan, new_ledger, store_plan


def change(number: int, action: Action = Action.UPDATE, **values: Any) -> PlannedChange:
    fingerprints = {"before_fingerprint": f"b{number}", "after_fingerprint": f"a{number}"}
    return reports.a_reported(number, action, **{**fingerprints, **values})


def refused(number: int, code: str) -> PlannedChange:
    return change(number, Action.REFUSED, code=code, target_key=None, pattern="")


def compared(
    folder: Path, older: list[PlannedChange], newer: list[PlannedChange], **head: Any
) -> PlanDiff:
    ledger: LedgerStore = new_ledger(folder)
    one = store_plan(ledger, a_plan("p1", job=reports.JOB), older)
    other = store_plan(ledger, a_plan("p2", job=reports.JOB, **head), newer)
    found = PlanComparison(ledger).compare(one, other)
    ledger.close()
    return found


def told(found: PlanDiff) -> list[tuple[str, str, str, int]]:
    return [(item.kind, item.was, item.now, item.count) for item in found.differences]


def test_equal_plans_have_no_difference(tmp_path: Path) -> None:
    changes = [change(1), change(2), refused(3, "foreign_sigel")]
    found = compared(tmp_path, changes, changes)
    assert (found.same, found.differences, found.changed) == (3, (), False)
    assert found.heads == {}


def test_each_way_in_which_a_record_differs_is_told(tmp_path: Path) -> None:
    older = [change(1), change(2), change(3), change(4), refused(5, "foreign_sigel"), change(6)]
    newer = [
        change(1),
        refused(2, "duplicate"),
        change(3, operation={"update": reports.record_id(3), "changes": []}),
        change(4, before_fingerprint="edited", after_fingerprint="other"),
        refused(5, "no_rights"),
        change(7),
    ]
    found = compared(tmp_path, older, newer)
    assert told(found) == [
        ("action", "update", "refused duplicate", 1),
        ("operation", "update", "update", 1),
        ("content", "update", "update", 1),
        ("added", "", "update", 1),
        ("removed", "update", "", 1),
        ("reason", "refused foreign_sigel", "refused no_rights", 1),
    ]
    assert found.same == 1
    assert found.changed
    sample = found.differences[0].samples[0]
    assert (sample.older is not None, sample.newer is not None) == (True, True)


def test_another_reason_alone_changes_nothing_that_is_done(tmp_path: Path) -> None:
    found = compared(tmp_path, [refused(5, "foreign_sigel")], [refused(5, "no_rights")])
    assert not found.changed


def test_says_what_differs_in_the_heads(tmp_path: Path) -> None:
    found = compared(tmp_path, [], [], environment="qa", policy={"min_staging_coverage": 0.5})
    assert set(found.heads) == {"environment", "policy"}


def test_many_alike_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    numbers = [n for n in range(1, 40) if reports.record_id(n) != reports.record_id(1)][:29]
    found = compared(tmp_path, [], [change(n) for n in numbers])
    (item,) = found.differences
    assert (item.count, len(item.samples)) == (29, 20)


@pytest.mark.parametrize("lang", ["sv", "en"])
def test_is_written_as_markdown(tmp_path: Path, lang: str) -> None:
    found = compared(tmp_path, [change(1)], [refused(1, "duplicate")], environment="qa")
    text = write_plan_diff(found, tmp_path / "d.md", form="md", lang=lang).read_text("utf-8")
    assert {"sv": "Annan åtgärd", "en": "Another action"}[lang] in text
    assert "Gösta Berlings saga" in text
    assert "`duplicate`" in text
    assert "| `environment` | `staging` | `qa` |" in text


def test_is_written_as_json(tmp_path: Path) -> None:
    found = compared(tmp_path, [change(1)], [refused(1, "duplicate")])
    path = write_plan_diff(found, tmp_path / "d.json", form="json", lang="sv")
    data = json.loads(path.read_text("utf-8"))
    assert (data["older"], data["newer"], data["changed"]) == ("p1", "p2", True)
    assert data["differences"][0]["samples"] == [
        {"record": reports.record_id(1), "sigel": "Ylm", "older": 1, "newer": 1, "places": []}
    ]


def test_says_what_would_be_stored_otherwise(tmp_path: Path) -> None:
    record = reports.record_id(1)
    other = reports.holding(record, "Hcf", cataloguersNote=["<b>ÅJ</b>"])
    found = compared(
        tmp_path,
        [change(1)],
        [change(1, after=other, operation={"update": record, "changes": []})],
    )
    (sample,) = found.differences[0].samples
    assert sample.places == [
        ("shelfMark.label", "Hce", "Hcf"),
        ("cataloguersNote", None, "<b>ÅJ</b>"),
    ]
    text = write_plan_diff(found, tmp_path / "d.md", form="md", lang="sv").read_text("utf-8")
    assert "  - hyllkod: `Hce` → `Hcf`" in text
    assert "  - intern anmärkning: saknas → `<b>ÅJ</b>`" in text
    path = write_plan_diff(found, tmp_path / "d.json", form="json", lang="sv")
    (told_,) = json.loads(path.read_text("utf-8"))["differences"]
    assert told_["samples"][0]["places"][0] == {
        "place": "shelfMark.label",
        "older": "Hce",
        "newer": "Hcf",
    }


def test_a_record_that_is_done_something_else_with_shows_no_places(tmp_path: Path) -> None:
    found = compared(tmp_path, [change(1)], [change(1, Action.DELETE)])
    assert found.differences[0].samples[0].places == []


STAGING = {**reports.ADDRESSES, "kind": "test", "base_uri": "https://libris-stg.kb.se/"}


def moved(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as it stands in the test environment."""
    text = json.dumps(document)
    for record in {reports.record_id(n) for n in (1, 2, 900)}:
        text = text.replace(f"{reports.BASE}/{record}", f"{STAGING['base_uri']}{record}")
    found: dict[str, Any] = json.loads(text)
    return found


def markdown(found: PlanDiff, folder: Path, lang: str = "sv") -> str:
    return write_plan_diff(found, folder / "d.md", form="md", lang=lang).read_text("utf-8")


def test_plans_of_different_jobs_are_told_as_such_first(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    one = store_plan(ledger, a_plan("p1", job="a-job"), [change(1)])
    other = store_plan(ledger, a_plan("p2", job="b-job"), [change(1)])
    found = PlanComparison(ledger).compare(one, other)
    text = markdown(found, tmp_path)
    assert "**Planerna gäller olika jobb: a-job och b-job.**" in text
    assert text.index("olika jobb") < text.index("En körning av")
    assert "different jobs: a-job and b-job" in markdown(found, tmp_path, "en")


def test_plans_are_put_in_the_order_of_time(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    one = store_plan(ledger, a_plan("p1", job=reports.JOB), [change(1)])
    later = START + timedelta(days=1)
    other = store_plan(ledger, a_plan("p2", job=reports.JOB, created_at=later), [change(2)])
    found = PlanComparison(ledger).compare(other, one)
    assert (found.older.id, found.newer.id, found.swapped) == ("p1", "p2", True)
    text = markdown(found, tmp_path)
    assert "Här är p1 den äldre och p2 den nyare." in text
    assert not PlanComparison(ledger).compare(one, other).swapped


def test_values_made_up_of_others_are_told_apart(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    accept = [{"code": "duplicate", "at_most": 2, "reason": "b"}]
    plans = [
        store_plan(
            ledger,
            a_plan(name, job=reports.JOB, policy=policy, manifest={"accept": accepted}),
            [],
        )
        for name, policy, accepted in (
            ("p1", {"a": 1, "b": 2}, accept),
            ("p2", {"a": 1, "b": 3}, [{**accept[0], "at_most": 5}]),
        )
    ]
    text = markdown(PlanComparison(ledger).compare(plans[0], plans[1]), tmp_path)
    assert "| `accept.duplicate.at_most` | `2` | `5` |" in text
    assert "| `policy.b` | `2` | `3` |" in text
    assert "policy.a" not in text
    assert "{" not in text


@pytest.mark.parametrize("mark", ["Hc", "Hcx"])
def test_records_of_two_environments_differ_only_where_their_content_does(
    tmp_path: Path, mark: str
) -> None:
    ledger = new_ledger(tmp_path)
    mine = change(1, before_fingerprint="p", after_fingerprint="q")
    theirs = change(
        1,
        before=moved(reports.holding(mine.record, mark)),
        after=moved(mine.after or {}),
        before_fingerprint="r",
        after_fingerprint="s",
    )
    test = store_plan(
        ledger, a_plan("p1", job=reports.JOB, environment="qa", addresses=STAGING), [theirs]
    )
    real = store_plan(
        ledger, a_plan("p2", job=reports.JOB, environment="x", addresses=reports.ADDRESSES), [mine]
    )
    found = PlanComparison(ledger).compare(test, real)
    text = markdown(found, tmp_path)
    assert "Planerna gäller olika miljöer: qa och x." in text
    if mark == "Hc":
        assert (found.same, found.differences) == (1, ())
    else:
        assert told(found) == [("content", "update", "update", 1)]
        assert "  - hyllkod: `Hcx` → `Hc`" in text
