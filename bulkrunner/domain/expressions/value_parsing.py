"""Reads values as a manifest writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bulkrunner.domain.expressions import brief, meant
from bulkrunner.domain.expressions.references import Origin, Reference, parse_reference
from bulkrunner.domain.expressions.text_functions import MAX_FUNCTIONS, Call, parse_call
from bulkrunner.domain.expressions.values import (
    Constant,
    Dynamic,
    Listing,
    Lookup,
    Node,
    array_of,
    object_of,
    text_of,
)
from bulkrunner.domain.places import ABSENT
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MARKS = ("$value", "$values", "$text")
_BARE = re.compile(r"@(?:(?:row|param|bib)\.\S.*|self\.id)")
_IN_BRACES = re.compile(r"\{ *@(?:row|param|bib|self)\.[^{}]+\}")
MAX_DEPTH = 40
MAX_TEXT = 20_000
MAX_REFERENCES = 200


def parse_value(data: Any) -> Any:
    """Return a ``Dynamic`` where the value refers to something, else the value itself."""
    # Fault, where it is malformed, says what is wrong.
    node = _parse(data, 0)
    if isinstance(node, Constant):
        return node.value
    value = Dynamic(node=node)
    if sum(1 for _ in value.references) > MAX_REFERENCES:
        raise Fault(Sentence("value_references", most=MAX_REFERENCES))
    return value


def _parse(data: Any, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Fault(Sentence("value_too_deep", most=MAX_DEPTH))
    if isinstance(data, list):
        return array_of([_below(index, item, depth) for index, item in enumerate(data)])
    if isinstance(data, dict):
        marked = [key for key in data if key.startswith("$")]
        if marked:
            return _marked(data, marked)
        return object_of({key: _below(key, item, depth) for key, item in data.items()})
    if isinstance(data, str):
        _check_constant(data)
    return Constant(value=data)


def _check_constant(text: str) -> None:
    """Raise Fault for a reference without its mark: it would be written into records as it stands."""
    short = text[:200]
    if _BARE.fullmatch(short):
        raise Fault(
            Sentence("written_as_it_stands", text=brief(text)),
            hint=Sentence("written_as_it_stands_hint", form=f'{{$value: "{short}"}}'),
        )
    if found := _IN_BRACES.search(text):
        raise Fault(
            Sentence("braces_written", found=brief(found[0])),
            hint=Sentence("braces_written_hint", form='{$text: "…"}'),
        )


def _below(step: str | int, data: Any, depth: int) -> Node:
    try:
        return _parse(data, depth + 1)
    except Fault as error:
        raise error.below(step) from None


_BESIDE = {"$value": ("through", "default"), "$values": ("split", "through", "default")}


def _marked(data: Mapping[str, Any], marked: list[str]) -> Node:
    for key in marked:
        if key not in MARKS:
            raise Fault(Sentence("mark_unknown", key_=brief(key)), key=key, hint=meant(key, MARKS))
    mark = marked[0]
    allowed = {mark, *_BESIDE.get(mark, ())}
    for key in data:
        if key not in allowed:
            raise Fault(
                Sentence("beside_mark", key_=brief(key), mark=mark),
                key=key,
                hint=meant(key, sorted(allowed)),
            )
    if not isinstance(data[mark], str):
        raise Fault(Sentence("mark_no_text", mark=mark), path=(mark,))
    try:
        if mark == "$text":
            return _text(data[mark])
        ref = _reference(data[mark])
    except Fault as error:
        raise error.below(mark) from None
    try:
        through = _through(data.get("through", []))
    except Fault as error:
        raise error.below("through") from None
    if mark == "$value":
        return Lookup(ref=ref, through=through, default=data.get("default", ABSENT))
    return _listing(data, ref, through)


def _listing(data: Mapping[str, Any], ref: Reference, through: tuple[Call, ...]) -> Listing:
    split, default = data.get("split", ""), data.get("default", ABSENT)
    if not isinstance(split, str) or ("split" in data and not split):
        raise Fault(Sentence("split_form"), key="split")
    if default is not ABSENT and not isinstance(default, list):
        raise Fault(
            Sentence("default_no_list"), key="default", hint=Sentence("default_no_list_hint")
        )
    return Listing(ref=ref, split=split, through=through, default=default)


def _reference(text: str) -> Reference:
    try:
        ref = parse_reference(text)
    except Fault as error:
        raise Fault(
            Sentence("no_reference", text=brief(text), why=error.said), code="bad_place"
        ) from None
    if ref.origin is Origin.HOLDING and not ref.steps:
        raise Fault(
            Sentence("whole_holding", text=brief(text)),
            hint=Sentence("whole_holding_hint"),
            code="bad_place",
        )
    return ref


def _through(names: Any) -> tuple[Call, ...]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise Fault(Sentence("through_form"))
    if len(listed) > MAX_FUNCTIONS:
        raise Fault(Sentence("through_long", most=MAX_FUNCTIONS))
    return tuple(map(parse_call, listed))


def _text(text: str) -> Node:
    if len(text) > MAX_TEXT:
        raise Fault(Sentence("text_long", most=MAX_TEXT))
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
            raise Fault(
                Sentence("brace_alone", closing="}", opening="{", text=brief(text)),
                hint=Sentence("brace_twice", brace="}}"),
            )
        else:
            constant, at = constant + letter, at + 1
    return text_of([*pieces, constant])


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
    raise Fault(
        Sentence("brace_open", brace="{", text=brief(text)),
        hint=Sentence("brace_twice", brace="{{"),
    )


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
