"""Analysed text: word matching with the few operators of the index's query strings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
_PART = re.compile(r'-?"[^"]*"|\S+')


def words(text: str) -> list[str]:
    """Return the words of a text as the analyser cuts and folds them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(folded)


def phrase(query: str) -> list[str]:
    """Return the words of a query that is one phrase in quotes, nothing where it is not."""
    quoted = len(query) > 2 and query[0] == query[-1] == '"' and '"' not in query[1:-1]
    return words(query) if quoted and "|" not in query else []


def matches(query: str, texts: Iterable[str]) -> bool:
    """Whether a query string matches a field's values: ``|`` is or, all words otherwise."""
    fields = [words(text) for text in texts]
    return any(_all_parts(branch, fields) for branch in query.split("|"))


def _all_parts(query: str, fields: list[list[str]]) -> bool:
    parts = _PART.findall(query.replace("(", " ").replace(")", " ").replace("+", " "))
    return bool(parts) and all(_part(part, fields) for part in parts)


def _part(part: str, fields: list[list[str]]) -> bool:
    if part.startswith("-") and len(part) > 1:
        return not _part(part[1:], fields)
    if part.endswith("*"):
        stem = words(part)
        return not stem or any(word.startswith(stem[-1]) for field in fields for word in field)
    wanted = words(part)
    if not wanted:
        return True
    if part.startswith('"'):
        return any(_has_phrase(field, wanted) for field in fields)
    return all(any(word in field for field in fields) for word in wanted)


def _has_phrase(field: list[str], wanted: list[str]) -> bool:
    size = len(wanted)
    return any(field[at : at + size] == wanted for at in range(len(field) - size + 1))
