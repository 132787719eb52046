"""Finds what `bulkrunner new` left to be filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.problems import PathKey, path_text, shown

Path = tuple[PathKey, ...]

TEXT = "FYLL I"
WORD = re.compile(r"FYLL_I_[A-ZÅÄÖ]+")
"""Stands for a value, or a place, of the example in a template."""

SIGEL = re.compile(r"SIGEL2?|https://libris\.kb\.se/library/SIGEL2?")
ID = re.compile(r"ID-[0-9]+")

HINT = "the template's change is an example; write your own"

TEXTS: tuple[Path, ...] = (("title",), ("purpose",))
SIGELS: tuple[Path, ...] = (("on_behalf_of",), ("active_sigel",), ("sigels",))
STEP_SIGELS: tuple[Path, ...] = (
    ("library",),
    ("holdings",),
    ("find", "heldBy.@id"),
    ("move", "to"),
    ("copy", "sigel"),
    ("split", "sigel"),
    ("create", "sigel"),
)
OPERATION_SIGELS: tuple[Path, ...] = (("sigel",),)
OPERATION_IDS: tuple[Path, ...] = (("update",), ("delete",), ("of",))


def unfilled_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    """Yield every place that still holds a word of a template, where no such word can be meant.

    Args:
        data: a manifest, whether or not it fits the schema.
    """
    for path, text in _texts(data, TEXTS):
        if text.startswith(TEXT):
            yield _told(path, text.strip(), "write it in your own words")
    for part in ("parameters", "operations", "steps"):
        yield from _words(data.get(part), (part,))
    yield from _left(data, (), SIGELS, SIGEL, "write the library's sigel")
    for path, step in _each(data, "steps"):
        yield from _left(step, path, STEP_SIGELS, SIGEL, "write the library's sigel")
    for path, operation in _each(data, "operations"):
        yield from _left(operation, path, OPERATION_SIGELS, SIGEL, "write the library's sigel")
        yield from _left(operation, path, OPERATION_IDS, ID, "write the record's id")


def unfilled_lines(source: str) -> Iterator[tuple[int, str]]:
    """Yield number and word of the lines of a function's module that still hold such a word."""
    for number, line in enumerate(source.splitlines(), start=1):
        if found := WORD.search(line):
            yield number, found[0]


def _words(value: Any, path: Path) -> Iterator[Told]:
    """Yield the words of an example at any depth: values, and places that are keys."""
    if isinstance(value, str) and WORD.fullmatch(value):
        yield _told(path, value, HINT)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _words(one, (*path, number))
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(key, str) and WORD.fullmatch(key):
                yield replace(_told(path, key, HINT), key=key)
            yield from _words(one, (*path, key))


def _each(data: Mapping[str, Any], key: str) -> Iterator[tuple[Path, Any]]:
    found = data.get(key)
    for number, one in enumerate(found if isinstance(found, list) else ()):
        yield (key, number), one


def _left(
    value: Any, prefix: Path, paths: tuple[Path, ...], word: re.Pattern[str], hint: str
) -> Iterator[Told]:
    for path, text in _texts(value, paths):
        if word.fullmatch(text):
            yield _told((*prefix, *path), text, hint)


def _texts(value: Any, paths: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Yield the texts at the paths; of a list each of its texts."""
    for path in paths:
        found = value
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, str):
            yield path, found
        for number, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, str):
                yield (*path, number), one


def _told(path: Path, text: str, hint: str) -> Told:
    return Told(
        path=path,
        code="fill_in",
        message=f"{path_text(path)}: {shown(text, 80)} is to be filled in",
        hint=hint,
    )
