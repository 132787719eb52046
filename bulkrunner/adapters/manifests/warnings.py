"""What is probably a mistake though it may be meant so: words nobody knows, templates not filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from bulkrunner.adapters.manifests.problems import KeyPath, nodes, path_text, proposed, shown
from bulkrunner.adapters.manifests.tree import Tree
from bulkrunner.domain.expressions.references import Origin
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence
from bulkrunner.vocabulary import is_skipped, is_term, terms

TEXT = "FYLL I"

# Stands for a value, or a place, of the example in a template.
WORD = re.compile(r"FYLL_I_[A-ZÅÄÖ]+")

SIGEL = re.compile(r"SIGEL2?|https://libris\.kb\.se/library/SIGEL2?")

ID = re.compile(r"ID-[0-9]+")

HINT = Sentence("fill_in_change")

TEXTS: tuple[KeyPath, ...] = (("title",), ("purpose",))

SIGELS: tuple[KeyPath, ...] = (("on_behalf_of",), ("active_sigel",), ("sigels",))

STEP_SIGELS: tuple[KeyPath, ...] = (
    ("library",),
    ("holdings",),
    ("find", "heldBy.@id"),
    ("move", "to"),
    ("copy", "sigel"),
    ("split", "sigel"),
    ("create", "sigel"),
)

OPERATION_SIGELS: tuple[KeyPath, ...] = (("sigel",),)

OPERATION_IDS: tuple[KeyPath, ...] = (("update",), ("delete",), ("of",))


def unfilled_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield every place that still holds a word of a template, where no such word can be meant."""
    for path, text in _texts(data, TEXTS):
        if text.startswith(TEXT):
            yield _told(path, text.strip(), Sentence("fill_in_words"))
    for part in ("parameters", "operations", "steps"):
        yield from _words(data.get(part), (part,))
    yield from _left(data, (), SIGELS, SIGEL, Sentence("fill_in_sigel"))
    for path, step in _each(data, "steps"):
        yield from _left(step, path, STEP_SIGELS, SIGEL, Sentence("fill_in_sigel"))
    for path, operation in _each(data, "operations"):
        yield from _left(operation, path, OPERATION_SIGELS, SIGEL, Sentence("fill_in_sigel"))
        yield from _left(operation, path, OPERATION_IDS, ID, Sentence("fill_in_id"))


def unfilled_lines(source: str) -> Iterator[tuple[int, str]]:
    """Yield number and word of the lines of a function's module that still hold such a word."""
    for number, line in enumerate(source.splitlines(), start=1):
        if found := WORD.search(line):
            yield number, found[0]


def _words(value: Any, path: KeyPath) -> Iterator[Fault]:
    """Yield the words of an example at any depth: values, and places that are keys."""
    for at, one in nodes(value, path):
        if isinstance(one, str) and WORD.fullmatch(one):
            yield _told(at, one, HINT)
        for key in one if isinstance(one, dict) else ():
            if WORD.fullmatch(key):
                yield _told(at, key, HINT).but(key=key)


def _each(data: Mapping[str, Any], key: str) -> Iterator[tuple[KeyPath, Any]]:
    found = data.get(key)
    for number, one in enumerate(found if isinstance(found, list) else ()):
        yield (key, number), one


def _left(
    value: Any, prefix: KeyPath, paths: tuple[KeyPath, ...], word: re.Pattern[str], hint: str
) -> Iterator[Fault]:
    for path, text in _texts(value, paths):
        if word.fullmatch(text):
            yield _told((*prefix, *path), text, hint)


def _texts(value: Any, paths: tuple[KeyPath, ...]) -> Iterator[tuple[KeyPath, str]]:
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


def _told(path: KeyPath, text: str, hint: str) -> Fault:
    return Fault(
        Sentence("fill_in_at", path=path_text(path), text=shown(text, 80)),
        code="fill_in",
        hint=hint,
        path=path,
    )


# Keys whose value is a place, in changes.
_PLACES = ("at", "from", "each")

# Keys whose value maps places to what is asked of them.
_BY_PLACE = ("expect", "where", "when", "components")

# Keys whose value is content of records, or names of other things.
_CONTENT = frozenset({"find", "table", "match", "result", "body", "record", "value"})

# Keys whose value may be content of records.
_VALUES = frozenset({"to", "value", "body", "record", "match", "result", "matching"})

# Keys of content that nearly always lack their @.
_WITH_AT = frozenset({"type", "id"})

