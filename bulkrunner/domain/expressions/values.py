"""Values with references: what they are made of, their functions, and what they come to."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from bulkrunner.domain.expressions.references import Context, Origin, Reference, value_at, values_at
from bulkrunner.domain.expressions.text_functions import MAX_RESULT, Call, TooLong, apply
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT, Place
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import comparable, only_of
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """``$value``: what a reference leads to; ``default`` where it leads nowhere."""

    ref: Reference
    through: tuple[Call, ...] = ()
    default: Any = ABSENT


@dataclass(frozen=True, kw_only=True)
class Listing:
    """``$values``: a list of every value that a reference leads to."""

    ref: Reference
    split: str = ""  # texts are split at it; empty: they are not
    through: tuple[Call, ...] = ()
    default: Any = ABSENT


@dataclass(frozen=True, kw_only=True)
class Text:
    """``$text``: constant pieces and lookups, joined."""

    pieces: tuple[str | Lookup, ...]


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A part without references."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Object:
    """An object with a reference somewhere inside."""

    items: Mapping[str, Node]


@dataclass(frozen=True, kw_only=True)
class Array:
    """A list with a reference somewhere inside."""

    items: tuple[Node, ...]


Node: TypeAlias = Constant | Lookup | Listing | Text | Object | Array


@dataclass(frozen=True, kw_only=True)
class Dynamic:
    """A value with references; a constant is kept as plain JSON instead."""

    node: Node

    @property
    def references(self) -> Iterator[Reference]:
        """Yield every reference inside."""
        yield from references_in(self.node)

    @property
    def data(self) -> Any:
        """Return it as it is written in a manifest."""
        return _written(self.node)


def references_of(value: Any) -> Iterator[Reference]:
    """Yield every reference of a value."""
    if isinstance(value, Dynamic):
        yield from value.references


def written(value: Any) -> Any:
    """Return a value as it is written in a manifest."""
    return value.data if isinstance(value, Dynamic) else value


def portable(at: str, value: Any, iris: IriMap | None) -> Any:
    """Return a value that is to stand at a place as it is written."""
    # With ``iris``, IRIs without a base.
    plain = written(value)
    if iris is None:
        return plain
    if isinstance(plain, str) and at.rpartition(".")[2] == "@id":
        return iris.neutral({"@id": plain})["@id"]
    return iris.neutral(plain)


def references_in(node: Node) -> Iterator[Reference]:
    """Yield every reference of a part."""
    match node:
        case Lookup(ref=ref) | Listing(ref=ref):
            yield ref
        case Text(pieces=pieces):
            yield from (piece.ref for piece in pieces if isinstance(piece, Lookup))
        case Object(items=items):
            for item in items.values():
                yield from references_in(item)
        case Array(items=listed):
            for item in listed:
                yield from references_in(item)


def _written(node: Node) -> Any:
    match node:
        case Constant(value=value):
            return value
        case Lookup(ref=ref, through=through, default=default):
            data: dict[str, Any] = {"$value": ref.text}
            if through:
                data["through"] = [call.text for call in through]
            return data if default is ABSENT else {**data, "default": default}
        case Listing(ref=ref, split=split, through=through, default=default):
            beside = {"split": split, "through": [call.text for call in through]}
            given = {"$values": ref.text} | {key: one for key, one in beside.items() if one}
            return given if default is ABSENT else {**given, "default": default}
        case Text(pieces=pieces):
            return {"$text": "".join(map(_written_piece, pieces))}
        case Object(items=items):
            return {key: _written(item) for key, item in items.items()}
        case Array(items=listed):
            return [_written(item) for item in listed]


def _written_piece(piece: str | Lookup) -> str:
    if isinstance(piece, str):
        return piece.replace("{", "{{").replace("}", "}}")
    return "{" + "|".join([piece.ref.text, *(call.text for call in piece.through)]) + "}"


def text_pieces(value: Any) -> list[str | Dynamic] | None:
    """Return the constant and the looked up texts that a text is joined of; None: it is no text."""
    if isinstance(value, str):
        return [value]
    match value.node if isinstance(value, Dynamic) else None:
        case Lookup() as lookup:
            return [Dynamic(node=Text(pieces=(lookup,)))]
        case Text(pieces=pieces):
            return [
                piece if isinstance(piece, str) else Dynamic(node=Text(pieces=(piece,)))
                for piece in pieces
            ]
    return None


def joined_text(pieces: Sequence[str | Dynamic]) -> Any:
    """Return the text that is joined of pieces of ``text_pieces``."""
    parts: list[str | Lookup] = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
        elif isinstance(piece.node, Text):
            parts += piece.node.pieces
    node = text_of(parts)
    return node.value if isinstance(node, Constant) else Dynamic(node=node)


def object_of(items: Mapping[str, Node]) -> Constant | Object:
    """Return an object of parts; a constant where all of them are."""
    known = {key: item.value for key, item in items.items() if isinstance(item, Constant)}
    return Constant(value=known) if len(known) == len(items) else Object(items=items)


def array_of(items: Sequence[Node]) -> Constant | Array:
    """Return a list of parts; a constant where all of them are."""
    known = [item.value for item in items if isinstance(item, Constant)]
    return Constant(value=known) if len(known) == len(items) else Array(items=tuple(items))


def text_of(pieces: Sequence[str | Lookup]) -> Constant | Text:
    """Return a text of pieces; a constant where nothing is looked up."""
    joined: list[str | Lookup] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece != "":
            joined.append(piece)
    if all(isinstance(piece, str) for piece in joined):
        return Constant(value="".join(map(str, joined)))
    return Text(pieces=tuple(joined))


def resolve(value: Any, context: Context, *, at_id: bool = False) -> Any:
    """Return the plain value; record IRIs that come out of documents are written without a base."""
    # ``at_id``: it is to stand at an ``@id``. Refused: ``value_missing``, ``ambiguous_place``,
    # ``not_text``, ``environment_iri`` or ``value_too_long``.
    return _resolve(value.node, context, at_id=at_id) if isinstance(value, Dynamic) else value


def localised(place: Place, value: Any, context: Context) -> Any:
    """Return a value, looked up, with record IRIs moved to the environment written to."""
    at_id = place.steps[-1] == "@id"
    found = resolve(value, context, at_id=at_id)
    if at_id and isinstance(found, str):
        return context.iris.localise_iri(found)
    return context.iris.localise(found)


def bind(value: Any, context: Context) -> Any:
    """Return the value with the row's cells and the parameters put in."""
    # The rest stays a reference.
    # What has no value stays a reference too; looking it up later says so.
    if not isinstance(value, Dynamic):
        return value
    node = _leaves_made(value.node, partial(_bind, context=context))
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


