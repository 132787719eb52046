"""Patterns: what a change does, values left out, so that changes of a kind can be counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.changes.example import example_parts
from bulkrunner.domain.changes.kinds import (
    AppendChange,
    Change,
    ExampleChange,
    MoveValueChange,
    RemoveChange,
    RemoveItemsChange,
    ReplaceTextChange,
    ReplaceValueChange,
    RetypeChange,
    SetChange,
)
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.job import Create, Delete, Operation, Update
from bulkrunner.domain.values import written

MAX_LENGTH = 300

_VERBS = {"added": "add", "removed": "remove", "changed": "change"}


def pattern_of(what: Operation | Sequence[Difference], *, kind: str | None = None) -> str:
    """Return a line such as ``update holding: set shelfMark.label; remove inventoryLevel``.

    Args:
        what: an operation, or the differences that a change makes.
        kind: ``holding`` or ``bib``; None where nobody knows.
    """
    name = kind or "record"
    match what:
        case Update():
            head, parts = f"update {name}", _update_parts(what)
        case Delete():
            head, parts = f"delete {name}", []
        case Create():
            head, parts = f"create {what.creates.value}", _create_parts(what)
        case _:
            head = f"update {name}"
            parts = [f"{_VERBS[item.kind]} {item.place}" for item in what]
    separator = ", " if isinstance(what, Create) else "; "
    return _bounded(head, separator.join(_once(parts)))


def parts_of_update(op: Update) -> tuple[str, ...]:
    """Return what an update does, values left out, in parts."""
    return tuple(_update_parts(op))


def update_pattern(kind: str | None, parts: Iterable[str], *, earlier: str = "") -> str:
    """Return the pattern of an update made of parts.

    Args:
        kind: ``holding`` or ``bib``; None where nobody knows.
        parts: what it does, values left out.
        earlier: pattern of what precedes in the same change, an update or a create.
    """
    head, _, rest = earlier.partition(": ") if earlier else (f"update {kind or 'record'}", "", "")
    return _bounded(head, "; ".join(_once([*(rest.split("; ") if rest else ()), *parts])))


def _update_parts(op: Update) -> list[str]:
    if op.resave:
        return ["resave"]
    if op.repoint is not None:
        return ["repoint itemOf"]
    if op.replace is not None:
        return [f"replace {part}" for part in ("record", "item") if part in op.replace]
    return [_change_part(change) for change in op.changes]


def _change_part(change: Change) -> str:
    scope = change.scope
    where = ""
    if scope.each is not None:
        where = f" in each {scope.each}"
    elif scope.within is not None:
        where = f" in {scope.within.value}"
    return _verb_part(change) + where


def _verb_part(change: Change) -> str:
    match change:
        case SetChange(at=at):
            return f"set {at}"
        case RemoveChange(at=at):
            return f"remove {at}"
        case AppendChange(at=at):
            return f"append {at}"
        case RemoveItemsChange(at=at):
            return f"remove items of {at}"
        case ReplaceValueChange(at=at):
            return f"replace value of {at}"
        case ReplaceTextChange(at=at):
            return f"replace text of {at}"
        case MoveValueChange(origin=origin, to=to):
            return f"move {origin} to {to}"
        case RetypeChange(at=at, to=to):
            return f"retype {at} to {to}"
        case ExampleChange(match=match, result=result):
            return "; ".join(example_parts(written(match), written(result)))


def _create_parts(op: Create) -> list[str]:
    body, record = written(op.body), written(op.record)
    return [*sorted(body), *(f"@record.{key}" for key in sorted(record))]


def _once(parts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(parts))


def _bounded(head: str, rest: str) -> str:
    text = f"{head}: {rest}" if rest else head
    if len(text) <= MAX_LENGTH:
        return text
    # Two long patterns that differ only behind the cut stay two patterns.
    return f"{text[:MAX_LENGTH]}… {digest(text)[7:15]}"
