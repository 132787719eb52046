"""What holdings become when they move, merge and split. Pure; the documents given stay as they are."""

# A component may name its library by itself: where that is the holding's, it follows the holding
# that it goes into.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from bulkrunner.domain.canonical import same
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.iris import IriMap, without_own_iri
from bulkrunner.domain.manifest import Update
from bulkrunner.domain.operations import TEMPID, Applied, apply_update
from bulkrunner.domain.places import ABSENT, THING_PATH, locate, parse_place
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.domain.records import (
    RECORD_KEPT,
    THING_KEPT,
    WRAPPERS,
    Document,
    held_by,
    library_iri,
    record_part,
    sigel_of_iri,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import is_restoring
from bulkrunner.domain.stored_form import comparable
from bulkrunner.errors import Source

COMPONENTS = "hasComponent"

_NOWHERE = Source(file="")


def content_for(document: Document, sigel: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return item and record part of a holding as the content of a new one of a library."""
    # What says which record it is, and what the server writes itself, is left out.
    own = str(record_part(document).get("@id") or "")
    thing, record = (
        {key: value for key, value in part.items() if key not in kept}
        for part, kept in ((thing_part(document), THING_KEPT), (record_part(document), RECORD_KEPT))
    )
    old = held_by(document)
    if COMPONENTS in thing and old is not None:
        thing[COMPONENTS] = owned(thing[COMPONENTS], old, sigel)
    return without_own_iri(thing, own, TEMPID), without_own_iri(record, own, TEMPID)


def lacking(document: Document, without: Sequence[str], iris: IriMap) -> Document | Refusal:
    """Return a holding as it is without places; those that it has not are not missed."""
    if not without:
        return document
    changes = tuple(RemoveChange(at=place) for place in without)
    applied = apply_update(document, Update(source=_NOWHERE, target="", changes=changes), iris)
    return applied if isinstance(applied, Refusal) else applied.document


def owned(components: Any, old: str | None, new: str | None) -> Any:
    """Return components, at any depth, with one library in the place of another as their holder."""
    if isinstance(components, list):
        return [owned(component, old, new) for component in components]
    if not isinstance(components, dict):
        return components
    changed = dict(components)
    if "heldBy" in changed:
        changed["heldBy"] = _held(changed["heldBy"], old, new)
    for key in changed.keys() & {COMPONENTS, *WRAPPERS}:
        changed[key] = owned(changed[key], old, new)
    return changed


def _held(value: Any, old: str | None, new: str | None) -> Any:
    if isinstance(value, list):
        return [_held(item, old, new) for item in value]
    if new is not None and isinstance(value, dict) and sigel_of_iri(value.get("@id")) == old:
        return {**value, "@id": library_iri(new)}
    return value


def repointed(document: Document, thing_iri: str) -> Applied:
    """Return a holding hung on another bib, named by its graph[1].@id."""
    path = (*THING_PATH, "itemOf")
    after = _with_thing(document, {**thing_part(document), "itemOf": {"@id": thing_iri}})
    return Applied(document=after, declared=(path,))


def merged(
    target: Document, source: Document, take: Sequence[str], iris: IriMap
) -> Applied | Refusal:
    """Return a holding with what places of another one hold added, unless it is there."""
    # What the source has not is not taken.
    old, new = held_by(source), held_by(target)
    changes = []
    try:
        values = [(text, locate(source, parse_place(text)).value) for text in take]
    except Refused as refused:
        return refused.refusal
    for text, value in values:
        if value is ABSENT:
            continue
        move = text == COMPONENTS and old is not None
        changes.append(AppendChange(at=text, value=owned(value, old, new) if move else value))
    if not changes:
        return Applied(document=target)
    update = Update(source=_NOWHERE, target="", changes=tuple(changes))
    context = Context(document=target, iris=iris, from_records=True)
    return apply_update(target, update, iris, context)


def taken(source: Document, take: Sequence[str]) -> dict[str, Any]:
    """Return what the places of a holding have, those left out that have nothing or are refused."""
    found: dict[str, Any] = {}
    for text in take:
        with suppress(Refused):
            value = locate(source, parse_place(text)).value
            if value is not ABSENT:
                found[text] = value
    return found


def parted(
    document: Document, goes: Callable[[Mapping[str, Any]], bool]
) -> tuple[list[dict[str, Any]], Applied]:
    """Return the components that go, and the holding without them."""
    # ``goes``: asked of a library's component.
    thing = thing_part(document)
    value = thing.get(COMPONENTS)
    components = value if isinstance(value, list) else [value]
    gone = [one for one in components if isinstance(one, dict) and goes(one)]
    stay = [one for one in components if not any(one is other for other in gone)]
    rest = {key: value for key, value in thing.items() if key != COMPONENTS}
    if value is not None and stay:
        rest = {key: stay if key == COMPONENTS else value for key, value in thing.items()}
    path = (*THING_PATH, COMPONENTS)
    return gone, Applied(document=_with_thing(document, rest), declared=(path,))


def takes_away(change: PlannedChange) -> bool:
    """Return True if a change removes content of a holding that others may have saved before."""
    if change.action is Action.DELETE:
        return change.kind == "holding"
    parts = change.operation.get("steps", [change.operation])
    return change.action is Action.UPDATE and any("split" in one or "undo" in one for one in parts)


def looks_elsewhere(change: PlannedChange) -> int:
    """Return how many other records are read just before a change is sent."""
    return len(change.origins) + (len(change.prerequisites) if takes_away(change) else 0)


def left_behind(source: Document, target: Document) -> tuple[str, ...]:
    """Return the places of a merged holding whose content the other one does not have."""
    # What says which record it is, and what the server writes itself, does not count.
    body, record = content_for(source, held_by(target) or "")
    pairs = (("", body, thing_part(target)), ("@record.", record, record_part(target)))
    return tuple(
        prefix + key
        for prefix, part, other in pairs
        for key, value in part.items()
        if not _holds(other.get(key), value)
    )


def _holds(value: Any, wanted: Any) -> bool:
    """Return True if each of the wanted values is there; a list of one is its value."""
    there = value if isinstance(value, list) else [value]
    return all(
        any(comparable(one) == comparable(other) for other in there)
        for one in (wanted if isinstance(wanted, list) else [wanted])
    )


def lost(document: Document) -> tuple[str, ...]:
    """Return the places of a holding that a new record made from it does not have."""
    places = ["@record.sameAs"] if "sameAs" in record_part(document) else []
    thing = thing_part(document)
    if "sameAs" in thing:
        places.append("sameAs")
    if not same(thing.get("@type"), "Item"):
        places.append(f"@type {thing.get('@type')}")
    return tuple(places)


def _with_thing(document: Document, thing: dict[str, Any]) -> Document:
    graph = document["@graph"]
    return {**document, "@graph": [graph[0], thing, *graph[2:]]}


Verb: TypeAlias = Literal[
    "move", "merge", "split", "repoint", "copy", "revert", "resave", "replace"
]

Side: TypeAlias = Literal["leaves", "saves", "both"]

VERBS: tuple[Verb, ...] = get_args(Verb)

# Verbs whose changes are told together, by libraries instead of by content.
JOINT = frozenset({"move", "merge", "split", "repoint", "copy"})

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
class TransferRole:
    """What a change belongs to."""

    verb: Verb
    # ``leaves``: the record that content is taken from; ``saves``: the one that takes it.
    side: Side
    to: str = ""  # sigel that a holding goes to, where the verb names one library
    # The other record, by the neutral name it has in the operation; empty where none.
    other: str = ""
    mixed: bool = False  # other operations are carried out on the same record, too


def role_of(change: PlannedChange) -> TransferRole | None:
    """Return what a change belongs to, None where it is only itself."""
    if change.action not in WRITING or is_restoring(change.pattern):
        return None
    operations = list(_operations(change.operation))
    for operation in operations:
        for mark, (verb, side) in _MARKS.items():
            if mark not in operation:
                continue
            mixed = len(operations) > 1 and change.action is not Action.DELETE
            return TransferRole(
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


def is_joint(role: TransferRole | None) -> bool:
    """Return True if a change is told together with those it belongs to."""
    # An update that does something else as well is told by what it does.
    return role is not None and role.verb in JOINT


def told_by_places(role: TransferRole | None, action: Action) -> bool:
    """Return True if a change is told by the places it touches."""
    if not is_joint(role):
        return True
    return action is Action.UPDATE and role is not None and role.mixed
