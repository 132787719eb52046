"""The head of a report as plain data: all but the changes themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bulkrunner import __version__
from bulkrunner.adapters.reports.json_patterns import pattern_as_dict
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.approvals import WeighedAnswer
from bulkrunner.domain.gates import Evidence
from bulkrunner.domain.report import REPORT_VERSION, Grouped, ReportData
from bulkrunner.domain.report_facts import Estimate, Moment, Noted, Timeline


def head_as_dict(data: ReportData, words: Language) -> dict[str, Any]:
    """Return what stands before the changes."""
    return {
        "report": REPORT_VERSION,
        "generated_at": time_text(data.generated_at),
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
        "libraries": data.libraries,
        "risks": [_noted(item) for item in data.risks],
        "not_restored": [_noted(item) for item in data.not_restored],
        "estimate": _estimate(data.estimate),
        "staged": {
            "outcomes": data.staging.outcomes,
            "remarks": [_noted(item) for item in data.staging.remarks],
        },
        "approvals": [_approval(answer) for answer in data.approvals],
        "findings": _findings(data.grouped),
        "cleanups": [
            {"text": item.text, "count": item.count, "changes": item.numbers}
            for item in data.grouped.cleanups
        ],
        "patterns": [pattern_as_dict(item, words) for item in data.grouped.patterns],
    }


def run_as_dict(data: ReportData) -> dict[str, Any] | None:
    """Return the run, None in the report of a plan."""
    run = data.run
    if run is None:
        return None
    return {
        "id": run.id,
        "state": run.state,
        "started_at": time_text(run.started_at),
        "finished_at": time_text(run.finished_at),
        "stop_reason": run.stop_reason,
        "outcomes": data.outcomes,
        "excluded": data.excluded,
        "requests": run.requests,
    }


def _evidence(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "total": evidence.total,
        "tried": evidence.tried,
        "untried": evidence.untried,
        "declined": [
            {
                "outcome": group.outcome,
                "code": group.code,
                "words": group.words,
                "count": group.count,
                "records": group.records,
            }
            for group in evidence.declined
        ],
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
                "finished_at": time_text(run.finished_at),
            }
            for run in evidence.runs
        ],
    }


def _approval(one: WeighedAnswer) -> dict[str, Any]:
    answer, other = one.answer, one.other
    return {
        "answer": "yes" if answer.approved else "no",
        "by": answer.by,
        "reference": answer.reference,
        "plan_digest": answer.plan_digest,
        "statements": answer.statements,
        "recorded_by": answer.recorded_by,
        "recorded_at": time_text(answer.recorded_at),
        "signed": bool(answer.signer),
        "signer": answer.signer or None,
        "signing_key": answer.key or None,
        "conditions": answer.conditions.as_dict(),
        "head": answer.head or None,
        "counts": one.counts,
        "against": one.against,
        "against_by": None if other is None else {"by": other.by, "reference": other.reference},
        "dropped": one.dropped.as_dict(),
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
        "created_at": time_text(plan.created_at),
        "finished_at": time_text(plan.finished_at),
        "requests": plan.requests,
    }


def _noted(item: Noted) -> dict[str, Any]:
    return {"code": item.code, "count": item.count, "changes": item.numbers}


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "writes": found.writes,
        "requests": found.requests,
        "seconds": round(found.seconds, 1),
        "rate": found.rate,
        "windows": found.windows,
        "done_at": time_text(found.done_at),
    }


def timeline_as_dict(found: Timeline | None) -> dict[str, Any] | None:
    """Return when changes were decided, None where none was."""
    if found is None:
        return None
    return {
        "start": time_text(found.start),
        "end": time_text(found.end),
        "seconds": found.seconds,
        "steps": found.steps,
        "per_second": round(found.per_second, 2),
    }


def moments_as_list(moments: Sequence[Moment]) -> list[dict[str, Any]]:
    """Return what happened to the run as a whole, oldest first."""
    return [
        {
            "at": time_text(one.at),
            "what": one.kind,
            "by": one.by,
            "reason": one.reason,
            "rate": one.rate,
            "until": time_text(one.until),
        }
        for one in moments
    ]


def time_text(value: datetime | None) -> str | None:
    """Return a time as ISO 8601 with offset."""
    return value.isoformat() if value else None
