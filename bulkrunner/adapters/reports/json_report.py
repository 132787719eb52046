"""The report as one JSON document, streamed (docs/reference/report.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bulkrunner import __version__
from bulkrunner.adapters.reports.answers import approving_text, rejecting_text
from bulkrunner.adapters.reports.json_patterns import pattern_as_dict
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.gates import Approval, Evidence
from bulkrunner.domain.plan import BibSummary
from bulkrunner.domain.report import REPORT_VERSION, Grouped, ReportData, ReportedChange
from bulkrunner.domain.run import Attempt, Result
from bulkrunner.domain.steps import InputLine

LEFT_OUT = "left_out"
"""Stands for an action where a line of an input gives no change."""


def json_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the document; the changes are never held all at once."""
    head = _encoded(
        {
            "report": REPORT_VERSION,
            "generated_at": _time(data.generated_at),
            "program_version": __version__,
            "plan": _plan(data),
            "job": data.plan.manifest,
            "inputs": data.inputs,
            "selections": data.selections,
            "counts": data.counts,
            "sigels": data.sigels,
            "policy_loosened": [
                {
                    "name": item.name,
                    "value": item.value,
                    "built_in": item.built_in,
                    "statement": item.statement(),
                }
                for item in data.loosened
            ],
            "gates": [gate.as_dict() for gate in data.gates],
            "rules": [result.as_dict() for result in data.rules],
            "staging": _evidence(data.evidence),
            "approvals": [_approval(answer) for answer in data.approvals],
            "findings": _findings(data.grouped),
            "cleanups": [
                {"text": item.text, "count": item.count, "changes": item.numbers}
                for item in data.grouped.cleanups
            ],
            "patterns": [pattern_as_dict(item, words) for item in data.grouped.patterns],
        }
    )
    yield head[:-1] + b',"changes":['
    separator = b"\n"
    for item in data.changes():
        yield separator + _encoded(change_as_dict(item, data.plan.id))
        separator = b",\n"
    tail = _encoded(
        {
            "run": _run(data),
            "ledger": data.head,
            "answer_text": approving_text(data, words),
            "reject_text": rejecting_text(data, words),
        }
    )
    yield b'\n],"left_out":['
    separator = b"\n"
    for line in data.left_out():
        yield separator + _encoded(_left_out(line))
        separator = b",\n"
    yield b"\n]," + tail[1:] + b"\n"


def jsonl_chunks(data: ReportData, _words: Language) -> Iterator[bytes]:
    """Yield one line for each change; it begins with the record that was, or would be, written."""
    for item in data.changes():
        change = change_as_dict(item, data.plan.id)
        written = item.result.record if item.result else None
        line = {
            "record": written or item.change.record,
            "plan": data.plan.id,
            "run": data.run.id if data.run else None,
            "environment": data.plan.environment,
            "planned_record": change.pop("record"),
            **change,
        }
        yield _encoded(line) + b"\n"
    for left in data.left_out():
        line = {
            "record": None,
            "plan": data.plan.id,
            "run": data.run.id if data.run else None,
            "environment": data.plan.environment,
            "planned_record": None,
            "action": LEFT_OUT,
            **_left_out(left),
        }
        yield _encoded(line) + b"\n"


def _left_out(line: InputLine) -> dict[str, Any]:
    source = line.source
    return {
        "given": line.given,
        "source": {"file": source.file, "line": source.line, "column": source.column},
        "code": line.code,
        "message": line.message,
    }


