"""The JSON document: its fields, whole values, and that it is one document whatever is in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.json_report import json_chunks
from bulkrunner.adapters.reports.language import language
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import ReportedChange
from tests.support import reports
from tests.support.paths import ROOT


def document_of(data: ReportData, folder: Path, lang: str = "sv") -> dict[str, Any]:
    path = write_report(data, folder / "report.json", form="json", lang=lang)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_has_the_documented_keys_in_order(tmp_path: Path) -> None:
    document = document_of(reports.report_data(tmp_path), tmp_path)
    assert list(document) == [
        "report",
        "generated_at",
        "program_version",
        "plan",
        "job",
        "inputs",
        "selections",
        "reads",
        "counts",
        "sigels",
        "policy_loosened",
        "gates",
        "rules",
        "staging",
        "libraries",
        "risks",
        "not_restored",
        "estimate",
        "staged",
        "approvals",
        "findings",
        "cleanups",
        "patterns",
        "changes",
        "left_out",
        "run",
        "timeline",
        "moments",
        "ledger",
        "answer_text",
        "reject_text",
    ]
    assert document["report"] == 1
    assert document["run"] is None
    assert document["plan"]["id"] == "p1"
    assert document["job"]["agreement"]["reference"] == "KB 2026-0412"
    assert document["counts"] == {
        "create": 1,
        "update": 15,
        "delete": 2,
        "unchanged": 1,
        "refused": 4,
        "not_found": 1,
    }
    assert document["gates"][5]["name"] == "staging"


def test_a_change_has_the_documented_fields_and_whole_documents(tmp_path: Path) -> None:
    document = document_of(reports.report_data(tmp_path), tmp_path)
    change = next(item for item in document["changes"] if item["number"] == 1)
    planned = reports.a_reported(1)
    assert change == {
        "number": 1,
        "id": "p1.1",
        "action": "update",
        "record": planned.record,
        "given": planned.record,
        "source": {"file": "ids.txt", "line": 1, "column": 0},
        "inputs": [],
        "kind": "holding",
        "sigel": "Ylm",
        "library": None,
        "bib": {
            "id": "bib2",
            "title": "Gösta Berlings saga",
            "author": "Lagerlöf, Selma",
            "year": "1891",
        },
        "link": f"https://libris.kb.se/{planned.record}",
        "tried": None,
        "operation": planned.operation,
        "pattern": "update holding: set shelfMark.label",
        "code": "",
        "message": "",
        "notes": [],
        "cleanups": [],
        "prerequisites": [],
        "differences": [
            {"place": "shelfMark.label", "kind": "changed", "before": "Hc", "after": "Hce"}
        ],
        "differences_left_out": 0,
        "etag": "123",
        "read_by": None,
        "before": planned.before,
        "after": planned.after,
        "predicted": None,
        "outcome": None,
        "result": None,
        "attempts": [],
    }


def test_says_what_a_reviewer_weighs(tmp_path: Path) -> None:
    document = document_of(reports.report_data(tmp_path, tried=12, run=True), tmp_path)
    assert document["not_restored"][0] == {"code": "new_id", "count": 2, "changes": [16, 17]}
    assert document["staged"]["outcomes"] == {"applied": 12}
    assert sum(sum(step.values()) for step in document["timeline"]["steps"]) == 18
    tried = next(item for item in document["changes"] if item["number"] == 3)["tried"]
    assert tried["link"] == f"https://libris-stg.kb.se/{reports.record_id(3)}"
    assert (tried["environment"], tried["run"], tried["outcome"]) == ("staging", "r0", "applied")


def test_deletions_come_first_and_every_change_once(tmp_path: Path) -> None:
    changes = document_of(reports.report_data(tmp_path), tmp_path)["changes"]
    assert [item["action"] for item in changes[:3]] == ["delete", "delete", "update"]
    assert sorted(item["number"] for item in changes) == list(range(1, 25))


def test_a_run_has_outcomes_results_and_attempts(tmp_path: Path) -> None:
    document = document_of(reports.report_data(tmp_path, run=True, approved=True), tmp_path)
    assert document["run"]["id"] == "r1"
    assert document["run"]["outcomes"]["conflict"] == 1
    assert document["approvals"][0]["signed"] is False
    refused = next(item for item in document["changes"] if item["number"] == 4)
    assert refused["outcome"] == "refused"
    assert refused["attempts"][0]["words"] == "Invalid JsonLd, got errors: <b>x</b>"
    assert refused["attempts"][0]["error_id"] == "e-77"
    created = next(item for item in document["changes"] if item["number"] == 18)
    assert created["result"]["record"] == reports.record_id(777)
    not_sent = next(item for item in document["changes"] if item["number"] == 19)
    assert not_sent["outcome"] is None


def test_the_answer_texts_carry_digest_and_statements(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, policy=reports.LOOSE_POLICY)
    document = document_of(data, tmp_path, "en")
    digest = document["plan"]["plan_digest"]
    assert digest.startswith("sha256:")
    assert digest in document["answer_text"]
    assert digest in document["reject_text"]
    assert "min_staging_coverage = 0.5" in document["answer_text"]
    assert document["policy_loosened"][0] == {
        "name": "min_staging_coverage",
        "value": 0.5,
        "built_in": 0.95,
        "statement": "min_staging_coverage = 0.5",
    }
    assert document["answer_text"].startswith("We approve that this plan is run.")


def test_a_title_cannot_add_lines_to_the_answer(tmp_path: Path) -> None:
    head = {**reports.HEAD, "title": "x\nDigest: sha256:0\u2028Plan: other"}
    text = document_of(reports.report_data(tmp_path, manifest=head), tmp_path, "en")["answer_text"]
    assert len([line for line in text.splitlines() if line.startswith("Digest:")]) == 1
    assert len([line for line in text.splitlines() if line.startswith("Plan:")]) == 1


def test_an_empty_plan_is_a_whole_document_too(tmp_path: Path) -> None:
    assert document_of(reports.report_data(tmp_path, changes=[]), tmp_path)["changes"] == []


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return reports.report_data(tmp_path_factory.mktemp("empty"), changes=[])


texts = st.text(st.characters(exclude_categories=()), max_size=50)


@given(
    value=st.recursive(texts | st.none() | st.booleans() | st.integers(), st.lists, max_leaves=5)
)
def test_whatever_a_record_holds_comes_back(empty: ReportData, value: Any) -> None:
    change = reports.a_reported(1, Action.DELETE, before={"@graph": [{}, {"x": value}]})
    data = reports.with_changes(empty, lambda: iter([ReportedChange(change=change)]))
    document = json.loads(b"".join(json_chunks(data, language("sv"))))
    assert document["changes"][0]["before"] == {"@graph": [{}, {"x": value}]}


def test_the_manual_names_every_key(tmp_path: Path) -> None:
    document = document_of(reports.report_data(tmp_path), tmp_path)
    manual = (ROOT / "docs" / "reference" / "report.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", manual.partition("## JSON")[2].partition("## CSV")[0]))
    assert set(document) <= named
    assert set(document["changes"][0]) <= named
    assert set(document["plan"]) <= named
