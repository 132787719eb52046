"""The report as one HTML page that needs nothing else: no network, no script to be read."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from bulkrunner import __version__
from bulkrunner.adapters.reports.language import (
    LANGUAGES,
    Language,
    as_text,
    language,
    one_line,
    shorten,
    visible,
)
from bulkrunner.adapters.reports.page_body import Consequences, Groups, What
from bulkrunner.adapters.reports.page_data import Blocks, tables_json
from bulkrunner.adapters.reports.page_head import Head, PagePart, Status
from bulkrunner.adapters.reports.page_run import Outcomes, Remark
from bulkrunner.adapters.reports.page_summary import Summary
from bulkrunner.adapters.reports.phrasing import Line, approving_text, lines_of, rejecting_text
from bulkrunner.domain.catalogue import Compared, compared, unshown
from bulkrunner.domain.plan import reads_said
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import ReportedChange
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Source
from bulkrunner.sentences import text_of

# Lines without a change that stand in the page; every one is in the tables and the JSON.
MAX_LINES = 200


# Lines of a function's source that stand in the page; the JSON has all.
MAX_SOURCE_LINES = 500


@dataclass(frozen=True, kw_only=True)
class OverLine:
    """A line of an input that gives no change."""

    place: str
    given: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PassedOver:
    """Such lines: the first of them, and how many more there are."""

    lines: Sequence[OverLine]
    more: int


@dataclass(frozen=True, kw_only=True)
class FunctionShown:
    """A function of the job folder.

    Attributes:
        held: how it was run. files: data files that it read.
        modules: name and lines of each file of its source, the first lines of all together.
        more: lines that are left out.
    """

    name: str
    held: str
    files: Sequence[str]
    modules: Sequence[tuple[str, Sequence[str]]]
    more: int


class Inputs(PagePart):
    """Sentences of the section about inputs."""

    def read_as(self, read: Mapping[str, Any]) -> str:
        """Return how a list or table was read: encoding, separators, sheet."""
        parts = [self._words.name_of("input_kind", str(read.get("kind")))]
        if encoding := read.get("encoding"):
            parts.append(str(encoding).upper())
        if sheet := read.get("sheet"):
            parts.append(self._words.text("inputs_sheet", name=one_line(str(sheet), 60)))
        parts += self._hidden(read)
        separators = [str(read[key]) for key in ("separator", "header_separator") if read.get(key)]
        for key, sign in zip(("inputs_separator", "inputs_header"), separators, strict=False):
            if key == "inputs_separator" or sign != separators[0]:
                name = self._words.name_of("separator", sign)
                parts.append(self._words.text(key, sign=name))
        return ", ".join(parts)

    def _hidden(self, read: Mapping[str, Any]) -> Iterator[str]:
        """Yield what whoever opens the file does not see, and where its header is."""
        if row := read.get("header_row"):
            yield self._words.text("inputs_header_row", n=row)
        if count := read.get("hidden_rows"):
            key = "inputs_hidden_skip" if read.get("hidden") == "skip" else "inputs_hidden_use"
            yield self._words.text(key, n=self._words.number(count))
        for key in ("hidden_columns", "hidden_sheets"):
            if names := read.get(key):
                told = self._words.listed([one_line(str(name), 60) for name in names[:10]])
                yield self._words.text(f"inputs_{key}", names=told)

    def functions(self) -> Iterator[FunctionShown]:
        """Yield the job's functions with their source."""
        found = self._data.plan.manifest.get("functions")
        for one in found if isinstance(found, list) else []:
            if isinstance(one, Mapping):
                yield self._function(one)

    def _function(self, function: Mapping[str, Any]) -> FunctionShown:
        modules: list[tuple[str, Sequence[str]]] = []
        left, more = MAX_SOURCE_LINES, 0
        for name, text in (function.get("source") or {}).items():
            lines = str(text).splitlines()
            shown = [_source_line(line) for line in lines[:left]]
            modules.append((one_line(f"{str(name).replace('.', '/')}.py", 120), shown))
            left -= len(shown)
            more += len(lines) - len(shown)
        held = one_line(str(function.get("confinement") or ""), 120)
        loose = held.startswith("time and memory only")
        return FunctionShown(
            name=one_line(str(function.get("name") or ""), 120),
            held=self._words.text("function_loose" if loose else "function_held", how=held),
            files=[one_line(str(name), 120) for name in function.get("files") or {}],
            modules=modules,
            more=more,
        )

    def read_how(self) -> str:
        """Return how many records came from a dump and how many were read one by one, if both."""
        said = reads_said(self._data.reads)
        return "" if said is None else self._words.reason(said).text

    def passed_over(self) -> PassedOver:
        """Return the first lines that give no change, each with its place and reason."""
        shown: list[OverLine] = []
        more = 0
        for line in self._data.left_out():
            if len(shown) == MAX_LINES:
                more += 1
            else:
                shown.append(self._line(line))
        return PassedOver(lines=shown, more=more)

    def _line(self, line: InputLine) -> OverLine:
        known = f"over_{line.code}" in self._words.texts("over_")
        reason = self._words.text(
            f"over_{line.code}" if known else "over_other", message=one_line(line.message, 200)
        )
        return OverLine(place=self.at(line.source), given=line.given, reason=reason)

    def at(self, source: Source) -> str:
        """Return where in the input something stands."""
        if not source.line:
            return one_line(source.file, 120)
        return self._words.text("at_line", file=one_line(source.file, 120), line=source.line)

    def left_out_of(self, read: Mapping[str, Any]) -> list[tuple[str, int]]:
        """Return code and count of a list's lines that give no change by themselves."""
        found = read.get("left_out")
        counts = found if isinstance(found, Mapping) else {}
        return [(str(code), count) for code, count in counts.items() if isinstance(count, int)]

    def selection_facts(self, chosen: Mapping[str, Any]) -> Iterator[str]:
        """Yield what a search or the holdings of a library were put together from."""
        note = chosen.get("note") or {}
        if refused := note.get("refused"):
            yield self._words.reason(text_of(str(refused.get("message", "")))).text
        if others := note.get("others"):
            yield self._words.text("inputs_others", n=self._words.number(others))
        for sigel, found in compared(chosen).items():
            yield from self._compared(one_line(sigel, 60), found)
        for sigel, facts in (note.get("libraries") or {}).items():
            yield self._words.text(
                "inputs_library",
                sigel=one_line(str(sigel), 60),
                started=self._words.instant(str(facts.get("dump_started", ""))),
                **{
                    key: self._words.number(int(facts.get(key, 0)))
                    for key in (
                        "dump_shown",
                        "since_created",
                        "since_deleted",
                        "index_total",
                        "index_only",
                        "dump_only",
                    )
                },
            )
            if missing := unshown(facts):
                yield self._words.text("inputs_unshown", n=self._words.number(missing))
            if facts.get("index_only") or facts.get("dump_only"):
                yield self._words.text("inputs_lag")

    def _compared(self, sigel: str, found: Compared) -> Iterator[str]:
        index = self._words.number(found.index)
        if found.listed is None:
            yield self._words.text("inputs_unchecked", sigel=sigel, index=index)
            return
        yield self._words.text(
            "inputs_compared",
            sigel=sigel,
            index=index,
            listed=self._words.number(found.listed),
            started=self._words.instant(found.started),
        )
        if found.created is None or found.deleted is None:
            yield self._words.text("inputs_uncounted")
        elif found.created or found.deleted:
            counts = {"created": found.created, "deleted": found.deleted}
            numbers = {key: self._words.number(count) for key, count in counts.items()}
            yield self._words.text("inputs_since", **numbers)
        if found.difference:
            yield self._words.text("inputs_differs")


