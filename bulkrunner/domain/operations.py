"""Operations on one document, pure: made, named by what they do, made portable, ``new:N`` included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bulkrunner.domain.canonical import is_deeper
from bulkrunner.domain.changes.change import Change, apply_change
from bulkrunner.domain.changes.edits import put
from bulkrunner.domain.diff import undeclared_places
from bulkrunner.domain.expressions.conditions import Itself, condition_data
from bulkrunner.domain.expressions.expectations import bind_expected, check_expect
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.values import portable, written
from bulkrunner.domain.iris import IriMap, iter_ids, map_ids
from bulkrunner.domain.manifest import Create, Creates, Delete, Operation, Update
from bulkrunner.domain.places import ABSENT, RECORD_PATH, THING_PATH, Path
from bulkrunner.domain.plan import Action, BibSummary, PlannedChange
from bulkrunner.domain.prediction import before_fingerprint, create_fingerprint, predict_stored
from bulkrunner.domain.records import (
    HOLDING_TYPE,
    RECORD_KEPT,
    THING_KEPT,
    Document,
    is_holding,
    library_iri,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.stored_form import Storage
from bulkrunner.sentences import Sentence

TEMPID = "https://id.kb.se/TEMPID"

"""Id of a record to be created; no real IRI begins with it. The server puts the new id in."""


def build_create(
    op: Create,
    *,
    iris: IriMap,
    bib_thing_iri: str | None,
    from_records: bool = False,
) -> Document:
    """Return the document to be posted.

    Args:
        op: the operation.
        iris: of the environment written to.
        bib_thing_iri: graph[1].@id of the bib that a holding is hung on; None for a bib.
        from_records: the content comes from records.

    Raises:
        Refused: ``tidied_away`` or ``wrong_kind``.
    """
    record = {"@id": TEMPID, "@type": "Record", "mainEntity": {"@id": f"{TEMPID}#it"}}
    thing: dict[str, Any] = {"@id": f"{TEMPID}#it"}
    if op.creates is Creates.HOLDING:
        thing["@type"] = HOLDING_TYPE
        thing["heldBy"] = {"@id": library_iri(op.sigel)}
        thing["itemOf"] = {"@id": bib_thing_iri}
    kept = THING_KEPT if op.creates is Creates.HOLDING else frozenset({"@id"})
    bare = {"@graph": [record, thing]}
    storage = Storage.of(bare, from_records=from_records)
    content = (
        (record, RECORD_PATH, without(iris.localise(dict(op.record)), RECORD_KEPT)),
        (thing, THING_PATH, without(iris.localise(dict(op.body)), kept)),
    )
    for part, root, given in content:
        for key, value in given.items():
            formed = storage.form(value, (*root, key))
            if formed is not None:
                part[key] = formed
    return bare


def without(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the object without some of its keys."""
    return {key: value for key, value in body.items() if key not in keys}


def neutral_operation(op: Operation, iris: IriMap) -> dict[str, Any]:
    """Return the operation with short ids and ``libris:`` IRIs, equal in every environment."""
    match op:
        case Update():
            return _neutral_update(op, iris)
        case Delete():
            return {"delete": _short(op.target, iris)} | _neutral_expect(op.expect, iris)
        case Create():
            neutral: dict[str, Any] = {"create": op.creates.value, "sigel": op.sigel}
            if op.of is not None:
                neutral["of"] = _short(op.of, iris)
            for name, part in (("body", op.body), ("record", op.record)):
                if plain := written(part):
                    neutral[name] = iris.neutral(dict(plain))
            return neutral


def _neutral_update(op: Update, iris: IriMap) -> dict[str, Any]:
    neutral: dict[str, Any] = {"update": _short(op.target, iris)}
    if op.changes:
        neutral["changes"] = [change.data(iris) for change in op.changes]
    if op.replace is not None:
        neutral["replace"] = iris.neutral(dict(op.replace))
    if op.resave:
        neutral["resave"] = True
    if op.repoint is not None:
        neutral["repoint"] = _short(op.repoint, iris)
    return neutral | _neutral_expect(op.expect, iris)


def _neutral_expect(expect: Mapping[str, Any], iris: IriMap) -> dict[str, Any]:
    if not expect:
        return {}
    return {"expect": {at: _expected(at, value, iris) for at, value in expect.items()}}


def _expected(at: str, value: Any, iris: IriMap) -> Any:
    if isinstance(value, Itself):
        return condition_data(value, iris)
    return portable(at, value, iris)


def _short(text: str, iris: IriMap) -> str:
    ref = iris.parse(text)
    return ref.value if ref else text


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
    except Refused as refused:
        return refused.refusal
    outside = undeclared_places(document, applied.document, applied.declared)
    if outside:
        return Refusal(
            code="undeclared_change",
            message=Sentence("undeclared_change", places=", ".join(outside[:3])),
            hint=Sentence("undeclared_change_hint"),
        )
    return applied


