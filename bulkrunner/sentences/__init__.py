"""What is said to people: a key and its values, worded in one catalogue per language.

A sentence is made where something is known and worded where it is shown, in the reader's language:
on the terminal, in a report, in a mail. The ledger keeps the key and the values.

In a catalogue (``en.json``, ``sv.json``: key → template) the form of a value stands behind a colon:

=================  =============================================================================
``{name}``         as it is; another sentence in the same language
``{n:n}``          a whole number, its thousands apart
``{n:one|# many}`` the first text for 1, the second otherwise; ``#`` is the number
``{items:list}``   ``a, b and c``; ``{items:or}``: ``a, b or c``; ``{items:,}``: ``a, b, c``;
                   ``{items:;}``: ``a; b; c``, in Swedish only a space after a full stop;
                   ``{items:lines}``: each on a line of its own
``{at:place}``     a place in a record: in documents as it is, in a report in everyday words;
                   ``{at:places}``: several, apart by commas
``{text:.300}``    no more than so many characters; ``{text:<12}`` no fewer
``{at:time}``      a moment (ISO 8601) to the minute, by the reader's clock; ``{at:day}`` its day
``{text:hours}``   hours of a day, such as ``20:00-06:00``
=================  =============================================================================
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Self, TypeAlias

LANGUAGES = ("en", "sv")

# Returns a place in a record as it is shown.
Places: TypeAlias = Callable[[str], str]

# Key of a text that is nobody's sentence: a server's words, a name.
VERBATIM = "verbatim"

Value: TypeAlias = "str | int | float | Sentence | Sequence[Value] | None"


class Sentence(str):
    """Something said, which is its English text and can be worded in any other language.

    Whatever is put together from it by hand is plain text again, in English only.

    Args:
        key: of the catalogues; written out where the sentence is made, so that a test can compare.
        values: by the names in the template. Moments are given as ISO 8601.

    Raises:
        KeyError: the catalogues have no such key, or the template asks for another value.
    """

    __slots__ = ("key", "values")

    key: str
    values: Mapping[str, Value]

    def __new__(cls, key: str, /, **values: Value | datetime | date) -> Self:
        """Word it in English."""
        plain = MappingProxyType({name: _plain(value) for name, value in values.items()})
        made = super().__new__(cls, _worded(key, plain, _Wording("en", UTC, str)))
        made.key, made.values = key, plain
        return made

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.values.items())
        return f"Sentence({self.key!r}{values})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence.from_data, (self.as_data(),)

    def worded(self, language: str, clock: tzinfo = UTC, place: Places = str) -> str:
        """Return the sentence in a language, its moments by a clock, its places in such words."""
        return _worded(self.key, self.values, _Wording(language, clock, place))

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, for the ledger and for documents."""
        return {"say": self.key, **{name: _data(value) for name, value in self.values.items()}}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Sentence:
        """Return the sentence that ``as_data`` gave."""
        values = {name: _value(value) for name, value in data.items() if name != "say"}
        return cls(data["say"], **values)


def verbatim(text: str) -> Sentence:
    """Return a text that reads the same in every language."""
    return Sentence(VERBATIM, text=text)


def as_sentence(text: str) -> Sentence:
    """Return a text as a sentence; one that is none yet reads the same in every language."""
    return text if isinstance(text, Sentence) else verbatim(text)


# How the stored form of a sentence begins.
_SENTENCE = '{"say":'


def stored_text(text: str) -> str:
    """Return what the ledger keeps of a text: of a sentence its key and values, else the text."""
    if not isinstance(text, Sentence):
        if not text.startswith(_SENTENCE):
            return text
        text = verbatim(text)
    return json.dumps(text.as_data(), ensure_ascii=False, separators=(",", ":"))


def text_of(stored: str) -> str:
    """Return the text whose stored form is given.

    Raises:
        ValueError: it is the form of a sentence that the catalogues do not have.
    """
    if not stored.startswith(_SENTENCE):
        return stored
    try:
        return Sentence.from_data(json.loads(stored))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no sentence: {error}") from error


def says(text: str, key: str) -> bool:
    """Return True if a text is the sentence of a key."""
    return isinstance(text, Sentence) and text.key == key