def _source_line(line: str) -> str:
    """Return a line of source with its indentation, bounded, without signs that deceive."""
    wide = line.expandtabs(4)
    text = wide.lstrip(" ")
    return " " * min(len(wide) - len(text), 80) + one_line(text, 200)


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


_HERE = Path(__file__).parent

# Our own scripts; they make one.
SCRIPTS = ("base", "data", "detail", "list", "controls", "main")

# Tells the styles that scripts run, before anything is shown.
FIRST_SCRIPT = 'document.documentElement.dataset.script = "";'

# Lines of one change that are shown at once; further ones are folded away.
SHOWN_LINES = 8

# Lines of one change that stand in the page itself.
LINES_IN_PAGE = 60

MAX_SHOWN = 300

_BUFFERED = 20


@dataclass(frozen=True, kw_only=True)
class Side:
    """One language of the page; ``prefix`` goes before the ids of its sections."""

    w: Language
    page: Page
    prefix: str


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The differences of one change, as much of them as the page shows at once."""

    first: Sequence[Line]
    folded: Sequence[Line]
    total: int

    @property
    def beyond(self) -> int:
        """Lines that are left to the list and the JSON form."""
        return self.total - len(self.first) - len(self.folded)


def first_lines(item: ReportedChange) -> Lines:
    """Split a change's lines into those shown at once, folded away, and left out."""
    found, more = lines_of(item.differences, MAX_SHOWN)
    more += item.beyond
    shown = SHOWN_LINES if len(found) > SHOWN_LINES + 2 else len(found)
    return Lines(first=found[:shown], folded=found[shown:LINES_IN_PAGE], total=len(found) + more)


