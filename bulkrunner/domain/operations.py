"""Operations: pure changes to one document. The document given is never changed itself.

What a change does not name keeps its very form and order; untouched parts are the same objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.comparing import changed_places, same, undeclared_places
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import (
    AppendChange,
    Change,
    Create,
    Creates,
    Delete,
    Operation,
    RemoveChange,
    SetChange,
    Update,
)
from bulkrunner.domain.places import (
    ABSENT,
    RECORD_KEPT,
    RECORD_PATH,
    THING_KEPT,
    THING_PATH,
    Path,
    Place,
    PlaceRefused,
    Refusal,
    Spot,
    ambiguous,
    locate,
    parse_place,
    writable_place,
)
from bulkrunner.domain.records import (
    HOLDING_TYPE,
    Document,
    is_holding,
    library_iri,
    record_part,
    thing_part,
)

__all__ = [
    "TEMPID",
    "Applied",
    "Refusal",
    "apply_update",
    "build_create",
    "changed_places",
    "check_expect",
    "neutral_operation",
    "same",
    "undeclared_places",
]

TEMPID = "https://id.kb.se/TEMPID"
"""Id of a record to be created; no real IRI begins with it. The server puts the new id in."""

MAX_SHOWN = 120


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The document after an operation.

    Attributes:
        declared: paths at or under which the operation may have changed something.
    """

    document: Document
    declared: tuple[Path, ...] = field(default=())


def apply_update(document: Document, op: Update, iris: IriMap) -> Applied | Refusal:
    """Return the document with the operation carried out, or why it is not.

    Args:
        document: as read; left as it is.
        op: the operation.
        iris: moves record IRIs in the operation's values to the environment written to.
    """
    if refusal := check_expect(document, op.expect, iris):
        return refusal
    try:
        applied = _applied(document, op, iris)
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


def _applied(document: Document, op: Update, iris: IriMap) -> Applied:
    if op.replace is not None:
        return _replaced(document, op.replace, iris)
    after, declared = document, []
    for change in op.changes:
        after, path = _change(after, change, iris)
        declared.append(path)
    return Applied(document=after, declared=tuple(dict.fromkeys(declared)))


# --- expect ----------------------------------------------------------------------------------


def check_expect(document: Document, expect: Mapping[str, Any], iris: IriMap) -> Refusal | None:
    """Return a refusal where a place does not have the value expected of it.

    A list of one counts as its value, null as absent.
    """
    for text, value in expect.items():
        place = parse_place(text)
        try:
            found = locate(document, place).value
        except PlaceRefused as refused:
            return refused.refusal
        wanted = _localise(place, value, iris)
        if not same(_expected_form(found), _expected_form(wanted)):
            return Refusal(
                code="unexpected_value",
                message=f"{text} is {_shown(found)}, expected {_shown(wanted)}",
                hint="look at the record; it may already be as wanted",
            )
    return None


def _expected_form(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if value is ABSENT else value


def _shown(value: Any) -> str:
    if value is ABSENT or value is None:
        return "absent"
    text = canonical_bytes(value).decode("utf-8", "replace")
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text)} characters)"


# --- changes ---------------------------------------------------------------------------------


def _change(document: Document, change: Change, iris: IriMap) -> tuple[Document, Path]:
    """Return the document after one change and the path that it may have changed."""
    place = writable_place(change.at)
    spot = locate(document, place)
    match change:
        case SetChange(to=to):
            return _set(document, place, spot, _localise(place, to, iris))
        case RemoveChange():
            return _remove(document, spot)
        case AppendChange(value=value):
            return _append(document, place, spot, _localise(place, value, iris))


def _set(document: Document, place: Place, spot: Spot, value: Any) -> tuple[Document, Path]:
    if spot.value is ABSENT and not spot.creatable:
        raise _no_such_place(place)
    path = spot.path
    if isinstance(spot.value, list) and not isinstance(value, list):
        if len(spot.value) > 1:
            raise ambiguous(place, len(spot.value))
        if spot.value:
            path = (*path, 0)
            spot = Spot(path=path, value=spot.value[0])
    if same(spot.value, value):
        return document, path
    return _put(document, path, value), path


def _remove(document: Document, spot: Spot) -> tuple[Document, Path]:
    # Taking out a list element moves those after it, so the whole list is what may change.
    declared = spot.path[:-1] if isinstance(spot.path[-1], int) else spot.path
    if spot.value is ABSENT:
        return document, declared
    return _put(document, spot.path, ABSENT), declared


