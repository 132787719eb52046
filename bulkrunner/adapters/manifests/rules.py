"""What a manifest must keep to beyond its schema."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from bulkrunner.adapters.manifests.explicit import expected_of
from bulkrunner.adapters.manifests.faults import PathKey, harmless, meant, path_text, shown
from bulkrunner.adapters.manifests.schema import Told
from bulkrunner.domain.changes.change import kept_value
from bulkrunner.domain.dates import parse_span
from bulkrunner.domain.expressions.parsing import FormError, proposal
from bulkrunner.domain.expressions.references import Origin
from bulkrunner.domain.expressions.value_parsing import MARKS, parse_value
from bulkrunner.domain.expressions.values import parse_call, references_of
from bulkrunner.domain.identifiers import identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import BadValue, declared
from bulkrunner.domain.new_records import IN_ANSWER, PREFIX, created_number
from bulkrunner.domain.places import RECORD_PREFIX, PlaceError, parse_place
from bulkrunner.domain.queries import Name, libraries_named, parse_name, unindexed
from bulkrunner.domain.refusals import Refusal


def head_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    """Yield what the keys of a manifest's head demand of each other."""
    sigels = data.get("sigels")
    owner = data.get("on_behalf_of")
    if isinstance(sigels, list) and isinstance(owner, str) and owner and owner not in sigels:
        yield Told(
            path=("on_behalf_of",),
            code="sigel_not_in_job",
            message=f"on_behalf_of: {shown(owner)} is not among `sigels`",
            hint=_sigel_hint(owner, sigels),
        )
    agreement = data.get("agreement")
    agreed_on = agreement.get("agreed_on") if isinstance(agreement, dict) else None
    if isinstance(agreed_on, str) and not _is_date(agreed_on):
        yield Told(
            path=("agreement", "agreed_on"),
            code="wrong_value",
            message=f"agreement.agreed_on: {shown(agreed_on)} is no day of the calendar",
        )

    yield from _undo_faults(data)
    yield from _parameter_faults(data)


def _sigel_hint(owner: str, sigels: Sequence[Any]) -> str:
    clean = [one for one in sigels if isinstance(one, str) and one == one.strip()]
    near = meant(owner.strip(), clean)
    return proposal(owner, near) if near else "name every library of the job in `sigels`"


def _parameter_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    parameters = data.get("parameters")
    for name, one in parameters.items() if isinstance(parameters, dict) else ():
        try:
            declared(name, one)
        except BadValue as error:
            yield Told(
                path=("parameters", name),
                code="wrong_value",
                message=f"parameters.{name[:60]}: the default is of another kind: it {error}",
            )
        except ValueError:
            continue  # an unknown type is the schema's to tell


def _undo_faults(data: Mapping[str, Any]) -> Iterator[Told]:
    steps = data.get("steps")
    steps = steps if isinstance(steps, list) else []
    undoing = any(isinstance(step, dict) and "undo" in step for step in steps)
    if undoing and (len(steps) > 1 or "operations" in data):
        yield Told(
            path=("steps",),
            code="undo_alone",
            message="an undo is the only step of its job",
            hint="put the other operations and steps into a job of their own",
        )


def _is_date(text: str) -> bool:
    # Another form than YYYY-MM-DD is the schema's to tell.
    if len(text) != len("2026-11-02"):
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def operation_faults(
    data: Mapping[str, Any], *, covers_bibs: bool, prefix: tuple[PathKey, ...] = ()
) -> Iterator[Told]:
    """Yield what is wrong with an explicit operation that fits the schema."""
    if data.get("create") == "bib" and not covers_bibs:
        yield Told(
            path=("create",),
            code="bibs_not_covered",
            message="a bib is created, but the agreement does not cover bibs",
            hint="agree it with KB, then write agreement.covers: [holdings, bibs]",
        )
    yield from change_faults(data, prefix=prefix)
    yield from _content_faults(data, prefix)
    yield from _expect_faults(data, prefix)
    for path, mark in _marks({key: data[key] for key in _VALUED if key in data}, ()):
        yield Told(
            path=path,
            key=mark,
            code="unknown_key",
            message=f"unknown key {shown(mark)} in {path_text((*prefix, *path))}",
            hint="an explicit operation holds plain values; references stand in steps",
        )


def _content_faults(data: Mapping[str, Any], prefix: tuple[PathKey, ...]) -> Iterator[Told]:
    """Yield every value that is to be written and of which the server would keep nothing."""
    for path, place, value in _written(data):
        try:
            kept_value(place, value)
        except FormError as error:
            yield Told(
                path=path,
                code=error.code,
                message=f"{path_text((*prefix, *path))}: {error.message}",
                hint=error.hint,
            )


