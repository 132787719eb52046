"""Differences as lines to read: one for each value, nodes taken apart, links told from texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from bulkrunner.adapters.reports.language import as_text, shorten, visible
from bulkrunner.domain.diff import Difference

MAX_LINES = 200
"""Lines of one change that are shown; the rest is in the JSON form."""

MAX_DEPTH = 12
TELLING = {
    name: rank
    for rank, name in enumerate(
        (
            "shelfMark", "shelfLabel", "shelfControlNumber", "physicalLocation", "hasNote",
            "cataloguersNote", "copyNumber", "identifiedBy", "availability",
        )
    )
}  # fmt: skip
"""What tells a library most of a holding that goes away: it is shown first."""

NAMED = ("https://libris.kb.se/library/", "https://id.kb.se/")
"""What a text begins with that names a library or a term."""


class Shown(NamedTuple):
    """A value fit to be shown: its text, how many characters were cut, and whether it is a link."""

    text: str
    cut: int = 0
    link: bool = False


class Line(NamedTuple):
    """A place and what stands there before and after; None where there is nothing."""

    place: str
    kind: str
    before: Shown | None
    after: Shown | None


def lines_of(differences: Sequence[Difference], limit: int) -> tuple[list[Line], int]:
    """Return the lines of a change, and how many more there are (at least).

    Args:
        differences: of one change.
        limit: characters of a value.
    """
    if all(item.kind == "removed" for item in differences):
        differences = sorted(differences, key=_telling)
    found = list(islice(_lines(differences, limit), MAX_LINES + 1))
    left = max(0, len(differences) - MAX_LINES)
    return found[:MAX_LINES], max(left, len(found) - MAX_LINES)


def _telling(item: Difference) -> int:
    ranks = (TELLING[step] for step in item.place.split(".") if step in TELLING)
    return next(ranks, len(TELLING))


def _lines(differences: Sequence[Difference], limit: int) -> Iterator[Line]:
    for item in differences:
        before = {} if item.kind == "added" else _values(item.place, item.before)
        after = {} if item.kind == "removed" else _values(item.place, item.after)
        for place in dict.fromkeys((*before, *after)):
            yield Line(
                place,
                item.kind,
                _shown(before[place], limit) if place in before else None,
                _shown(after[place], limit) if place in after else None,
            )


def _values(place: str, value: Any) -> dict[str, Any]:
    return dict(islice(_walk(place, value, 0), MAX_LINES + 1))


def _walk(place: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    match value:
        case {"@id": str(), **rest} if not rest:
            yield place, value
        case dict() if value and depth < MAX_DEPTH:
            for key, inner in value.items():
                if key != "@type" or len(value) == 1:
                    yield from _walk(f"{place}.{key}", inner, depth + 1)
        case [only] if depth < MAX_DEPTH:
            yield from _walk(place, only, depth + 1)
        case list() if value and depth < MAX_DEPTH:
            for index, inner in enumerate(value):
                yield from _walk(f"{place}.{index}", inner, depth + 1)
        case _:
            yield place, value


def _shown(value: Any, limit: int) -> Shown:
    node = isinstance(value, dict) and "@id" in value
    text, cut = shorten(as_text(value["@id"] if node else value), limit)
    return Shown(visible(text), cut, node or text.startswith(NAMED))


def changed_middle(before: str, after: str) -> tuple[int, int]:
    """Return how many characters two texts share at the beginning and at the end."""
    most = min(len(before), len(after))
    start = 0
    while start < most and before[start] == after[start]:
        start += 1
    end = 0
    while end < most - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return start, end
