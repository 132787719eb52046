"""What an operation expects to find in a record, and what is said where it is not so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.expressions import Outside
from bulkrunner.domain.expressions.condition_parsing import parse_checks
from bulkrunner.domain.expressions.conditions import (
    Itself,
    Kind,
    bind_condition,
    condition_data,
    condition_references,
    fits,
)
from bulkrunner.domain.expressions.references import Context, Reference
from bulkrunner.domain.expressions.values import bind, localised, references_of, written
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import ABSENT, Place, locate, parse_place
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.stored_form import comparable, kind_of, only_of
from bulkrunner.domain.text import told_apart, value_apart, visible
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

LONGEST_SHOWN = 120


def parse_expected(data: Any, outside: Outside) -> Any:
    """Read what a place must have: a value, None (absent), or tests of it."""
    # Fault says where not.
    if isinstance(data, dict) and data.get("exists") is False:
        if len(data) > 1:
            raise Fault(Sentence("absent_alone"))
        return None
    checks = parse_checks(data, outside)
    if len(checks) == 1 and checks[0].kind is Kind.EQUALS:
        return checks[0].value
    return Itself(checks=checks)


def check_expect(
    document: Document, expect: Mapping[str, Any], iris: IriMap, context: Context | None = None
) -> Refusal | None:
    """Return a refusal where a place does not have what is expected of it."""
    # A list of one counts as its value, null as absent; values are compared as the server stores
    # them, apart from their kind. Tests are asked of the place's value, or of each value of a list.
    context = (context or Context(document=document, iris=iris)).of(document)
    for text, expected in expect.items():
        place = parse_place(text)
        try:
            found = locate(document, place).value
            refusal = _unexpected(place, found, expected, context)
        except Refused as refused:
            return refused.refusal
        if refusal is not None:
            return refusal
    return None


def _unexpected(place: Place, found: Any, expected: Any, context: Context) -> Refusal | None:
    last = place.steps[-1]
    key = last if isinstance(last, str) else ""
    if isinstance(expected, Itself):
        if fits(found, expected, context, key=key):
            return None
        wanted: Any = condition_data(expected)
    else:
        wanted = localised(place, expected, context)
        if _form_expecting(found, key, context.iris) == _form_expecting(wanted, key, context.iris):
            return None
    there, asked = _shown(found), _shown(wanted)
    if kind_of(found) is not None and kind_of(wanted) is not None:
        own, other = told_apart(there, asked)
        there, asked = value_apart(there, own), value_apart(asked, other)
    return Refusal(
        code="unexpected_value",
        message=Sentence("unexpected_value", place=place.text, there=there, asked=asked),
        hint=Sentence("unexpected_value_hint"),
    )


def _form_expecting(value: Any, key: str, iris: IriMap) -> bytes:
    return comparable(None if value is ABSENT else iris.neutral(value), key)


def _shown(value: Any) -> str:
    if value is ABSENT or value is None:
        return Sentence("value_absent")
    value = only_of(value)
    text = visible(canonical_bytes(value).decode("utf-8", "replace"))
    if len(text) <= LONGEST_SHOWN:
        return text
    return Sentence("value_cut", shown=text[:LONGEST_SHOWN], count=len(text))


# --- what is written ---------------------------------------------------------------------------


def expected_data(expected: Any) -> Any:
    """Return what is expected of a place as it is declared, the content of input files included."""
    return condition_data(expected) if isinstance(expected, Itself) else written(expected)


def expected_references(expected: Any) -> Iterator[Reference]:
    """Yield every reference of what is expected of a place."""
    if isinstance(expected, Itself):
        yield from condition_references(expected)
    else:
        yield from references_of(expected)


def bind_expected(expected: Any, context: Context) -> Any:
    """Return what is expected of a place with the row's cells and the parameters put in."""
    if isinstance(expected, Itself):
        return bind_condition(expected, context)
    return bind(expected, context)
