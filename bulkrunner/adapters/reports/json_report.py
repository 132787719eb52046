"""The report as one JSON document, streamed: head, patterns and changes (docs/reference/report.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bulkrunner import __version__
from bulkrunner.adapters.reports.language import Language
from bulkrunner.adapters.reports.phrasing import (
    approving_text,
    effect_line,
    parts_line,
    rejecting_text,
)
from bulkrunner.domain.approvals import WeighedAnswer
from bulkrunner.domain.plan import BibSummary, Part, reads_data
from bulkrunner.domain.report import REPORT_VERSION, Estimate, Moment, Noted, ReportData, Timeline
from bulkrunner.domain.report_groups import (
    General,
    Grouped,
    Joint,
    PatternGroup,
    PatternPart,
    ReportedChange,
    Tried,
)
from bulkrunner.domain.rules import Evidence
from bulkrunner.domain.run import Attempt, Result
from bulkrunner.domain.steps import InputLine
from bulkrunner.domain.text import escaped
from bulkrunner.errors import Source


def pattern_as_dict(group: PatternGroup, words: Language) -> dict[str, Any]:
    """Return one group of changes; samples and outliers by their numbers."""
    return {
        "action": group.action,
        "kind": group.kind,
        "pattern": effect_line(group, words),
        "level": group.level,
        "count": group.count,
        "sigels": group.sigels,
        "places": [_part(part) for part in group.parts],
        "samples": [item.change.number for item in group.samples],
        "outliers": [
            {"why": item.why, "change": item.change.change.number, "measure": item.measure}
            for item in group.outliers
        ],
        "variants": [
            {"text": parts_line(variant.parts, words), "count": variant.count}
            for variant in group.variants
        ],
        "different": group.different,
        "verb": group.joint.verb if group.joint else group.verb or None,
        "together": _joint(group.joint),
    }


def _standing(data: ReportData) -> dict[str, Any]:
    """Return what is said of a standing approval; nothing where none is asked for or rested on."""
    if data.rests_on is None and data.asked is None:
        return {}
    return {
        "standing": {
            "rests_on": data.rests_on and data.rests_on.as_dict(),
            "asked": data.asked and data.asked.as_dict(),
        }
    }


def _joint(joint: Joint | None) -> dict[str, Any] | None:
    if joint is None:
        return None
    return {
        "records": joint.records,
        "actions": dict(joint.actions),
        "origins": dict(joint.origins),
        "destinations": dict(joint.destinations),
        "changed_too": dict(joint.mixed),
        "partners": {
            str(number): [item.change.number for item in items]
            for number, items in joint.partners.items()
        },
    }


def _part(part: PatternPart) -> dict[str, Any]:
    return {
        "place": part.place,
        "kind": part.kind,
        "values": [
            {"at": value.at, "before": _general(value.before), "after": _general(value.after)}
            for value in part.values
        ],
    }


def _general(general: General) -> dict[str, Any]:
    return {"how": general.how, "texts": list(general.texts)}


def head_as_dict(data: ReportData, words: Language) -> dict[str, Any]:
    """Return what stands before the changes."""
    return {
        "report": REPORT_VERSION,
        **_standing(data),
        "generated_at": time_text(data.generated_at),
        "program_version": __version__,
        "plan": _plan(data),
        "job": data.plan.manifest,
        "inputs": data.inputs,
        "selections": data.selections,
        "reads": reads_data(data.reads),
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
        "causes": [
            {"outcome": outcome, "code": code, "count": count}
            for outcome, code, count in data.causes
        ],
        "requests": run.requests,
        "outcomes_by_sigel": data.sigel_outcomes,
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
        **({"standing": answer.standing.as_dict()} if answer.standing else {}),
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


def change_as_dict(item: ReportedChange, plan: str) -> dict[str, Any]:
    """Return one change as plain data."""
    change = item.change
    return {
        "number": change.number,
        "id": f"{plan}.{change.number}",
        "action": change.action,
        "record": change.record,
        "given": change.given,
        "source": _source(change.source),
        "inputs": [_input(part) for part in change.parts],
        "kind": change.kind,
        "sigel": change.sigel,
        "library": change.library or None,
        "bib": _bib(change.bib),
        "link": item.link,
        "tried": _tried(item.tried),
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
        "differences_left_out": item.beyond,
        "etag": change.etag,
        "read_by": change.read_by or None,
        "before": change.before,
        "after": change.after,
        "predicted": change.predicted,
        "outcome": item.result.outcome if item.result else None,
        "result": _result(item.result),
        "attempts": [_attempt(attempt) for attempt in item.attempts],
    }


def _source(source: Source) -> dict[str, Any]:
    return {"file": source.file, "line": source.line, "column": source.column}


def _input(part: Part) -> dict[str, Any]:
    return {
        "step": part.step,
        "given": part.given,
        "source": _source(part.source),
        "action": part.action,
        "code": part.code,
        "message": part.message,
    }


def _tried(tried: Tried | None) -> dict[str, Any] | None:
    if tried is None:
        return None
    twin = tried.counterpart
    return {
        "environment": twin.environment,
        "run": twin.run,
        "outcome": twin.outcome,
        "record": twin.record,
        "link": tried.link,
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
        "decided_at": time_text(result.decided_at),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "method": attempt.method,
        "sent_at": time_text(attempt.intent_at),
        "answer": attempt.answer,
        "status": attempt.status,
        "answered_at": time_text(attempt.answered_at),
        "words": attempt.words,
        "error_id": attempt.error_id,
    }


__all__ = ["change_as_dict", "json_chunks", "jsonl_chunks"]

# Stands for an action where a line of an input gives no change.
LEFT_OUT = "left_out"


def json_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the document; the changes are never held all at once."""
    head = _encoded(head_as_dict(data, words))
    yield head[:-1] + b',"changes":['
    separator = b"\n"
    for item in data.changes():
        yield separator + _encoded(change_as_dict(item, data.plan.id))
        separator = b",\n"
    tail = _encoded(
        {
            "run": run_as_dict(data),
            "timeline": timeline_as_dict(data.timeline),
            "moments": moments_as_list(data.moments),
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
    """Return JSON in which every character is seen; what is not is written as an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return escaped(text).encode()
