"""The report as one JSON document, streamed (docs/reference/report.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bulkrunner.adapters.reports.answers import approving_text, rejecting_text
from bulkrunner.adapters.reports.json_changes import change_as_dict
from bulkrunner.adapters.reports.json_head import (
    head_as_dict,
    moments_as_list,
    run_as_dict,
    timeline_as_dict,
)
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.steps import InputLine
from bulkrunner.domain.visible import escaped

__all__ = ["change_as_dict", "json_chunks", "jsonl_chunks"]

LEFT_OUT = "left_out"
"""Stands for an action where a line of an input gives no change."""


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
