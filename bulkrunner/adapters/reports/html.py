"""The report as one HTML file that needs nothing else: no network, no script to be read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bulkrunner import __version__
from bulkrunner.adapters.reports.answers import approving_text, rejecting_text
from bulkrunner.adapters.reports.page import Page
from bulkrunner.adapters.reports.showing import as_text, shorten, visible
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.report import ReportData

_TEMPLATES = Path(__file__).parent / "templates"

SHOWN_PLACES = 12
"""Places of one change that are shown at once; further ones are folded away."""

MAX_PLACES = 60
"""Places of one change that are shown at all."""

_BUFFERED = 400


@dataclass(frozen=True, kw_only=True)
class Places:
    """The differences of one change, as much of them as the page shows."""

    first: Sequence[Difference]
    folded: Sequence[Difference]
    total: int

    @property
    def beyond(self) -> int:
        """Places that the page leaves to the JSON form."""
        return self.total - len(self.first) - len(self.folded)


def places(differences: Sequence[Difference]) -> Places:
    """Split differences into those shown at once, folded away, and left out."""
    shown = SHOWN_PLACES if len(differences) > SHOWN_PLACES + 2 else len(differences)
    return Places(
        first=differences[:shown],
        folded=differences[shown:MAX_PLACES],
        total=len(differences),
    )


def html_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the page; the changes are never held all at once."""
    style, script = _asset("style.css"), _asset("script.js")
    stream = (
        _environment(words)
        .get_template("report.html")
        .stream(
            data=data,
            page=Page(data, words),
            plan=data.plan,
            run=data.run,
            w=words,
            t=words.text,
            style=style,
            script=script,
            csp=_policy(style, script),
            version=__version__,
            approving=approving_text(data, words),
            rejecting=rejecting_text(data, words),
        )
    )
    stream.enable_buffering(_BUFFERED)
    for chunk in stream:
        yield chunk.encode()


def _policy(style: str, script: str) -> str:
    """Return a content security policy that allows our style and script and nothing else."""
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _environment(words: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )

    def shown(value: Any, limit: int = 300) -> str:
        text, cut = shorten(as_text(value), limit)
        return visible(text) + (words.text("cut", n=words.number(cut)) if cut else "")

    environment.filters["shown"] = shown
    environment.filters["n"] = words.number
    environment.filters["places"] = places
    return environment


def _finalized(value: Any) -> Any:
    """Make whatever a template prints visible; a safety net under ``shown``."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value)
    return value
