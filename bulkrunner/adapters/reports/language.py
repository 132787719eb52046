"""The languages of the report: texts as data, numbers, times, and values as they are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from bulkrunner.domain.text import visible
from bulkrunner.sentences import VERBATIM, Sentence

__all__ = ["MAX_SHOWN", "as_text", "one_line", "shorten", "visible"]

# Characters of a value that are shown; the rest is counted.
MAX_SHOWN = 300


def as_text(value: Any) -> str:
    """Return a value of a record as text: strings as they are, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def shorten(text: str, limit: int = MAX_SHOWN) -> tuple[str, int]:
    """Return at most ``limit`` characters, and how many were cut."""
    if len(text) <= limit:
        return text, 0
    return text[:limit], len(text) - limit


def one_line(text: str, limit: int = MAX_SHOWN) -> str:
    """Return the text as one bounded, visible line, for a text that people copy."""
    # Spaces that hold a number together stay.
    kept, cut = shorten(re.sub(r"[^\S\u00a0]+", " ", text).strip(), limit)
    return visible(kept) + ("…" if cut else "")


def bounded(text: str, limit: int) -> str:
    """Return at most ``limit`` characters; a sentence whole, to be cut once it is worded."""
    return text if isinstance(text, Sentence) else text[:limit]


STOCKHOLM = ZoneInfo("Europe/Stockholm")

# Last steps of a place that say nothing to people: a shelf mark's label is the shelf mark.
SILENT = frozenset({"label", "value", "prefLabel"})

_UTC = re.compile(
    r"\b(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(?: UTC\b|Z\b|\+00:00)"
)


class Worded(NamedTuple):
    """A text and the language it turned out in."""

    text: str
    lang: str


