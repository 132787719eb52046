"""The report as one HTML file that needs nothing else: no network, no script to be read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
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
    shorten,
    visible,
)
from bulkrunner.adapters.reports.page import Page
from bulkrunner.adapters.reports.page_data import Blocks, tables_json
from bulkrunner.adapters.reports.phrasing import Line, lines_of
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import ReportedChange

_HERE = Path(__file__).parent

# Our own scripts; they make one.
SCRIPTS = ("base", "data", "detail", "list", "controls", "main")

# Tells the styles that scripts run, before anything is shown.
FIRST_SCRIPT = 'document.documentElement.dataset.script = "";'

# Lines of one change that are shown at once; further ones are folded away.
SHOWN_LINES = 8

# Lines of one change that stand in the page itself.
MAX_LINES = 60

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
    return Lines(first=found[:shown], folded=found[shown:MAX_LINES], total=len(found) + more)


def html_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the page; the changes are never held all at once."""
    scripts = (_vendored(), _script())
    style = _read("templates/style.css")
    others = [language(name) for name in LANGUAGES if name != words.name]
    blocks = Blocks(data)
    stream = (
        _environment()
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
            csp=_policy(style, (FIRST_SCRIPT, *scripts)),
            version=__version__,
        )
    )
    stream.enable_buffering(_BUFFERED)
    for chunk in stream:
        yield chunk.encode()


def _policy(style: str, scripts: Sequence[str]) -> str:
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
def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _vendored() -> str:
    return _read("vendor/vendor.js")


def _script() -> str:
    """Return our scripts as one that leaves nothing in the page's global names."""
    return "(() => {\n" + "\n".join(_read(f"script/{name}.js") for name in SCRIPTS) + "})();\n"


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
def _environment() -> Environment:
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
