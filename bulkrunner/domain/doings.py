"""What a change is a part of: a move, a copy, a merge, a split, another bib. Read off its operation.

Such steps are planned as changes to single records that wait for each other; to people they are
one thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from bulkrunner.domain.plan import WRITING, Action, PlannedChange

Verb: TypeAlias = Literal[
    "move", "merge", "split", "repoint", "copy", "revert", "resave", "replace"
]
Side: TypeAlias = Literal["leaves", "saves", "both"]

VERBS: tuple[Verb, ...] = get_args(Verb)

JOINT = frozenset({"move", "merge", "split", "repoint", "copy"})
"""Verbs whose changes are told together, by libraries instead of by content."""

_MARKS: dict[str, tuple[Verb, Side]] = {
    "moved_to": ("move", "leaves"),
    "from": ("move", "saves"),
    "merged_into": ("merge", "leaves"),
    "merge": ("merge", "saves"),
    "split": ("split", "leaves"),
    "split_from": ("split", "saves"),
    "repoint": ("repoint", "both"),
    "copy_of": ("copy", "saves"),
    "revert": ("revert", "both"),
    "resave": ("resave", "both"),
    "replace": ("replace", "both"),
}
_TO_OTHERS = frozenset({"move", "copy"})


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What a change belongs to.

    Attributes:
        side: ``leaves``: the record that content is taken from; ``saves``: the one that takes it.
        to: sigel that a holding goes to, where the verb names one library.
        other: the other record, by the neutral name it has in the operation; empty where none.
        mixed: other operations are carried out on the same record, too.
    """

    verb: Verb
    side: Side
    to: str = ""
    other: str = ""
    mixed: bool = False


def doing_of(change: PlannedChange) -> Doing | None:
    """Return what a change belongs to, None where it is only itself."""
    if change.action not in WRITING or change.pattern.startswith("undo "):
        return None
    operations = list(_operations(change.operation))
    for operation in operations:
        for mark, (verb, side) in _MARKS.items():
            if mark not in operation:
                continue
            mixed = len(operations) > 1 and change.action is not Action.DELETE
            return Doing(
                verb=verb,
                side=side,
                to=_library(operation, change) if verb in _TO_OTHERS else "",
                other=_text(operation[mark]) if mark not in ("moved_to", "split") else "",
                mixed=mixed or "changed" in operation,
            )
    return None


def _operations(operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    steps = operation.get("steps")
    for one in steps if isinstance(steps, list) else [operation]:
        if isinstance(one, Mapping):
            yield one


def _library(operation: Mapping[str, Any], change: PlannedChange) -> str:
    moved = operation.get("moved_to")
    return moved.strip() if isinstance(moved, str) else change.sigel or ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def is_joint(doing: Doing | None) -> bool:
    """Tell whether a change is told together with those it belongs to.

    An update that does something else as well is told by what it does.
    """
    return doing is not None and doing.verb in JOINT


def told_by_places(doing: Doing | None, action: Action) -> bool:
    """Tell whether a change is told by the places it touches."""
    if not is_joint(doing):
        return True
    return action is Action.UPDATE and doing is not None and doing.mixed