def _append(document: Document, place: Place, spot: Spot, value: Any) -> tuple[Document, Path]:
    if spot.value is ABSENT and not spot.creatable:
        raise _no_such_place(place)
    if isinstance(place.steps[-1], int) and not isinstance(spot.value, list):
        raise PlaceRefused(
            "no_such_place",
            f"{place.text} is one element of a list, not a list",
            "append to the list itself, without the index",
        )
    present = [] if spot.value is ABSENT else _as_list(spot.value)
    added = list(present)
    for item in _as_list(value):
        if not any(same(item, known) for known in added):
            added.append(item)
    if len(added) == len(present):
        return document, spot.path
    return _put(document, spot.path, added), spot.path


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _no_such_place(place: Place) -> PlaceRefused:
    return PlaceRefused(
        "no_such_place",
        f"the record has nothing that {place.text} could be put into",
        "only the last key of a place is created; set its parent as a whole instead",
    )


def _put(node: Any, path: Path, value: Any) -> Any:
    """Return a copy with the value at the path (``ABSENT``: taken out), sharing all the rest."""
    step, rest = path[0], path[1:]
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    if rest:
        copy[step] = _put(copy[step], rest, value)
    elif value is ABSENT:
        del copy[step]
    else:
        copy[step] = value
    return copy


def _localise(place: Place, value: Any, iris: IriMap) -> Any:
    if place.steps[-1] == "@id" and isinstance(value, str):
        return iris.localise({"@id": value})["@id"]
    return iris.localise(value)


# --- whole new content -----------------------------------------------------------------------


def _replaced(document: Document, new: Mapping[str, Any], iris: IriMap) -> Applied:
    thing_kept = (
        THING_KEPT
        if is_holding(document) or "@type" not in new.get("item", {})
        else (THING_KEPT - {"@type"})
    )
    after, declared = document, []
    for name, root, part, kept in (
        ("record", RECORD_PATH, record_part(document), RECORD_KEPT),
        ("item", THING_PATH, thing_part(document), thing_kept),
    ):
        if name not in new:
            continue
        body = iris.localise(dict(new[name]))
        old = {key: value for key, value in part.items() if key in kept}
        after = _put(after, root, old | _without(body, kept))
        declared += [(*root, key) for key in {**part, **body} if key not in kept]
    return Applied(document=after, declared=tuple(declared))


def _without(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


# --- create ----------------------------------------------------------------------------------


def build_create(
    op: Create, *, iris: IriMap, bib_thing_iri: str | None, sigel: str | None = None
) -> Document:
    """Return the document to be posted.

    Args:
        op: the operation.
        iris: of the environment written to.
        bib_thing_iri: graph[1].@id of the bib that a holding is hung on; None for a bib.
        sigel: of the holding's library, the operation's where left out.
    """
    record = {
        "@id": TEMPID,
        "@type": "Record",
        "mainEntity": {"@id": f"{TEMPID}#it"},
        **_without(iris.localise(dict(op.record)), RECORD_KEPT),
    }
    thing: dict[str, Any] = {"@id": f"{TEMPID}#it"}
    body = iris.localise(dict(op.body))
    if op.creates is Creates.HOLDING:
        thing["@type"] = HOLDING_TYPE
        thing["heldBy"] = {"@id": library_iri(sigel or op.sigel)}
        thing["itemOf"] = {"@id": bib_thing_iri}
        thing |= _without(body, THING_KEPT)
    else:
        thing |= _without(body, {"@id"})
    return {"@graph": [record, thing]}


# --- what an operation is, in every environment ----------------------------------------------


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
                if part:
                    neutral[name] = iris.neutral(dict(part))
            return neutral


def _neutral_update(op: Update, iris: IriMap) -> dict[str, Any]:
    neutral: dict[str, Any] = {"update": _short(op.target, iris)}
    if op.changes:
        neutral["changes"] = [_neutral_change(change, iris) for change in op.changes]
    if op.replace is not None:
        neutral["replace"] = iris.neutral(dict(op.replace))
    if op.resave:
        neutral["resave"] = True
    return neutral | _neutral_expect(op.expect, iris)


def _neutral_expect(expect: Mapping[str, Any], iris: IriMap) -> dict[str, Any]:
    if not expect:
        return {}
    return {"expect": {at: _neutral_value(at, value, iris) for at, value in expect.items()}}


def _neutral_change(change: Change, iris: IriMap) -> dict[str, Any]:
    match change:
        case SetChange(at=at, to=to):
            return {"set": {"at": at, "to": _neutral_value(at, to, iris)}}
        case RemoveChange(at=at):
            return {"remove": {"at": at}}
        case AppendChange(at=at, value=value):
            return {"append": {"at": at, "value": _neutral_value(at, value, iris)}}


def _neutral_value(at: str, value: Any, iris: IriMap) -> Any:
    if isinstance(value, str) and at.rpartition(".")[2] == "@id":
        return iris.neutral({"@id": value})["@id"]
    return iris.neutral(value)


def _short(text: str, iris: IriMap) -> str:
    ref = iris.parse(text)
    return ref.value if ref else text
