"""Values of a manifest's steps: constants, and two marked forms that refer to something else.

``{"$value": reference}`` is the value that a reference leads to, ``{"$text": "…{reference}…"}`` a
text with references in it. Anything else is a constant, braces and all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bulkrunner.domain.context import Context
from bulkrunner.domain.forms import FormError, brief, meant
from bulkrunner.domain.places import ABSENT, PlaceError, PlaceRefused
from bulkrunner.domain.references import Origin, Reference, parse_reference, value_at
from bulkrunner.domain.text_functions import MAX_FUNCTIONS, Call, TooLong, apply, parse_call

MARKS = ("$value", "$text")
MAX_DEPTH = 40
MAX_TEXT = 20_000
MAX_REFERENCES = 200


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """``$value``: what a reference leads to; ``default`` where it leads nowhere."""

    ref: Reference
    through: tuple[Call, ...] = ()
    default: Any = ABSENT


@dataclass(frozen=True, kw_only=True)
class Text:
    """``$text``: constant pieces and lookups, joined."""

    pieces: tuple[str | Lookup, ...]
    written: str


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


Node: TypeAlias = Constant | Lookup | Text | Object | Array


@dataclass(frozen=True, kw_only=True)
class Dynamic:
    """A value with references; a constant is kept as plain JSON instead."""

    node: Node

    @property
    def references(self) -> Iterator[Reference]:
        """Yield every reference inside."""
        yield from _references(self.node)

    @property
    def data(self) -> Any:
        """Return it as it is written in a manifest."""
        return _written(self.node)


def parse_value(data: Any) -> Any:
    """Return a ``Dynamic`` where the value refers to something, otherwise the value itself.

    Raises:
        FormError: a marked form is malformed.
    """
    node = _parse(data, 0)
    if isinstance(node, Constant):
        return node.value
    value = Dynamic(node=node)
    if sum(1 for _ in value.references) > MAX_REFERENCES:
        raise FormError(f"a value has more than {MAX_REFERENCES} references")
    return value


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


def reduce(value: Any, context: Context, *, at_id: bool = False) -> Any:
    """Return the value with everything looked up that does not depend on where it is used.

    What refers to the object that a change is made in stays a reference.
    """
    if not isinstance(value, Dynamic):
        return value
    node = _reduce(value.node, context, at_id=at_id)
    return node.value if isinstance(node, Constant) else Dynamic(node=node)


def references_of(value: Any) -> Iterator[Reference]:
    """Yield every reference of a value."""
    if isinstance(value, Dynamic):
        yield from value.references


def written(value: Any) -> Any:
    """Return a value as it is written in a manifest."""
    return value.data if isinstance(value, Dynamic) else value


# --- reading -----------------------------------------------------------------------------------


def _parse(data: Any, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise FormError(f"a value is nested more than {MAX_DEPTH} deep")
    if isinstance(data, list):
        items = [_below(index, item, depth) for index, item in enumerate(data)]
        constants = [item.value for item in items if isinstance(item, Constant)]
        if len(constants) == len(items):
            return Constant(value=constants)
        return Array(items=tuple(items))
    if isinstance(data, dict):
        marked = [key for key in data if key.startswith("$")]
        if marked:
            return _marked(data, marked)
        nodes = {key: _below(key, item, depth) for key, item in data.items()}
        known = {key: item.value for key, item in nodes.items() if isinstance(item, Constant)}
        if len(known) == len(nodes):
            return Constant(value=known)
        return Object(items=nodes)
    return Constant(value=data)


def _below(step: str | int, data: Any, depth: int) -> Node:
    try:
        return _parse(data, depth + 1)
    except FormError as error:
        raise error.below(step) from None


def _marked(data: Mapping[str, Any], marked: list[str]) -> Node:
    for key in marked:
        if key not in MARKS:
            raise FormError(f"{brief(key)} is no mark of a value", key=key, hint=meant(key, MARKS))
    mark = marked[0]
    allowed = {mark, "through", "default"} if mark == "$value" else {mark}
    for key in data:
        if key not in allowed:
            raise FormError(
                f"{brief(key)} cannot stand beside {mark}", key=key, hint=meant(key, sorted(allowed))
            )
    if not isinstance(data[mark], str):
        raise FormError(f"{mark} must be text", path=(mark,))
    try:
        if mark == "$text":
            return _text(data[mark])
        return Lookup(
            ref=_reference(data[mark]),
            through=_through(data.get("through", [])),
            default=data.get("default", ABSENT),
        )
    except FormError as error:
        raise error if error.path else error.below(mark) from None


def _reference(text: str) -> Reference:
    try:
        return parse_reference(text)
    except PlaceError as error:
        raise FormError(f"{brief(text)} is no reference: {error}") from None


def _through(names: Any) -> tuple[Call, ...]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise FormError("`through` is a list of functions", path=("through",))
    if len(listed) > MAX_FUNCTIONS:
        raise FormError(f"more than {MAX_FUNCTIONS} functions", path=("through",))
    try:
        return tuple(map(parse_call, listed))
    except FormError as error:
        raise error.below("through") from None


def _text(text: str) -> Node:
    if len(text) > MAX_TEXT:
        raise FormError(f"a text is longer than {MAX_TEXT:,} characters")
    pieces: list[str | Lookup] = []
    constant, at = "", 0
    while at < len(text):
        letter, pair = text[at], text[at : at + 2]
        if pair in ("{{", "}}"):
            constant, at = constant + letter, at + 2
        elif letter == "{":
            end = _closing(text, at)
            pieces += [constant, _placeholder(text[at + 1 : end])]
            constant, at = "", end + 1
        elif letter == "}":
            raise FormError(f"a }} without {{ in {brief(text)}", hint="a brace is written twice: }}")
        else:
            constant, at = constant + letter, at + 1
    pieces.append(constant)
    if len(pieces) == 1:
        return Constant(value=constant)
    return Text(pieces=tuple(piece for piece in pieces if piece != ""), written=text)


def _closing(text: str, at: int) -> int:
    quote = ""
    for index in range(at + 1, len(text)):
        letter = text[index]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and "(" in text[at:index]:
            quote = letter
        elif letter == "}":
            return index
    raise FormError(f"a {{ is not closed in {brief(text)}", hint="a brace is written twice: {{")


def _placeholder(text: str) -> Lookup:
    ref, *functions = _split_outside_quotes(text)
    return Lookup(ref=_reference(ref.strip()), through=_through(functions))


def _split_outside_quotes(text: str) -> list[str]:
    parts, quote, depth = [""], "", 0
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif depth and letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "|" and depth <= 0:
            parts.append("")
            continue
        parts[-1] += letter
    return parts


# --- looking up --------------------------------------------------------------------------------


def _resolve(node: Node, context: Context, *, at_id: bool = False) -> Any:
    match node:
        case Constant(value=value):
            return value
        case Lookup():
            return _looked_up(node, context, at_id=at_id)
        case Text(pieces=pieces):
            return "".join(
                piece if isinstance(piece, str) else _as_text(piece, context) for piece in pieces
            )
        case Object(items=items):
            return {key: _resolve(item, context, at_id=key == "@id") for key, item in items.items()}
        case Array(items=listed):
            return [_resolve(item, context) for item in listed]


def _reduce(node: Node, context: Context, *, at_id: bool = False) -> Node:
    if not any(ref.origin is Origin.HERE for ref in _references(node)):
        return Constant(value=_resolve(node, context, at_id=at_id))
    match node:
        case Object(items=items):
            return Object(
                items={key: _reduce(item, context, at_id=key == "@id") for key, item in items.items()}
            )
        case Array(items=listed):
            return Array(items=tuple(_reduce(item, context) for item in listed))
    return node


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
        raise PlaceRefused(
            "value_too_long", f"{lookup.ref.text} becomes too long a text", "look at the job's functions"
        ) from None
    return ABSENT if made is None else made


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


def _references(node: Node) -> Iterator[Reference]:
    match node:
        case Lookup(ref=ref):
            yield ref
        case Text(pieces=pieces):
            yield from (piece.ref for piece in pieces if isinstance(piece, Lookup))
        case Object(items=items):
            for item in items.values():
                yield from _references(item)
        case Array(items=listed):
            for item in listed:
                yield from _references(item)


def _written(node: Node) -> Any:
    match node:
        case Constant(value=value):
            return value
        case Lookup(ref=ref, through=through, default=default):
            data: dict[str, Any] = {"$value": ref.text}
            if through:
                data["through"] = [call.text for call in through]
            return data if default is ABSENT else {**data, "default": default}
        case Text(written=text):
            return {"$text": text}
        case Object(items=items):
            return {key: _written(item) for key, item in items.items()}
        case Array(items=listed):
            return [_written(item) for item in listed]
