"""A change as one row of cells, for the forms that are tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bulkrunner.adapters.reports.showing import as_text, shorten, visible
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.plan import Part
from bulkrunner.domain.report import ReportData, ReportedChange
from bulkrunner.domain.steps import InputLine

COLUMNS = (
    "plan",
    "run",
    "environment",
    "number",
    "action",
    "outcome",
    "record",
    "given",
    "source",
    "kind",
    "sigel",
    "bib",
    "title",
    "author",
    "year",
    "pattern",
    "code",
    "message",
    "differences",
    "cleanups",
    "notes",
    "result_record",
    "result_code",
    "result_message",
    "result_detail",
    "attempts",
    "status",
    "server_words",
    "error_id",
    "link",
    "library",
    "decided_at",
    "tried_in",
    "tried_outcome",
    "tried_link",
    "inputs",
)
"""Columns are added at the end only."""

MAX_CELL = 32_000
"""Characters of a cell; spreadsheets take 32,767."""

MAX_VALUE = 500
"""Characters of one value among the differences."""


def cell_text(value: Any, words: Language) -> str:
    """Return a cell's text, bounded and visible."""
    text, cut = shorten(visible(str(value)), MAX_CELL)
    return text + words.text("cut", n=words.number(cut)) if cut else text


def row_of(item: ReportedChange, data: ReportData) -> Sequence[Any]:
    """Return the cells of a change in the order of ``COLUMNS``; None where there is nothing."""
    change, bib, result, tried = item.change, item.change.bib, item.result, item.tried
    return (
        data.plan.id,
        data.run.id if data.run else None,
        data.plan.environment,
        change.number,
        change.action.value,
        result.outcome.value if result else None,
        change.record,
        change.given,
        str(change.source),
        change.kind,
        change.sigel,
        bib.id if bib else None,
        bib.title if bib else None,
        bib.author if bib else None,
        bib.year if bib else None,
        change.pattern,
        change.code,
        change.message,
        "\n".join(_difference(d) for d in item.differences),
        "\n".join(change.cleanups),
        "\n".join(f"{code}: {message}" for code, message in change.notes),
        result.record if result else None,
        result.code if result else None,
        result.message if result else None,
        as_text(dict(result.detail)) if result and result.detail else None,
        len(item.attempts) if result else None,
        item.status,
        item.words,
        item.error_id,
        item.link,
        change.library,
        result.decided_at if result else None,
        tried.twin.environment if tried else None,
        tried.twin.outcome if tried else None,
        tried.link if tried else None,
        "\n".join(_input(part) for part in change.parts) if len(change.parts) > 1 else None,
    )


def left_out_row(line: InputLine, data: ReportData) -> Sequence[Any]:
    """Return the cells of a line of an input that gives no change."""
    known = {
        "plan": data.plan.id,
        "run": data.run.id if data.run else None,
        "environment": data.plan.environment,
        "action": "left_out",
        "given": line.given,
        "source": str(line.source),
        "code": line.code,
        "message": line.message,
    }
    return [known.get(column) for column in COLUMNS]


def _input(part: Part) -> str:
    return f"{part.source} {part.given}: {part.code or part.action.value}"


def _difference(item: Difference) -> str:
    match item.kind:
        case "added":
            return f"{item.place}: + {_value(item.after)}"
        case "removed":
            return f"{item.place}: − {_value(item.before)}"
        case _:
            return f"{item.place}: {_value(item.before)} → {_value(item.after)}"


def _value(value: Any) -> str:
    text, cut = shorten(as_text(value), MAX_VALUE)
    return f"{text}… (+{cut})" if cut else text
