"""What values with references are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bulkrunner.domain.places import ABSENT
from bulkrunner.domain.references import Reference
from bulkrunner.domain.text_functions import Call


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """``$value``: what a reference leads to; ``default`` where it leads nowhere."""

    ref: Reference
    through: tuple[Call, ...] = ()
    default: Any = ABSENT


@dataclass(frozen=True, kw_only=True)
class Listing:
    """``$values``: a list of every value that a reference leads to.

    Attributes:
        split: texts are split at it; empty: they are not.
    """

    ref: Reference
    split: str = ""
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
