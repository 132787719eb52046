"""What operations of a job say of each other: new records by number, records by name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from bulkrunner.adapters.manifests.problems import PathKey, shown
from bulkrunner.domain.new_records import IN_ANSWER, PREFIX, created_number
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

Named = tuple[tuple[PathKey, ...], str]

"""A path in an operation, and the text there."""

_OTHER, _HOLDING, _BIB = range(3)

_TO_BIB: tuple[PathKey, ...] = ("repoint", "to")

_ON_BIB: tuple[tuple[PathKey, ...], ...] = (("of",), _TO_BIB)


class Referring:
    """Follows a list of operations; remembers one byte of each."""

    def __init__(self) -> None:
        self._kinds = bytearray()

    def faults(self, data: Any) -> Iterator[Fault]:
        """Yield what is wrong with the references of the list's next operation.

        Args:
            data: the operation, also one that does not fit the schema.
        """
        data = data if isinstance(data, dict) else {}
        number = len(self._kinds) + 1
        for place, after in enumerate(_list(data.get("after"))):
            if isinstance(after, int) and after >= number:
                yield Fault(
                    Sentence("after_later", after=after, number=number),
                    code="bad_reference",
                    hint=Sentence("operations_numbered"),
                    path=("after", place),
                )
        for path, text in _named(data):
            yield from self._fault(path, text, number)
        self._kinds.append(_kind(data.get("create")))

    def _fault(self, path: tuple[PathKey, ...], text: str, number: int) -> Iterator[Fault]:
        found = created_number(text)
        if path in (("update",), ("delete",)):
            message = Sentence("reference_created_here", text=shown(text))
            hint = Sentence("reference_created_here_hint")
        elif found is None:
            message = Sentence("reference_unknown", text=shown(text))
            hint = Sentence("reference_unknown_hint")
        elif found >= number:
            message = Sentence("operation_later", text=shown(text), found=found)
            hint = Sentence("this_is_operation", number=number)
        elif (kind := self._kinds[found - 1]) == _OTHER or (path in _ON_BIB and kind != _BIB):
            message = _created(kind, text, found)
            is_bib = path in _ON_BIB
            hint = Sentence("rules_number_of_bib" if is_bib else "rules_number_of_record")
        else:
            return
        yield Fault(message, code="bad_reference", hint=hint, path=path)


def _created(kind: int, text: str, number: int) -> Sentence:
    if kind == _BIB:
        return Sentence("rules_creates_bib", text=shown(text), number=number)
    if kind == _HOLDING:
        return Sentence("rules_creates_holding", text=shown(text), number=number)
    return Sentence("rules_creates_nothing", text=shown(text), number=number)


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
