"""The server's JSON-LD validation of a document about to be written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents

_SKIPPED = frozenset({"_marcUncompleted", "_marcFailedFixedFields", "_categoryByCollection"})
_BAD_IRI = re.compile(r"[\s<>\"{}|\\^`\x00-\x20]|%(?![0-9A-Fa-f]{2})")
_DESCRIPTIONS = {
    "NESTED_GRAPH": "Nested graph object found",
    "INVALID_IRI": "Invalid IRI",
    "UNEXPECTED": "Unexpected value of key",
    "OBJECT_TYPE_EXPECTED": "Expected value type of key to be object",
    "VOCAB_STRING_EXPECTED": "Expected value type to be a vocab string",
    "MISSING_DEFINITION": "Unknown term. Missing definition",
    "UNKNOWN_VOCAB_VALUE": "Unknown vocab value",
}
_DESCRIBED = frozenset({"bib", "auth", "hold"})
_TERM_VALUES = frozenset({"auth", "hold"})

Path = tuple[str | int, ...]


@dataclass
class _Walk:
    collection: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    last_path: Path = ()

    def fault(self, kind: str, path: Path, key: str, value: Any) -> None:
        self.errors.append(
            {
                "type": kind,
                "description": _DESCRIPTIONS[kind],
                "path": list(path),
                "key": key,
                "value": value,
            }
        )


def validate(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors of the whole document, empty where it may be written."""
    walk = _Walk(collection=documents.collection(document))
    for key, value in document.items():
        if key == "@graph":
            _check(walk, value, ("@graph",))
        elif key != "@context":
            _member(walk, key, value, (key,))
    return walk.errors


def _check(walk: _Walk, value: Any, path: Path) -> None:
    if isinstance(value, list):
        for place, item in enumerate(value):
            _check(walk, item, (*path, place))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _member(walk, key, inner, (*path, key))


def _member(walk: _Walk, key: str, value: Any, path: Path) -> None:
    if key in _SKIPPED or vocabulary.is_skipped(key):
        return
    match key:
        case "@graph":
            walk.fault("NESTED_GRAPH", path, key, value)
            return
        case "@id":
            _check_id(walk, value, path)
        case "@type":
            _check_type(walk, value, path)
        case _ if not key.startswith("@"):
            _check_property(walk, key, value, path)
            if key.endswith("ByLang"):
                return
    _check(walk, value, path)


def _check_id(walk: _Walk, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        walk.fault("UNEXPECTED", walk.last_path, "@id", value)
        return
    walk.last_path = path
    if _BAD_IRI.search(value):
        walk.fault("INVALID_IRI", path, "@id", value)


def _check_type(walk: _Walk, value: Any, path: Path) -> None:
    if not isinstance(value, str):
        walk.fault("UNEXPECTED", walk.last_path, "@type", value)
        return
    walk.last_path = path
    if walk.collection in _TERM_VALUES and not vocabulary.is_term(value):
        walk.fault("UNKNOWN_VOCAB_VALUE", path, "@type", value)


def _check_property(walk: _Walk, key: str, value: Any, path: Path) -> None:
    walk.last_path = path
    if key.endswith("ByLang"):
        _check_by_lang(walk, key, value, path)
    if walk.collection not in _DESCRIBED:
        return
    if not vocabulary.is_term(key):
        walk.fault("MISSING_DEFINITION", path, key, "")
        return
    first = value[0] if isinstance(value, list) and value else value
    if vocabulary.is_vocab_typed(key):
        _check_vocab_value(walk, key, first, path)
    elif vocabulary.is_object_property(key) and isinstance(first, str | int | float | bool):
        walk.fault("OBJECT_TYPE_EXPECTED", path, key, value)


def _check_by_lang(walk: _Walk, key: str, value: Any, path: Path) -> None:
    if not isinstance(value, dict):
        walk.fault("OBJECT_TYPE_EXPECTED", path, key, value)
        return
    for language, entry in value.items():
        entries = entry if isinstance(entry, list) else [entry]
        if not all(isinstance(item, str) for item in entries):
            walk.fault("UNEXPECTED", (*path, language), language, entry)


def _check_vocab_value(walk: _Walk, key: str, value: Any, path: Path) -> None:
    if isinstance(value, dict):
        walk.fault("VOCAB_STRING_EXPECTED", path, key, value)
    known = isinstance(value, str) and vocabulary.is_term(value)
    if walk.collection in _TERM_VALUES and isinstance(value, dict | str) and not known:
        walk.fault("UNKNOWN_VOCAB_VALUE", path, key, value)
