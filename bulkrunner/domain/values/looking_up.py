"""Looks up what values refer to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from bulkrunner.domain.context import Context
from bulkrunner.domain.places import ABSENT, PlaceRefused
from bulkrunner.domain.references import Origin, Reference, value_at, values_at
from bulkrunner.domain.stored_form import comparable
from bulkrunner.domain.text_functions import MAX_RESULT, TooLong, apply
from bulkrunner.domain.values.nodes import (
    Array,
    Constant,
    Dynamic,
    Listing,
    Lookup,
    Node,
    Object,
    Text,
    array_of,
    object_of,
    references_in,
    text_of,
)


def resolve(value: Any, context: Context, *, at_id: bool = False) -> Any:
    """Return the plain value; record IRIs that come out of documents are written neutrally.

    Args:
        value: plain JSON or ``Dynamic``.
        context: what the references are looked up in.
        at_id: the value is to stand at an ``@id``.

    Raises:
        PlaceRefused: ``value_missing``, ``ambiguous_place``, ``not_text``, ``environment_iri`` or
            ``value_too_long``.
    """
    return _resolve(value.node, context, at_id=at_id) if isinstance(value, Dynamic) else value


def ground(value: Any, context: Context) -> Any:
    """Return the value with the row's cells and the parameters put in; the rest stays a reference.

    What has no value stays a reference too; looking it up later says so.
    """
    if not isinstance(value, Dynamic):
        return value
    node = _ground(value.node, context)
    return node.value if isinstance(node, Constant) else Dynamic(node=node)


def _resolve(node: Node, context: Context, *, at_id: bool = False) -> Any:
    match node:
        case Constant(value=value):
            return value
        case Lookup():
            return _looked_up(node, context, at_id=at_id)
        case Listing():
            return _listed(node, context, at_id=at_id)
        case Text(pieces=pieces):
            return _joined(pieces, context)
        case Object(items=items):
            return {key: _resolve(item, context, at_id=key == "@id") for key, item in items.items()}
        case Array(items=listed):
            return [_resolve(item, context) for item in listed]


def settle(value: Any, context: Context, *, at_id: bool = False, whole: bool = False) -> Any:
    """Return the value with everything looked up that does not depend on where it is used.

    Args:
        value: plain JSON or ``Dynamic``; what has no value stays a reference.
        context: what the references are looked up in.
        at_id: the value is to stand at an ``@id``.
        whole: plain places begin at one object only, so they are looked up too.
    """
    if not isinstance(value, Dynamic):
        return value
    if whole:
        try:
            return _resolve(value.node, context, at_id=at_id)
        except PlaceRefused:
            return value
    node = _settle(value.node, context, at_id=at_id)
    return node.value if isinstance(node, Constant) else Dynamic(node=node)


def _settle(node: Node, context: Context, *, at_id: bool = False) -> Node:
    match node:
        case Object(items=items):
            return object_of(
                {key: _settle(item, context, at_id=key == "@id") for key, item in items.items()}
            )
        case Array(items=listed):
            return array_of([_settle(item, context) for item in listed])
    if any(ref.origin is Origin.HERE for ref in references_in(node)):
        return node
    try:
        return Constant(value=_resolve(node, context, at_id=at_id))
    except PlaceRefused:
        return node


_GROUND = (Origin.ROW, Origin.PARAM)


def _ground(node: Node, context: Context) -> Node:
    match node:
        case Lookup(ref=ref) if ref.origin in _GROUND:
            try:
                return Constant(value=_looked_up(node, context, at_id=False))
            except PlaceRefused:
                return node
        case Listing(ref=ref) if ref.origin in _GROUND:
            try:
                return Constant(value=_listed(node, context, at_id=False))
            except PlaceRefused:
                return node
        case Text(pieces=pieces):
            return _ground_text(pieces, context)
        case Object(items=items):
            return object_of({key: _ground(item, context) for key, item in items.items()})
        case Array(items=listed):
            return array_of([_ground(item, context) for item in listed])
    return node


def _ground_text(pieces: tuple[str | Lookup, ...], context: Context) -> Node:
    grounded: list[str | Lookup] = []
    for piece in pieces:
        if isinstance(piece, Lookup) and piece.ref.origin in _GROUND:
            try:
                grounded.append(_as_text(piece, context))
            except PlaceRefused:
                grounded.append(piece)
        else:
            grounded.append(piece)
    return text_of(grounded)


def _looked_up(lookup: Lookup, context: Context, *, at_id: bool) -> Any:
    value = value_at(lookup.ref, context)
    if value is not ABSENT:
        value = _neutral(lookup.ref, value, context, at_id=at_id)
    if lookup.through:
        value = _through_all(lookup, value)
    if value is ABSENT:
        value = lookup.default
    if value is ABSENT:
        raise _missing(lookup.ref)
    return value


def _listed(listing: Listing, context: Context, *, at_id: bool) -> list[Any]:
    """Return every value, in order and once, lists walked through and texts split."""
    found: dict[bytes, Any] = {}
    for value in values_at(listing.ref, context):
        if value is None or isinstance(value, list):
            continue
        known = _neutral(listing.ref, value, context, at_id=at_id)
        for part in _parts(listing, known):
            found.setdefault(comparable(part), part)
    if found:
        return list(found.values())
    if listing.default is ABSENT:
        raise _missing(listing.ref)
    return list(listing.default)


def _parts(listing: Listing, value: Any) -> Iterator[Any]:
    if not listing.split and not listing.through:
        yield value
        return
    text = _plain_text(listing.ref, value)
    for part in text.split(listing.split) if listing.split else [text]:
        try:
            made = apply(listing.through, part.strip() if listing.split else part)
        except TooLong:
            raise _too_long(listing.ref) from None
        if made:
            yield made


def _missing(ref: Reference) -> PlaceRefused:
    return PlaceRefused(
        "value_missing",
        f"{ref.text} has no value",
        "give the value a default, or leave such records out with a condition",
    )


def _neutral(ref: Reference, value: Any, context: Context, *, at_id: bool) -> Any:
    """Write record IRIs so that they are the same in every environment."""
    if ref.origin in (Origin.ROW, Origin.PARAM):
        return value
    if not isinstance(value, str) or not ref.is_id:
        return context.iris.neutral(value)
    if at_id:
        return context.iris.neutral({"@id": value})["@id"]
    if context.iris.split(value):
        raise PlaceRefused(
            "environment_iri",
            f"{ref.text} is a record's address in this environment, which differs in another",
            "use @bib.id or @self.id in a text, or put the value at an @id",
        )
    return value


def _through_all(lookup: Lookup, value: Any) -> Any:
    if isinstance(value, list):
        made = [_through_one(lookup, item) for item in value]
        return [item for item in made if item is not ABSENT] or ABSENT
    return _through_one(lookup, value)


def _through_one(lookup: Lookup, value: Any) -> Any:
    text = None if value is ABSENT else _plain_text(lookup.ref, value)
    try:
        made = apply(lookup.through, text)
    except TooLong:
        raise _too_long(lookup.ref) from None
    # What is emptied by the functions is no value.
    return made or ABSENT


def _too_long(ref: Reference) -> PlaceRefused:
    return PlaceRefused(
        "value_too_long", f"{ref.text} becomes too long a text", "look at the job's functions"
    )


def _joined(pieces: tuple[str | Lookup, ...], context: Context) -> str:
    texts = [piece if isinstance(piece, str) else _as_text(piece, context) for piece in pieces]
    if sum(map(len, texts)) > MAX_RESULT:
        raise PlaceRefused(
            "value_too_long",
            "a text would become too long of what it is put together from",
            "leave such records out with a condition",
        )
    return "".join(texts)


def _as_text(lookup: Lookup, context: Context) -> str:
    value = _looked_up(lookup, context, at_id=False)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return _plain_text(lookup.ref, value)


def _plain_text(ref: Reference, value: Any) -> str:
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise PlaceRefused(
        "not_text",
        f"{ref.text} is {'a list' if isinstance(value, list) else 'an object'}, not a text",
        "name a place inside it",
    )
