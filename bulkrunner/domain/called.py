"""What a function made of a record, as changes that are equal in every environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.changes.edits import put
from bulkrunner.domain.changes.kinds import Change, RemoveChange, SetChange
from bulkrunner.domain.comparing import same
from bulkrunner.domain.places import (
    ABSENT,
    RECORD_KEPT,
    RECORD_PATH,
    THING_KEPT,
    THING_PATH,
    Path,
    PlaceRefused,
    Refusal,
    path_text,
)
from bulkrunner.domain.records import Document, is_holding, record_part, thing_part
from bulkrunner.domain.stored_form import Storage, below_link, is_link, is_same_text, undone

_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f.\[\]\"'\\]+")
"""Keys that a place can be written with."""


@dataclass(frozen=True, kw_only=True)
class Edited:
    """A record as a function returned it.

    Attributes:
        document: to be written, with what is not the function's to change as it was.
        changes: the same as changes, place by place.
        declared: the paths that differ.
    """

    document: Document
    changes: tuple[Change, ...]
    declared: tuple[Path, ...]


def edited(before: Document, after: Document) -> Edited | Refusal:
    """Return what a function changed in a record, or why that cannot be.

    Args:
        before: as given to the function.
        after: as it returned it; anything may be in it but the two parts of the graph.
    """
    kept_thing = THING_KEPT if is_holding(before) else THING_KEPT - {"@type"}
    for name, part, kept in (
        ("@record.", record_part, RECORD_KEPT),
        ("", thing_part, kept_thing),
    ):
        old, new = part(before), part(after)
        for key in sorted(kept & {*old, *new}):
            if not same(old.get(key), new.get(key)):
                return Refusal(
                    code="forbidden_place",
                    message=f"the function changed {name}{key}, which is kept by the server "
                    "or by bulkrunner",
                    hint='to hang the holding on another bib return {"update": context.id, '
                    '"repoint": {"to": id}}'
                    if name + key == "itemOf"
                    else "let the function leave it as it is",
                )
    if len(after["@graph"]) != len(before["@graph"]) or set(after) - {"@context", "@graph"}:
        return Refusal(
            code="function_answer",
            message="the function returned something else than the record's two parts",
            hint="let it return the record that it was given, changed",
        )
    storage = Storage.of(before)
    try:
        found = list(_differences(record_part(before), record_part(after), RECORD_PATH, storage))
        found += _differences(thing_part(before), thing_part(after), THING_PATH, storage)
    except PlaceRefused as refused:
        return refused.refusal
    document = {key: value for key, value in before.items() if key != "@context"}
    for change, path in found:
        document = put(document, path, change.to if isinstance(change, SetChange) else ABSENT)
    return Edited(
        document=document,
        changes=tuple(change for change, _ in found),
        declared=tuple(path for _, path in found),
    )


def _differences(
    before: Any, after: Any, path: Path, storage: Storage
) -> Iterator[tuple[SetChange | RemoveChange, Path]]:
    """Yield the smallest changes that lead from one to the other, in a fixed order."""
    for key in sorted({*before, *after}):
        inner = (*path, key)
        if key not in after:
            yield RemoveChange(at=path_text(inner)), inner
        elif key not in before:
            formed = storage.form(after[key], inner)
            yield SetChange(at=path_text(inner), to=formed), inner
        else:
            yield from _of_value(before[key], after[key], inner, storage)


def _of_value(
    before: Any, after: Any, path: Path, storage: Storage
) -> Iterator[tuple[SetChange | RemoveChange, Path]]:
    if same(before, after) and _in_order(before, after):
        return
    if is_link(before, storage.bases) and isinstance(after, dict):
        more = [key for key in after if key not in before]
        if more and after.get("@id") == before.get("@id"):
            raise below_link((*path, more[0]), path, before)
    if isinstance(before, dict) and isinstance(after, dict) and _can_name({*before, *after}):
        yield from _differences(before, after, path, storage)
    elif isinstance(before, list) and isinstance(after, list) and _are_alike(before, after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _of_value(old, new, (*path, number), storage)
    else:
        formed = storage.form(after, path, before)
        if not (same(before, formed) and _in_order(before, formed)):
            yield SetChange(at=path_text(path), to=formed), path
        elif not is_same_text(after, before, ends=False):
            raise undone(path, after)


def _in_order(before: Any, after: Any) -> bool:
    return bool(before == after)


def _can_name(keys: set[str]) -> bool:
    return bool(keys) and all(_PLAIN.fullmatch(key) and not key.isdecimal() for key in keys)


def _are_alike(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(
        isinstance(one, dict) and isinstance(other, dict)
        for one, other in zip(before, after, strict=True)
    )
