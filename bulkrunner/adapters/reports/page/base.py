"""What every part of the page's model works on."""

from __future__ import annotations

from bulkrunner.adapters.reports.showing import one_line
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import ReportData

LISTED = 20
"""Sigels, records or patterns named in a line or table before the rest is counted."""


class PagePart:
    """Sentences and tables of one report in one language."""

    def __init__(self, data: ReportData, words: Language) -> None:
        self._data = data
        self._words = words

    @property
    def kind_name(self) -> str:
        """What the environment is for, with its name."""
        kind = self._words.text("production" if self._data.production else "test")
        return f"{kind} ({one_line(self._data.plan.environment, 60)})"

    def _count(self, action: Action, kind: str) -> int:
        return self._data.grouped.kinds.get((action, kind), 0)

    @property
    def shared_inputs(self) -> bool:
        """Whether several steps read the same list or table."""
        files = [one.get("file") for one in self._data.inputs]
        return len(files) > len(set(files))

    def library(self, sigel: str) -> str:
        """Return a sigel with the library's name, where that is known."""
        name = self._data.libraries.get(sigel, "")
        return one_line(f"{sigel} ({name})" if name else sigel, 160)
