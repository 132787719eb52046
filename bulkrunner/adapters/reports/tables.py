"""What the page's script needs besides the changes: tables behind the numbers, words, addresses."""

from __future__ import annotations

from typing import Any

from bulkrunner.adapters.reports.blocks import ACTIONS, BIBS, OUTCOMES, ROWS, Blocks, as_json
from bulkrunner.adapters.reports.effects import effect_line
from bulkrunner.adapters.reports.showing import one_line, visible
from bulkrunner.adapters.reports.wording import LANGUAGES, Language, language
from bulkrunner.domain.approval_terms import EXCLUDED
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.report import ReportData, record_link
from bulkrunner.domain.run import Outcome

SCRIPT_TEXTS = (
    "absent", "after", "also", "before", "by", "by_when", "changes_title", "content_created",
    "content_deleted", "cut", "error_id", "further_differences", "given_as", "no_bib",
    "no_differences", "place", "server_said", "server_said_only", "sigel_bibs", "sigel_unknown", "table_sigel",
    "waits_for",
)  # fmt: skip
"""Texts of the static page that the script uses too; its own begin with ``ui_``."""

_PROBE = "0" * 15


def tables_json(data: ReportData, blocks: Blocks) -> str:
    """Return everything as JSON that can stand in a page; complete once the blocks are written."""
    both = [language(name) for name in LANGUAGES]
    link = record_link(data.plan.addresses.get("base_url", ""), _PROBE)
    sigels = blocks.sigels.texts()
    return as_json(
        {
            "total": blocks.count,
            "rows": ROWS,
            "cut": blocks.cut,
            "run": data.run is not None,
            "base": link.removesuffix(f"/{_PROBE}") if link else "",
            "id": f"^(?:{SHORT_ID.pattern})$",
            "actions": ACTIONS,
            "outcomes": OUTCOMES,
            "used": {
                "actions": [n for n, name in enumerate(ACTIONS) if data.counts.get(name)],
                "outcomes": [n for n, name in enumerate(OUTCOMES) if _shown(data).get(name)],
            },
            "sigels": sigels,
            "bibs": BIBS,
            "libraries": {
                sigel: one_line(data.libraries[sigel], 120)
                for sigel in sigels
                if sigel in data.libraries
            },
            "patterns": [
                [one_line(effect_line(group, words), 160) for words in both]
                for group in data.grouped.patterns
            ],
            "reasons": [
                [ACTIONS.index(group.action.value), blocks.codes.number(group.code)]
                for group in data.grouped.reasons
            ],
            "joint": [int(group.joint is not None) for group in data.grouped.patterns],
            "places": [
                [one_line(place, 120), *(one_line(words.place(place), 200) for words in both)]
                for place in blocks.places.texts()
            ],
            "codes": [
                [one_line(code, 80), *_explained(code, both)] for code in blocks.codes.texts()
            ],
            "cleanups": [
                [one_line(words.cleanup(text).text, 400) for words in both]
                for text in blocks.cleanups.texts()
            ],
            "messages": [_worded(text, both) for text in blocks.messages.texts()],
            "twins": blocks.twins.lists(),
            "words": {words.name: _words(words) for words in both},
        }
    )


def _shown(data: ReportData) -> dict[str, int]:
    """Return outcomes as the list tells them."""
    counts = dict(data.outcomes or {})
    refused = counts.get(Outcome.REFUSED.value, 0) - data.excluded
    return {**counts, Outcome.REFUSED.value: refused, EXCLUDED: data.excluded}


def _worded(text: str, both: list[Language]) -> list[list[str]]:
    """Return a sentence of the program in each language, with the one that it turned out in."""
    found = [words.reason(text) for words in both]
    return [[visible(one.text), one.lang] for one in found]


def _explained(code: str, both: list[Language]) -> list[Any]:
    return [words.explained(code) for words in both]


def _words(words: Language) -> dict[str, Any]:
    texts = {name: words.text(name) for name in SCRIPT_TEXTS}
    return {
        "text": {**texts, **words.texts("ui_")},
        "action": {name: words.name_of("action", name) for name in ACTIONS},
        "outcome": {name: words.name_of("outcome", name) for name in OUTCOMES},
        "thousands": words.number(1000)[1:-3],
    }
