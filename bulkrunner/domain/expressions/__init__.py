"""What a manifest may write for a value or a condition, days among them, and how a fault is told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from bulkrunner.domain.text import told_apart, visible
from bulkrunner.sentences import Sentence

FormPath: TypeAlias = tuple[str | int, ...]


class Pattern(Protocol):
    """A compiled regular expression; searching takes time linear in the text."""

    @property
    def text(self) -> str:
        """The expression as written."""

    @property
    def groups(self) -> int:
        """How many groups it captures."""

    def found_in(self, text: str, /) -> bool:
        """Return True if it matches anywhere in the text."""

    def replaced(self, text: str, template: Sequence[str | int], /) -> str | None:
        """Return the text, each match replaced (numbers: groups)."""
        # None where there are too many matches.


class PatternEngine(Protocol):
    """Compiles regular expressions."""

    def compile(self, text: str, /) -> Pattern:
        """Return the compiled expression; Fault: malformed, or too large."""


class InputLists(Protocol):
    """Input files that conditions and changes name."""

    def values(self, file: str, /) -> Sequence[str]:
        """Return the lines of a file, blank ones left out; Fault: it cannot be read."""

    def table(self, declared: Mapping[str, Any], /) -> Mapping[str, str]:
        """Return old and new values of a declared file."""
        # Fault: unreadable, or an old value twice.


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What is needed from outside to read conditions and changes."""

    engine: PatternEngine
    lists: InputLists


def proposal(given: str, near: str, prefix: str = "") -> Sentence:
    """Return a hint that names a word that is near, and in what it differs where nobody sees that."""
    mine, theirs = told_apart(given, near)
    word = f"{prefix}{visible(near)}"
    if not mine:
        return Sentence("did_you_mean", word=word)
    return Sentence("did_you_mean_not", word=word, theirs=theirs, mine=mine)


def nearest(given: str, known: Sequence[str]) -> str:
    """Return the probably meant word, whatever its capitals, or an empty text."""
    close = get_close_matches(given[:100].lower(), [word.lower() for word in known], n=1)
    return next((word for word in known if close and word.lower() == close[0]), "")


def meant(given: str, known: Sequence[str]) -> Sentence:
    """Return a hint that names the probably meant word, or all that are known."""
    near = nearest(given, known)
    return proposal(given, near) if near else Sentence("known_words", known=", ".join(known))


def brief(value: Any, limit: int = 60) -> str:
    """Return a text from a manifest for a message: on one line and short."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value)[: limit + 1])
    return f"`{text[:limit]}…`" if len(text) > limit else f"`{text}`"


ZONE = ZoneInfo("Europe/Stockholm")  # of days, and of times written without a zone

_YEAR = re.compile(r"[0-9]{4}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}([.,][0-9]{1,9})?(Z|[+-][0-9:]{4,6})?"
)
_FRACTION = re.compile(r"[.,]([0-9]{1,9})")
MAX_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of time, in UTC; ``end`` is the first moment after it."""

    start: datetime
    end: datetime

    def is_before(self, other: Span) -> bool:
        """Return True if it is over when the other begins."""
        return self.end <= other.start

    def is_after(self, other: Span) -> bool:
        """Return True if it begins when the other is over."""
        return self.start >= other.end


def parse_span(text: str) -> Span | None:
    """Read a year, month, day or moment (ISO 8601); None where the text is none."""
    # ``2026-11-02`` is the whole day in Sweden, ``2026`` the whole year.
    if len(text) > MAX_LENGTH:
        return None
    try:
        if _YEAR.fullmatch(text):
            first = date(int(text), 1, 1)
            return _days(first, date(first.year + 1, 1, 1))
        if _MONTH.fullmatch(text):
            first = date(int(text[:4]), int(text[5:]), 1)
            return _days(first, (first + timedelta(days=32)).replace(day=1))
        if _DAY.fullmatch(text):
            first = date.fromisoformat(text)
            return _days(first, first + timedelta(days=1))
        if _TIME.fullmatch(text):
            return _moment(text)
    except (ValueError, OverflowError):
        return None
    return None


def _days(first: date, after: date) -> Span:
    return Span(start=_midnight(first), end=_midnight(after))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def _moment(text: str) -> Span:
    micro = _FRACTION.search(text)
    whole = _FRACTION.sub("", text, count=1)
    found = datetime.fromisoformat(whole)
    if micro:
        found = found.replace(microsecond=int(micro[1][:6].ljust(6, "0")))
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZONE)
    start = found.astimezone(UTC)
    return Span(start=start, end=start + timedelta(microseconds=1))
