"""One change as plain data (docs/reference/report.md)."""

from __future__ import annotations

from typing import Any

from bulkrunner.adapters.reports.json_head import time_text
from bulkrunner.domain.job import Source
from bulkrunner.domain.plan import BibSummary, Part
from bulkrunner.domain.report import ReportedChange, Tried
from bulkrunner.domain.run import Attempt, Result


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
    twin = tried.twin
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
