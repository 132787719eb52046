"""What a manifest may write for a value or a condition, and how a fault in it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias

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
