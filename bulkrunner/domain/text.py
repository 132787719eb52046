"""What a reader sees of a text: hidden characters written out, and texts that look the same."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from bulkrunner.sentences import Sentence

_KEPT = frozenset("\n\t")
# Categories that reorder, hide or break the text around them.
_HIDDEN = frozenset({"Cf", "Cs", "Co", "Zl", "Zp"})

# Letters and signs that look like nothing at all.
_FILLERS = re.compile("[\u115f\u1160\u3164\uffa0\u2800]")


def visible(text: str) -> str:
    """Return the text with every control and direction character written out, as ``⟨U+202E⟩``."""
    if text.isprintable() and (text.isascii() or not _FILLERS.search(text)):
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _KEPT:
        return char
    category = unicodedata.category(char)
    if category == "Cc" or category in _HIDDEN or _FILLERS.match(char):
        return f"⟨U+{ord(char):04X}⟩"
    return char


def harmless(text: str) -> str:
    """Return the text with everything that does not print, or changes direction, escaped."""
    if isinstance(text, Sentence):
        values = {name: _harmless_value(value) for name, value in text.as_data().items()}
        return Sentence.from_data(values)
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode()
        for letter in text
    )


def _harmless_value(value: Any) -> Any:
    """Return a value of a sentence's data, its texts harmless."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, dict):
        return {name: _harmless_value(inner) for name, inner in value.items()}
    return [_harmless_value(inner) for inner in value] if isinstance(value, list) else value


_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\uf8ff\ufeff\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def escaped(text: str) -> str:
    """Return JSON text with such characters as escapes; it says the same."""
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


# Letters of other alphabets, and digits, that are drawn like Latin ones.
_LOOK_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυχıIiLl1|0",
    "ABESIJKMHOPCTYXaesijopcyxhdqwABEZHIKMNOPTYXaivopuxiiiiiiio",
)


def same_to_the_eye(name: str) -> str:
    """Return a key that names share where nobody could tell them apart for certain."""
    # Case, blanks, punctuation, hidden characters, the order of the words, how an accent is stored
    # and letters drawn alike make no difference. An accent itself does.
    plain = unicodedata.normalize("NFKC", name).translate(_LOOK_ALIKE).casefold()
    plain = unicodedata.normalize("NFKC", plain)
    kept = "".join(char if _is_of_a_word(char) else _left_of(char) for char in plain)
    return " ".join(sorted(kept.translate(_LOOK_ALIKE).split())) or plain.strip()


def _is_of_a_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" and not _FILLERS.match(char)


def _left_of(char: str) -> str:
    """Return what stays of a sign: nothing of a hidden one, else a blank."""
    return "" if unicodedata.category(char) in _HIDDEN or _FILLERS.match(char) else " "


_SIGNS = dict(zip("0I1|‐‑‒–—−’‘´`“”", "Olll------''''\"\"", strict=True))
# Only what is drawn alike in the same case.
_ALIKE = {code: letter for code, letter in _LOOK_ALIKE.items() if code > 127} | {
    ord(sign): other for sign, other in _SIGNS.items()
}

_MOST_TOLD = 3


def look_alike(one: str, other: str) -> bool:
    """Return True if two texts differ, and hardly anybody would see it."""
    return one != other and _skeleton(one) == _skeleton(other)


def _skeleton(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).translate(_ALIKE)
    seen = (
        letter
        for letter in plain
        if unicodedata.category(letter) not in _HIDDEN and not _FILLERS.match(letter)
    )
    return " ".join("".join(seen).split())


def told_apart(one: str, other: str) -> tuple[str, str]:
    """Return in what each of two texts that look alike differs."""
    # Both empty where they look different.
    if not look_alike(one, other):
        return "", ""
    pairs = [
        (one[a:b], other[c:d])
        for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    return _named([mine for mine, _ in pairs]), _named([theirs for _, theirs in pairs])


def value_apart(shown: str, apart: str) -> str:
    """Return a value with what tells it from one that looks alike; ``apart``: of ``told_apart``."""
    return Sentence("value_apart", shown=shown, apart=apart) if apart else shown


def _named(parts: Sequence[str]) -> Sentence:
    names = [
        " + ".join(f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".strip() for letter in part)
        or Sentence("no_letter")
        for part in parts
    ]
    more = ["…"] if names[_MOST_TOLD:] else []
    return Sentence("letters", names=[*names[:_MOST_TOLD], *more])


MAX_MESSAGE, MAX_VALUE = 1000, 200
"""Characters of a message, and of one value in it, where it may hold parts of records."""


def printable(text: str) -> str:
    """Return text that may hold parts of records on one line, bounded, without control characters.

    A sentence stays one: what it tells of is made so.
    """
    if isinstance(text, Sentence):
        for most in (MAX_MESSAGE, MAX_VALUE):
            told = {name: _printable(value, most) for name, value in text.values.items()}
            said = Sentence.from_data({"say": text.key, **told})
            if len(said) <= MAX_MESSAGE:
                return said
    return _on_one_line(text, MAX_MESSAGE)


def _printable(value: Any, most: int) -> Any:
    if isinstance(value, Sentence):
        told = {name: _printable(one, most) for name, one in value.values.items()}
        return {"say": value.key, **told}
    if isinstance(value, str):
        return _on_one_line(value, most)
    return [_printable(one, most) for one in value] if isinstance(value, Sequence) else value


def _on_one_line(text: str, most: int) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    return shown if len(text) <= most else shown[:most] + "…"


def shown_of(all_of: Sequence[Any], few: str, shown: int) -> str:
    """Return the first few of many as they are told, and how many more there are."""
    left = len(all_of) - shown
    return Sentence("and_more", shown=few, count=left) if left > 0 else few


def library_said(sigel: str | None) -> str:
    """Return the sigel of a library, or that there is none."""
    return sigel or Sentence("no_library")