def bind_update(op: Update, context: Context) -> Update:
    """Return the update with the row's cells and the parameters put in."""
    expect = {place: bind_expected(value, context) for place, value in op.expect.items()}
    changes = tuple(change.bound(context) for change in op.changes)
    return replace(op, changes=changes, expect=expect)


def _unreadable(document: Document) -> Refusal | None:
    graph = document.get("@graph")
    parts = graph[:2] if isinstance(graph, list) else []
    if (
        len(parts) == 2
        and all(isinstance(part, dict) for part in parts)
        and not is_deeper(document, MAX_DEPTH)
    ):
        return None
    return Refusal(
        code="unreadable_record",
        message=Sentence("unreadable_record"),
        hint=Sentence("mend_or_drop"),
    )


def _applied(document: Document, op: Update, context: Context) -> Applied:
    if op.replace is not None:
        return _replaced(document, op.replace, context.iris)
    after, declared, changes, effective = document, list[Path](), list[Change](), list[Change]()
    for change in op.changes:
        changed = apply_change(after, change, context)
        after = changed.document
        declared += changed.declared
        changes.append(changed.change)
        if changed.effective:
            effective.append(changed.change)
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


PREFIX = "new:"

# Added to the places of operations in a function's answer until they are numbered in the plan.
IN_ANSWER = 900_000_000

_REFERENCE = re.compile(r"new:([1-9][0-9]{0,8})(#it)?")


def created_number(text: Any) -> int | None:
    """Return N of ``new:N`` or ``new:N#it``; None for anything else."""
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    return int(found[1]) if found else None


def place_in_answer(number: int) -> int | None:
    """Return the place in a function's answer that a number stands for; None for any other."""
    return number - IN_ANSWER if number > IN_ANSWER else None


def references_in(value: Any) -> frozenset[int]:
    """Return the numbers of the records to be created that ``@id`` keys inside name."""
    numbers = (created_number(iri) for iri in iter_ids(value))
    return frozenset(number for number in numbers if number is not None)


def references_of(operation: Mapping[str, Any]) -> frozenset[int]:
    """Return the numbers that an operation, in neutral form, refers to."""
    named = {created_number(operation.get(key)) for key in ("of", "repoint")} | set(
        _set_ids(operation)
    )
    return references_in(operation) | {number for number in named if number is not None}


def _set_ids(operation: Mapping[str, Any]) -> Iterator[int | None]:
    """Yield what changes put into a place that is itself an ``@id``."""
    for change in operation.get("changes", ()):
        for arguments in change.values():
            if isinstance(arguments, dict) and str(arguments.get("at")).endswith("@id"):
                yield created_number(arguments.get("to", arguments.get("value")))


def with_names(value: Any, names: Mapping[int, str]) -> Any:
    """Return a JSON value with every text ``new:N`` replaced by the name of N, ``#it`` kept behind it."""
    if isinstance(value, dict):
        return {key: with_names(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_names(item, names) for item in value]
    number = created_number(value)
    if number is None or number not in names:
        return value
    return names[number] + ("#it" if value.endswith("#it") else "")


def with_records(change: PlannedChange, records: Mapping[int, str], iris: IriMap) -> PlannedChange:
    """Return a change with the short ids, by the number that made them, of the records that were created."""
    # What will be stored is predicted anew, since it depends on the ids.
    if change.after is None:
        return change
    after = with_ids(change.after, records, iris)
    predicted = predict_stored(after).document
    fingerprint = create_fingerprint if change.action is Action.CREATE else before_fingerprint
    number = created_number(change.record)
    record = records.get(number, change.record) if number is not None else change.record
    return replace(
        change,
        record=record,
        bib=replace(change.bib or BibSummary(id=record), id=record) if number else change.bib,
        after=after,
        predicted=predicted,
        after_fingerprint=fingerprint(predicted),
    )


def renumbered(change: PlannedChange, numbers: Mapping[int, int]) -> PlannedChange:
    """Return a change that refers to records to be created by the new numbers of the old ones."""
    names = {old: f"{PREFIX}{new}" for old, new in numbers.items()}
    record, key = with_names(change.record, names), change.target_key
    if key is not None and record != change.record:
        key = key.replace(f":{change.record}:", f":{record}:", 1)
    bib = change.bib
    if bib is not None:
        bib = replace(bib, id=with_names(bib.id, names))
    place = change.place and _REFERENCE.sub(lambda found: with_names(found[0], names), change.place)
    change = replace(change, record=record, bib=bib, target_key=key, place=place)
    if change.after is None:
        return change
    after = map_ids(change.after, lambda iri: with_names(iri, names))
    predicted = predict_stored(after).document
    fingerprint = create_fingerprint if change.action is Action.CREATE else before_fingerprint
    return replace(
        change, after=after, predicted=predicted, after_fingerprint=fingerprint(predicted)
    )


def with_ids(document: Any, records: Mapping[int, str], iris: IriMap) -> Any:
    """Return a document with the IRIs of records under ``@id`` in the place of ``new:N``."""
    names = {number: iris.record_iri(record) for number, record in records.items()}
    return map_ids(document, lambda iri: with_names(iri, names))