class Language:
    """One language of the report."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name = name
        self._data = data
        self._properties = _properties("sv" if name == "sv" else "en")

    def text(self, key: str, **values: Any) -> str:
        """Return a text with its values filled in."""
        template: str = self._data["text"][key]
        return template.format(**values) if values else template

    def texts(self, beginning: str) -> dict[str, str]:
        """Return every text whose key begins so."""
        found: Mapping[str, str] = self._data["text"]
        return {key: text for key, text in found.items() if key.startswith(beginning)}

    def decimal(self, value: float) -> str:
        """Return a number with one decimal where it has any."""
        whole, _, tenth = f"{value:,.1f}".partition(".")
        whole = whole.replace(",", self._data["format"]["thousands"])
        return whole if tenth == "0" else f"{whole}{self._data['format']['decimal']}{tenth}"

    def span(self, seconds: float) -> str:
        """Return a span of time in the unit that suits it."""
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
            if seconds >= 2 * size or (unit != "day" and seconds >= size):
                return self.count(unit, round(seconds / size))
        return self.count("second", max(1, round(seconds)))

    def number(self, value: int) -> str:
        """Return a whole number with its thousands apart."""
        return f"{value:,}".replace(",", self._data["format"]["thousands"])

    def count(self, what: str, value: int) -> str:
        """Return a number with its noun, ``1 beståndspost`` or ``12 beståndsposter``."""
        one, many = self._data["plural"][what]
        return str(one if value == 1 else many).format(n=self.number(value))

    def percent(self, share: float) -> str:
        """Return a share in whole per cent, rounded down so that 100 means all."""
        return f"{int(share * 100 + 1e-9)}\u00a0%"

    def time(self, value: datetime | None) -> str:
        """Return a point in time by the Swedish clock."""
        if value is None:
            return self.text("none")
        return f"{value.astimezone(STOCKHOLM):{self._data['format']['time']}}"

    def instant(self, text: str) -> str:
        """Return a time that is given as ISO 8601 by the Swedish clock; anything else as it is."""
        try:
            return self.time(datetime.fromisoformat(text))
        except ValueError:
            return one_line(text, 60)

    def moment(self, value: datetime) -> str:
        """Return a point in time to the second, by the Swedish clock."""
        return f"{value.astimezone(STOCKHOLM):{self._data['format']['moment']}}"

    def hours(self, window: str) -> str:
        """Return hours of a day, given as ``20:00-06:00``, as times are written."""
        sign = self._data["format"]["hours"]
        return re.sub(r"\b(\d\d):(\d\d)\b", rf"\1{sign}\2", window).replace("-", "–")

    def day(self, value: Any) -> str:
        """Return a day; what is no day as it is written."""
        return f"{value:{self._data['format']['date']}}" if isinstance(value, date) else str(value)

    def listed(self, items: Sequence[str]) -> str:
        """Return ``a, b och c``."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self._data['format']['and']} {items[-1]}"

    def name_of(self, table: str, key: str) -> str:
        """Return the name of an action, outcome, gate … or the key where it has none."""
        return str(self._data[table].get(key, key))

    def explained(self, code: str) -> tuple[str, str]:
        """Return what a code means and what to do about it; empty texts where it is not known."""
        meaning, todo = self._data["code"].get(code, ("", ""))
        return meaning, todo

    def place(self, place: str) -> str:
        """Return a place in everyday words: ``hasComponent.0.shelfMark.label`` is komponent 1 › hyllkod.

        Steps that the table does not have stay as they are.
        """
        steps = place.split(".")
        if len(steps) > 1 and steps[-1] in SILENT and not steps[-2].startswith("@"):
            steps.pop()
        told: list[str] = []
        for step in steps:
            if step.isdecimal() and told:
                told[-1] += f" {int(step) + 1}"
            elif step == "@record":
                told.append(self.text("place_record"))
            else:
                told.append(self._properties.get(step, one_line(step, 60)))
        return " › ".join(told)

    def link(self, iri: str) -> str:
        """Return a link in short: a library's sigel, a term's name; any other text as it is."""
        for base in ("https://libris.kb.se/library/", "https://id.kb.se/"):
            if iri.startswith(base) and len(iri) > len(base):
                return unquote_plus(iri.removeprefix(base))
        return iri

    def value(self, text: str) -> str:
        """Return a value as it is shown: by KB's label where it has one, a link in short."""
        return self.labels.get(text) or self.link(text)

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of values by their codes, in the forms that they have in records."""
        return _labels("sv" if self.name == "sv" else "en")

    def reason(self, text: str) -> Worded:
        """Return a sentence in this language; a text that is none stays as it is.

        Times in a text are told by the Swedish clock, as all times of a report.
        """
        if isinstance(text, Sentence) and text.key != VERBATIM:
            return Worded(text.worded(self.name, STOCKHOLM, self._named), self.name)
        text = _UTC.sub(lambda found: self.instant(f"{found[1]}T{found[2]}+00:00"), text)
        return Worded(text, "en")

    def _named(self, place: str) -> str:
        """Return a place of a sentence in everyday words, where its property has any."""
        if place in self._data["place"]:
            return str(self._data["place"][place])
        known = place.removeprefix("@record.").split(".")[0] in self._properties
        return self.place(place) if known else place


@cache
def _properties(name: str) -> Mapping[str, str]:
    """Return the names of properties, as the catalogue's own editor shows them where it has any."""
    source = files("bulkrunner.adapters.reports").joinpath("texts", "properties.json")
    both = json.loads(source.read_text(encoding="utf-8"))
    return {key: names[name == "en"] for key, names in both.items()}


@cache
def _labels(name: str) -> Mapping[str, str]:
    source = files("bulkrunner.adapters.reports").joinpath("texts", "values.json")
    both = json.loads(source.read_text(encoding="utf-8"))["labels"]
    return {
        f"{beginning}{code}": names[name == "en"]
        for code, names in both.items()
        for beginning in ("marc:", "https://id.kb.se/marc/")
    }


LANGUAGES = ("sv", "en")


@cache
def language(name: str) -> Language:
    """Return a language of the report.

    Raises:
        FileNotFoundError: the report is not written in that language.
    """
    source = files("bulkrunner.adapters.reports").joinpath("texts", f"{name}.json")
    return Language(name, json.loads(source.read_text(encoding="utf-8")))