# Words that are meant more often than others that are as near.
_COMMON = (
    *("label", "shelfMark", "shelfLabel", "shelfControlNumber", "physicalLocation", "availability"),
    *("hasNote", "cataloguersNote", "hasComponent", "itemCondition", "inventoryLevel", "subject"),
    *("callNumberPrefix", "callNumberSuffix", "formerShelfLocation", "associatedMedia", "uri"),
    *("immediateAcquisition", "classification", "usageAndAccessPolicy", "hasTitle", "mainTitle"),
    *("publication", "year", "identifiedBy", "copyNumber", "created", "modified"),
)

_WORDS = frozenset({"all", "any", "not"})

_PREFIX = re.compile(
    r"@bib\.holdings(\[[^]]*\])?(\.(@record\.)?|$)|@(record|item|component|bib)\.(@record\.)?"
)

# What is named behind these is a column, a parameter or an id.
_NO_PROPERTIES = (Origin.ROW, Origin.PARAM, Origin.SELF_ID, Origin.BIB_ID)

_KEY = re.compile(r"[A-Za-z][\w:/-]*")

# Notes that are told; a manifest of a thousand places says the same again and again.
MOST = 50


def noticed(tree: Tree) -> list[Fault]:
    """Return what is worth a second look, with its place; none of it keeps the job from going on.

    Args:
        tree: a manifest that fits the schema.
    """
    found = []
    for told in _all(tree.data):
        found.append(told.at(tree.source(told.path, key=told.key)))
        if len(found) == MOST:
            break
    return found


def _all(data: Mapping[str, Any]) -> Iterator[Fault]:
    for number, one in enumerate(data.get("accept", ())):
        if one["code"] not in _codes():
            yield Fault(
                Sentence("accept_unknown_code", code=shown(one["code"])),
                code="unknown_code",
                hint=proposed(one["code"], _codes()),
                path=("accept", number, "code"),
            )
    seen: set[str] = set()
    for name in ("operations", "steps"):
        for told in _below(data.get(name), (name,)):
            if told.message not in seen:
                seen.add(told.message)
                yield told


def _below(value: Any, path: KeyPath) -> Iterator[Fault]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _below(item, (*path, number))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(key, item, path)


def _entry(key: str, item: Any, path: KeyPath) -> Iterator[Fault]:
    below = (*path, key)
    if key in _VALUES:
        yield from _content(item, below)
    if key in _PLACES and isinstance(item, str):
        yield from _place(item, below, None)
    elif key in _BY_PLACE:
        yield from _asked(item, below)
    elif key in ("take", "without") and isinstance(item, list):
        for number, place in enumerate(item):
            yield from _place(str(place), (*below, number), None)
    elif key not in _CONTENT:
        yield from _below(item, below)


def _content(value: Any, path: KeyPath) -> Iterator[Fault]:
    """Yield of content of records, at any depth."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _content(one, (*path, number))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in _WITH_AT and f"@{key}" not in value:
                yield Fault(
                    Sentence("property_lacks_at", name=key),
                    code="unknown_property",
                    hint=Sentence("property_lacks_at_hint", name=key),
                    path=path,
                    key=key,
                )
            yield from _content(inner, (*path, key))


def _asked(condition: Any, path: KeyPath) -> Iterator[Fault]:
    """Yield of a condition, or of what is expected."""
    if isinstance(condition, list):
        for number, one in enumerate(condition):
            yield from _asked(one, (*path, number))
    elif isinstance(condition, dict):
        for key, inner in condition.items():
            if key == "in_catalogue":
                continue
            if key in _WORDS:
                yield from _asked(inner, (*path, key))
            else:
                yield from _place(key, path, key)


def _place(place: str, path: KeyPath, key: str | None) -> Iterator[Fault]:
    if place.startswith(_NO_PROPERTIES):
        return
    for word in _PREFIX.sub("", place).split("."):
        if not _KEY.fullmatch(word) or WORD.fullmatch(word) or is_term(word) or is_skipped(word):
            continue
        yield Fault(
            Sentence("property_unknown", place=shown(place), word=shown(word)),
            code="unknown_property",
            hint=Sentence("keys_joined_by_dots")
            if "/" in word
            else proposed(word, _COMMON) or proposed(word, _properties()),
            path=path,
            key=key,
        )


@cache
def _properties() -> list[str]:
    """Return what can be a key: classes begin with a capital."""
    return sorted(term for term in terms() if not term.rpartition(":")[2][:1].isupper())


@cache
def _codes() -> frozenset[str]:
    """Every code that a report explains."""
    texts = files("bulkrunner.adapters.reports").joinpath("texts/en.json")
    return frozenset(json.loads(texts.read_text(encoding="utf-8"))["code"])
