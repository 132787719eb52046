"""References: places of the record, its bib, the input row and the parameters, in one syntax.

A plain place begins at the object that a change is made in, which is the item unless the change
says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bulkrunner.domain.context import Context
from bulkrunner.domain.places import (
    ABSENT,
    MAX_LENGTH,
    Path,
    PlaceError,
    PlaceRefused,
    parse_steps,
)
from bulkrunner.domain.records import components, record_part, thing_part


class Origin(StrEnum):
    """Where a reference begins."""

    HERE = ""
    ITEM = "@item."
    RECORD = "@record."
    COMPONENT = "@component."
    BIB_RECORD = "@bib.@record."
    BIB = "@bib."
    HOLDING = "@bib.holdings"
    ROW = "@row."
    PARAM = "@param."
    SELF_ID = "@self.id"
    BIB_ID = "@bib.id"


_WHOLE = (Origin.SELF_ID, Origin.BIB_ID)
_NAMED = (Origin.ROW, Origin.PARAM)
_PREFIXES = (
    Origin.ITEM,
    Origin.RECORD,
    Origin.COMPONENT,
    Origin.BIB_RECORD,
    Origin.BIB,
    Origin.ROW,
    Origin.PARAM,
)
_BY_PREFIX = ", ".join(sorted({*(one.value for one in (*_PREFIXES, Origin.HOLDING)), *_WHOLE}))
_HOLDING = re.compile(
    r"@bib\.holdings(?:\[(?P<sigel>[^\[\]]{1,50})\])?(?:\.(?P<record>@record\.)?(?P<place>.+))?"
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A parsed reference.

    Attributes:
        text: as written. steps: from the origin, for places. name: of the column or parameter.
        sigel: whose holdings on the bib are meant, empty for everybody's. of_record: the place is
            in their record parts.
    """

    text: str
    origin: Origin
    steps: Path = ()
    name: str = ""
    sigel: str = ""
    of_record: bool = False

    @property
    def is_id(self) -> bool:
        """Whether it leads to an ``@id``, which differs from environment to environment."""
        return bool(self.steps) and self.steps[-1] == "@id"


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        PlaceError: malformed; the message says why.
    """
    if not text:
        raise PlaceError("it is empty")
    if len(text) > MAX_LENGTH:
        raise PlaceError(f"it is longer than {MAX_LENGTH} characters")
    if text in _WHOLE:
        return Reference(text=text, origin=Origin(text))
    if re.match(r"@bib\.holdings(?![^.\[])", text):
        return _of_holdings(text)
    for origin in _PREFIXES:
        if text.startswith(origin.value):
            rest = text.removeprefix(origin.value)
            if not rest:
                raise PlaceError(f"{origin.value} is followed by a key or a name")
            if origin in _NAMED:
                return Reference(text=text, origin=origin, name=rest)
            return Reference(text=text, origin=origin, steps=parse_steps(rest))
    if text.startswith("@") and text.partition(".")[0] in {"@row", "@param", "@bib", "@self"}:
        raise PlaceError(f"a reference begins with a key or with one of {_BY_PREFIX}")
    return Reference(text=text, origin=Origin.HERE, steps=parse_steps(text))


def _of_holdings(text: str) -> Reference:
    found = _HOLDING.fullmatch(text)
    if found is None:
        raise PlaceError("write @bib.holdings[SIGEL] or @bib.holdings, then a dot and a place")
    return Reference(
        text=text,
        origin=Origin.HOLDING,
        steps=parse_steps(found["place"]) if found["place"] else (),
        sigel=found["sigel"] or "",
        of_record=bool(found["record"]),
    )


# --- every value, for conditions ---------------------------------------------------------------


def values_at(ref: Reference, context: Context) -> Iterator[Any]:
    """Yield what the place holds, every list walked through: each list and then its elements."""
    match ref.origin:
        case Origin.COMPONENT:
            for component in components(context.document):
                yield from _walk(component, ref.steps)
        case Origin.HOLDING:
            for part in _holdings(ref, context):
                yield from _walk(part, ref.steps)
        case Origin.ROW | Origin.PARAM | Origin.SELF_ID | Origin.BIB_ID:
            value = _named(ref, context)
            if value is not ABSENT:
                yield value
        case _:
            yield from _walk(_start(ref.origin, context), ref.steps)


def _walk(node: Any, steps: Path) -> Iterator[Any]:
    if not steps:
        yield node
        if isinstance(node, list):
            for item in node:
                yield from _walk(item, steps)
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        # A single value and a list of one are the same place.
        items = node if isinstance(node, list) else [node]
        if step < len(items):
            yield from _walk(items[step], rest)
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item, steps)
    elif isinstance(node, dict) and step in node:
        yield from _walk(node[step], rest)


# --- one value, for values ---------------------------------------------------------------------


def value_at(ref: Reference, context: Context) -> Any:
    """Return the one value of the place, ``ABSENT`` where there is none.

    Raises:
        PlaceRefused: ``ambiguous_place``.
    """
    match ref.origin:
        case Origin.COMPONENT:
            return _only(ref, components(context.document), "components")
        case Origin.HOLDING:
            return _only(ref, _holdings(ref, context), "holdings")
        case Origin.ROW | Origin.PARAM | Origin.SELF_ID | Origin.BIB_ID:
            return _named(ref, context)
        case _:
            return _one(ref, _start(ref.origin, context))


def _only(ref: Reference, nodes: Iterable[Any], what: str) -> Any:
    found = [_one(ref, node) for node in nodes]
    found = [value for value in found if value is not ABSENT]
    if len(found) > 1:
        raise _several(ref, len(found), what)
    return found[0] if found else ABSENT


def _holdings(ref: Reference, context: Context) -> Iterator[Any]:
    """Yield the parts of the other holdings on the bib that the reference begins at."""
    part = record_part if ref.of_record else thing_part
    return map(part, context.holdings(ref.sigel))


def _one(ref: Reference, node: Any) -> Any:
    for step in ref.steps:
        if isinstance(step, int):
            items = node if isinstance(node, list) else [node]
            if step >= len(items):
                return ABSENT
            node = items[step]
            continue
        while isinstance(node, list):
            if len(node) > 1:
                raise _several(ref, len(node), f"values before {step}")
            if not node:
                return ABSENT
            node = node[0]
        if not isinstance(node, dict) or step not in node:
            return ABSENT
        node = node[step]
    return ABSENT if node is None else node


def _several(ref: Reference, number: int, what: str) -> PlaceRefused:
    return PlaceRefused(
        "ambiguous_place",
        f"{ref.text} meets {number} {what} and does not say which one is meant",
        "name the library, or leave such records out with a condition on their `count`"
        if what == "holdings"
        else "give the index, counted from 0",
    )


def _start(origin: Origin, context: Context) -> Any:
    match origin:
        case Origin.HERE:
            return context.start
        case Origin.ITEM:
            return thing_part(context.document)
        case Origin.RECORD:
            return record_part(context.document)
    bib = context.bib()
    if bib is None:
        return ABSENT
    return thing_part(bib) if origin is Origin.BIB else record_part(bib)


def _named(ref: Reference, context: Context) -> Any:
    match ref.origin:
        case Origin.ROW:
            # A spreadsheet has no other way to say that there is no value.
            return (context.row or {}).get(ref.name) or ABSENT
        case Origin.PARAM:
            return context.parameters.get(ref.name, ABSENT)
        case Origin.SELF_ID:
            return context.short_id or ABSENT
        case _:
            return context.bib_id or ABSENT
