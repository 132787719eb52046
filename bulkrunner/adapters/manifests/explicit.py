"""Explicit operations: what they must keep to beyond the schema, and as the domain has them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from bulkrunner.adapters.manifests.line_files import Selected, named
from bulkrunner.adapters.manifests.outside import Re2Engine
from bulkrunner.adapters.manifests.problems import (
    KeyPath,
    bad_place,
    nodes,
    path_text,
    shown,
    with_path,
)
from bulkrunner.domain.changes.change import Change, demand_kept_at
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.expressions import Outside
from bulkrunner.domain.expressions.expectations import parse_expected
from bulkrunner.domain.expressions.value_parsing import MARKS
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Create, Creates, Declared, Delete, Unreadable, Update
from bulkrunner.domain.operations import IN_ANSWER, PREFIX, created_number
from bulkrunner.domain.places import RECORD_PREFIX
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence


def operation_of(data: Mapping[str, Any], source: Source, iris: IriMap) -> Declared:
    """Return an explicit operation that fits the schema."""
    if data.get("create") == "bib":
        return Create(
            source=source,
            creates=Creates.BIB,
            sigel=data["sigel"],
            of=None,
            body=data["body"],
            record=data.get("record", {}),
            after=_after(data),
        )
    given = _target(data)
    if "create" in data and (number := created_number(given)) is not None:
        return create_on(data, f"{PREFIX}{number}", source)
    found = named(given, source, iris)
    ref = found.ref
    if ref is None:
        return unreadable(found)
    if "repoint" in data:
        return _repointing(data, ref, source, iris)
    if "update" in data:
        return update_of(data, ref, source)
    if "delete" in data:
        return Delete(source=source, target=ref, expect=_expect(data), after=_after(data))
    return create_on(data, ref, source)


def update_of(data: Mapping[str, Any], target: str, source: Source) -> Update:
    """Return the update of a record from changes, replace or resave."""
    return Update(
        source=source,
        target=target,
        changes=tuple(change_of(change) for change in data.get("changes", ())),
        replace=data.get("replace"),
        resave=data.get("resave", False),
        expect=_expect(data),
        after=_after(data),
    )


def _repointing(
    data: Mapping[str, Any], target: str, source: Source, iris: IriMap
) -> Update | Unreadable:
    to = str(data["repoint"]["to"])
    number = created_number(to)
    found = named(to, source, iris)
    bib = found.ref if number is None else f"{PREFIX}{number}"
    if bib is None:
        return unreadable(found)
    return replace(update_of(data, target, source), repoint=bib)


def _expect(data: Mapping[str, Any]) -> dict[str, Any]:
    return {place: expected_of(value) for place, value in data.get("expect", {}).items()}


class _NoLists:
    """No files: an explicit operation stands by itself."""

    def values(self, _file: str, /) -> NoReturn:
        """Refuse a list."""
        raise Fault(Sentence("explicit_names_file"), hint=Sentence("explicit_write_values_out"))

    def table(self, _declared: Mapping[str, Any], /) -> NoReturn:
        """Refuse a table."""
        raise Fault(Sentence("explicit_names_file"))


_ALONE = Outside(engine=Re2Engine(), lists=_NoLists())


def expected_of(data: Any) -> Any:
    """Return what an explicit operation expects of a place; Fault: malformed."""
    return parse_expected(data, _ALONE)


def create_on(data: Mapping[str, Any], bib: str, source: Source) -> Create:
    """Return the creation of a holding on a bib."""
    return Create(
        source=source,
        creates=Creates.HOLDING,
        sigel=data["sigel"],
        of=bib,
        body=data.get("body", {}),
        record=data.get("record", {}),
        after=_after(data),
    )


def _after(data: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(sorted({int(number) for number in data.get("after", ())}))


def change_of(data: Mapping[str, Any]) -> Change:
    """Return a change that fits the schema."""
    if "set" in data:
        return SetChange(at=data["set"]["at"], to=data["set"]["to"])
    if "remove" in data:
        return RemoveChange(at=data["remove"]["at"])
    return AppendChange(at=data["append"]["at"], value=data["append"]["value"])


def _target(data: Mapping[str, Any]) -> str:
    for key in ("update", "delete", "of"):
        if key in data:
            return str(data[key])
    raise ValueError("an operation that names no record")


def unreadable(found: Selected) -> Unreadable:
    """Return what becomes of a text that names no record."""
    fault = found.fault or Fault(Sentence("id_unknown", given=found.given), code="unreadable_id")
    return Unreadable(source=found.source, given=found.given, code=fault.code, message=fault.said)


# --- rules ---------------------------------------------------------------------------------------


def operation_faults(
    data: Mapping[str, Any], *, covers_bibs: bool, prefix: KeyPath = ()
) -> Iterator[Fault]:
    """Yield what is wrong with an explicit operation that fits the schema."""
    if data.get("create") == "bib" and not covers_bibs:
        yield Fault(
            Sentence("bibs_not_covered"),
            code="bibs_not_covered",
            hint=Sentence("bibs_not_covered_hint"),
            path=("create",),
        )
    yield from _place_faults(data, prefix)
    yield from _content_faults(data, prefix)
    yield from _expect_faults(data, prefix)
    for path, mark in _marks({key: data[key] for key in _VALUED if key in data}, ()):
        yield Fault(
            Sentence("reference_in_operation", mark=shown(mark), path=path_text((*prefix, *path))),
            code="unknown_key",
            hint=Sentence("reference_in_operation_hint"),
            path=path,
            key=mark,
        )


def _content_faults(data: Mapping[str, Any], prefix: KeyPath) -> Iterator[Fault]:
    """Yield every value that is to be written and of which the server would keep nothing."""
    for path, place, value in _written(data):
        try:
            demand_kept_at(place, value)
        except Fault as fault:
            yield with_path(fault.below(*path), prefix)


def _written(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str, Any]]:
    """Yield every value that an explicit operation writes: path, place, value."""
    for number, change in enumerate(data.get("changes", ())):
        for verb, key in (("set", "to"), ("append", "value")):
            if verb in change:
                yield ("changes", number, verb, key), change[verb]["at"], change[verb][key]
    whole = data.get("replace", {})
    for path, prefix, part in (
        (("body",), "", data.get("body", {})),
        (("record",), RECORD_PREFIX, data.get("record", {})),
        (("replace", "item"), "", whole.get("item", {})),
        (("replace", "record"), RECORD_PREFIX, whole.get("record", {})),
    ):
        for key, value in part.items():
            yield (*path, key), f"{prefix}{key}", value


def _expect_faults(data: Mapping[str, Any], prefix: KeyPath) -> Iterator[Fault]:
    """Yield what is wrong with the tests in ``expect``."""
    for place, value in data.get("expect", {}).items():
        try:
            expected_of(value)
        except Fault as fault:
            yield with_path(fault.below("expect", place), prefix)


_VALUED = ("changes", "replace", "body", "record", "expect")


def _marks(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Yield where a value has the mark of a reference."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in MARKS:
                yield path, key
            elif isinstance(item, (dict, list)):
                yield from _marks(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, (dict, list)):
                yield from _marks(item, (*path, number))


def _place_faults(data: Mapping[str, Any], prefix: KeyPath) -> Iterator[Fault]:
    """Yield every place in ``changes`` and ``expect`` that is none."""
    faults = [
        bad_place(arguments["at"], ("changes", number, kind, "at"), prefix)
        for number, change in enumerate(data.get("changes", ()))
        for kind, arguments in change.items()
    ]
    faults += [
        bad_place(place, ("expect", place), prefix, is_key=True) for place in data.get("expect", {})
    ]
    yield from filter(None, faults)


# A path in an operation, and the text there.
Named = tuple[KeyPath, str]

_OTHER, _HOLDING, _BIB = range(3)

_TO_BIB: KeyPath = ("repoint", "to")

_ON_BIB: tuple[KeyPath, ...] = (("of",), _TO_BIB)


class Referring:
    """Follows a list of operations; remembers one byte of each."""

    def __init__(self) -> None:
        self._kinds = bytearray()

    def faults(self, data: Any) -> Iterator[Fault]:
        """Yield what is wrong with the references of the list's next operation."""
        data = data if isinstance(data, dict) else {}
        number = len(self._kinds) + 1
        for place, after in enumerate(_list(data.get("after"))):
            if isinstance(after, int) and not isinstance(after, bool) and after >= number:
                yield Fault(
                    Sentence("after_later", after=after, number=number),
                    code="bad_reference",
                    hint=Sentence("operations_numbered"),
                    path=("after", place),
                )
        for path, text in _named(data):
            yield from self._fault(path, text, number)
        self._kinds.append(_kind(data.get("create")))

    def _fault(self, path: KeyPath, text: str, number: int) -> Iterator[Fault]:
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
    for path, value in nodes(data):
        if path[-1:] == ("@id",) and _is_meant(value):
            yield path, value


def _set_id(arguments: Any, path: KeyPath) -> Iterator[Named]:
    """Yield what a change puts into a place that is itself an ``@id``."""
    if isinstance(arguments, dict) and str(arguments.get("at")).endswith("@id"):
        for key in ("to", "value"):
            if _is_meant(arguments.get(key)):
                yield (*path, key), arguments[key]


def _is_meant(text: Any) -> bool:
    return isinstance(text, str) and text.startswith(PREFIX)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
