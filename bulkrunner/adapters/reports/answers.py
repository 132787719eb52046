"""The texts that a reviewer sends back to approve or reject a plan."""

from __future__ import annotations

from bulkrunner.adapters.reports.showing import one_line, visible
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.report import ReportData


def approving_text(data: ReportData, words: Language) -> str | None:
    """Return the text of a yes, None where there is nothing to say yes to."""
    if not data.answerable:
        return None
    lines = [words.text("a_yes"), "", *_about(data, words)]
    if data.statements:
        lines += ["", words.text("a_statements"), *(f"  {visible(s)}" for s in data.statements)]
    return "\n".join([*lines, "", *_signature(words)])


def rejecting_text(data: ReportData, words: Language) -> str | None:
    """Return the text of a no, None where there is nothing to say no to."""
    if not data.answerable:
        return None
    lines = [words.text("a_no"), "", *_about(data, words), "", words.text("a_why")]
    return "\n".join([*lines, *_signature(words)])


def _about(data: ReportData, words: Language) -> list[str]:
    plan = data.plan
    counts = {name: words.number(data.counts.get(name, 0)) for name in _WRITES}
    return [
        words.text("a_plan", plan=plan.id),
        words.text("a_digest", digest=plan.plan_digest),
        words.text("a_job", job=one_line(plan.job), title=one_line(data.head_text("title"))),
        words.text(
            "a_environment",
            environment=one_line(plan.environment),
            url=one_line(plan.addresses.get("base_url", "")),
        ),
        words.text("a_counts", **counts),
        words.text("a_head", head=data.head),
    ]


_WRITES = ("delete", "update", "create")


def _signature(words: Language) -> list[str]:
    return [words.text("a_name"), words.text("a_reference")]
