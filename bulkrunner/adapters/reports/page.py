"""What the HTML page works out from the report's data: sentences, the state at the top, tables."""

from __future__ import annotations

from bulkrunner.adapters.reports.answers import approving_text, rejecting_text
from bulkrunner.adapters.reports.language import Language
from bulkrunner.adapters.reports.page_body import Consequences, Groups, What
from bulkrunner.adapters.reports.page_head import Head, Status
from bulkrunner.adapters.reports.page_inputs import Inputs
from bulkrunner.adapters.reports.page_run import Outcomes, Remark
from bulkrunner.adapters.reports.page_summary import Summary
from bulkrunner.domain.report import ReportData

__all__ = ["Page", "Remark", "Status"]


class Page:
    """Sentences and tables of one report in one language, by the parts of the page."""

    def __init__(self, data: ReportData, words: Language) -> None:
        self._data, self._words = data, words
        self.summary = Summary(data, words)
        self.head = Head(data, words)
        self.what = What(data, words)
        self.inputs = Inputs(data, words)
        self.outcomes = Outcomes(data, words)
        self.groups = Groups(data, words)
        self.consequences = Consequences(data, words)

    @property
    def approving(self) -> str | None:
        """The text of a yes, None where there is nothing to say yes to."""
        return approving_text(self._data, self._words)

    @property
    def rejecting(self) -> str | None:
        """The text of a no, None where there is nothing to say no to."""
        return rejecting_text(self._data, self._words)

    def contents(self) -> list[tuple[str, str, bool]]:
        """Return (section, text, whether something there is to be looked at) of the page's parts."""
        data, marked = self._data, self.summary.marked()
        names = [
            ("summary", "nav_summary"),
            *([("outcomes", "nav_outcomes")] if data.run else []),
            ("what", "nav_what"),
            ("patterns", "nav_patterns"),
            ("left-out", "nav_left_out"),
            *([("tried", "nav_tried")] if data.evidence else []),
            ("consequences", "nav_effects"),
            ("changes", "nav_changes"),
            ("gates", "nav_gates"),
            ("who", "nav_who"),
            ("answer", "nav_answer"),
        ]
        return [(name, key, name in marked) for name, key in names]
