"""The page's data: every change in compressed blocks, for its list, filter and search.

For each change a block holds what names it and the places that differ (of a deletion the item),
never the record. Words that depend on the language stand in tables behind the blocks.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.reports.language import (
    LANGUAGES,
    Language,
    bounded,
    language,
    one_line,
    shorten,
    visible,
)
from bulkrunner.adapters.reports.phrasing import Line, Shown, distinct_effects, lines_of
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import WRITING, Part
from bulkrunner.domain.report import ORDER, ReportData, record_link
from bulkrunner.domain.report_groups import ReportedChange
from bulkrunner.domain.rules import Counterpart
from bulkrunner.domain.run import Outcome, Result

# Changes in one block.
ROWS = 1000

MAX_VALUE = 2000

MAX_SHORT = 60

# Characters of a value that a search looks at.
MAX_SEARCHED = 300

# Characters of all values of a change that a search looks at.
MAX_HAY = 6000

# Different texts in a table; further ones stand in the rows themselves.
MAX_KNOWN = 20_000

# Characters of a message that are shown.
MAX_MESSAGE = 600

# Stands for the sigel of a bib, which has none; no sigel begins with a blank.
BIBS = " bib"

# What a row says by number, of which 0 is one.
NUMBERS = frozenset({"code", "message", "why"})

ACTIONS = tuple(action.value for action in ORDER)

# What the list shows; a refusal that the answer asked for is no refusal there.
OUTCOMES = (*(outcome.value for outcome in Outcome), EXCLUDED)


class Table:
    """Texts that rows name by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int | str:
        """Return the text's number, or the text itself where the table is full."""
        known = self._numbers.get(text)
        if known is None and len(self._numbers) < MAX_KNOWN:
            known = self._numbers[text] = len(self._numbers)
        return text if known is None else known

    def texts(self) -> list[str]:
        """Return every text, in the order of the numbers."""
        return list(self._numbers)

    def lists(self) -> list[Any]:
        """Return what the texts say, which are JSON."""
        return [json.loads(text) for text in self._numbers]


class Blocks:
    """Turns a stream of changes into blocks; afterwards the tables are complete."""

    def __init__(self, data: ReportData) -> None:
        self._data = data
        self.places = Table()
        self.codes = Table()
        self.cleanups = Table()
        self.messages = Table()
        self.sigels = Table()
        self.twins = Table()
        self.count = 0
        self.cut = 0
        """Changes of which a search does not look at everything."""

    def __iter__(self) -> Iterator[tuple[str, int, str]]:
        """Yield (``index`` or ``detail``, bytes when inflated, base64 of the deflated JSON)."""
        heads: list[Any] = []
        details: list[Any] = []
        for item in self._data.changes():
            lines, more = lines_of(item.differences, MAX_VALUE)
            more += item.beyond
            heads.append(self._head(item, lines, more))
            details.append(self._detail(item, lines, more))
            self.count += 1
            if len(heads) == ROWS:
                yield from _packed(heads, details)
                heads, details = [], []
        if heads:
            yield from _packed(heads, details)

    # --- what the list shows -----------------------------------------------------------------

    def _head(self, item: ReportedChange, lines: Sequence[Line], more: int) -> list[Any]:
        change, bib, result = item.change, item.change.bib, item.result
        told, cut = _words(lines)
        self.cut += bool(cut or more)
        return [
            change.number,
            ACTIONS.index(change.action.value),
            -1 if result is None else OUTCOMES.index(_outcome(result)),
            _short((result.record if result else None) or change.record, 60),
            self.sigels.number(BIBS if change.kind == "bib" else _short(change.sigel or "", 40)),
            _short(bib.title, 160) if bib else "",
            _short(bib.author, 80) if bib else "",
            _short(bib.year, 20) if bib else "",
            self._data.grouped.pattern_of(item),
            self.codes.number(change.code or (result.code if result else "")),
            *((*self._line(_in_short(lines[0])), len(lines) - 1 + more) if lines else ()),
            *((told,) if told else ()),
        ]

    def _line(self, line: Line) -> list[Any]:
        return [
            self.places.number(line.place),
            {"changed": 0, "added": 1, "removed": 2}[line.kind],
            _value(line.before),
            _value(line.after),
        ]

    # --- what a row shows when it is opened --------------------------------------------------

    def _detail(self, item: ReportedChange, lines: Sequence[Line], more: int) -> list[Any]:
        extra: dict[str, Any] = {
            key: value
            for key, value in self._extra(item)
            if value or (key in NUMBERS and value == 0)
        }
        if more:
            extra["more"] = more
        return [[self._line(line) for line in lines], *([extra] if extra else [])]

    def _extra(self, item: ReportedChange) -> Iterator[tuple[str, Any]]:
        change = item.change
        yield "nolink", int(item.link is None)
        yield "message", self._message(change.message)
        if change.given != change.record or change.action not in WRITING:
            yield "given", [_short(change.given, 120), _short(str(change.source), 120)]
        if len(change.parts) > 1:
            yield "inputs", [self._input(part) for part in change.parts[:20]]
        yield "after", list(change.prerequisites[:20])
        yield (
            "cleanups",
            [self.cleanups.number(bounded(text, 300)) for text in change.cleanups[:20]],
        )
        yield (
            "notes",
            [[self.codes.number(code), self._message(text)] for code, text in change.notes],
        )
        if change.bib and change.bib.id != change.record:
            yield "bib", _short(change.bib.id, 60)
        if item.tried is not None:
            yield "tried", self._tried(item.tried.counterpart, linked=item.tried.link is not None)
        if item.result is not None:
            yield from self._of_result(item, item.result)

    def _tried(self, twin: Counterpart, *, linked: bool) -> list[Any]:
        told = json.dumps([_short(twin.environment, 60), twin.run, twin.base_url if linked else ""])
        record = _short(twin.record or "", 60)
        return [self.twins.number(told), record, OUTCOMES.index(twin.outcome)]

    def _of_result(self, item: ReportedChange, result: Result) -> Iterator[tuple[str, Any]]:
        yield "code", self.codes.number(result.code) if result.code else ""
        yield "said", visible(item.words[:600])
        yield "status", item.status
        yield "error", visible(item.error_id[:60])
        yield "why", self._message(result.message)
        yield "remarks", [self._remark(key, value) for key, value in result.detail.items()]
        yield "attempts", len(item.attempts)
        yield "decided", result.decided_at.isoformat() if result.decided_at else ""

    def _input(self, part: Part) -> list[Any]:
        code = self.codes.number(part.code)
        return [_short(part.given, 120), _short(str(part.source), 120), code]

    def _message(self, text: str) -> int | str:
        """Return a sentence of the program, by its number behind the blocks; empty where none."""
        return self.messages.number(bounded(text, MAX_MESSAGE)) if text else ""

    def _remark(self, key: str, value: Any) -> list[Any]:
        inner = value.get(key, value) if isinstance(value, Mapping) else {}
        by, when = (inner.get(name) if isinstance(inner, Mapping) else None for name in _WHO)
        listed = [one_line(str(one), 120) for one in value[:20]] if isinstance(value, list) else []
        told = [_short(str(one or ""), 60) for one in (by, when)]
        return [self.codes.number(key), *told, listed]


