"""What a manifest must keep to beyond its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.operations import expected_of
from bulkrunner.adapters.manifests.problems import PathKey, meant, path_text, shown
from bulkrunner.domain.changes.reading import kept_value
from bulkrunner.domain.forms import FormError, proposal
from bulkrunner.domain.parameters import BadValue, declared
from bulkrunner.domain.places import RECORD_PREFIX, parse_place
from bulkrunner.domain.values import MARKS


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
