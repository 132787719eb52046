"""Operations: pure changes to one document. The document given is never changed itself.

What a change does not name keeps its very form and order; untouched parts are the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bulkrunner.domain.changes.applying import apply_change
from bulkrunner.domain.changes.edits import put
from bulkrunner.domain.changes.grounding import ground_change
from bulkrunner.domain.changes.kinds import Change
from bulkrunner.domain.comparing import changed_places, same, undeclared_places
from bulkrunner.domain.context import Context
from bulkrunner.domain.creating import TEMPID, build_create, without
from bulkrunner.domain.expecting import check_expect, ground_expected
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Update
from bulkrunner.domain.neutral import neutral_operation
from bulkrunner.domain.places import (
    ABSENT,
    RECORD_KEPT,
    RECORD_PATH,
    THING_KEPT,
    THING_PATH,
    Path,
    PlaceRefused,
    Refusal,
)
from bulkrunner.domain.records import Document, is_holding, record_part, thing_part
from bulkrunner.domain.stored_form import Storage

__all__ = [
    "TEMPID",
    "Applied",
    "Refusal",
    "apply_update",
    "build_create",
    "changed_places",
    "check_expect",
    "ground_update",
    "neutral_operation",
    "same",
    "undeclared_places",
]

MAX_DEPTH = 100
"""Levels of a record; real ones have a dozen."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The document after an operation.

    Attributes:
        declared: paths at or under which the operation may have changed something.
        changes: those of the operation, with the values in them that they were made with.
        effective: of these the ones that found something to do.
    """

    document: Document
    declared: tuple[Path, ...] = field(default=())
    changes: tuple[Change, ...] = ()
    effective: tuple[Change, ...] = ()


def apply_update(
    document: Document, op: Update, iris: IriMap, context: Context | None = None
) -> Applied | Refusal:
    """Return the document with the operation carried out, or why it is not.

    Args:
        document: as read; left as it is.
        op: the operation.
        iris: moves record IRIs in the operation's values to the environment written to.
        context: what the operation's values and conditions refer to beside the document.
    """
    known = context or Context(document=document, iris=iris)
    if refusal := _unreadable(document) or check_expect(document, op.expect, iris, known):
        return refusal
    try:
        applied = _applied(document, op, known)
    except PlaceRefused as refused:
        return refused.refusal
    outside = undeclared_places(document, applied.document, applied.declared)
    if outside:
        return Refusal(
            code="undeclared_change",
            message=f"{', '.join(outside[:3])} would change although the operation does not name it",
            hint="this is a fault of bulkrunner; please report it",
        )
    return applied


def ground_update(op: Update, context: Context) -> Update:
    """Return the update with the row's cells and the parameters put in."""
    expect = {place: ground_expected(value, context) for place, value in op.expect.items()}
    changes = tuple(ground_change(change, context) for change in op.changes)
    return replace(op, changes=changes, expect=expect)


def _unreadable(document: Document) -> Refusal | None:
    graph = document.get("@graph")
    parts = graph[:2] if isinstance(graph, list) else []
    if len(parts) == 2 and all(isinstance(part, dict) for part in parts) and _is_shallow(document):
        return None
    return Refusal(
        code="unreadable_record",
        message="the record is not made of two parts, or is nested too deeply",
        hint="mend it in the cataloguing tool, or take it off the list",
    )


def _is_shallow(document: Document) -> bool:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return True
    return False


def _applied(document: Document, op: Update, context: Context) -> Applied:
    if op.replace is not None:
        return _replaced(document, op.replace, context.iris)
    after, declared, changes, effective = document, list[Path](), list[Change](), list[Change]()
    for change in op.changes:
        changed = apply_change(after, change, context)
        after = changed.document
        declared += changed.declared
        changes.append(changed.settled)
        if changed.effective:
            effective.append(changed.settled)
    return Applied(
        document=after,
        declared=tuple(dict.fromkeys(declared)),
        changes=tuple(changes),
        effective=tuple(effective),
    )


def _replaced(document: Document, new: Mapping[str, Any], iris: IriMap) -> Applied:
    thing_kept = (
        THING_KEPT
        if is_holding(document) or "@type" not in new.get("item", {})
        else (THING_KEPT - {"@type"})
    )
    after, declared, storage = document, [], Storage.of(document)
    for name, root, part, kept in (
        ("record", RECORD_PATH, record_part(document), RECORD_KEPT),
        ("item", THING_PATH, thing_part(document), thing_kept),
    ):
        if name not in new:
            continue
        body = iris.localise(dict(new[name]))
        old = {key: value for key, value in part.items() if key in kept}
        given = {
            key: storage.form(value, (*root, key), part.get(key, ABSENT))
            for key, value in without(body, kept).items()
        }
        after = put(after, root, old | given)
        declared += [(*root, key) for key in {**part, **body} if key not in kept]
    return Applied(document=after, declared=tuple(declared))