def freeze(value: Any, context: Context, *, at_id: bool = False, whole: bool = False) -> Any:
    """Return the value with everything looked up that does not depend on where it is used."""
    # What has no value stays a reference. ``at_id``: it is to stand at an ``@id``; ``whole``: plain
    # places begin at one object only, so they are looked up too.
    if not isinstance(value, Dynamic):
        return value
    if whole:
        try:
            return _resolve(value.node, context, at_id=at_id)
        except Refused:
            return value
    node = _leaves_made(value.node, partial(_freeze, context=context), at_id=at_id)
    return node.value if isinstance(node, Constant) else Dynamic(node=node)


def _freeze(node: Node, context: Context, *, at_id: bool = False) -> Node:
    if any(ref.origin is Origin.HERE for ref in references_in(node)):
        return node
    try:
        return Constant(value=_resolve(node, context, at_id=at_id))
    except Refused:
        return node


def _leaves_made(node: Node, made: Callable[..., Node], *, at_id: bool = False) -> Node:
    """Return a part with what stands in its objects and lists made anew."""
    match node:
        case Object(items=items):
            return object_of(
                {key: _leaves_made(item, made, at_id=key == "@id") for key, item in items.items()}
            )
        case Array(items=listed):
            return array_of([_leaves_made(item, made) for item in listed])
    return made(node, at_id=at_id)


_BINDABLE = (Origin.ROW, Origin.PARAM)


def _bind(node: Node, context: Context, *, at_id: bool = False) -> Node:  # noqa: ARG001
    if isinstance(node, Text):
        return _bind_text(node.pieces, context)
    if not isinstance(node, Lookup | Listing) or node.ref.origin not in _BINDABLE:
        return node
    try:
        return Constant(value=_resolve(node, context))
    except Refused:
        return node


def _bind_text(pieces: tuple[str | Lookup, ...], context: Context) -> Node:
    bound: list[str | Lookup] = []
    for piece in pieces:
        if isinstance(piece, Lookup) and piece.ref.origin in _BINDABLE:
            try:
                bound.append(_as_text(piece, context))
            except Refused:
                bound.append(piece)
        else:
            bound.append(piece)
    return text_of(bound)


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


def _missing(ref: Reference) -> Refused:
    return Refused(
        "value_missing",
        Sentence("value_missing", ref=ref.text),
        Sentence("value_missing_hint"),
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
        raise Refused(
            "environment_iri",
            Sentence("environment_iri", ref=ref.text),
            Sentence("environment_iri_hint"),
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


def _too_long(ref: Reference) -> Refused:
    return Refused(
        "value_too_long", Sentence("value_too_long", ref=ref.text), Sentence("value_too_long_hint")
    )


def _joined(pieces: tuple[str | Lookup, ...], context: Context) -> str:
    texts = [piece if isinstance(piece, str) else _as_text(piece, context) for piece in pieces]
    if sum(map(len, texts)) > MAX_RESULT:
        raise Refused(
            "value_too_long",
            Sentence("joined_too_long"),
            Sentence("leave_out_by_condition"),
        )
    return "".join(texts)


def _as_text(lookup: Lookup, context: Context) -> str:
    value = _looked_up(lookup, context, at_id=False)
    value = only_of(value)
    return _plain_text(lookup.ref, value)


def _plain_text(ref: Reference, value: Any) -> str:
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise Refused(
        "not_text",
        Sentence("list_no_text", ref=ref.text)
        if isinstance(value, list)
        else Sentence("object_no_text", ref=ref.text),
        Sentence("name_place_inside"),
    )