def html_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the page; the changes are never held all at once."""
    scripts = (_vendored(), _script())
    style = read_part("templates/style.css") + page_margins(
        [(data.run or data.plan).id, data.plan.plan_digest or ""], words
    )
    others = [language(name) for name in LANGUAGES if name != words.name]
    blocks = Blocks(data)
    stream = (
        templates()
        .get_template("report.html")
        .stream(
            data=data,
            plan=data.plan,
            run=data.run,
            main=words,
            sides=[
                Side(w=each, page=Page(data, each), prefix="" if each is words else f"{each.name}-")
                for each in (words, *others)
            ],
            total=sum(data.counts.values()),
            blocks=blocks,
            tables=lambda: tables_json(data, blocks),
            style=style,
            first_script=FIRST_SCRIPT,
            scripts=scripts,
            csp=page_policy(style, (FIRST_SCRIPT, *scripts)),
            version=__version__,
        )
    )
    stream.enable_buffering(_BUFFERED)
    for chunk in stream:
        yield chunk.encode()


def page_margins(about: Sequence[str], words: Language) -> str:
    """Return what stands at the foot of each page on paper: which report, and the page's number."""
    told = " · ".join(re.sub(r"[^\w:.-]", "", one)[:80] for one in about if one)
    page, of = words.text("page_number"), words.text("page_of")
    return (
        f'@page {{ @bottom-left {{ content: "{told}"; font-size: 7pt; }} '
        f'@bottom-right {{ content: "{page} " counter(page) " {of} " counter(pages); font-size: 7pt; }} }}\n'
    )


def page_policy(style: str, scripts: Sequence[str]) -> str:
    """Return a content security policy that allows our style and scripts and nothing else."""
    return (
        f"default-src 'none'; style-src {_source(style)}; "
        f"script-src {' '.join(_source(script) for script in scripts)}; "
        "base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def read_part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _vendored() -> str:
    return read_part("vendor/vendor.js")


def _script() -> str:
    """Return our scripts as one that leaves nothing in the page's global names."""
    return "(() => {\n" + "\n".join(read_part(f"script/{name}.js") for name in SCRIPTS) + "})();\n"


@pass_context
def _shown(context: Context, value: Any, limit: int = MAX_SHOWN) -> str:
    text, cut = shorten(as_text(value), limit)
    words: Language = context.get("w") or context["main"]
    return visible(text) + (words.text("cut", n=words.number(cut)) if cut else "")


@pass_context
def _number(context: Context, value: int) -> str:
    words: Language = context.get("w") or context["main"]
    return words.number(value)


@cache
def templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters["shown"] = _shown
    environment.filters["n"] = _number
    environment.filters["lines"] = first_lines
    return environment


def _finalized(value: Any) -> Any:
    """Make whatever a template prints visible; a safety net under ``shown``."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value)
    return value