def joined(texts: Sequence[str]) -> Sentence:
    """Return several texts as one sentence, apart by semicolons; empty ones are left out."""
    parts = tuple(as_sentence(text) for text in texts if text)
    if len(parts) == 1:
        return parts[0]
    if all(part.key == VERBATIM for part in parts):
        return verbatim("; ".join(parts))
    return Sentence("joined", parts=parts)


def _worded(key: str, values: Mapping[str, Value], wording: _Wording) -> str:
    if key == VERBATIM:
        return str(values["text"])
    return wording.vformat(catalogue(wording.language)[key], (), values)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return every template of a language by its key."""
    source = files("bulkrunner.sentences").joinpath(f"{language}.json")
    return MappingProxyType(json.loads(source.read_text(encoding="utf-8")))


_FORMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "thousands": ",",
        "time": "%Y-%m-%d %H:%M",
        "hours": r"\1:\2-\3:\4",
        "list": "and",
        "or": "or",
        "stopped": "; ",
    },
    "sv": {
        "thousands": "\u00a0",
        "time": "%Y-%m-%d kl. %H.%M",
        "hours": r"\1.\2–\3.\4",
        "list": "och",
        "or": "eller",
        "stopped": " ",
    },
}

_HOURS = re.compile(r"\b(\d\d):(\d\d)-(\d\d):(\d\d)\b")


class _Wording(string.Formatter):
    """Puts values into a template, in one language."""

    def __init__(self, language: str, clock: tzinfo, place: Places) -> None:
        self.language, self._clock, self._place = language, clock, place
        self._forms = _FORMS[language]

    def format_field(self, value: Any, format_spec: str) -> str:
        match format_spec:
            case "":
                return self._told(value)
            case "n":
                return self._number(value)
            case "list" | "or" | "," | ";" | "lines" | "places":
                return self._several(value, format_spec)
            case "place":
                return self._place(self._told(value))
            case "time":
                return self._time(value)
            case "day":
                return str(value)[:10]
            case "hours":
                return _HOURS.sub(self._forms["hours"], self._told(value))
        if format_spec.startswith((".", "<")):
            return format(self._told(value), format_spec)
        one, several = format_spec.split("|")
        return (one if value == 1 else several).replace("#", self._number(value))

    def _several(self, items: Sequence[Value], form: str) -> str:
        told = [self._told(item) for item in items]
        match form:
            case "list" | "or":
                return self._listed(told, self._forms[form])
            case ",":
                return ", ".join(told)
            case "places":
                return ", ".join(map(self._place, told))
            case "lines":
                return "\n".join(told)
        return self._in_a_row(items)

    def _told(self, value: Any) -> str:
        if isinstance(value, Sentence):
            return _worded(value.key, value.values, self)
        return str(value)

    def _time(self, written: str) -> str:
        try:
            moment = datetime.fromisoformat(written)
        except (TypeError, ValueError):
            return str(written)
        if moment.tzinfo is None:
            return written
        text = f"{moment.astimezone(self._clock):{self._forms['time']}}"
        return f"{text} UTC" if self._clock is UTC else text

    def _number(self, value: Any) -> str:
        if not isinstance(value, int):
            return self._told(value)
        return f"{value:,}".replace(",", self._forms["thousands"])

    def _in_a_row(self, items: Sequence[Value]) -> str:
        told = ""
        for number, item in enumerate(items):
            before = items[number - 1] if number else ""
            stopped = isinstance(before, Sentence) and told.endswith((".", "?", "!"))
            told += (self._forms["stopped"] if stopped else "; ") if number else ""
            told += self._told(item)
        return told

    @staticmethod
    def _listed(items: list[str], word: str) -> str:
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {word} {items[-1]}"


def _plain(value: Value | datetime | date) -> Value:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return tuple(value) if isinstance(value, list) else value


def _data(value: Value) -> Any:
    if isinstance(value, Sentence):
        return value.as_data()
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [_data(item) for item in value]


def _value(data: Any) -> Any:
    if isinstance(data, Mapping):
        return Sentence.from_data(data)
    return tuple(_value(item) for item in data) if isinstance(data, list) else data
