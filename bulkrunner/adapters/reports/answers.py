"""The texts that a reviewer sends back to approve or reject a plan."""

from __future__ import annotations

from bulkrunner.adapters.reports.language import Language
from bulkrunner.domain.answer_text import Answer, answer_text
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import ReportData


def approving_text(data: ReportData, words: Language) -> str | None:
    """Return the form of a yes, None where there is nothing to say yes to."""
    return _form(data, words, approved=True)


def rejecting_text(data: ReportData, words: Language) -> str | None:
    """Return the form of a no, None where there is nothing to say no to."""
    return _form(data, words, approved=False)


def _form(data: ReportData, words: Language, *, approved: bool) -> str | None:
    if not data.answerable or data.plan.plan_digest is None:
        return None
    answer = Answer(
        approved=approved,
        plan=data.plan.id,
        digest=data.plan.plan_digest,
        head=data.head,
        statements=data.statements,
        language=words.name,
        bibs=data.grouped.kinds.get((Action.DELETE, "bib"), 0),
    )
    return answer_text(data.plan, answer)