def _encoded(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character pair, as some records hold
        return json.dumps(value, separators=(",", ":"), default=str).encode()


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def _plan(data: ReportData) -> dict[str, Any]:
    plan = data.plan
    return {
        "id": plan.id,
        "job": plan.job,
        "environment": plan.environment,
        "addresses": dict(plan.addresses),
        "state": plan.state,
        "plan_digest": plan.plan_digest,
        "manifest_digest": plan.manifest_digest,
        "effect_digest": plan.effect_digest,
        "policy": plan.policy,
        "program_version": plan.program_version,
        "created_at": _time(plan.created_at),
        "finished_at": _time(plan.finished_at),
        "requests": plan.requests,
    }


def _run(data: ReportData) -> dict[str, Any] | None:
    run = data.run
    if run is None:
        return None
    return {
        "id": run.id,
        "state": run.state,
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "stop_reason": run.stop_reason,
        "outcomes": data.outcomes,
        "requests": run.requests,
    }


def _evidence(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "total": evidence.total,
        "tried": evidence.tried,
        "untried": evidence.untried,
        "patterns": [
            {"pattern": pattern, "count": count, "tried": tried}
            for pattern, (count, tried) in evidence.patterns.items()
        ],
        "newest_test_plan": evidence.newest_test_plan,
        "bad_outcomes": evidence.bad_outcomes,
        "refused": evidence.refused_codes,
        "runs": [
            {
                "run": run.run,
                "environment": run.environment,
                "base_url": run.base_url,
                "finished_at": _time(run.finished_at),
            }
            for run in evidence.runs
        ],
    }


def _approval(answer: Approval) -> dict[str, Any]:
    return {
        "answer": "yes" if answer.approved else "no",
        "by": answer.by,
        "reference": answer.reference,
        "plan_digest": answer.plan_digest,
        "statements": answer.statements,
        "recorded_by": answer.recorded_by,
        "recorded_at": _time(answer.recorded_at),
        "signed": bool(answer.signer),
        "signer": answer.signer or None,
        "signing_key": answer.key or None,
        "conditions": answer.conditions.as_dict(),
        "head": answer.head or None,
    }


def _findings(grouped: Grouped) -> list[dict[str, Any]]:
    reasons = [
        {
            "action": group.action,
            "code": group.code,
            "count": group.count,
            "accepted_at_most": group.at_most,
            "records": [item.change.record for item in group.samples],
            "message": group.samples[0].change.message if group.samples else "",
        }
        for group in grouped.reasons
    ]
    notes = [
        {
            "action": "note",
            "code": note.code,
            "count": note.count,
            "changes": note.numbers,
            "message": note.text,
        }
        for note in grouped.notes
    ]
    return [*reasons, *notes]


def change_as_dict(item: ReportedChange, plan: str) -> dict[str, Any]:
    """Return one change as plain data."""
    change = item.change
    source = change.source
    return {
        "number": change.number,
        "id": f"{plan}.{change.number}",
        "action": change.action,
        "record": change.record,
        "given": change.given,
        "source": {"file": source.file, "line": source.line, "column": source.column},
        "kind": change.kind,
        "sigel": change.sigel,
        "bib": _bib(change.bib),
        "link": item.link,
        "operation": change.operation,
        "pattern": change.pattern,
        "code": change.code,
        "message": change.message,
        "notes": [{"code": code, "message": message} for code, message in change.notes],
        "cleanups": change.cleanups,
        "prerequisites": change.prerequisites,
        "differences": [
            {"place": d.place, "kind": d.kind, "before": d.before, "after": d.after}
            for d in item.differences
        ],
        "etag": change.etag,
        "before": change.before,
        "after": change.after,
        "predicted": change.predicted,
        "outcome": item.result.outcome if item.result else None,
        "result": _result(item.result),
        "attempts": [_attempt(attempt) for attempt in item.attempts],
    }


def _bib(bib: BibSummary | None) -> dict[str, str] | None:
    if bib is None:
        return None
    return {"id": bib.id, "title": bib.title, "author": bib.author, "year": bib.year}


def _result(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "outcome": result.outcome,
        "code": result.code,
        "message": result.message,
        "record": result.record,
        "etag": result.etag,
        "modified": result.stored_modified,
        "detail": result.detail,
        "stored": result.stored,
        "decided_at": _time(result.decided_at),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "method": attempt.method,
        "sent_at": _time(attempt.intent_at),
        "answer": attempt.answer,
        "status": attempt.status,
        "answered_at": _time(attempt.answered_at),
        "words": attempt.words,
        "error_id": attempt.error_id,
    }