def _written(data: Mapping[str, Any]) -> Iterator[tuple[tuple[PathKey, ...], str, Any]]:
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


def _expect_faults(data: Mapping[str, Any], prefix: tuple[PathKey, ...]) -> Iterator[Told]:
    """Yield what is wrong with the tests in ``expect``."""
    for place, value in data.get("expect", {}).items():
        try:
            expected_of(value)
        except FormError as error:
            found = error.below("expect", place)
            where = path_text((*prefix, *found.path, *((found.key,) if found.key else ())))
            yield Told(
                path=found.path,
                key=found.key,
                code=found.code,
                message=f"{where}: {found.message}",
                hint=found.hint,
            )


_VALUED = ("changes", "replace", "body", "record", "expect")


def _marks(value: Any, path: tuple[PathKey, ...]) -> Iterator[tuple[tuple[PathKey, ...], str]]:
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


def change_faults(data: Mapping[str, Any], *, prefix: tuple[PathKey, ...] = ()) -> Iterator[Told]:
    """Yield every place in ``changes`` and ``expect`` that is none."""
    for path, place in _places(data):
        if reason := _place_fault(place):
            # In ``expect`` the place is the key, not its value.
            key = place if path[0] == "expect" else None
            yield Told(
                path=path[:-1] if key is not None else path,
                key=key,
                code="bad_place",
                message=f"{path_text((*prefix, *path))}: {shown(place)} is no place: {reason}",
            )


def _places(data: Mapping[str, Any]) -> Iterator[tuple[tuple[PathKey, ...], str]]:
    for number, change in enumerate(data.get("changes", ())):
        for kind, arguments in change.items():
            yield ("changes", number, kind, "at"), arguments["at"]
    for place in data.get("expect", {}):
        yield ("expect", place), place


@lru_cache(maxsize=4096)
def _place_fault(place: str) -> str:
    try:
        parse_place(place)
    except ValueError as error:
        return str(error)
    return ""


def selection_faults(step: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Told]:
    """Yield what is wrong with a step's selection.

    Args:
        step: that fits the schema.
        data: the whole manifest.
    """
    yield from _clean_faults(step)
    yield from _library_faults(step, data.get("sigels"))
    if "find" in step:
        yield from _find_faults(step["find"], data.get("parameters"))
        yield from _index_faults(step["find"], data.get("sigels"), of_bibs="holdings" in step)


def _clean_faults(step: Mapping[str, Any]) -> Iterator[Told]:
    for name, texts in step.get("rows", {}).get("clean", {}).items():
        for number, text in enumerate(texts):
            try:
                parse_call(text)
            except FormError as error:
                yield Told(
                    path=("rows", "clean", name, number),
                    code="bad_function",
                    message=f"rows.clean.{shown(name)}: {error}",
                    hint=error.hint,
                )


def _library_faults(step: Mapping[str, Any], sigels: Any) -> Iterator[Told]:
    known: Sequence[Any] = sigels if isinstance(sigels, list) else ()
    for key in ("library", "holdings"):
        named = step.get(key, ())
        one = key == "library" and isinstance(named, str)
        for number, sigel in enumerate(
            [named] if one else named if isinstance(named, list) else ()
        ):
            if known and sigel not in known:
                yield Told(
                    path=(key,) if one else (key, number),
                    code="sigel_not_in_job",
                    message=f"{key}: {shown(sigel)} is not among `sigels`",
                    hint="a job selects holdings of its own libraries only",
                )


def _find_faults(find: Mapping[str, Any], parameters: Any) -> Iterator[Told]:
    known = list(parameters) if isinstance(parameters, dict) else []
    try:
        references = list(references_of(parse_value(dict(find))))
    except FormError as error:
        yield Told(
            path=("find", *error.path),
            key=error.key,
            code="bad_value",
            message=f"find: {error.message}",
            hint=error.hint,
        )
        return
    for found in references:
        name = found.text.partition(".")[2]
        if found.origin is not Origin.PARAM:
            yield Told(
                path=("find",),
                code="bad_value",
                message=f"find: {shown(found.text)} is not known before the search is made",
                hint="a search refers to parameters only: @param.name",
            )
        elif name not in known:
            near = meant(name, known)
            yield Told(
                path=("find",),
                code="unknown_parameter",
                message=f"find: there is no parameter {shown(name)}",
                hint=proposal(name, near, "@param.") if near else "declare it in `parameters`",
            )