_WHO = ("by", "when")


def _words(lines: Sequence[Line]) -> tuple[str, bool]:
    """Return what a search finds besides what the row shows, and whether something was cut."""
    found: dict[str, None] = {}
    for number, line in enumerate(lines):
        for shown in (line.before, line.after):
            if shown is not None and (number or len(shown.text) > MAX_SHORT):
                found[shown.text] = None
    text = "\n".join(one[:MAX_SEARCHED] for one in found if one)
    cut = len(text) > MAX_HAY or any(len(one) > MAX_SEARCHED for one in found)
    return text[:MAX_HAY], cut


def _in_short(line: Line) -> Line:
    before, after = (
        None if shown is None else shown._replace(text=shown.text[:MAX_SHORT], cut=shown.cut)
        for shown in (line.before, line.after)
    )
    return line._replace(before=before, after=after)


def _outcome(result: Result) -> str:
    asked = result.outcome is Outcome.REFUSED and result.code == EXCLUDED
    return EXCLUDED if asked else result.outcome.value


def _short(text: str, limit: int) -> str:
    return one_line(text, limit)


def _value(shown: Shown | None) -> Any:
    """Return null, a text, [text, cut] or [text, cut, 1] for a link."""
    if shown is None:
        return None
    if shown.link:
        return [shown.text, shown.cut, 1]
    return [shown.text, shown.cut] if shown.cut else shown.text


def _packed(heads: list[Any], details: list[Any]) -> Iterator[tuple[str, int, str]]:
    for name, rows in (("index", heads), ("detail", details)):
        text = as_json(rows).encode()
        yield name, len(text), base64.b64encode(_deflated(text)).decode()


def _deflated(data: bytes) -> bytes:
    """Return raw deflate, which every browser can inflate."""
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def as_json(value: Any) -> str:
    """Return JSON that can stand inside a page: no ``<``, no half character pairs."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# Texts of the static page that the script uses too; its own begin with ``ui_``.
SCRIPT_TEXTS = (
    "absent", "after", "also", "before", "by", "by_when", "changes_title", "content_created",
    "content_deleted", "cut", "error_id", "further_differences", "given_as", "no_bib",
    "no_differences", "place", "s_more", "server_said", "server_said_only", "sigel_bibs", "sigel_unknown", "table_sigel",
    "waits_for",
)  # fmt: skip

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
                [one_line(effect, 160) for effect in effects]
                for effects in zip(
                    *(distinct_effects(data.grouped.patterns, words) for words in both), strict=True
                )
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
                [one_line(words.reason(text).text, 400) for words in both]
                for text in blocks.cleanups.texts()
            ],
            "messages": [_worded(text, both) for text in blocks.messages.texts()],
            "twins": blocks.twins.lists(),
            "words": {words.name: _words_tables(words) for words in both},
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
    return [[visible(shorten(one.text, MAX_MESSAGE)[0]), one.lang] for one in found]


def _explained(code: str, both: list[Language]) -> list[Any]:
    return [words.explained(code) for words in both]


def _words_tables(words: Language) -> dict[str, Any]:
    texts = {name: words.text(name) for name in SCRIPT_TEXTS}
    return {
        "text": {**texts, **words.texts("ui_")},
        "action": {name: words.name_of("action", name) for name in ACTIONS},
        "outcome": {name: words.name_of("outcome", name) for name in OUTCOMES},
        "thousands": words.number(1000)[1:-3],
        "values": words.labels,
    }
