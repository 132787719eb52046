"""What explicit operations say of each other: ``after`` and ``new:N``."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.problems import PathKey, shown
from bulkrunner.domain.created import IN_ANSWER, PREFIX, created_number

Named = tuple[tuple[PathKey, ...], str]
"""A path in an operation, and the text there."""

_OTHER, _HOLDING, _BIB = range(3)
_WORDS = {_OTHER: "creates nothing", _HOLDING: "creates a holding", _BIB: "creates a bib"}

_TO_BIB: tuple[PathKey, ...] = ("repoint", "to")
_ON_BIB: tuple[tuple[PathKey, ...], ...] = (("of",), _TO_BIB)


class Referring:
    """Follows a list of operations; remembers one byte of each."""

    def __init__(self) -> None:
        self._kinds = bytearray()

    def faults(self, data: Any) -> Iterator[Told]:
        """Yield what is wrong with the references of the list's next operation.

        Args:
            data: the operation, also one that does not fit the schema.
        """
        data = data if isinstance(data, dict) else {}
        number = len(self._kinds) + 1
        for place, after in enumerate(_list(data.get("after"))):
            if isinstance(after, int) and after >= number:
                yield Told(
                    path=("after", place),
                    code="bad_reference",
                    message=f"after: operation {after} does not come before this one, "
                    f"which is number {number}",
                    hint="the operations of the list are numbered from 1",
                )
        for path, text in _named(data):
            yield from self._fault(path, text, number)
        self._kinds.append(_kind(data.get("create")))

    def _fault(self, path: tuple[PathKey, ...], text: str, number: int) -> Iterator[Told]:
        found = created_number(text)
        if path in (("update",), ("delete",)):
            message = f"{shown(text)} is a record that this list creates"
            hint = "say all about it in the operation that creates it"
        elif found is None:
            message = f"{shown(text)} is no record to be created"
            hint = "write new:3 for the record that operation 3 of the list creates"
        elif found >= number:
            message = f"{shown(text)}: operation {found} does not come before this one"
            hint = f"this is operation {number}"
        elif (kind := self._kinds[found - 1]) == _OTHER or (path in _ON_BIB and kind != _BIB):
            message = f"{shown(text)}: operation {found} {_WORDS[kind]}"
            wanted = "bib" if path in _ON_BIB else "record"
            hint = f"give the number of the operation that creates the {wanted}"
        else:
            return
        yield Told(path=path, code="bad_reference", message=message, hint=hint)


def in_answer(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation of a function's answer whose references stand for places in it."""
    moved: dict[str, Any] = copy.deepcopy(dict(data))
    for path, text in _named(data):
        number = created_number(text)
        if number is not None:
            *way, last = path
            node: Any = moved
            for key in way:
                node = node[key]
            node[last] = f"{PREFIX}{IN_ANSWER + number}" + ("#it" if text.endswith("#it") else "")
    if "after" in moved:
        moved["after"] = [IN_ANSWER + number for number in moved["after"]]
    return moved


def _kind(creates: Any) -> int:
    if creates == "bib":
        return _BIB
    return _HOLDING if creates == "holding" else _OTHER


def _named(data: Mapping[str, Any]) -> Iterator[Named]:
    """Yield every text that names a record to be created, or is meant to."""
    for key in ("of", "update", "delete"):
        if _is_meant(data.get(key)):
            yield (key,), data[key]
    repoint = data.get("repoint")
    if isinstance(repoint, dict) and _is_meant(repoint.get("to")):
        yield _TO_BIB, repoint["to"]
    for number, change in enumerate(_list(data.get("changes"))):
        for verb, arguments in change.items() if isinstance(change, dict) else ():
            yield from _set_id(arguments, ("changes", number, verb))
    yield from _ids(data, ())


def _set_id(arguments: Any, path: tuple[PathKey, ...]) -> Iterator[Named]:
    """Yield what a change puts into a place that is itself an ``@id``."""
    if isinstance(arguments, dict) and str(arguments.get("at")).endswith("@id"):
        for key in ("to", "value"):
            if _is_meant(arguments.get(key)):
                yield (*path, key), arguments[key]


def _ids(value: Any, path: tuple[PathKey, ...]) -> Iterator[Named]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "@id" and _is_meant(inner):
                yield (*path, key), inner
            else:
                yield from _ids(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _ids(inner, (*path, number))


def _is_meant(text: Any) -> bool:
    return isinstance(text, str) and text.startswith(PREFIX)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