def _index_faults(find: Mapping[str, Any], sigels: Any, *, of_bibs: bool) -> Iterator[Told]:
    """Yield each condition that the index cannot answer: it selects wrongly, without a word."""
    named = libraries_named(find) or tuple(one for one in sigels or () if isinstance(one, str))
    library = named[0] if len(named) == 1 else f"[{', '.join(named)}]"
    bibs = "" if of_bibs or "@type" in find else '; if bibs are meant, say so: `"@type": Instance`'
    for name, lacking in unindexed(find, of_bibs=of_bibs).items():
        yield Told(
            path=("find",),
            key=name,
            code="not_indexed",
            message=f"find: {shown(name)}: {_LACKING.get(lacking, _ABSENT).format(shown(lacking))}",
            hint=f"select the holdings by `library: {harmless(library)[:200]}` and test each "
            f"record: {_where(parse_name(name), find[name])}{bibs}",
        )


_ABSENT = "holdings cannot be searched by {}: the search index does not hold it"

_LACKING = {
    "shelfMark": _ABSENT + ", but for the link of a shelf mark that is a sequence (shelfMark.@id)",
    "q": "holdings cannot be searched by any text: the search index holds little of them",
}

_IN_WHERE = "put the condition into `where`"


def _where(name: Name, value: Any) -> str:
    """Return the condition of a record that says the same as one of a query, as far as it can."""
    values = value if isinstance(value, list) else [value]
    field = name.field.rpartition("@reverse.itemOf.")[2]
    simple = field != "q" and "hasComponent" not in field and not name.either
    if not simple or any(isinstance(one, dict) for one in values):
        return _IN_WHERE
    match name.relation:
        case "exists":
            test: Any = {"exists": str(values[-1]).lower() != "false"}
        case "" | "not" if len(values) > 1:
            test = {"in": values}
        case "" | "not" if isinstance(values[0], str) and values[0].endswith("*"):
            test = {"starts_with": values[0].removesuffix("*")}
        case "" | "not":
            test = {"equals": values[0]}
        case _:
            return _IN_WHERE
    condition = {field: test}
    if name.relation == "not":
        condition = {"not": condition}
    return f"`where: {harmless(json.dumps(condition, ensure_ascii=False))[:200]}`"


SIGELS = (("move", "to"), ("copy", "sigel"), ("split", "sigel"), ("merge", "into", "holding_of"))

MOMENTS = (("revert", "before"), ("revert", "since"))

PLACES = (("merge", "take"), ("copy", "without"))

RECORDS = (("repoint", "to"), ("copy", "of"), ("split", "of"), ("merge", "into"))


def transfer_faults(step: Mapping[str, Any], sigels: Any, iris: IriMap) -> Iterator[Told]:
    """Yield what is wrong with constants that name a library, a record or a place.

    Args:
        step: that fits the schema.
        sigels: the manifest's.
        iris: known environments.
    """
    known: Sequence[Any] = sigels if isinstance(sigels, list) else ()
    for path, sigel in _constants(step, SIGELS):
        if known and sigel not in known:
            yield Told(
                path=path,
                code="sigel_not_in_job",
                message=f"{path_text(path)}: {shown(sigel)} is not among `sigels`",
                hint="a job writes holdings of its own libraries only",
            )
    for path, text in _constants(step, RECORDS):
        found = identify(text, iris)
        if isinstance(found, Refusal):
            yield Told(
                path=path,
                code=found.code,
                message=f"{path_text(path)}: {found.message}",
                hint=found.hint,
            )
    yield from _moment_faults(step)
    for verb, key in PLACES:
        for number, place in enumerate(step.get(verb, {}).get(key, ())):
            try:
                parse_place(place)
            except PlaceError as error:
                at = (verb, key, number)
                yield Told(
                    path=at,
                    code="bad_place",
                    message=f"{path_text(at)}: {shown(place)} is no place: {error}",
                )


def _moment_faults(step: Mapping[str, Any]) -> Iterator[Told]:
    for path, text in _constants(step, MOMENTS):
        if parse_span(text) is None:
            yield Told(
                path=path,
                code="wrong_value",
                message=f"{path_text(path)}: {shown(text)} is no date",
                hint="write 2026, 2026-11, 2026-11-02 or 2026-11-02T09:00:00+01:00",
            )
    if "since" in step.get("revert", {}) and "before_edit_by" not in step["revert"]:
        yield Told(
            path=("revert",),
            key="since",
            code="unknown_key",
            message="revert.since stands beside before_edit_by only",
        )


def _constants(
    step: Mapping[str, Any], paths: Sequence[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for path in paths:
        text: Any = step
        for key in path:
            text = text.get(key) if isinstance(text, dict) else None
        if isinstance(text, str):
            yield path, text


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
